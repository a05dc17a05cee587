"""Counts in buckets of time, in Redis for all processes. While Redis is away, each process goes by its own.

What Redis has not heard is added to what it says once it is there again: else whoever makes it slow would start anew.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log: Final = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 0.25
AWAY_SECONDS: Final = 1.0  # after a failure nobody asks Redis for so long: a login must not wait for each time-out
LOCAL_KEYS: Final = 100_000

Counted = tuple[int, int]  # the bucket before, and this one


def make_counting_redis(url: str) -> Redis:
    """A client that answers at once or not at all."""
    return Redis.from_url(
        url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )


class Counts:
    """Counters by name and bucket. A failing Redis is never an error of the caller."""

    def __init__(self, redis: Redis, seconds: float) -> None:
        self._redis = redis
        self._seconds = seconds
        self._own: OrderedDict[str, int] = OrderedDict()
        self._unheard: OrderedDict[str, int] = OrderedDict()  # by Redis; what it did not confirm may be there too
        self._away_until = 0.0

    async def read(self, names: Sequence[str], bucket: int) -> list[Counted]:
        """What was counted of each name in the bucket before and in this one."""
        keys = [_key(name, number) for name in names for number in (bucket - 1, bucket)]
        values: list[int] = [self._own.get(key, 0) for key in keys]
        if self._is_there():
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    heard = await self._redis.mget(keys)
                values = [int(value or 0) + self._unheard.get(key, 0) for key, value in zip(keys, heard, strict=True)]
            except (RedisError, OSError, TimeoutError) as error:
                self._note(error)
        return list(zip(values[::2], values[1::2], strict=True))

    async def add(self, names: Sequence[str], bucket: int) -> None:
        """Count one more of each name."""
        keys = [_key(name, bucket) for name in names]
        _count(self._own, keys)
        if not self._is_there():
            _count(self._unheard, keys)
        else:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.incr(key)
                pipeline.expire(key, int(2 * self._seconds) + 1)
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    await pipeline.execute()
            except (RedisError, OSError, TimeoutError) as error:
                _count(self._unheard, keys)
                self._note(error)

    async def clear(self, name: str, bucket: int) -> None:
        """Forget what was counted of a name."""
        keys = [_key(name, bucket - 1), _key(name, bucket)]
        for key in keys:
            self._own.pop(key, None)
            self._unheard.pop(key, None)
        if self._is_there():
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    await self._redis.delete(*keys)
            except (RedisError, OSError, TimeoutError) as error:
                self._note(error)

    def _is_there(self) -> bool:
        return monotonic() >= self._away_until

    def _note(self, error: Exception) -> None:
        self._away_until = monotonic() + AWAY_SECONDS
        log.warning("counting without Redis", extra={"error": f"{type(error).__name__}: {error}"})


def _count(counts: OrderedDict[str, int], keys: Sequence[str]) -> None:
    """One more of each; the one that was counted longest ago makes room."""
    for key in keys:
        counts[key] = counts.pop(key, 0) + 1
        if len(counts) > LOCAL_KEYS:
            counts.popitem(last=False)


def _key(name: str, bucket: int) -> str:
    return f"taskfold:count:{name}:{bucket}"
