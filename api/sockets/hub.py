"""The hub: takes what projectors publish, fills what was lost, and keeps every feed at its checkpoint.

Publications below a feed's position are doubles, publications past it show a hole, and holes are filled from the log.
Redis holds no truth: what it loses is found by looking at the checkpoints.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Final, Protocol

import psycopg
from psycopg_pool import PoolTimeout

from api.sockets import frames
from api.sockets.counting import Pushes
from api.sockets.feed import Feed, Part, parts
from api.sockets.sights import Sights
from domain import failpoints
from domain.messages import Projected, TaskChange
from projections import changes, checkpoints, tasks
from projections import log as logs
from projections.changes import Changes
from projections.database import Connection, Pool
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25
EPOCH_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 60.0  # how long a feed without sockets is kept
PAGE: Final = 500  # positions read at once to fill a hole
OFFERS: Final = 20_000  # frames handed out before others get the loop: some 50 ms where all of them are written
DRAIN_SECONDS: Final = 0.01
DRAINS: Final = 100  # looks at whether the sockets have taken one page before they get the next one

AWAY: Final = (psycopg.Error, PoolTimeout, OSError)


class Reading(Protocol):
    """Folds what happened out of the log, for at most `most` positions after one."""

    async def __call__(self, connection: Connection, workspace_id: str, after: int, most: int) -> Changes:
        """As `projections.changes.read`."""


class Hub:
    """The feeds of an API process, of what one projection publishes.

    `read` folds the same out of the log, and `frame` makes the frame of a change.
    `read_epoch` answers the epoch of the logs, `renewed` is told when it has become another one. `follow` and
    `unfollow` are told of workspaces whose changes are wanted, and no longer wanted.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        projection: str = tasks.NAME,
        read: Reading = changes.read,
        frame: Callable[[str, TaskChange], bytes] = frames.of_task,
        counts: Pushes | None = None,
        read_epoch: Callable[[], Awaitable[str]] | None = None,
        renewed: Callable[[str], None] = lambda _: None,
        follow: Callable[[str], None] = lambda _: None,
        unfollow: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._projection = projection
        self._read = read
        self._frame = frame
        self._sights = Sights(pool)
        self._read_epoch = read_epoch
        self._renewed = renewed
        self._follow = follow
        self._unfollow = unfollow
        self._feeds: dict[str, Feed] = {}
        self._consumers: dict[str, asyncio.Task[None]] = {}
        self._opening: dict[str, asyncio.Task[Feed]] = {}
        self._look = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._epoch: str | None = None
        self._epoch_at = 0.0
        self.stopping = asyncio.Event()
        self.counts = counts or Pushes()

    def start(self, epoch: str | None = None) -> None:
        """Begin to look at the checkpoints. `epoch` is the one of now."""
        self._epoch, self._epoch_at = epoch, monotonic()
        self._poller = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Tell the sockets to go, and end."""
        self.stopping.set()
        await end(self._poller, *self._opening.values(), *self._consumers.values())

    def receive(self, projected: Projected) -> None:
        """A publication arrived: in order, doubled, or late."""
        feed = self._feeds.get(projected.workspace_id)
        if feed is not None and projected.projection == self._projection and projected.to > feed.position:
            self.counts.publications += 1
            feed.published.put_nowait(projected)

    def look_now(self) -> None:
        """Redis is back: whatever was published meanwhile is lost, the checkpoints know."""
        self._look.set()

    async def feed(self, workspace_id: str) -> Feed:
        """The feed of a workspace; it begins at the checkpoint when nobody followed it before."""
        feed = self._feeds.get(workspace_id)
        if feed is None:
            opening = self._opening.get(workspace_id)
            if opening is None:
                opening = self._opening[workspace_id] = asyncio.create_task(self._open(workspace_id))
                opening.add_done_callback(lambda _: self._opening.pop(workspace_id))
            feed = await asyncio.shield(opening)
        feed.emptied_at = monotonic()
        return feed

    async def _open(self, workspace_id: str) -> Feed:
        self._follow(workspace_id)  # before the look: what is published in between is no hole
        try:
            async with self._pool.connection() as connection:
                known = await checkpoints.positions(connection, self._projection, [workspace_id])
        except BaseException:
            self._unfollow(workspace_id)
            raise
        feed = Feed(workspace_id, known.get(workspace_id, 0), self.counts, self._frame)
        self._feeds[workspace_id] = feed
        self._consumers[workspace_id] = asyncio.create_task(self._consume(feed))
        return feed

    def _close_idle(self) -> None:
        """Forget the feeds that nobody has listened to for a while."""
        oldest = monotonic() - IDLE_SECONDS
        for workspace_id, feed in list(self._feeds.items()):
            if not feed.is_empty:
                feed.emptied_at = monotonic()
            elif feed.emptied_at < oldest:
                self._unfollow(workspace_id)
                self._consumers.pop(workspace_id).cancel()
                del self._feeds[workspace_id]

    async def _consume(self, feed: Feed) -> None:
        while True:
            projected = await feed.published.get()
            while projected.to > feed.position:
                before = feed.position
                try:
                    await self._take(feed, projected)
                except Exception as error:  # also an event that this program does not know: the feed must not die
                    log.warning("hole not filled yet", extra={"workspace": feed.workspace_id, "error": str(error)})
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    if feed.position == before:
                        break  # it tells of what the log does not have: the next look will know

    async def _take(self, feed: Feed, projected: Projected) -> None:
        failpoints.reach(failpoints.HUB_RECEIVED)
        restarts = feed.restarts
        if projected.tasks is not None and projected.after <= feed.position:
            await self._hand_out(feed, restarts, (projected.tasks, projected.accesses, projected.to))
            return
        self.counts.holes += 1
        async with self._pool.connection() as connection:
            most = min(PAGE, projected.to - feed.position)
            part = await self._read(connection, feed.workspace_id, feed.position, most)
        await self._hand_out(feed, restarts, (part.tasks, part.accesses, part.to))
        if part.to < projected.to:
            await self._let_drain(feed)

    async def _hand_out(self, feed: Feed, restarts: int, whole: Part) -> None:
        """Hand out in parts, so that thousands of sockets do not hold the loop for long; nothing of another log."""
        for part in parts(*whole, most=max(1, OFFERS // max(1, feed.size))):
            told = await self._sights.due(feed, part[1])
            if feed.restarts == restarts:
                feed.hand_out(*part, told)
            if part[2] < whole[2]:
                await asyncio.sleep(0)

    async def _let_drain(self, feed: Feed) -> None:
        """Let clients take what they were given, before there is more of it. Who takes nothing holds nobody up."""
        for _ in range(DRAINS):
            if not any(socket.is_behind for socket in feed.subscribers):
                return
            await asyncio.sleep(DRAIN_SECONDS)

    async def _poll(self) -> None:
        """Look at the checkpoints: the last publication before a silence may have been lost, and leaves no hole."""
        while not self.stopping.is_set():
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            try:
                await self._check_epoch()
                await self._compare()
            except AWAY as error:
                log.warning("checkpoints not read", extra={"error": str(error)})
            self._close_idle()

    async def _compare(self) -> None:
        handed_out = {workspace_id: feed.position for workspace_id, feed in self._feeds.items()}
        if not handed_out:
            return
        known = await self._positions()
        for workspace_id, position in known.items():
            feed = self._feeds.get(workspace_id)
            if feed is not None and position > feed.position and feed.published.empty():
                feed.published.put_nowait(Projected(workspace_id, self._projection, position, position, None, []))
        backwards = [id_ for id_, position in known.items() if position < handed_out.get(id_, 0)]
        if backwards and not await self._check_epoch(at_once=True):
            await self._check_heads({id_: handed_out[id_] for id_ in backwards}, known)

    async def _positions(self) -> dict[str, int]:
        async with self._pool.connection() as connection:
            return await checkpoints.positions(connection, self._projection, list(self._feeds))

    async def _check_epoch(self, *, at_once: bool = False) -> bool:
        """After a restore to an earlier point, positions that clients know mean something else. Whether there was."""
        if self._read_epoch is None or (monotonic() - self._epoch_at < EPOCH_SECONDS and not at_once):
            return False
        epoch, self._epoch_at = await self._read_epoch(), monotonic()
        if epoch == self._epoch:
            return False
        log.warning("the epoch has changed", extra={"epoch": epoch})
        known = await self._positions()
        self._epoch = epoch
        self._renewed(epoch)
        for workspace_id, feed in self._feeds.items():
            feed.restart(known.get(workspace_id, 0), "epoch_changed", epoch)
        return True

    async def _check_heads(self, handed_out: Mapping[str, int], known: Mapping[str, int]) -> None:
        """A checkpoint may run backwards: after a crash of the server, or where another build took over. A log may
        not; where it did, somebody restored it and did not say so.
        """
        for workspace_id, position in handed_out.items():
            async with self._pool.connection() as connection:
                head = await logs.head(connection, workspace_id)
            if head < position and workspace_id in self._feeds:
                log.error("the log is shorter than it was", extra={"workspace": workspace_id, "position": head})
                epoch = self._epoch or ""
                self._renewed(epoch)
                self._feeds[workspace_id].restart(known[workspace_id], "after_beyond_head", epoch)
