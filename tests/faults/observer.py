"""An eye on what projectors publish: when it is heard it must be committed, and nobody else may have done it too."""

import asyncio
from bisect import bisect
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain import messages
from domain.messages import PROJECTED_CHANNEL
from tests.faults.bell import back_off
from tests.faults.load import Load

BACK_OFF: Final = 0.1
SETTLED: Final = 2.0  # seconds after PostgreSQL was away in which what was published before is still heard

Place = tuple[str, str]  # a workspace and a projection
Heard = dict[Place, int]  # the furthest position that was published of it


class Observer:
    """Listens beside the program, on its own ways. `early` holds what was published and not there to be read.

    The Redis may be that of other installations too: what is none of this database's is passed over.
    """

    def __init__(self, redis_url: str, owner_url: str, load: Load) -> None:
        self._redis_url = redis_url
        self._owner_url = owner_url
        self._load = load
        self._heard: Heard = {}
        self._news = asyncio.Event()
        self._since = -SETTLED
        self._crashes = 0
        self._taken: dict[Place, list[tuple[int, int]]] = {}
        self.early: list[str] = []
        self._overlaps: list[tuple[str, str]] = []
        self._mine: set[str] = set()

    @property
    def overlaps(self) -> list[str]:
        """What was taken in by two."""
        return [text for workspace_id, text in self._overlaps if workspace_id in self._mine]

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._look())

    async def _listen(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                async with Redis.from_url(self._redis_url) as client, client.pubsub() as subscription:
                    await subscription.subscribe(PROJECTED_CHANNEL)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._take(message["data"])
            await back_off(BACK_OFF)

    def _take(self, message: bytes) -> None:
        projected = messages.decode_projected(message)
        place = projected.workspace_id, projected.projection
        self._overlap(place, projected.after, projected.to)
        self._heard[place] = max(projected.to, self._heard.get(place, 0))
        self._news.set()

    def _overlap(self, place: Place, after: int, to: int) -> None:
        """Two writers at a time take in the same positions. After a crash of PostgreSQL one may have to do so again."""
        if self._crashes != len(self._load.crashes):
            self._crashes, self._since = len(self._load.crashes), monotonic()
            self._taken.clear()
        if monotonic() - self._since <= SETTLED:
            return
        taken = self._taken.setdefault(place, [])
        at = bisect(taken, (after, to))
        for other in taken[max(0, at - 1) : at + 1]:
            if other[0] < to and after < other[1]:
                self._overlaps.append((place[0], f"{place[1]} was taken in twice: in ({after}, {to}] and in {other}"))
        taken.insert(at, (after, to))

    async def _look(self) -> None:
        """After a crash of PostgreSQL a checkpoint may be an earlier one; what was heard before says nothing."""
        while True:
            with suppress(psycopg.Error, OSError):
                async with await AsyncConnection.connect(self._owner_url, autocommit=True) as connection:
                    while True:
                        await self._news.wait()
                        self._news.clear()
                        heard, self._heard = self._heard, {}
                        crashes = len(self._load.crashes)
                        known = await _checkpoints(connection)
                        if crashes == len(self._load.crashes) and monotonic() - self._since > SETTLED:
                            self._compare(heard, known)
            self._heard.clear()
            self._since = monotonic()
            await back_off(BACK_OFF)

    def _compare(self, heard: Heard, known: Heard) -> None:
        self._mine.update(workspace_id for workspace_id, _ in known)
        for place, position in heard.items():
            if known.get(place, position) < position:
                self.early.append(f"{place[1]} published {position} when its checkpoint was {known[place]}")


async def _checkpoints(connection: AsyncConnection[Any]) -> Heard:
    cursor = await connection.execute(
        "SELECT workspace_id::text, projection, max(position) FROM checkpoints GROUP BY workspace_id, projection"
    )
    return {(workspace_id, projection): position for workspace_id, projection, position in await cursor.fetchall()}
