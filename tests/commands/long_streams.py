"""Long streams, written without commands, and the processes that fold them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from api.database import Pool, make_pool
from commands import event_store
from commands.appending import Fact
from commands.event_store import EventStore, Piece
from commands.ids import new_id
from commands.streams import Streams
from domain.board import Board, BoardTaskArrived
from domain.events import Event, Recorded
from domain.streams import State, evolve
from tests.commands.desk import Connection, Team, found, log_of, wish
from tests.house import Database

EVERY, PIECE = 5, 4


class Counting(EventStore):
    """Remembers what it was asked for, and how many events it gave."""

    def __init__(self, pool: Pool, piece: int = PIECE) -> None:
        super().__init__(pool, piece)
        self.given: list[int] = []

    async def read(self, workspace_id: str, after: Mapping[str, int], **options: Any) -> Piece:
        piece = await super().read(workspace_id, after, **options)
        self.given.append(len(piece.events))
        return piece


@dataclass
class LongStreams:
    """A workspace whose streams are written without commands, and processes that fold them."""

    owner: Connection
    pool: Pool
    team: Team
    streams: list[str] = field(default_factory=lambda: [new_id() for _ in range(3)])

    @property
    def board(self) -> str:
        return self.streams[0]

    def process(self, store: EventStore | None = None, every: int = EVERY) -> Streams:
        """One that knows nothing yet."""
        return Streams(store or EventStore(self.pool, PIECE), every=every)

    async def happen(self, stream_id: str, *events: Event) -> list[Recorded]:
        """Let the next events of a stream be committed; as the log has them."""
        version = len(before := await self.log(stream_id))
        facts = [Fact(stream_id, event) for event in events]
        await event_store.append(self.owner, [wish(self.team, facts, {stream_id: version})])
        return (await self.log(stream_id))[len(before) :]

    async def arrive(self, count: int) -> list[Recorded]:
        """Let tasks arrive at the board."""
        return await self.happen(self.board, *(BoardTaskArrived(task_id=new_id()) for _ in range(count)))

    async def log(self, stream_id: str) -> list[Recorded]:
        """The events of a stream."""
        return [event for event in await log_of(self.owner, self.team.workspace_id) if event.stream_id == stream_id]

    async def erase(self, position: int) -> None:
        await self.owner.execute("SELECT erase(%s, %s, 'asked')", (self.team.workspace_id, position))

    async def now(self, process: Streams, stream_id: str) -> State | None:
        """What a process knows of a stream once it has looked."""
        return await process.current(self.team.workspace_id, stream_id, -1)

    async def kept(self) -> dict[str, int]:
        """The versions of the snapshots."""
        cursor = await self.owner.execute(
            "SELECT stream_id::text, version FROM snapshots WHERE workspace_id = %s", (self.team.workspace_id,)
        )
        return dict(await cursor.fetchall())

    async def lie(self, count: int) -> None:
        """Let the snapshot of the board say that there are so many tasks: who tells it has begun with it."""
        await self.owner.execute(
            """UPDATE snapshots SET state = regexp_replace(state, '"count":-?[0-9]+', %s) WHERE stream_id = %s""",
            (f'"count":{count}', self.board),
        )


def folded(events: Sequence[Recorded]) -> State | None:
    """The pure fold, event by event."""
    state: State | None = None
    for event in events:
        state = evolve(state, event)
    return state


def count_of(state: State | None) -> int:
    assert isinstance(state, Board)
    return state.count


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[LongStreams]:
    pool = make_pool(database.serving_url, 4)
    await pool.open(wait=True)
    async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as owner:
        yield LongStreams(owner, pool, await found(owner))
    await pool.close()
