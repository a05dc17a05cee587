"""A rig whose bell rings also when its workers say that rows have taken in what is in the log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis

from domain.messages import PROJECTED_CHANNEL
from projections.hints import Listener
from tests.faults.rig import Rig

TICK: Final = 0.25  # without a ring: hints may be lost, and who killed itself rings no bell


@asynccontextmanager
async def hearing(rig: Rig) -> AsyncIterator[None]:
    """Inside, what is published rings the bell."""
    async with Redis.from_url(rig.redis.url) as redis:
        listener = Listener(redis, PROJECTED_CHANNEL, lambda _: rig.bell.ring())
        listener.start()
        try:
            await listener.connected.wait()
            yield
        finally:
            await listener.stop()


async def next_look(rig: Rig) -> None:
    """Until something may have become otherwise; whoever ended by itself begins anew."""
    await rig.bell.heard(TICK)
    rig.revive()
