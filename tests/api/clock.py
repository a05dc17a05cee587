"""A scheduler with a clock that tests set, beside a running program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from api.database import Pool, connector, make_pool
from api.scheduler import Scheduler, SchedulerSettings
from api.services import make_redis
from commands.committer import Committer
from commands.event_store import EventStore
from commands.execute import Executor
from commands.streams import Streams
from projections import notifications, tasks, timers
from tests.house import House

TRASH = timedelta(days=30)


class Clock:
    """What time it is for a scheduler."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> datetime:
        """Let time pass, or go back."""
        self.now += timedelta(**span)
        return self.now


class Keeper:
    """A scheduler and its clock."""

    def __init__(self, house: House, pool: Pool, scheduler: Scheduler, clock: Clock) -> None:
        self.house = house
        self._pool = pool
        self.scheduler = scheduler
        self.clock = clock

    def asked(self) -> int:
        """How often a connection to the database was asked for."""
        return int(self._pool.get_stats().get("requests_num", 0))

    async def run(self) -> dict[str, int]:
        """Let happen what is due, all that was committed before being projected. Answers what happened."""
        before = self.scheduler.happened.copy()
        await self.reached()
        await self.scheduler.run_once()
        await self.reached()
        return dict(self.scheduler.happened - before)

    async def reached(self) -> None:
        """Wait until the timers have taken in all there is."""
        await self._reached(timers.NAME)

    async def settled(self) -> None:
        """Wait until everybody is told of all there is."""
        await self._reached(notifications.NAME)
        await self._reached(tasks.NAME)

    async def head(self) -> int:
        """The end of the only log."""
        ((_, position),) = await self._heads()
        return position

    async def _reached(self, projection: str) -> None:
        for workspace_id, position in await self._heads():
            await self.house.services.positions.reach(workspace_id, projection, position)

    async def _heads(self) -> list[tuple[str, int]]:
        async with self.house.pool.connection() as connection:
            cursor = await connection.execute("SELECT workspace_id::text, position FROM logs WHERE position > 0")
            return await cursor.fetchall()


@asynccontextmanager
async def keeping(
    house: House, clock: Clock | None = None, lease: str | None = None, redis_url: str | None = None, **settings: Any
) -> AsyncIterator[Keeper]:
    """A scheduler that is not started: it runs when it is told to."""
    clock = clock or Clock()
    pool, redis = make_pool(house.settings.database_url, 4), make_redis(redis_url or house.settings.redis_url)
    await pool.open(wait=True)
    store = EventStore(pool)
    streams = Streams(store)
    committer = Committer(connector(house.settings.database_url), lambda *_: None)
    committer.start()
    executor = Executor(store, streams, committer)
    chosen = SchedulerSettings(**{"trash": TRASH, **settings})
    try:
        yield Keeper(
            house, pool, Scheduler(pool, redis, committer, executor, streams, chosen, lease=lease, clock=clock), clock
        )
    finally:
        await committer.stop()
        await streams.stop()
        await redis.aclose()
        await pool.close()


def resting(house: House) -> Scheduler:
    """A scheduler that nobody starts."""
    parts = house.services
    return Scheduler(house.pool, parts.redis, parts.committer, parts.executor, parts.streams)
