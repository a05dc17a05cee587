"""`taskfold check-history` and `taskfold projections drift`: what they print, and when they fail."""

import asyncio
import re
import signal
import sys
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from psycopg import AsyncConnection

from api.cli import main
from api.cli.check_history import Progress
from projections.registry import PROJECTIONS, TABLES
from tests.house import SECRET, Database, House, Servers

PATIENCE = 30.0


@pytest.fixture
def environment(database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a program of its own on this test's database."""
    monkeypatch.setenv("TASKFOLD_DATABASE_URL", database.serving_url)
    monkeypatch.setenv("TASKFOLD_REDIS_URL", servers.redis_url)
    monkeypatch.setenv("TASKFOLD_SECRET_KEY", SECRET)


async def run(*arguments: str) -> tuple[int, list[str]]:
    """Run a command; its status and the lines that it printed."""
    done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    return done.exit_code, done.output.splitlines()


async def owned(database: Database, statement: str, *parameters: Any) -> None:
    """Do something as the owner of the tables."""
    async with await AsyncConnection.connect(database.owner_url) as connection:
        await connection.execute(statement.encode(), parameters)


async def test_a_healthy_history_passes_with_a_summary(environment: None, database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        task = await ada.task()
        await ada.post(f"/tasks/{task['id']}/start")
        await house.user("other")
        status, lines = await run("check-history")
        assert status == 0
        assert [line.split() for line in lines[:-1]] == [
            ["task.created", "version", "1", "1"],
            ["task.started", "version", "1", "1"],
            ["user.joined", "version", "1", "2"],
            ["workspace.founded", "version", "1", "2"],
        ]
        told = r"6 events of 5 streams in 2 workspaces replayed in \d+\.\d s \([\d,]+ a second\): nothing found"
        assert re.fullmatch(told, lines[-1])
        status, lines = await run("check-history", "--workspace", "other")
        assert (status, lines[-1].partition(" replayed")[0]) == (0, "2 events of 2 streams in 1 workspaces")
        assert await run("check-history", "--workspace", "nowhere") == (
            1,
            ["error: no workspace has the slug 'nowhere'"],
        )


async def test_what_would_break_is_named_and_fails(environment: None, database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        task = (await ada.task())["id"]
        await house.insert_event(task, "task.reopened", {"status": "todo", "category": "open"})
        status, lines = await run("check-history")
        assert (status, lines[0]) == (
            0,
            f"main stream {task} version 2 position 4 task.reopened: would be refused today:"
            " a task that is 'todo' cannot 'reopen'; allowed: cancel, complete, start",
        )
        assert lines[-1].endswith(": 1 would be refused today")
        assert (await run("check-history", "--strict"))[0] == 1
        await house.insert_event(task, "task.unheard_of", {})
        status, lines = await run("check-history")
        assert (status, lines[1]) == (
            1,
            f"main stream {task} version 3 position 5 task.unheard_of: cannot be read:"
            " UnknownEvent: no event is known as 'task.unheard_of' version 1",
        )
        assert lines[-1].endswith(": 1 cannot be read, 1 would be refused today")
        assert ["task.unheard_of", "version", "1", "1"] in [line.split() for line in lines]


async def test_drift_prints_what_it_looked_at_and_every_difference(
    environment: None, database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        tasks = [(await ada.task(f"{n}"))["id"] for n in range(5)]
        await house.user("other")
        await house.project()
        nothing = "0 differences in 0 streams of 0 events, up to position 0"
        without = [name for name in TABLES if name not in ("tasks", "users")]
        whole = [
            "main tasks: 0 differences in 5 streams of 5 events, up to position 7",
            "main users: 0 differences in 1 streams of 1 events, up to position 7",
            *(f"main {name}: {nothing}" for name in without),
            "main notifications: 0 differences in 1 streams of 6 events, up to position 7",
            "main timers: 0 differences in 1 streams of 5 events, up to position 7",
            f"other tasks: {nothing}",
            "other users: 0 differences in 1 streams of 1 events, up to position 2",
            *(f"other {name}: {nothing}" for name in without),
            "other notifications: 0 differences in 1 streams of 1 events, up to position 2",
            "other timers: 0 differences in 1 streams of 0 events, up to position 2",
        ]
        assert await run("projections", "drift", "--all") == (0, whole)
        status, lines = await run("projections", "drift", "--sample", "3", "--workspace", "main")
        assert (status, len(lines)) == (0, len(PROJECTIONS))
        assert re.fullmatch(r"main tasks: 0 differences in [123] streams of [123] events, up to position 7", lines[0])

        await owned(database, "UPDATE tasks SET title = 'ä' WHERE task_id = %s", tasks[1])
        await owned(database, "UPDATE users SET role = 'auditor' WHERE user_id = %s", ada.id)
        await owned(database, "DELETE FROM tasks WHERE task_id = %s", tasks[2])
        status, lines = await run("projections", "drift", "--all", "--workspace", "main")
        assert status == 1
        assert lines == [
            f'main tasks {tasks[1]} at position 7: title differs: row "ä", log "1"',
            f"main tasks {tasks[2]} at position 7: has no row",
            "main tasks: 2 differences in 5 streams of 5 events, up to position 7",
            f'main users {ada.id} at position 7: role differs: row "auditor", log "admin"',
            "main users: 1 differences in 1 streams of 1 events, up to position 7",
            *(f"main {name}: {nothing}" for name in without),
            "main notifications: 0 differences in 1 streams of 6 events, up to position 7",
            "main timers: 0 differences in 1 streams of 5 events, up to position 7",
        ]
        assert (await run("projections", "drift", "--workspace", "other"))[0] == 0
        status, lines = await run("projections", "drift")
        assert (status, len(lines)) == (1, 3 + 2 * len(PROJECTIONS)), "a hundred streams are all of these"


async def test_a_worker_finds_drift_by_itself(
    environment: None, database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKFOLD_DRIFT_SECONDS", "0.02")
    monkeypatch.setenv("TASKFOLD_LOG_FORMAT", "json")
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        task = (await ada.task("one"))["id"]
        await house.project()
    await owned(database, "UPDATE tasks SET title = 'two' WHERE task_id = %s", task)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", "work", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            said: dict[str, Any] = {}
            while said.get("message") != "a row is not the fold of its stream":
                line = await process.stderr.readline()
                assert line, "it ended before it said so"
                said = orjson.loads(line)
        assert (said["level"], said["projection"], said["stream"], said["field"]) == ("ERROR", "tasks", task, "title")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_wrong_calls_are_said(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await run("projections", "drift", "--all", "--sample", "3"))[0] == 2
    assert await run("projections", "drift", "--workspace", "x") == (1, ["error: no workspace has the slug 'x'"])
    monkeypatch.setenv("TASKFOLD_SECRET_KEY", "short")
    for command in (["projections", "drift"], ["check-history"]):
        status, [line] = await run(*command)
        assert (status, line.partition(": ")[2].partition(":")[0]) == (1, "TASKFOLD_SECRET_KEY")


def test_progress_is_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("api.cli.check_history.PROGRESS_SECONDS", 0)
    for terminal, shown in ((False, ""), (True, "5,000 of 20,000 events")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda value=terminal: value)
        progress = Progress(20_000)
        progress.show(5_000)
        progress.say("a finding")
        out, err = capsys.readouterr()
        assert out == "a finding\n"
        assert err.startswith(f"\r\x1b[K{shown}" if terminal else "")
        assert shown in err
        assert bool(err) is terminal
