"""When a connection breaks during the call nobody knows whether it was committed: the same ids go again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from api.database import PARAMETERS, connector
from commands.accounts import Accounts, Registration
from commands.appending import Outcome
from commands.passwords import Passwords
from commands.task import EditTask, MoveTask
from domain.task import TaskEdited, TaskStarted
from domain.user import UserJoined
from domain.workflow import Category
from tests.commands.desk import Connection, Desk, Team, blocked, events_of, held, log_of
from tests.commands.test_committer import CREATED, creation, send
from tests.house import PASSWORD, Database

STARTED = TaskStarted(status="in_progress", category=Category.ACTIVE)


class Deaf(psycopg.AsyncConnection[Any]):
    """A connection that breaks after the server has committed and before the answer is heard."""

    async def execute(self, *args: Any, **kwargs: Any) -> psycopg.AsyncCursor[Any]:
        await super().execute(*args, **kwargs)
        await self.close()
        raise psycopg.OperationalError("the connection is lost")


def deaf_at_first(database: Database, times: int = 1) -> Callable[[], Awaitable[Connection]]:
    """Connects so that the first answers are lost."""
    made: list[Connection] = []
    connect = connector(database.serving_url)

    async def make() -> Connection:
        made.append(await Deaf.connect(database.serving_url, **PARAMETERS) if len(made) < times else await connect())
        return made[-1]

    return make


async def kill(owner: Connection, pid: int) -> None:
    """End a server process, and wait until it is gone."""
    await owner.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_a_commit_whose_answer_is_lost_has_one_effect(database: Database, owner: Connection, team: Team) -> None:
    async with Desk.open(database, connect=deaf_at_first(database, times=2)) as desk:
        append = creation(team)
        verdict = await desk.committer.append(append)
        assert (verdict.outcome, verdict.position) == (Outcome.COMMITTED, 7)
    assert events_of(await log_of(owner, team.workspace_id), append.stream_id) == [CREATED]


async def test_a_batch_whose_answer_is_lost_has_one_effect_each(
    database: Database, owner: Connection, team: Team
) -> None:
    async with Desk.open(database, connect=deaf_at_first(database)) as desk:
        appends = [creation(team) for _ in range(5)]
        verdicts = await asyncio.gather(*send(desk, *appends))
    log = await log_of(owner, team.workspace_id)
    assert len(log) == 6 + 5
    for append, verdict in zip(appends, verdicts, strict=True):
        assert verdict.outcome is Outcome.COMMITTED
        assert log[verdict.position - 1].stream_id == append.stream_id


async def test_a_receipt_is_true_although_the_answer_was_lost(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    """The command is not taken for a repetition, nor refused by what it has done itself."""
    task_id = await desk.task(team)
    async with Desk.open(database, connect=deaf_at_first(database)) as other:
        receipt = await other.do(team, team.admin, MoveTask(task_id, "start"), key="k", fingerprint="0a")
    assert (receipt.version, receipt.position, receipt.replayed) == (2, 8, False)
    assert events_of(await log_of(owner, team.workspace_id), task_id) == [CREATED, STARTED]


async def test_a_server_process_killed_before_the_commit_leaves_one_effect(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    append = creation(team)
    async with held(database, team):
        (sent,) = send(desk, append)
        (pid,) = await blocked(owner)
        await kill(owner, pid)
        assert await blocked(owner) != [pid]  # it has connected again, and waits again
    verdict = await sent
    assert (verdict.outcome, verdict.position) == (Outcome.COMMITTED, 7)
    assert events_of(await log_of(owner, team.workspace_id), append.stream_id) == [CREATED]


async def test_connections_killed_while_they_are_idle_are_replaced(desk: Desk, owner: Connection, team: Team) -> None:
    task_id = await desk.task(team)
    cursor = await owner.execute(
        """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%append(%' AND pid <> pg_backend_pid()
        """
    )
    pids = [pid for (pid,) in await cursor.fetchall()]
    assert pids
    for pid in pids:
        await kill(owner, pid)
    receipt = await desk.do(team, team.admin, EditTask(task_id, title="new"))
    assert receipt.version == 2
    assert events_of(await log_of(owner, team.workspace_id), task_id) == [CREATED, TaskEdited(title="new")]


async def test_a_registration_whose_connection_is_killed_makes_one_account(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    await owner.execute("UPDATE workspaces SET slug = 'main' WHERE workspace_id = %s", (team.workspace_id,))
    passwords = Passwords(1)
    accounts = Accounts(desk.pool, desk.executor, passwords)
    async with held(database, team):
        registering = asyncio.create_task(
            accounts.register(Registration("ada@example.com", PASSWORD, "Ada"), "a request")
        )
        (pid,) = await blocked(owner)
        await kill(owner, pid)
    workspace_id, _, receipt = await registering
    passwords.close()
    assert workspace_id == team.workspace_id
    cursor = await owner.execute("SELECT user_id::text FROM accounts")
    assert await cursor.fetchall() == [(receipt.stream_id,)]
    joined = events_of(await log_of(owner, team.workspace_id), receipt.stream_id)
    assert [type(event) for event in joined] == [UserJoined]
