"""The sweeper: removes the bytes of files that no fact names any more, or never came to name."""

import asyncio
import logging
from functools import partial
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from commands.attachments import forget_due, wanted
from commands.blobs import Blobs
from commands.event_store import Pool
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0
ALL_SECONDS: Final = 3_600.0  # between two looks at all bytes there are


class Sweeper:
    """Any number of them may run at once, beside any number of uploads. `removed` counts since the start."""

    def __init__(self, pool: Pool, blobs: Blobs) -> None:
        self._blobs = blobs
        self._pool = pool
        self._wanted = partial(wanted, pool)
        self._task: asyncio.Task[None] | None = None
        self._looked_at = -ALL_SECONDS
        self.removed = 0

    async def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is left lies there for whoever comes next."""
        await end(self._task)

    async def run_once(self) -> int:
        """Remove what is due, and every now and then what nothing names. Answers how much it was."""
        removed = 0
        while due := await forget_due(self._pool):
            for blob in due:
                removed += await self._blobs.discard(blob, self._wanted)
        if monotonic() - self._looked_at >= ALL_SECONDS:
            removed += await self._blobs.sweep()
            async for blob in self._blobs.listed():
                removed += await self._blobs.discard(blob, self._wanted)
            self._looked_at = monotonic()
        self.removed += removed
        return removed

    async def _run(self) -> None:
        while True:
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("files were not swept", extra={"error": str(error)})
            except Exception:  # a sweeper that ends in silence would keep what was to be erased
                log.exception("files were not swept")
            await asyncio.sleep(POLL_SECONDS)
