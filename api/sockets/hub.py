"""The hub: takes what projectors publish, fills what was lost, and hands each change to the sockets it concerns.

A feed per workspace with sockets keeps one number, its position: everything up to there was handed out, nothing
beyond. Publications below it are doubles, publications past it show a hole, and holes are filled from the log.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import psycopg
from psycopg_pool import PoolTimeout

from api.sockets import frames
from domain.messages import Projected, RoleChange, TaskChange
from domain.user import Role
from projections import changes, checkpoints
from projections.changes import seen
from projections.database import Pool

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25
PAGE: Final = 500  # positions read at once to fill a hole: what sockets can buffer while the next ones are read


class Subscriber(Protocol):
    """A socket, as the hub sees it."""

    user_id: str
    role: Role

    def offer(self, frame: str, position: int) -> None:
        """Queue a frame; never waits."""

    def change_role(self, role: Role) -> None:
        """The user has another role from here on."""


class Feed:
    """The changes of one workspace, in order."""

    def __init__(self, workspace_id: str, position: int) -> None:
        self.workspace_id = workspace_id
        self.position = position
        self.subscribers: set[Subscriber] = set()
        self.published: asyncio.Queue[Projected] = asyncio.Queue()
        self._roles: dict[str, RoleChange] = {}

    def hand_out(self, tasks: Sequence[TaskChange], roles: Sequence[RoleChange], to: int) -> None:
        """Give the changes up to `to` to the sockets they concern, and move on. Never waits."""
        waiting = deque(role for role in roles if role.position > self.position)
        for change in tasks:
            if change.position <= self.position:
                continue
            while waiting and waiting[0].position < change.position:
                self._change_role(waiting.popleft())
            self._hand_out(change)
        for role in waiting:
            self._change_role(role)
        self.position = max(self.position, to)

    def _hand_out(self, change: TaskChange) -> None:
        upsert = removed = ""
        for subscriber in self.subscribers:
            match seen(change, subscriber.role, subscriber.user_id):
                case "upsert":
                    upsert = upsert or frames.upsert(change)
                    subscriber.offer(upsert, change.position)
                case "removed":
                    removed = removed or frames.removed(change.position, change.task_id)
                    subscriber.offer(removed, change.position)
                case _:
                    pass

    def role_after(self, position: int, user_id: str) -> Role | None:
        """The role that a user got past a position, if it was handed out: a newcomer may have read the old one."""
        change = self._roles.get(user_id)
        return None if change is None or change.position <= position else change.role

    def _change_role(self, change: RoleChange) -> None:
        self._roles[change.user_id] = change
        for subscriber in self.subscribers:
            if subscriber.user_id == change.user_id:
                subscriber.change_role(change.role)


class Hub:
    """The feeds of an API process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._feeds: dict[str, Feed] = {}
        self._consumers: dict[str, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()
        self._look = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to look at the checkpoints."""
        self._poller = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Tell the sockets to go, and end."""
        self.stopping.set()
        tasks = [*self._consumers.values(), *([self._poller] if self._poller else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def follows(self, workspace_id: str) -> bool:
        """Whether anybody here wants to know what happens in a workspace."""
        return workspace_id in self._feeds

    def receive(self, projected: Projected) -> None:
        """A publication arrived: in order, doubled, or late."""
        feed = self._feeds.get(projected.workspace_id)
        if feed is not None and projected.projection == "tasks":
            feed.published.put_nowait(projected)

    def look_now(self) -> None:
        """Redis is back: whatever was published meanwhile is lost, the checkpoints know."""
        self._look.set()

    async def feed(self, workspace_id: str) -> Feed:
        """The feed of a workspace; it begins at the checkpoint when nobody followed it before."""
        async with self._opening:
            feed = self._feeds.get(workspace_id)
            if feed is None:
                async with self._pool.connection() as connection:
                    known = await checkpoints.positions(connection, "tasks", [workspace_id])
                feed = self._feeds[workspace_id] = Feed(workspace_id, known.get(workspace_id, 0))
                self._consumers[workspace_id] = asyncio.create_task(self._consume(feed))
            return feed

    async def _consume(self, feed: Feed) -> None:
        while True:
            projected = await feed.published.get()
            while projected.to > feed.position:
                try:
                    await self._take(feed, projected)
                except Exception as error:  # also an event that this program does not know: the feed must not die
                    log.warning("hole not filled yet", extra={"workspace": feed.workspace_id, "error": str(error)})
                    await asyncio.sleep(POLL_SECONDS)

    async def _take(self, feed: Feed, projected: Projected) -> None:
        if projected.tasks is not None and projected.after <= feed.position:
            feed.hand_out(projected.tasks, projected.roles, projected.to)
            return
        async with self._pool.connection() as connection:
            most = min(PAGE, projected.to - feed.position)
            part = await changes.read(connection, feed.workspace_id, feed.position, most)
        feed.hand_out(part.tasks, part.roles, part.to)

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
                await self._compare()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("checkpoints not read", extra={"error": str(error)})

    async def _compare(self) -> None:
        if not self._feeds:
            return
        async with self._pool.connection() as connection:
            known = await checkpoints.positions(connection, "tasks", list(self._feeds))
        for workspace_id, position in known.items():
            feed = self._feeds[workspace_id]
            if position > feed.position and feed.published.empty():
                feed.published.put_nowait(Projected(workspace_id, "tasks", position, position, None, []))
