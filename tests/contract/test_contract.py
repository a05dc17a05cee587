"""The program keeps what `/openapi.json` promises, whoever asks and whatever is asked."""

import asyncio
import json
import os
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.conftest import fresh
from tests.contract.persona import ROLES
from tests.house import Database, House, Servers

SEED = int(os.environ.get("TASKFOLD_CONTRACT_SEED", "1"))
CASES = int(os.environ.get("TASKFOLD_CONTRACT_CASES", "50000"))
AT_ONCE = int(os.environ.get("TASKFOLD_CONTRACT_AT_ONCE", "2"))
PATIENCE = 3_600.0

Result = dict[str, Any]


async def round_of(house: House, folder: Path, *argv: str) -> tuple[int | None, str, Result]:
    """A round in a process of its own, against a program in this one: how it ended, what it said, and the result."""
    path = folder / "result.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract", "--base", house.base, "--result", str(path), *argv),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode(), json.loads(path.read_text()) if path.exists() else {}


async def play(database: Database, servers: Servers, folder: Path, argv: str) -> Result:
    """A round that finds nothing."""
    async with House.open(database, servers) as house:
        code, output, result = await round_of(house, folder, *argv.split())
    assert code == 0, f"python -m tests.contract {argv}\n{output}"
    return result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def answered(result: Result, name: str) -> set[int]:
    """The statuses that an operation was seen to answer."""
    return {int(status) for status in result["statuses"].get(name, {})}


@pytest.mark.no_cover  # thousands of requests, which others measure by one each
async def test_an_admin_is_answered_as_the_document_says(database: Database, servers: Servers, tmp_path: Path) -> None:
    result = await play(database, servers, tmp_path, "--role admin --deterministic --examples 1 --scenarios 0")
    assert result["phases"].keys() == {"examples", "coverage", "fuzzing"}
    assert result["cases"] > 2_000
    assert len(result["statuses"]) > 100
    for name in ("createTask", "createTeam", "createInvite", "createToken", "register"):
        assert 201 in answered(result, name), name
    for name in ("logIn", "listTasks", "listViews", "listTemplates"):
        assert 200 in answered(result, name), name


FOUND = ("getTask", "startTask", "editTask", "replaceTask", "deleteTask")


@pytest.mark.no_cover
async def test_what_one_request_makes_another_one_finds(database: Database, servers: Servers, tmp_path: Path) -> None:
    """Sequences, of so few operations that they get somewhere."""
    only = " ".join(f"--only {name}" for name in ("createTask", *FOUND[:2]))
    argv = f"--role admin --deterministic --examples 0 --scenarios 12 --no-coverage {only}"
    result = await play(database, servers, tmp_path, argv)
    assert result["phases"].keys() == {"stateful"}
    assert 201 in answered(result, "createTask")
    assert len([name for name in FOUND if 200 in answered(result, name)]) > 1, result["statuses"]


async def test_a_document_that_is_not_true_is_found_out(house: House, tmp_path: Path) -> None:
    document = house.app.openapi()
    lie = json.loads(json.dumps(document))
    team = lie["components"]["schemas"]["TeamDocument"]
    team["required"].remove("deleted_at")
    del team["properties"]["deleted_at"]
    del lie["paths"]["/api/v1/users/{user_id}"]["get"]["responses"]["404"]
    lie["components"]["schemas"]["NewTokenBody"]["properties"]["name"]["maxLength"] = 1_000
    path = tmp_path / "lie.json"
    path.write_text(json.dumps(lie))
    argv = "--deterministic --examples 3 --scenarios 0 --only createTeam --only getUser --only createToken"
    code, said, result = await round_of(house, tmp_path, *argv.split(), "--document", str(path))
    assert code == 1, said
    for check in ("response_schema_conformance", "status_code_conformance", "refuses_no_valid_request"):
        assert [finding for finding in result["findings"] if finding.startswith(check)], said


class Long:
    """Rounds in every role, some at a time, until there are enough cases."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self.folder = folder
        self.began = monotonic()
        self.cases = 0
        self.statuses: dict[str, Counter[int]] = {}
        self._rounds = count()

    async def run(self) -> None:
        """Play rounds, each with a role and a seed."""
        while self.cases < CASES:
            number = next(self._rounds)
            role, lap = ROLES[number % len(ROLES)], number // len(ROLES)
            folder = self.folder / str(number)
            folder.mkdir()
            with fresh(self.servers) as database:
                argv = f"--role {role} --seed {SEED + lap} --examples 20 --scenarios 30"
                self._add(await play(database, self.servers, folder, argv))

    def _add(self, result: Result) -> None:
        self.cases += result["cases"]
        for name, counts in result["statuses"].items():
            self.statuses.setdefault(name, Counter()).update({int(status): many for status, many in counts.items()})
        phases = ", ".join(f"{phase} {many}" for phase, many in result["phases"].items())
        who = f"seed {result['seed']} {result['role']:7}"
        _say(f"{self.seconds:5} s  {self.cases:6} cases  {who}  {phases}; logged in again {result['logins']} times")

    @property
    def seconds(self) -> int:
        return round(monotonic() - self.began)


@pytest.mark.faults
async def test_many_requests_in_every_role_are_answered_as_the_document_says(servers: Servers, tmp_path: Path) -> None:
    long = Long(servers, tmp_path)
    async with asyncio.TaskGroup() as lanes:
        for _ in range(AT_ONCE):
            lanes.create_task(long.run())
    for name, counted in sorted(long.statuses.items()):
        _say(f"{name:22} " + "  ".join(f"{status}: {many}" for status, many in sorted(counted.items())))
    assert not [name for name, counted in long.statuses.items() if any(status >= 500 for status in counted)]
    _say(f"cases {long.cases}, operations {len(long.statuses)}, seed {SEED}, {long.seconds} s, failures: 0")
