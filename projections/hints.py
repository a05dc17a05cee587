"""Redis publish and subscribe, as hints: lost, late or doubled messages cost time, never truth.

Sending never waits and never fails: what cannot be sent at once is dropped when the buffer is full. Listening
reconnects for ever. Both work on without Redis, because everybody also looks at the tables now and then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

log: Final = logging.getLogger(__name__)

BUFFER: Final = 10_000
RECONNECT_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 5.0
SEND_SECONDS: Final = 2.0


class Sender:
    """Publishes messages in order, from a bounded buffer."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._buffer: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(BUFFER)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is still in the buffer is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, channel: str, message: bytes) -> None:
        """Hand over a message."""
        with contextlib.suppress(asyncio.QueueFull):
            self._buffer.put_nowait((channel, message))

    async def _run(self) -> None:
        while True:
            channel, message = await self._buffer.get()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._redis.publish(channel, message)
            except (RedisError, OSError) as error:
                log.warning("hint not sent", extra={"channel": channel, "error": str(error)})


class Listener:
    """Calls `receive` with every message of a channel, reconnecting for ever. `lost` is called when it was away."""

    def __init__(
        self, redis: "Redis", channel: str, receive: Callable[[bytes], None], lost: Callable[[], None] | None = None
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._receive = receive
        self._lost = lost
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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
            silent = False
            while True:
                message = await subscription.get_message(ignore_subscribe_messages=False, timeout=SILENCE_SECONDS)
                if message is not None:
                    silent = False
                    self._take(message)
                elif silent:
                    raise ConnectionError("no answer to a ping")
                else:  # nothing was published, or the connection is only half there: ask
                    silent = True
                    await subscription.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self.connected.set()
            if self._lost is not None:
                self._lost()
        elif message["type"] == "message":
            try:
                self._receive(message["data"])
            except ValueError as error:  # somebody else's, or of a program of another version
                log.warning("hint not understood", extra={"channel": self._channel, "error": str(error)})
