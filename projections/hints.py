"""Redis publish and subscribe, as hints: lost, late or doubled messages cost time, never truth.

Sending never waits and never fails: what cannot be sent at once is dropped when the buffer is full. Listening
reconnects for ever. Both work on without Redis, because everybody also looks at the tables now and then.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from domain.messages import APPENDED_CHANNEL, Appended, encode
from projections.ending import end

log: Final = logging.getLogger(__name__)

BUFFER: Final = 10_000
TOGETHER: Final = 100  # messages in one round trip
RECONNECT_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 5.0
SEND_SECONDS: Final = 2.0


class Sender:
    """Publishes messages in order, from a bounded buffer; what waits together travels together.

    Over a connection that it keeps: to borrow one for a pipeline costs twice as much a message.
    """

    def __init__(self, redis: "Redis") -> None:
        self._pool = redis.connection_pool
        self._connection: AbstractConnection | None = None
        self._buffer: deque[tuple[str, bytes]] = deque(maxlen=BUFFER)
        self._grown: dict[str, Appended] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is still in the buffer is dropped."""
        await end(self._task)
        await self._hang_up()

    def send(self, channel: str, message: bytes) -> None:
        """Hand over a message. Where too many wait already, the oldest gives way."""
        self._buffer.append((channel, message))
        self._news.set()

    def announce(self, appended: Appended) -> None:
        """Say that a log has grown. What waits to be said of one workspace is said in one message."""
        waiting = self._grown.get(appended.workspace_id)
        if waiting is not None:
            position = max(waiting.position, appended.position)
            appended = Appended(appended.workspace_id, position, waiting.kinds | appended.kinds)
        self._grown[appended.workspace_id] = appended
        self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._send_all()
            except (RedisError, OSError) as error:
                log.warning("hints not sent", extra={"error": str(error)})
                await self._hang_up()

    async def _send_all(self) -> None:
        while self._buffer or self._grown:
            grown, self._grown = self._grown, {}
            some = [(APPENDED_CHANNEL, encode(appended)) for appended in grown.values()]
            some += [self._buffer.popleft() for _ in range(min(TOGETHER, len(self._buffer)))]
            await self._send_some(some)

    async def _send_some(self, messages: list[tuple[str, bytes]]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            if self._connection is None:
                self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # (not theirs)
            connection = self._connection
            commands = [("PUBLISH", channel, message) for channel, message in messages]
            await connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                await connection.read_response()

    async def _hang_up(self) -> None:
        """Let go of a connection: who knows what it still has to say."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)


class Listener:
    """Calls `receive` with every message of the channels it follows, reconnecting for ever.

    `channel` is followed always, others from `follow` to `unfollow`. `lost` is called when it was away.
    """

    def __init__(
        self, redis: "Redis", channel: str, receive: Callable[[bytes], None], lost: Callable[[], None] | None = None
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._receive = receive
        self._lost = lost
        self._wanted = {channel}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()
        self.received = 0

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening."""
        await end(self._task)

    def follow(self, channel: str) -> None:
        """Want the messages of one more channel, as soon as can be."""
        self._wanted.add(channel)
        self._changed.set()

    def unfollow(self, channel: str) -> None:
        """Want them no longer."""
        self._wanted.discard(channel)
        self._changed.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("redis is away, going on without hints", extra={"error": str(error)})
            self.connected.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=False) as subscription:
            await subscription.subscribe(self._channel)
            self._changed.set()
            following = asyncio.create_task(self._follow(subscription))
            try:
                await self._hear(subscription, following)
            finally:
                await end(following)

    async def _follow(self, subscription: PubSub) -> None:
        """Tell Redis which channels are wanted, whenever others are."""
        told = {self._channel}
        while True:
            await self._changed.wait()
            self._changed.clear()
            new, old = self._wanted - told, told - self._wanted
            told = set(self._wanted)
            if new:
                await subscription.subscribe(*new)
            if old:
                await subscription.unsubscribe(*old)

    async def _hear(self, subscription: PubSub, following: asyncio.Task[None]) -> None:
        silent = False
        while not following.done():
            message = await subscription.get_message(ignore_subscribe_messages=False, timeout=SILENCE_SECONDS)
            if message is not None:
                silent = False
                self._take(message)
            elif silent:
                raise ConnectionError("no answer to a ping")
            else:  # nothing was published, or the connection is only half there: ask
                silent = True
                await subscription.ping()
        await following  # it ends by an error only

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self.connected.set()
            if self._lost is not None:
                self._lost()
        elif message["type"] == "message":
            self.received += 1
            try:
                self._receive(message["data"])
            except ValueError as error:  # somebody else's, or of a program of another version
                log.warning("hint not understood", extra={"channel": self._channel, "error": str(error)})
