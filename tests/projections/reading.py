"""What the tests of the read side look at: rows and checkpoints, the pure fold of the log, and publications."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import orjson
from msgspec.json import encode
from msgspec.structs import replace
from psycopg import sql
from redis.asyncio import Redis
from redis.exceptions import RedisError

from commands import event_store
from commands.appending import Fact
from commands.ids import new_id
from domain.events import Event, name_of
from domain.messages import CHANGES_CHANNEL, PROJECTED_CHANNEL, AccessChange, Projected, TaskChange, decode_projected
from domain.streams import kind_of
from domain.task import TaskCreated
from domain.workflow import Category
from projections.database import Pool
from projections.drift import DOCUMENTS
from projections.ending import end
from projections.hints import Listener
from projections.pacing import ProjectorSettings
from projections.projector import Projector
from projections.registry import TABLES
from tests.commands.desk import Connection, Team, log_of, states, wish

Documents = dict[str, dict[str, Any]]


class Rows(dict[str, Documents]):
    """The read tables of a workspace by the names of their projections: JSON by id."""

    @property
    def tasks(self) -> Documents:
        """The tasks."""
        return self["tasks"]

    @property
    def users(self) -> Documents:
        """The users."""
        return self["users"]


class Checkpoint(NamedTuple):
    """What stands in the table `checkpoints`."""

    position: int
    lease: str | None
    error: str | None


def worker(pool: Pool, redis: Redis, **settings: Any) -> Projector:
    """A projector with a lease of its own."""
    return Projector(pool, redis, new_id(), ProjectorSettings(**settings))


async def catch_up(projector: Projector, workspace_id: str) -> int:
    """Project all there is of a workspace; how many positions were read."""
    read = 0
    for name in TABLES:
        while part := await projector.run_once(workspace_id, name):
            read += part
    return read


async def start_over(connection: Connection, projection: str) -> int:
    """As a crash of the server may leave a projection: its rows are gone, its checkpoints are at 0, and nobody has a
    lease. Answers the number of workspaces.
    """
    cursor = await connection.execute(
        """
        UPDATE checkpoints SET position = 0, lease = NULL, leased_until = '-infinity', error = NULL
        WHERE projection = %s AND live
        """,
        (projection,),
    )
    workspaces = cursor.rowcount
    await connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(projection)))
    return workspaces


async def rows_of(owner: Connection, workspace_id: str) -> Rows:
    """The rows as they are."""
    rows = Rows()
    for table in TABLES.values():
        cursor = await owner.execute(
            f"""
            SELECT r.{table.key}::text, {DOCUMENTS[table.name]}::text
            FROM checkpoints c JOIN {table.name} r USING (workspace_id, build)
            WHERE c.workspace_id = %s AND c.projection = %s AND c.live
            """.encode(),
            (workspace_id, table.name),
        )
        rows[table.name] = {id_: orjson.loads(text) for id_, text in await cursor.fetchall()}
    return rows


async def fold_of(owner: Connection, workspace_id: str) -> Rows:
    """What the rows must be: the pure fold of the whole log."""
    log = await log_of(owner, workspace_id)
    kinds = {event.stream_id: kind_of(name_of(event.event)) for event in log}
    last = {id_: state for (id_, _), state in states(log).items()}
    return Rows(
        {
            table.name: {id_: orjson.loads(encode(state)) for id_, state in last.items() if kinds[id_] == table.kind}
            for table in TABLES.values()
        }
    )


async def checkpoint_of(owner: Connection, workspace_id: str, projection: str = "tasks") -> Checkpoint:
    """Where a projection stands."""
    cursor = await owner.execute(
        "SELECT position, lease::text, error FROM checkpoints WHERE workspace_id = %s AND projection = %s AND live",
        (workspace_id, projection),
    )
    return Checkpoint(*(await cursor.fetchone() or (0, None, None)))


async def eventually(holds: Callable[[], Awaitable[bool]], wait_seconds: float = 20.0) -> None:
    """Ask the database until it says so."""
    async with asyncio.timeout(wait_seconds):
        while not await holds():
            pass


async def reaches(owner: Connection, workspace_id: str, position: int, *names: str) -> None:
    """Wait until these projections (or all) have come to a position."""

    async def there() -> bool:
        return all([(await checkpoint_of(owner, workspace_id, name)).position >= position for name in names] or [False])

    names = names or tuple(TABLES)
    await eventually(there)


async def log_events(owner: Connection, team: Team, stream_id: str, *events: Event, after: int = 0) -> int:
    """Put events straight into the log, past a version of their stream; the position of the last one."""
    facts = [Fact(stream_id, event) for event in events]
    (verdict,) = await event_store.append(owner, [wish(team, facts, {stream_id: after})])
    assert verdict.outcome == "committed"
    return verdict.position


def creation(title: str = "write", **fields: Any) -> TaskCreated:
    """A creation, as the log holds it."""
    return TaskCreated(title=title, status="todo", category=Category.OPEN, **fields)


class Heard:
    """What projectors have published of one workspace, in order of arrival."""

    def __init__(self, workspace_id: str) -> None:
        self._workspace_id = workspace_id
        self.messages: list[Projected] = []

    def receive(self, message: bytes) -> None:
        """Take in a message, if it is of this workspace."""
        projected: Projected = decode_projected(message)
        if projected.workspace_id != self._workspace_id:
            return
        last = self.messages[-1] if self.messages else None
        if last is None or replace(last, tasks=None) != projected:  # it was told with its changes just before
            self.messages.append(projected)

    def of(self, projection: str) -> list[Projected]:
        """The messages of one projection."""
        return [message for message in self.messages if message.projection == projection]

    def reached(self, projection: str) -> int:
        """Up to where one projection has published."""
        return max((message.to for message in self.of(projection)), default=0)

    @property
    def tasks(self) -> list[TaskChange]:
        """Every change of a task that was published."""
        return [change for message in self.of("tasks") for change in message.tasks or ()]

    @property
    def accesses(self) -> list[AccessChange]:
        """Every change of somebody's access that was published."""
        return [change for message in self.of("tasks") for change in message.accesses]


@asynccontextmanager
async def listening(redis: Redis, workspace_id: str) -> AsyncIterator[Heard]:
    """Hear what is published while the block runs."""
    heard = Heard(workspace_id)
    listener = Listener(redis, PROJECTED_CHANNEL, heard.receive)
    listener.follow(channel := f"{CHANGES_CHANNEL}{workspace_id}")
    listener.start()
    try:
        async with asyncio.timeout(10):
            await listener.connected.wait()
            while not await _has_listener(redis, channel):
                pass
        yield heard
    finally:
        await listener.stop()


async def _has_listener(redis: Redis, channel: str) -> bool:
    with suppress(RedisError):  # of a connection from before a restart of Redis
        return bool((await redis.pubsub_numsub(channel))[0][1])
    return False


def tiles(messages: Iterable[Projected]) -> bool:
    """Whether publications follow on each other: no position missing, none twice."""
    at = 0
    for message in messages:
        if message.after != at or message.to <= at:
            return False
        at = message.to
    return True


async def dies(projector: Projector) -> None:
    """As when its process is killed: nothing is finished, and no lease given back."""
    await end(projector._main, *projector._lanes.values())
    await asyncio.gather(projector._listener.stop(), projector._sender.stop())
