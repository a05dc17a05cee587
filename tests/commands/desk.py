"""The write side of one process, as tests use it: on a real database, without HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from api.database import Pool, connector, make_pool
from commands import event_store
from commands.appending import Append, Fact
from commands.committer import Committer
from commands.deciding import Command
from commands.event_store import EventStore
from commands.execute import Call, Executor, Receipt
from commands.ids import new_id
from commands.streams import Streams
from commands.task import CreateTask
from domain.events import Event, Meta, Recorded, recorded
from domain.streams import State, evolve
from domain.task import Task
from domain.user import Role, UserJoined
from domain.workspace import WorkspaceFounded
from tests.house import Database

Connection = psycopg.AsyncConnection[Any]


class Team(NamedTuple):
    """A workspace and its members, by role."""

    workspace_id: str
    admin: str
    manager: str
    member: str
    other: str  # a member as well
    auditor: str


ROLES = (Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.MEMBER, Role.AUDITOR)


@dataclass
class Desk:
    """The parts of the write side; what it has announced is kept."""

    pool: Pool
    store: EventStore
    streams: Streams
    committer: Committer
    executor: Executor
    announced: list[tuple[str, int]]

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, *, connect: Any = None, **options: Any) -> AsyncIterator["Desk"]:
        """Open a desk. `connect` replaces how the committer connects; `options` are the committer's."""
        pool = make_pool(database.serving_url, 4)
        await pool.open(wait=True)
        announced: list[tuple[str, int]] = []
        store = EventStore(pool)
        streams = Streams(store)
        committer = Committer(
            connect or connector(database.serving_url),
            lambda workspace_id, position, *_: announced.append((workspace_id, position)),
            **options,
        )
        committer.start()
        try:
            yield cls(pool, store, streams, committer, Executor(store, streams, committer), announced)
        finally:
            await committer.stop()
            await streams.stop()
            await pool.close()

    async def do(self, team: Team, by: str, command: Command, **call: Any) -> Receipt:
        """Run a command."""
        return await self.executor.execute(command, Call(team.workspace_id, by, "a request", **call))

    async def task(self, team: Team, by: str | None = None, title: str = "write", **fields: Any) -> str:
        """Create a task; its id."""
        task_id = new_id()
        await self.do(team, by or team.admin, CreateTask(task_id, title, **fields))
        return task_id


async def found(owner: Connection) -> Team:
    """A workspace with a member of each role."""
    team = Team(*(new_id() for _ in Team._fields))
    await owner.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (%s, %s)", (team[0], f"w{team[0]}"))
    await owner.execute("INSERT INTO logs (workspace_id) VALUES (%s)", (team[0],))
    facts = [Fact(team.workspace_id, WorkspaceFounded(admin_id=team.admin))]
    facts += [Fact(id_, UserJoined(role=role)) for id_, role in zip(team[1:], ROLES, strict=True)]
    await event_store.append(owner, [wish(team, facts, dict.fromkeys(team, 0))])
    return team


def wish(team: Team, facts: Iterable[Fact], reads: dict[str, int], by: str | None = None, **more: Any) -> Append:
    """An append, made by hand. What is written must be among `reads`, the first of which its receipt is about."""
    command_id = more.pop("command_id", None) or new_id()
    stream_id = more.pop("stream_id", None) or next(iter(reads))
    values: dict[str, Any] = {"key": None, "keep": False, "fingerprint": "", **more}
    return Append(
        workspace_id=team.workspace_id,
        command_id=command_id,
        principal=by or team.admin,
        stream_id=stream_id,
        reads=reads,
        facts=list(facts),
        meta=Meta(actor=by or team.admin, correlation_id="a request", causation_id=command_id),
        **values,
    )


async def log_of(connection: Connection, workspace_id: str) -> list[Recorded]:
    """The whole log of a workspace, in order. Asserts that positions, versions and times are as they must be."""
    cursor = await connection.execute(
        """
        SELECT position, stream_id::text, version, instant(recorded_at), name, schema_version, meta::text, data::text
        FROM events WHERE workspace_id = %s ORDER BY position
        """,
        (workspace_id,),
    )
    log = [recorded(row) for row in await cursor.fetchall()]
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    assert [event.recorded_at for event in log] == sorted(event.recorded_at for event in log)
    versions: dict[str, int] = {}
    for event in log:
        assert event.version == versions.get(event.stream_id, 0) + 1
        versions[event.stream_id] = event.version
    cursor = await connection.execute("SELECT position FROM logs WHERE workspace_id = %s", (workspace_id,))
    assert await cursor.fetchone() == (len(log),)
    return log


def states(log: Iterable[Recorded]) -> dict[tuple[str, int], State]:
    """Every state that every stream of a log ever had, by stream and version."""
    now: dict[str, State] = {}
    found: dict[tuple[str, int], State] = {}
    for event in log:
        now[event.stream_id] = evolve(now.get(event.stream_id), event)
        found[event.stream_id, event.version] = now[event.stream_id]
    return found


def events_of(log: Iterable[Recorded], stream_id: str) -> list[Event]:
    """What happened in a stream."""
    return [event.event for event in log if event.stream_id == stream_id]


def as_task(state: State | None) -> Task:
    """A state that is a task's."""
    assert isinstance(state, Task)
    return state


@asynccontextmanager
async def held(database: Database, team: Team) -> AsyncIterator[Connection]:
    """While the block runs nobody can append to the log of the team: it is locked."""
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        await connection.execute("SELECT FROM logs WHERE workspace_id = %s FOR UPDATE", (team.workspace_id,))
        yield connection
        await connection.rollback()


@asynccontextmanager
async def locked(database: Database, lock: str) -> AsyncIterator[None]:
    """While the block runs the owner holds what this statement locks."""
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        await connection.execute(lock.encode())
        yield
        await connection.rollback()


async def blocked(owner: Connection, count: int = 1) -> list[int]:
    """Wait until so many connections wait for a lock; their process ids, the one that waits longest first."""
    async with asyncio.timeout(10):
        while len(pids := await _waiting_for_locks(owner)) < count:
            pass
        return pids


async def gave_way(owner: Connection) -> None:
    """Wait until whoever waits for a lock has given up."""
    await blocked(owner)
    async with asyncio.timeout(10):
        while await _waiting_for_locks(owner):
            pass


async def _waiting_for_locks(owner: Connection) -> list[int]:
    cursor = await owner.execute(
        """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' ORDER BY query_start
        """
    )
    return [pid for (pid,) in await cursor.fetchall()]
