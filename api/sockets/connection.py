"""The protocol of one socket: hello, what was missed, then live; watermarks, heartbeats, and an honest end."""

import asyncio
from collections import deque
from dataclasses import dataclass
from time import monotonic, time
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.sockets import frames
from api.sockets.hub import Feed
from api.tokens import Identity
from domain.messages import TaskChange
from domain.user import Role, User
from projections import changes, log
from projections.changes import seen
from projections.database import Pool

NOT_AUTHENTICATED: Final = 4401
NOT_ALLOWED: Final = 4403
NO_PONG: Final = 4408
TOO_SLOW: Final = 4413
RESTARTING: Final = 1012

SEND_SECONDS: Final = 10.0
WATERMARK_SECONDS: Final = 1.0
CATCH_UP_MOST: Final = 50_000  # positions; who missed more reads the lists again
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Start:
    """Where a client wants to go on: after a position, in the epoch in which it knew that position."""

    after: int | None
    epoch: str | None


class Closing(Exception):  # noqa: N818
    """The socket ends, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connection:
    """One client of `/ws/tasks`. The hub offers frames, `run` sends them."""

    def __init__(
        self,
        socket: WebSocket,
        identity: Identity,
        user: User,
        *,
        buffer: int,
        ping_seconds: float,
    ) -> None:
        self.user_id = user.id
        self.role = user.role
        self._role_at = user.position
        self._socket = socket
        self._identity = identity
        self._buffer = buffer
        self._ping_seconds = ping_seconds
        self._queue: deque[str] = deque()
        self._floor = 0  # what is not past this position is known to the client
        self._news = asyncio.Event()
        self._end: Closing | None = None
        self._pinged_at: float | None = None
        self._heard_at = monotonic()

    def offer(self, frame: str, position: int) -> None:
        """Queue a frame. A client that lets too many wait is told to come back with `after`."""
        if 0 < position <= self._floor:
            return
        if len(self._queue) >= self._buffer:
            self.end(TOO_SLOW, "too slow; resume with after")
            return
        self._queue.append(frame)
        self._news.set()

    def change_role(self, role: Role) -> None:
        """Another role sees other tasks: what the client holds is no longer a base to go on from."""
        self.role = role
        self.offer(frames.resync("role_changed"), 0)

    def end(self, code: int, reason: str) -> None:
        """Close the socket as soon as the frame that is being sent is out."""
        self._end = self._end or Closing(code, reason)
        self._news.set()

    @property
    def identity(self) -> Identity:
        """Who is connected."""
        return self._identity

    async def run(self, pool: Pool, feed: Feed, epoch: str, start: Start) -> None:
        """Serve the client until one side ends it."""
        position = feed.position
        if start.epoch in (None, epoch):
            self._floor = start.after or 0
        self.role = feed.role_after(self._role_at, self.user_id) or self.role
        feed.subscribers.add(self)  # from here on what is past `position` waits in the queue: no hole, no double
        listening = asyncio.create_task(self._listen())
        try:
            await self._send(frames.hello(epoch, position))
            await self._catch_up(pool, feed, position, epoch, start)
            await self._live(feed, max(position, self._floor))
        except Closing as closing:
            await self._close(closing)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the client is gone
        finally:
            feed.subscribers.discard(self)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _catch_up(self, pool: Pool, feed: Feed, to: int, epoch: str, start: Start) -> None:
        """Send what happened in (`after`, `to`], or say why that cannot be."""
        if start.epoch is not None and start.epoch != epoch:
            await self._send(frames.resync("epoch_changed"))
        elif start.after is None:
            return
        elif start.after > to:
            await self._beyond(pool, feed, start.after)
        elif to - start.after > CATCH_UP_MOST:
            await self._send(frames.resync("too_far_behind"))
        else:
            await self._replay(pool, feed.workspace_id, start.after, to)
            await self._send(frames.through(to))

    async def _beyond(self, pool: Pool, feed: Feed, after: int) -> None:
        """The client knows more than this process: the projection may be a moment behind, or the log was restored."""
        async with pool.connection() as connection:
            end = await log.head(connection, feed.workspace_id)
        if after > end:
            self._floor = 0
            await self._send(frames.resync("after_beyond_head"))

    async def _replay(self, pool: Pool, workspace_id: str, after: int, to: int) -> None:
        while after < to:
            async with pool.connection() as connection:
                part = await changes.read(connection, workspace_id, after, min(PAGE, to - after))
            if any(role.user_id == self.user_id for role in part.roles):
                await self._send(frames.resync("role_changed"))
            for change in part.tasks:
                await self._send_change(change)
            after = part.to

    async def _send_change(self, change: TaskChange) -> None:
        match seen(change, self.role, self.user_id):
            case "upsert":
                await self._send(frames.upsert(change))
            case "removed":
                await self._send(frames.removed(change.position, change.task_id))
            case _:
                pass

    async def _live(self, feed: Feed, sent: int) -> None:
        watermark_at = monotonic()
        while True:
            while self._queue and self._end is None:
                await self._send(self._queue.popleft())
            self._check()
            now = monotonic()
            if feed.position > sent and now - watermark_at >= WATERMARK_SECONDS:
                sent, watermark_at = feed.position, now
                await self._send(frames.through(sent))
                continue
            await self._beat(now)
            self._news.clear()
            try:
                async with asyncio.timeout(WATERMARK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _check(self) -> None:
        if self._end is not None:
            raise self._end
        if self._identity.expires_at <= time():
            raise Closing(NOT_AUTHENTICATED, "the access token has expired")

    async def _beat(self, now: float) -> None:
        """Ping a silent client; one that does not answer is gone."""
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            if now - self._pinged_at > self._ping_seconds:
                raise Closing(NO_PONG, "no pong")
        elif now - max(self._heard_at, self._pinged_at or 0) >= self._ping_seconds:
            self._pinged_at = now
            await self._send(frames.PING)

    async def _listen(self) -> None:
        """Whatever the client says shows that it lives; `pong` is all it has to say."""
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return self.end(1000, "the client has gone")
                self._heard_at = monotonic()
        except (WebSocketDisconnect, RuntimeError):
            return self.end(1000, "the client has gone")

    async def _send(self, frame: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(frame)
        except TimeoutError as error:
            raise Closing(TOO_SLOW, "too slow; resume with after") from error

    async def _close(self, closing: Closing) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._socket.close(closing.code, closing.reason)
        except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            pass  # it is gone already
