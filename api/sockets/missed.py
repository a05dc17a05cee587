"""What clients missed, folded out of the log.

After a restart all clients come back together, having missed about the same. They share what is read, and so few pages
are read at a time that the pool is not theirs alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from heapq import merge
from typing import Final, Protocol

from api.sockets import frames
from api.sockets.audiences import resync_reason
from api.sockets.sights import Sights, frame
from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes
from projections import changes, log
from projections.changes import Changes, seen
from projections.database import Pool

MOST: Final = 50_000  # positions; who missed more reads the lists again
PAGE: Final = 1_000
PAGE_BYTES: Final = 2_000_000
KEEP_SECONDS: Final = 2.0  # how long a page is there for others
MOST_KEPT: Final = 8
TOGETHER: Final = 100  # where many read, pages begin at multiples of this, so that they have the same ones


class Resync(Exception):  # noqa: N818
    """There is no base to go on from. With `forgets`, positions that the client knew mean nothing here."""

    def __init__(self, reason: str, *, forgets: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.forgets = forgets


Place = tuple[str, int]  # a workspace, and after which position


class Viewer(Protocol):
    """For whom it is read: their eyes as they are now, and a position since when they have been these."""

    user_id: str
    eyes: Eyes
    changed_at: int


class CatchUp(Protocol):
    """Reads what a client missed."""

    def frames(self, viewer: Viewer, workspace_id: str, after: int, to: int) -> AsyncIterator[bytes]:
        """The frames of (`after`, `to`] for one viewer. Raises `Resync`."""

    async def eyes_at(self, workspace_id: str, user_id: str, position: int) -> Eyes:
        """How somebody looked at a position."""


async def check_head(pool: Pool, workspace_id: str, after: int) -> None:
    """The client knows more than this process: the projection may be a moment behind, or the log was restored."""
    async with pool.connection() as connection:
        end = await log.head(connection, workspace_id)
    if after > end:
        raise Resync("after_beyond_head", forgets=True)


class Missed:
    """Reads what clients missed, so many pages at once. Shared by all sockets of a process."""

    def __init__(self, pool: Pool, at_once: int = 2) -> None:
        self._pool = pool
        self._sights = Sights(pool)
        self._room = asyncio.Semaphore(at_once)
        self._turn = asyncio.Lock()
        self._pages: dict[Place, asyncio.Task[Changes]] = {}
        self.most = MOST
        self.waiting = 0
        self.served = 0
        self.pages = 0  # that were read

    async def frames(self, viewer: Viewer, workspace_id: str, after: int, to: int) -> AsyncIterator[bytes]:
        """The frames of (`after`, `to`] for one viewer. Raises `Resync`."""
        self.served += 1
        if after > to:
            await check_head(self._pool, workspace_id, after)
        if to - after > self.most:
            raise Resync("too_far_behind")
        eyes = viewer.eyes if viewer.changed_at <= after else await self.eyes_at(workspace_id, viewer.user_id, after)
        while after < to:
            page = await self._page(workspace_id, after)
            end = min(page.to, to)
            for change in _within(page, viewer.user_id, after, end):
                if isinstance(change, AccessChange):
                    for told in await self._told(workspace_id, change, eyes, viewer):
                        yield told
                    eyes = change.after(eyes)
                elif (seen_as := _frame(change, eyes, viewer.eyes)) is not None:
                    yield seen_as
            after = end

    async def eyes_at(self, workspace_id: str, user_id: str, position: int) -> Eyes:
        """How somebody looked at tasks at a position."""
        async with self._room:
            return await self._sights.eyes_at(workspace_id, user_id, position)

    async def _told(self, workspace_id: str, access: AccessChange, before: Eyes, viewer: Viewer) -> list[bytes]:
        async with self._room:
            found = await self._sights.read(workspace_id, access, before)
        if found is None:
            return [frames.resync(resync_reason(access))]
        return [frame(change) for change in found if change.after is None or viewer.eyes.see(change.after)]

    def clear(self) -> None:
        """Keep nothing: the log is another one."""
        self._pages.clear()

    async def _page(self, workspace_id: str, after: int) -> Changes:
        """A page that goes on past `after`; it may begin before and end anywhere."""
        self.waiting += 1
        try:
            start = after - after % TOGETHER if self.waiting > 1 else after
            for begin in (start, start, after, after):  # one that others began to read may end too early
                page = await self._shared((workspace_id, begin))
                if page.to > after:
                    return page
                self._pages.pop((workspace_id, begin), None)
            raise Resync("after_beyond_head", forgets=True)
        finally:
            self.waiting -= 1

    async def _shared(self, place: Place) -> Changes:
        reading = self._pages.get(place)
        if reading is None:
            reading = self._pages[place] = asyncio.create_task(self._read(place))
        page = await asyncio.shield(reading)
        async with self._turn:  # all who waited for it wake up at once; one at a time goes on, so that others can too
            await asyncio.sleep(0)
        return page

    async def _read(self, place: Place) -> Changes:
        workspace_id, after = place
        kept = False
        try:
            async with self._room, self._pool.connection() as connection:
                page = await changes.read(connection, workspace_id, after, PAGE, most_bytes=PAGE_BYTES)
            self.pages += 1
            kept = len(self._pages) <= MOST_KEPT
        finally:
            asyncio.get_running_loop().call_later(KEEP_SECONDS * kept, self._pages.pop, place, None)
        return page


def _within(page: Changes, user_id: str, after: int, to: int) -> Iterator[TaskChange | AccessChange]:
    """The changes of tasks, and those of what this user sees, in (`after`, `to`] in their order."""
    every: Iterator[TaskChange | AccessChange] = merge(
        page.tasks,
        [access for access in page.accesses if access.user_id == user_id],
        key=lambda change: change.position,
    )
    return (change for change in every if after < change.position <= to)


def _frame(change: TaskChange, then: Eyes, now: Eyes) -> bytes | None:
    """What a change was to somebody. Who has ceased to see such a task since gets nothing more of it."""
    match seen(change, then):
        case "upsert" if change.after is not None and now.see(change.after):
            return frames.upsert(change)
        case "removed":
            return frames.removed(change)
        case _:
            return None
