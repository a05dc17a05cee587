"""Adds up what the processes have counted, over Redis, a few times a second; no request waits for it.

Only counters that are not near zero take part. So processes together may let through a thirty-second part of a limit
each, and what comes in a quarter of a second, more than one process would. Without Redis each goes by its own count.
"""

import asyncio
import logging
from itertools import islice
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.defence.counts import ANSWER_SECONDS
from api.defence.rates import Counter, Rates
from projections.ending import end

log: Final = logging.getLogger(__name__)

EVERY_SECONDS: Final = 0.25
AT_ONCE: Final = 500  # counters in one round trip


class Sharing:
    """One background task a process."""

    def __init__(self, rates: Rates, redis: Redis) -> None:
        self._rates = rates
        self._redis = redis
        self._task: asyncio.Task[None] | None = None
        self._away = False

    def start(self) -> None:
        """Begin to share."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop sharing."""
        await end(self._task)

    async def run_once(self) -> int:
        """Tell what was counted here since the last time, and learn the sums. Answers how many counters took part."""
        bucket = self._rates.bucket
        counters = list(islice(self._rates.hot, AT_ONCE))
        if not counters:
            return 0
        sent = [counter.fresh for counter in counters]
        pipeline = self._redis.pipeline(transaction=False)
        for counter, fresh in zip(counters, sent, strict=True):
            name = self._rates.digest(counter)
            pipeline.incrby(_key(name, bucket), fresh)
            pipeline.expire(_key(name, bucket), int(2 * self._rates.limits.seconds) + 1)
            pipeline.get(_key(name, bucket - 1))
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            answers = await pipeline.execute()
        if self._rates.bucket == bucket:
            for n, counter in enumerate(counters):
                self._rates.hot.pop(counter, None)
                _learn(counter, sent[n], int(answers[3 * n]), int(answers[3 * n + 2] or 0))
        return len(counters)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.run_once()
                self._away = False
            except (RedisError, OSError, TimeoutError) as error:
                if not self._away:
                    log.warning("rates are not shared", extra={"error": f"{type(error).__name__}: {error}"})
                self._away = True


def _learn(counter: Counter, sent: int, total: int, before: int) -> None:
    counter.fresh -= sent
    counter.shared = total
    counter.before = max(counter.before, before)


def _key(name: str, bucket: int) -> str:
    return f"taskfold:rate:{name}:{bucket}"
