"""What the tests of the read side look at: rows and checkpoints, the pure fold of the log, and publications."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from msgspec.json import encode
from redis.asyncio import Redis

from commands import event_store
from commands.appending import Fact
from commands.ids import new_id
from domain.events import Event
from domain.messages import PROJECTED_CHANNEL, Projected, RoleChange, TaskChange, decode_projected
from domain.task import Task, TaskCreated
from domain.user import User
from domain.workflow import Category
from projections.database import Pool
from projections.hints import Listener
from projections.projector import Projector, ProjectorSettings
from tests.commands.desk import Connection, Team, log_of, states, wish

Documents = dict[str, dict[str, Any]]


class Rows(NamedTuple):
    """The read tables of a workspace, as JSON by id."""

    tasks: Documents
    users: Documents


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
    for name in ("tasks", "users"):
        while part := await projector.run_once(workspace_id, name):
            read += part
    return read


async def rows_of(owner: Connection, workspace_id: str) -> Rows:
    """The rows as they are."""
    tasks = await owner.execute(
        "SELECT task_id::text, task_document(t)::text FROM tasks t WHERE workspace_id = %s", (workspace_id,)
    )
    users = await owner.execute(
        """
        SELECT user_id::text, json_build_object(
            'id', user_id, 'version', version, 'position', position, 'role', role,
            'joined_at', instant(joined_at), 'updated_at', instant(updated_at))::text
        FROM users WHERE workspace_id = %s
        """,
        (workspace_id,),
    )
    return Rows(*[{id_: orjson.loads(text) for id_, text in await rows.fetchall()} for rows in (tasks, users)])


async def fold_of(owner: Connection, workspace_id: str) -> Rows:
    """What the rows must be: the pure fold of the whole log."""
    last = {id_: state for (id_, _), state in states(await log_of(owner, workspace_id)).items()}
    return Rows(
        *[
            {id_: orjson.loads(encode(state)) for id_, state in last.items() if isinstance(state, kind)}
            for kind in (Task, User)
        ]
    )


async def checkpoint_of(owner: Connection, workspace_id: str, projection: str = "tasks") -> Checkpoint:
    """Where a projection stands."""
    cursor = await owner.execute(
        "SELECT position, lease::text, error FROM checkpoints WHERE workspace_id = %s AND projection = %s",
        (workspace_id, projection),
    )
    return Checkpoint(*(await cursor.fetchone() or (0, None, None)))


async def eventually(holds: Callable[[], Awaitable[bool]], wait_seconds: float = 20.0) -> None:
    """Ask the database until it says so."""
    async with asyncio.timeout(wait_seconds):
        while not await holds():
            pass


async def reaches(owner: Connection, workspace_id: str, position: int, *names: str) -> None:
    """Wait until these projections (or both) have come to a position."""

    async def there() -> bool:
        return all([(await checkpoint_of(owner, workspace_id, name)).position >= position for name in names] or [False])

    names = names or ("tasks", "users")
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
        if projected.workspace_id == self._workspace_id:
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
    def roles(self) -> list[RoleChange]:
        """Every change of a role that was published."""
        return [change for message in self.of("tasks") for change in message.roles]


@asynccontextmanager
async def listening(redis: Redis, workspace_id: str) -> AsyncIterator[Heard]:
    """Hear what is published while the block runs."""
    heard = Heard(workspace_id)
    listener = Listener(redis, PROJECTED_CHANNEL, heard.receive)
    listener.start()
    try:
        await asyncio.wait_for(listener.connected.wait(), 10)
        yield heard
    finally:
        await listener.stop()


def tiles(messages: Iterable[Projected]) -> bool:
    """Whether publications follow on each other: no position missing, none twice."""
    at = 0
    for message in messages:
        if message.after != at or message.to <= at:
            return False
        at = message.to
    return True
