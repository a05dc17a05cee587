"""`taskfold import`: what it says, and how it ends, where something is wrong."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli import main
from tests.api.importing import bring, jsonl, worker
from tests.house import Client, House


async def run(house: House, file: Path, *more: str, token: str) -> Result:
    arguments = ["import", str(file), "--url", house.base, "--token", token, *more]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.csv"
    path.write_text("title\nOne\n")
    return path


async def test_a_refusal_is_said_also_where_it_comes_before_all_is_sent(house: House, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"title\n" + b"One\n" * 5_000_000)
    said = await run(house, large, token="nothing")
    assert (said.exit_code, said.output[:25]) == (1, "error: auth.token_invalid")


@pytest.mark.parametrize("command", ["import", "export"])
@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("http://127.0.0.1:1", "x", "http://127.0.0.1:1 cannot be reached: "),
        ("127.0.0.1", "x", "--url must begin with http:// or https://, got '127.0.0.1'"),
        ("http://127.0.0.1:1", "x\ny", "the token must be characters of ASCII that can be printed"),
        ("http://127.0.0.1:1", "é", "the token must be characters of ASCII that can be printed"),
    ],
)
def test_where_nobody_can_be_asked_one_line_says_why(file: Path, command: str, url: str, token: str, said: str) -> None:
    named = [str(file)] if command == "import" else ["--out", str(file.with_suffix(".out"))]
    done = CliRunner().invoke(main, [command, *named, "--url", url, "--token", token])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.startswith("error: ")
    assert done.output.count("\n") == 1


async def test_who_can_look_no_more_is_told_that_the_job_goes_on(house: House, file: Path) -> None:
    ada = await house.user()
    made = (await ada.post("/auth/tokens", {"name": "x", "scopes": ["read", "write"]})).json()
    running = asyncio.create_task(run(house, file, token=made["token"]))
    while not (jobs := (await ada.get("/jobs")).json()["items"]):
        assert not running.done(), running.result().output
    assert (await ada.call("DELETE", f"/auth/tokens/{made['id']}")).status_code == 204
    said = await running
    assert said.exit_code == 1
    assert f"job {jobs[0]['id']} goes on" in said.output
    assert "auth.token" in said.output


async def test_a_task_that_came_in_without_its_links_is_told(house: House, tmp_path: Path) -> None:
    ada = await house.user()
    first = await bring(house, ada, jsonl({"id": "1", "title": "One"}))
    gone = await ada.call("DELETE", f"/tasks/{first.lines[1]['task_id']}")
    assert gone.status_code == 200, gone.text
    file = tmp_path / "tasks.jsonl"
    file.write_bytes(jsonl({"id": "2", "title": "Two", "links": [{"type": "relates", "task_id": "1"}]}))
    said = await _done(house, ada, file)
    assert said.exit_code == 1
    assert "is done: 1 lines, 1 created, 1 incomplete" in said.output
    assert (
        "line 1: /task_id: must be the id of a task that is visible to you (dependency.task_not_found)" in said.output
    )


async def _done(house: House, client: Client, file: Path) -> Result:
    async with worker(house) as working:
        await working.start()
        return await run(house, file, token=client.tokens["access_token"])
