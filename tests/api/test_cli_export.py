"""`taskfold export`: a file that is there when it is whole."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import export as program
from api.cli import main
from domain.exchange import BOM
from projections import exports
from tests.api.crowded import crowd
from tests.house import Client, House


async def _run(*arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, main, ["export", *arguments])
    return done.exit_code, done.output


def _asked(house: House, client: Client, out: Path, *more: str) -> list[str]:
    return ["--url", house.base, "--token", client.tokens["access_token"], "--out", str(out), *more]


async def test_it_writes_what_the_api_answers_and_counts_it(house: House, tmp_path: Path) -> None:
    ada = await house.user()
    await ada.task('"quotes"\u2028', description='a\r\n"\r\n"b', tags=["x"])
    last = await ada.task("=1", priority="high")
    await ada.get("/tasks", min_position=last["position"])
    for form in ("csv", "jsonl"):
        status, said = await _run(*_asked(house, ada, tmp_path / form, "--format", form))
        assert (status, said) == (0, f"2 tasks at position {last['position']} in {tmp_path / form}\n")
        answer = await ada.get("/tasks/export", format=form)
        written = (tmp_path / form).read_bytes()
        assert written.count(b"\n") == answer.content.count(b"\n")
        assert written == answer.content or form == "jsonl"  # whose first line says when
    more = ["--format", "csv", "--query", "priority=high", "--query", "bom=true"]
    status, said = await _run(*_asked(house, ada, tmp_path / "some", *more))
    assert said.startswith("1 tasks at position")
    assert (tmp_path / "some").read_text().startswith(BOM)


async def test_a_refusal_is_said_with_its_code(house: House, tmp_path: Path) -> None:
    ada = await house.user()
    status, said = await _run(*_asked(house, ada, tmp_path / "x", "--query", "sort=rank"))
    assert (status, said[:20]) == (1, "error: sort.unknown:")
    status, said = await _run(*_asked(house, ada, tmp_path / "x", "--query", "sort"))
    assert (status, said) == (1, "error: --query must be name=value, got 'sort'\n")
    assert (await _run("--url", house.base, "--out", str(tmp_path / "x")))[0] == 1
    assert os.listdir(tmp_path) == []


async def test_what_breaks_off_leaves_no_file(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await house.user()
    head = await crowd(house, ada, 60, 99_000)
    assert (await ada.get("/tasks", min_position=head, limit=1)).status_code == 200
    monkeypatch.setattr(exports, "AT_ONCE", 4)
    real = exports.documents
    calls = 0

    async def failing(*arguments: object) -> list[str]:
        nonlocal calls
        calls += 1
        if calls > 3:
            await house.services.pool.close()
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "documents", failing)
    status, said = await _run(*_asked(house, ada, tmp_path / "x", "--format", "csv"))
    assert (status, said[:28]) == (1, "error: the export broke off:")
    assert os.listdir(tmp_path) == []


def test_progress_is_one_line_with_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(program, "SAY_SECONDS", 0)
    shown = program._Shown(100)
    shown.say(50)
    shown.end()
    said = capsys.readouterr().err
    assert "50 of 100 tasks (50 %)" in said
    assert "left" in said
    assert said.count("\n") == 0
