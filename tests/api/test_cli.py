"""The command line: help, the projections' state, watching, and processes that start and stop."""

import asyncio
import base64
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from click.testing import CliRunner

from api.cli import COMMANDS, main
from api.cli.watch import readable
from api.embedded.process import free_port
from commands.one_time import STEP_SECONDS, code_at
from tests.house import PASSWORD, Database, House, Servers, position_of, refused

PATIENCE = 30.0


def _run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    "path", [[], *[[name] for name in COMMANDS], ["projections", "list"], ["projections", "rebuild"]]
)
def test_every_command_has_help(path: list[str]) -> None:
    status, said = _run(*path, "--help")
    assert status == 0
    assert said.startswith(f"Usage: main {' '.join(path)}".rstrip())
    assert "--help" in said


def test_the_program_lists_its_commands_and_knows_its_version() -> None:
    listed = [line.split()[0] for line in _run("--help")[1].partition("Commands:")[2].splitlines() if line[2:3].strip()]
    assert listed == list(COMMANDS)
    assert _run("--version")[1].startswith("taskfold, version ")
    assert _run("fly")[0] == 2


@pytest.mark.parametrize("command", [["serve"], ["work"], ["projections", "list"], ["projections", "rebuild", "tasks"]])
def test_a_wrong_setting_stops_the_start_with_a_clear_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("TASKFOLD_SECRET_KEY", "short")
    status, said = _run(*command)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("error: TASKFOLD_SECRET_KEY: ")
    assert "short'" not in said


def test_a_database_that_is_away_is_said(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFOLD_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, said = _run("projections", "list")
    assert status == 1
    assert said.startswith("error: ")


async def test_an_operator_makes_the_first_admin_of_a_closed_installation(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, database: Database, servers: Servers
) -> None:
    monkeypatch.setenv("TASKFOLD_SIGNUP", "closed")
    monkeypatch.setenv("TASKFOLD_ADMIN_PASSWORD", "correct horse")
    arguments = ["users", "create-admin", "--email", "ada@example.com"]
    status, said = await asyncio.to_thread(_run, *arguments)
    assert (status, said.startswith("ada@example.com is the admin of main: ")) == (0, True)
    async with House.open(database, servers, signup="closed", projecting=False) as house:
        login = await house.http.post("/auth/login", json={"email": "ada@example.com", "password": "correct horse"})
        assert login.json()["user"] | {"joined_at": ""} == {
            "id": said.split()[-1],
            "version": 1,
            "role": "admin",
            "active": True,
            "joined_at": "",
            "email": "ada@example.com",
            "display_name": "Administrator",
            "teams": [],
            "projects": [],
            "preferences": {},
            "time_zone": "UTC",
            "locale": "en",
        }
        head = await house.head()
        status, said = await asyncio.to_thread(_run, *arguments)
        assert (status, said.startswith("error: "), said.count("\n")) == (1, True, 1)
        assert await house.head() == head


async def test_an_operator_lists_the_members(environment: dict[str, str], house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    await ada.post(f"/users/{bob.id}/deactivate")
    await ada.get("/users", min_position=await house.head())
    for size in (1, 3, 200):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("api.cli.users.PAGE", size)
            status, said = await asyncio.to_thread(_run, "users", "list")
        assert status == 0
        assert [line.split() for line in said.splitlines()[1:]] == [
            [ada.id, "admin", "active", ada.tokens["user"]["email"]],
            [bob.id, "member", "deactivated", bob.tokens["user"]["email"]],
            [eve.id, "member", "active", eve.tokens["user"]["email"]],
        ]
    status, said = await asyncio.to_thread(_run, "users", "list", "--workspace", "nowhere")
    assert (status, said) == (1, "error: no workspace has the slug 'nowhere'\n")


async def test_an_operator_shuts_a_member_out_and_lets_them_in_for_an_admin(
    environment: dict[str, str], house: House
) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    address = bob.tokens["user"]["email"]
    by = ["--by", ada.tokens["user"]["email"], "--reason", "a phone was lost"]
    for member in (address, bob.id):  # twice is once
        assert await asyncio.to_thread(_run, "users", "deactivate", member, *by) == (0, f"{address} is deactivated\n")
    log_in = {"email": address, "password": PASSWORD}
    refused(await house.http.post("/auth/login", json=log_in), 401, "auth.deactivated")
    assert (await bob.get("/tasks")).status_code == 401
    assert await asyncio.to_thread(_run, "users", "reactivate", address, *by) == (0, f"{address} is reactivated\n")
    assert (await house.http.post("/auth/login", json=log_in)).status_code == 200
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT name, meta->>'actor', data->>'reason' FROM events WHERE stream_id = %s ORDER BY version", (bob.id,)
        )
        assert (await cursor.fetchall())[1:] == [
            ("user.deactivated", ada.id, "a phone was lost"),
            ("user.reactivated", ada.id, "a phone was lost"),
        ]
    for arguments, said in (
        ((eve.id, "--by", bob.id), "error: the role 'member' may not do 'user.deactivate' here\n"),
        ((ada.id, "--by", ada.id), "error: a workspace keeps at least one admin; make somebody else one first\n"),
        (("x@y.z", "--by", ada.id), "error: nobody in the workspace 'main' has the address or the id 'x@y.z'\n"),
        ((str(uuid4()), "--by", ada.id), "error: nobody in the workspace"),
        ((eve.id, "--by", ada.id, "--workspace", "nowhere"), "error: no workspace has the slug 'nowhere'\n"),
    ):
        status, answer = await asyncio.to_thread(_run, "users", "deactivate", *arguments)
        assert (status, answer.startswith(said)) == (1, True), answer


async def test_an_operator_resets_the_second_factor_of_the_last_admin(
    environment: dict[str, str], house: House
) -> None:
    ada = await house.user()
    address = ada.tokens["user"]["email"]
    command = ("users", "reset-second-factor", address)
    assert await asyncio.to_thread(_run, *command) == (1, "error: there is no second factor\n")
    secret = (await ada.post("/auth/second-factor", {"password": PASSWORD})).json()["secret"]
    code = code_at(base64.b32decode(secret), int(time() // STEP_SECONDS))
    assert (await ada.post("/auth/second-factor/confirm", {"otp": code})).status_code == 200
    log_in = {"email": address, "password": PASSWORD}
    refused(await house.http.post("/auth/login", json=log_in), 401, "auth.otp_needed")
    assert await asyncio.to_thread(_run, *command) == (0, f"{address} has no second factor any more\n")
    assert (await house.http.post("/auth/login", json=log_in)).status_code == 200


# ------------------------------------------------------------------------------------------------------ other processes


@asynccontextmanager
async def _started(environment: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", *arguments, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ended(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    process.send_signal(number)
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_projects_until_it_is_told_to_stop(
    environment: dict[str, str], database: Database, servers: Servers, number: signal.Signals
) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=30_000) as house:
        ada = await house.user()
        async with _started(environment, "work") as worker:
            for n in range(2):  # a catch-up, then live
                task = await ada.task(str(n))
                assert position_of(await ada.get("/tasks", min_position=task["position"])) >= task["position"]
            assert await _ended(worker, number) == 0
        async with house.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM checkpoints WHERE lease IS NOT NULL")
            assert await cursor.fetchone() == (0,)  # given back: the next worker need not wait


async def _ready(base: str) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=base) as http:
        while True:
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0)


async def test_a_server_serves_until_it_is_told_to_stop(environment: dict[str, str]) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with _started({**environment, "TASKFOLD_LOG_FORMAT": "json"}, "serve", "--port", str(port)) as server:
        await _ready(base)
        body = {"email": "a@b.example", "password": "correct horse", "display_name": "A"}
        async with httpx.AsyncClient(base_url=base) as http:
            assert (await http.post("/api/v1/auth/register", json=body)).status_code == 201
        assert await _ended(server, signal.SIGTERM) in (0, -signal.SIGTERM)
        assert server.stderr is not None
        lines = [orjson.loads(line) for line in (await server.stderr.read()).splitlines()]
    assert ("/api/v1/auth/register", 201) in [(line.get("path"), line.get("status")) for line in lines]
    assert "correct horse" not in str(lines)


class Watcher:
    """`taskfold watch`, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stdout.readline()).decode().rstrip()

    async def said(self) -> str:
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stderr.readline()).decode().rstrip()


async def test_watching_shows_each_change_and_resumes_after_a_cut(
    environment: dict[str, str], database: Database, servers: Servers
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with House.open(database, servers) as house:
        ada = await house.user()
        token = ada.tokens["access_token"]
        async with _started(environment, "serve", "--port", str(port)) as server:
            await _ready(base)
            url = f"ws://127.0.0.1:{port}/ws/tasks"
            async with _started({**environment, "TOKEN": token}, "watch", "--url", url) as process:
                watcher = Watcher(process)
                assert (await watcher.line()).startswith("connected at position ")
                task = await ada.task("a title")
                assert await watcher.line() == f"{task['position']:>8}  todo         a title  ({task['id']} v1)"
                await ada.call("DELETE", f"/tasks/{task['id']}")
                assert await watcher.line() == f"{task['position'] + 1:>8}  removed      ({task['id']})"
                await _ended(server, signal.SIGTERM)
                assert (await watcher.said()).startswith("cut (1012), resuming after ")
                missed = await ada.task("missed")
                async with _started(environment, "serve", "--port", str(port)) as again:
                    while not (line := await watcher.line()).startswith("connected at position "):
                        pass
                    # What it may show again is what came after the last watermark: clients upsert by task.
                    while "missed" not in (line := await watcher.line()):
                        assert task["id"] in line
                    assert f"({missed['id']} v1)" in line
                    await _ended(again, signal.SIGTERM)
                assert await _ended(process, signal.SIGINT) == 0


async def test_watching_prints_the_frames_as_they_come(environment: dict[str, str], house: House) -> None:
    ada = await house.user()
    first = await ada.task()
    second = await ada.task()
    url = f"{house.base.replace('http', 'ws')}/ws/tasks"
    options = ["--url", url, "--token", ada.tokens["access_token"], "--after", str(first["position"]), "--json"]
    async with _started(environment, "watch", *options) as process:
        watcher = Watcher(process)
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["type"] != "through":
            frames.append(orjson.loads(await watcher.line()))
        assert [frame["type"] for frame in frames if frame["type"] != "ping"] == ["hello", "change", "through"]
        assert frames[1]["task"] == second


async def test_watching_says_why_it_may_not(environment: dict[str, str], house: House) -> None:
    url = f"{house.base.replace('http', 'ws')}/ws/tasks"
    async with _started(environment, "watch", "--url", url, "--token", "x") as process:
        assert await Watcher(process).said() == "error: the server closed the socket: 4401 auth.token_invalid"
        assert await process.wait() == 1
    async with _started(environment, "watch", "--url", "ws://127.0.0.1:1/", "--token", "x") as process:
        said = await Watcher(process).said()
        assert said.startswith("not connected (")
        assert said.endswith("trying again")
    assert _run("watch")[1].startswith("error: give a token")


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        ({"type": "through", "position": 1}, None),
        ({"type": "ping"}, None),
        ({"type": "resync", "reason": "why"}, "resync: why; read the lists again"),
    ],
)
def test_frames_are_lines_where_they_say_something_to_a_person(frame: dict[str, Any], line: str | None) -> None:
    assert readable(frame) == line
