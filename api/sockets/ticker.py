"""Looks after all sockets of a process: one task for them all, instead of several for each."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from time import monotonic, time
from typing import Final

from api.sockets.connection import NOT_AUTHENTICATED, RESTARTING, Connection
from api.tokens import Identity
from projections.ending import end

log: Final = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
SLICE: Final = 500  # sockets looked after before others get the loop: about a millisecond


class Ticker:
    """Ticks every socket four times a second, and ends those for which `ended` has a reason, such as a revocation."""

    def __init__(self, ended: Callable[[Identity], str | None], stopping: asyncio.Event) -> None:
        self._ended = ended
        self._stopping = stopping
        self._task: asyncio.Task[None] | None = None
        self.connections: dict[Connection, None] = {}

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; the sockets are told to come back."""
        await end(self._task)
        self._end_all()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            try:
                await self._tick()
            except Exception:  # whatever it is, the others need looking after
                log.exception("sockets not looked after")
        self._end_all()

    async def _tick(self) -> None:
        everybody = iter(list(self.connections))
        while some := list(islice(everybody, SLICE)):
            self._tick_some(some)
            await asyncio.sleep(0)

    def _tick_some(self, connections: Iterable[Connection]) -> None:
        now, clock = monotonic(), time()
        for connection in connections:
            code = self._ended(connection.identity)
            if code is not None:
                connection.end(NOT_AUTHENTICATED, code)
            else:
                connection.tick(now, clock)

    def _end_all(self) -> None:
        for connection in list(self.connections):
            connection.end(RESTARTING, "server restarting; resume with after")
