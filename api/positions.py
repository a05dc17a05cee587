"""Waiting for a projection to reach a position: one shared waiter a projection, however many requests wait."""

import asyncio
import contextlib
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from domain.errors import Invalid, Unavailable
from projections import checkpoints, log
from projections.database import Pool

POLL_SECONDS: Final = 0.05  # while somebody waits, in case hints are lost

Place = tuple[str, str]  # a workspace and a projection of it


def beyond_head(asked: str, head: int, position: int) -> Invalid:
    """The refusal of a position that is not in the log yet."""
    detail = f"must be at most {head}, the end of the log, got {position}"
    return Invalid("position.beyond_head", f"/query/{asked}", detail, position)


class Waiting:
    """Those who wait for news of one projection."""

    def __init__(self, watcher: asyncio.Task[None]) -> None:
        self.news = asyncio.Event()
        self.count = 0
        self.watcher = watcher


class Positions:
    """What is known of the checkpoints, from hints and from looking."""

    def __init__(self, pool: Pool, wait_ms: int) -> None:
        self._pool = pool
        self._wait = wait_ms / 1000
        self._known: dict[Place, int] = {}
        self._waiting: dict[Place, Waiting] = {}

    def note(self, workspace_id: str, projection: str, position: int) -> None:
        """A projection has committed up to a position."""
        place = (workspace_id, projection)
        if position > self._known.get(place, -1):
            self._known[place] = position
            if (waiting := self._waiting.get(place)) is not None:
                waiting.news.set()

    def forget(self, workspace_id: str, projection: str) -> None:
        """Look again: after a crash of the server a checkpoint may be an earlier one."""
        self._known.pop((workspace_id, projection), None)

    def clear(self) -> None:
        """Know nothing: the log is another one."""
        self._known.clear()

    async def reach(self, workspace_id: str, projection: str, position: int, *, asked: str = "min_position") -> None:
        """Return when the projection has taken in that position, for which the parameter `asked` asks.

        Raises `Invalid` `position.beyond_head` at once for a position that is not in the log yet, `Unavailable`
        `projection.behind` when it takes longer than the installation waits.
        """
        place = (workspace_id, projection)
        if self._known.get(place, -1) >= position:
            return
        await self._check(place, position, asked)
        try:
            async with asyncio.timeout(self._wait):
                await self._wait_for(place, position)
        except TimeoutError as error:
            known = self._known.get(place, 0)
            detail = f"{projection!r} has read up to {known}, asked for {position}"
            raise Unavailable("projection.behind", detail, projection=projection, position=known) from error

    async def _check(self, place: Place, position: int, asked: str) -> None:
        async with self._pool.connection() as connection:
            head = await log.head(connection, place[0])
        if position > head:
            raise beyond_head(asked, head, position)
        await self._look(place)

    async def _wait_for(self, place: Place, position: int) -> None:
        if place not in self._waiting:
            self._waiting[place] = Waiting(asyncio.create_task(self._watch(place)))
        waiting = self._waiting[place]
        waiting.count += 1
        try:
            while self._known.get(place, -1) < position:
                waiting.news.clear()
                await waiting.news.wait()
        finally:
            waiting.count -= 1
            if waiting.count == 0:
                del self._waiting[place]
                waiting.watcher.cancel()

    async def _watch(self, place: Place) -> None:
        """Look at the checkpoint as long as somebody waits for it: hints may be lost."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(psycopg.Error, PoolTimeout, OSError):
                await self._look(place)

    async def _look(self, place: Place) -> None:
        async with self._pool.connection() as connection:
            known = await checkpoints.positions(connection, place[1], [place[0]])
        self.note(*place, known.get(place[0], 0))
