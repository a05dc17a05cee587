"""What is counted stays counted, whatever becomes of the way to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from api.defence import counts
from api.defence.counts import Counts, make_counting_redis
from commands.ids import new_id
from tests.faults.proxy import Mode, Proxy
from tests.house import Servers, until

BUCKET = 7


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[tuple[Counts, Redis]]:
    redis = make_counting_redis(url)
    try:
        yield Counts(redis, 60.0), redis
    finally:
        await redis.aclose()


async def count_of(counts: Counts, name: str) -> int:
    [(before, now)] = await counts.read([name], BUCKET)
    return before + now


async def test_what_redis_has_not_heard_counts_also_when_it_is_there_again(servers: Servers) -> None:
    name = new_id()
    async with (
        Proxy(servers.redis_url) as way,
        counting(way.url) as (one, _),
        counting(servers.redis_url) as (other, _),
    ):
        await one.add([name], BUCKET)
        assert (await count_of(one, name), await count_of(other, name)) == (1, 1)
        way.set(Mode.REFUSE)
        way.cut()
        for _ in range(2):
            await one.add([name], BUCKET)
        assert await count_of(one, name) == 3  # by its own
        way.heal()
        await until(one._is_there)
        assert (await count_of(one, name), await count_of(other, name)) == (3, 1)
        await other.add([name], BUCKET)
        assert await count_of(one, name) == 4
        await one.clear(name, BUCKET)
        assert (await count_of(one, name), await count_of(other, name)) == (0, 0)


async def test_the_one_that_was_counted_longest_ago_makes_room(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "LOCAL_KEYS", 2)
    names = [new_id() for _ in range(3)]
    async with Proxy(servers.redis_url) as way, counting(way.url) as (one, _):
        way.set(Mode.REFUSE)
        for name in names:
            await one.add([name], BUCKET)
        assert [await count_of(one, name) for name in names] == [0, 1, 1]
