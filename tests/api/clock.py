"""A scheduler with a clock that tests set, beside a running program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from api.database import connector, make_pool
from api.scheduler import Scheduler, SchedulerSettings
from api.services import make_redis
from commands.committer import Committer
from commands.event_store import EventStore
from commands.execute import Executor
from commands.streams import Streams
from projections import timers
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

    def __init__(self, house: House, scheduler: Scheduler, clock: Clock) -> None:
        self.house = house
        self.scheduler = scheduler
        self.clock = clock

    async def run(self) -> dict[str, int]:
        """Let happen what is due, all that was committed before being projected. Answers what happened."""
        before = self.scheduler.happened.copy()
        await self.reached()
        await self.scheduler.run_once()
        await self.reached()
        return dict(self.scheduler.happened - before)

    async def reached(self) -> None:
        """Wait until the timers have taken in all there is."""
        services = self.house.services
        async with self.house.pool.connection() as connection:
            cursor = await connection.execute("SELECT workspace_id::text, position FROM logs WHERE position > 0")
            heads = await cursor.fetchall()
        for workspace_id, position in heads:
            await services.positions.reach(workspace_id, timers.NAME, position)


@asynccontextmanager
async def keeping(house: House, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Keeper]:
    """A scheduler that is not started: it runs when it is told to."""
    clock = clock or Clock()
    pool, redis = make_pool(house.settings.database_url, 4), make_redis(house.settings.redis_url)
    await pool.open(wait=True)
    store = EventStore(pool)
    streams = Streams(store)
    committer = Committer(connector(house.settings.database_url), lambda *_: None)
    committer.start()
    executor = Executor(store, streams, committer)
    chosen = SchedulerSettings(**{"trash": TRASH, **settings})
    try:
        yield Keeper(house, Scheduler(pool, redis, committer, executor, streams, chosen, clock), clock)
    finally:
        await committer.stop()
        await streams.stop()
        await redis.aclose()
        await pool.close()


def resting(house: House) -> Scheduler:
    """A scheduler that nobody starts."""
    parts = house.services
    return Scheduler(house.pool, parts.redis, parts.committer, parts.executor, parts.streams)
