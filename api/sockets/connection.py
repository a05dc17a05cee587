"""The protocol of one socket: hello, what was missed, then live; watermarks, heartbeats, and an honest end."""

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from starlette.types import Receive

from api.sockets import frames
from api.sockets.audiences import Told, resync_reason
from api.sockets.feed import Feed
from api.sockets.missed import CatchUp, Resync
from api.sockets.outbox import RESYNC, Outbox
from api.sockets.protocol import Wire
from api.tokens import Identity
from domain import failpoints
from domain.messages import AccessChange
from domain.policy import Eyes, eyes
from domain.user import User

NOT_AUTHENTICATED: Final = 4401
NOT_ALLOWED: Final = 4403
NO_PONG: Final = 4408
TOO_SLOW: Final = 4413
RESTARTING: Final = 1012
MALFORMED: Final = 1008  # RFC 6455 §7.4.1

LAPS: Final = 10  # of a catch-up: what happens meanwhile is less each time, or the client is too slow for it
WATERMARK_SECONDS: Final = 1.0
STALL_SECONDS: Final = 0.5  # who takes nothing for so long is not waited for
LONGEST_SECONDS: Final = 5.0  # between watermarks, as long as the log moves: each change finishes the one before
REST_SECONDS: Final = 0.5  # a log that has not moved for so long rests
SLOW: Final = "too slow; resume with after"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a client wants to go on: after a position, in the epoch in which it knew that position."""

    after: int | None
    epoch: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask of us: tasks whose changes wait for it, seconds in which it takes nothing, and seconds
    between pings, which it must answer within as long again.
    """

    buffer: int
    send_seconds: float
    ping_seconds: float


class Connection:
    """One client of a socket. Feeds offer frames, the ticker looks after it, `run` serves it until one side ends.

    `feed` is the feed of its workspace, `sees` as whom it gets what is handed out; None: the user as they see tasks.
    It has no task but that of its request, and that one only listens.
    """

    __slots__ = (
        "_backlog",
        "_floor",
        "_heard_at",
        "_limits",
        "_outbox",
        "_passed_at",
        "_pinged_at",
        "_receive",
        "_stuck_at",
        "_told",
        "_void",
        "_wire",
        "changed_at",
        "ended",
        "eyes",
        "feed",
        "identity",
        "user_id",
    )

    def __init__(
        self,
        wire: Wire,
        receive: Receive,
        identity: Identity,
        user: User,
        feed: Feed,
        *,
        limits: Limits,
        sees: Eyes | None = None,
    ) -> None:
        self.identity = identity
        self.user_id = user.id
        self.eyes = eyes(user) if sees is None else sees
        self.feed = feed
        self.ended: int | None = None  # the code that the socket was closed with, by us
        self.changed_at = user.position  # the eyes have been these since then at the latest
        self._wire = wire
        self._receive = receive
        self._limits = limits
        self._outbox = Outbox(wire, limits.buffer)
        self._floor = 0  # what is not past this position is known to the client
        self._told = 0  # the last watermark
        self._void = False  # the log became another one while this client was catching up
        self._passed_at = self._heard_at = monotonic()
        self._pinged_at: float | None = None
        self._stuck_at: float | None = None  # since when it has taken nothing, where it should
        self._backlog = 0  # what the transport held then
        wire.drained = self._drained

    @property
    def is_behind(self) -> bool:
        """Whether changes wait for this client, and it is taking what it was given before."""
        if self._outbox.is_empty or self._outbox.holding:
            return False
        return self._stuck_at is None or monotonic() - self._stuck_at < STALL_SECONDS

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        """Send a frame or let it wait. A client that lets too many wait is told to come back with `after`."""
        if position > self._floor:
            self._outbox.put(task_id, frame)
            if self._outbox.full:
                self.end(TOO_SLOW, SLOW)

    def change_access(self, change: AccessChange, told: Told) -> None:
        """The user sees other tasks. Where they are too many to be told, what the client holds is no base any more."""
        self.eyes, self.changed_at = change.after(self.eyes), change.position
        if change.active is False:
            self.end(NOT_AUTHENTICATED, "auth.deactivated")
        elif told is not None:
            for task_id, frame in told:
                self.offer(task_id, change.position, frame)
        elif change.position > self._floor:
            self.feed.counts.resyncs += 1
            self._outbox.begin_again()  # what waits was for other eyes
            self._outbox.put(RESYNC, frames.resync(resync_reason(change)))

    def restart(self, frame: bytes) -> None:
        """All that the client knows is void, its positions too, and all that waits for it."""
        self._floor = self._told = 0
        self._void = True
        self._outbox.begin_again()
        self._outbox.put(RESYNC, frame)

    def end(self, code: int, reason: str) -> None:
        """Close the socket. What still waits is for the next one to fetch."""
        if self.ended is None:
            self.ended = code
            self.feed.counts.closed[code] += 1
            self._outbox.stop()
            self._wire.close(code, reason)

    async def run(self, missed: CatchUp, epoch: str, start: Start) -> None:
        """Serve the client until one side ends it."""
        if self.changed_at > self.feed.position:  # what changed them will be handed out yet
            self.changed_at = self.feed.position
            self.eyes = await missed.eyes_at(self.feed.workspace_id, self.user_id, self.changed_at)
        position = self.feed.position
        if start.epoch in (None, epoch):
            self._floor = start.after or 0
        self._told = max(position, self._floor)
        for change in self.feed.accesses_after(self.changed_at, self.user_id):
            self.eyes, self.changed_at = change.after(self.eyes), change.position
        self.feed.add(self)  # from here on what is past `position` waits in the outbox: no hole, no double
        try:
            self._wire.write(frames.hello(epoch, position))
            failpoints.reach(failpoints.SOCKET_CATCHING_UP)
            await self._catch_up(missed, position, epoch, start)
            if self.ended is None:
                self._outbox.release()
            await self._listen()
        finally:
            self.feed.discard(self)
            self._wire.drained = None

    async def _catch_up(self, missed: CatchUp, to: int, epoch: str, start: Start) -> None:
        """Send what happened in (`after`, `to`], or say why that cannot be."""
        try:
            if start.epoch is not None and start.epoch != epoch:
                raise Resync("epoch_changed")
            if start.after is not None:
                await self._run_laps(missed, start.after, to)
        except Resync as resync:
            if self._outbox.overrun:  # the lists that the client reads now have it
                self._outbox.begin_again()
            if resync.forgets and not self._void:
                self._floor, self._told = 0, to
            self.feed.counts.resyncs += 1
            await self._send(frames.resync(resync.reason))

    async def _run_laps(self, missed: CatchUp, after: int, to: int) -> None:
        """Send what was missed, and then what was too much to wait meanwhile, until the rest waits in the outbox."""
        for _ in range(LAPS):
            async for frame in missed.frames(self, self.feed.workspace_id, after, to):
                if not await self._send(frame):
                    return
            if after <= to and not await self._send(frames.through(to)):
                return
            self._told = max(self._told, to)
            if self.ended is not None or not self._outbox.overrun:
                return
            after, to = max(after, to), self.feed.position
            self._outbox.begin_again()  # from here on what is past `to` waits again
        self.end(TOO_SLOW, SLOW)

    async def _send(self, frame: bytes) -> bool:
        """Send a frame in its turn; False where no more makes sense. The ticker ends who takes nothing."""
        if self._wire.paused:
            await self._wire.until_writable()
        if self.ended is not None or self._void:
            return False
        self._wire.write(frame)
        return True

    async def _listen(self) -> None:
        """Whatever the client says shows that it lives; `pong` is all it has to say."""
        while True:
            message: Any = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            self._heard_at = monotonic()

    def _drained(self) -> None:
        """The client has taken most of what it was given."""
        self._stuck_at = None
        self._outbox.flush()

    def tick(self, now: float, clock: float) -> None:
        """Look after the socket: is it still allowed, does it take what it is given, does it answer, is it up to date.

        `now` is on the monotonic clock, `clock` is the time.
        """
        if self.identity.expires_at <= clock:
            self.end(NOT_AUTHENTICATED, "auth.token_expired")
        elif self._wire.paused:
            if self._is_stuck(now):
                self.end(TOO_SLOW, SLOW)
        elif not self._outbox.holding:
            self._pass(now)
            self._beat(now)

    def _is_stuck(self, now: float) -> bool:
        """Whether the client has taken nothing for too long. Whoever takes anything, however slowly, is not stuck."""
        backlog = self._wire.backlog()
        if self._stuck_at is None or backlog < self._backlog:
            self._stuck_at = now
        self._backlog = backlog
        return now - self._stuck_at > self._limits.send_seconds

    def _pass(self, now: float) -> None:
        """Say how far the client has all."""
        position, outbox = self.feed.position, self._outbox
        if position <= self._told or not outbox.is_empty:
            return
        resting = now - self.feed.moved_at >= REST_SECONDS
        if now - self._passed_at >= (WATERMARK_SECONDS if resting else LONGEST_SECONDS):
            self._told, self._passed_at = position, now
            conflated = outbox.told()
            self.feed.counts.conflated += conflated
            self._wire.write(frames.through(position, conflated))

    def _beat(self, now: float) -> None:
        """Ping a silent client; one that does not answer is gone."""
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            if now - self._pinged_at > self._limits.ping_seconds:
                self.end(NO_PONG, "no pong")
        elif now - max(self._heard_at, self._pinged_at or 0) >= self._limits.ping_seconds:
            self._pinged_at = now
            self._wire.write(frames.PING)
