"""WebSockets of uvicorn, with a wire for the application: encoded frames go straight to the transport.

ASGI's `send` makes a task of every frame for every socket, and encodes it there. Fan-out is the same bytes for
thousands of sockets, and must never wait for one of them.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION: Final = "taskfold.wire"
HIGH_WATER: Final = 32_768  # bytes that may wait in the transport before the socket counts as slow
GOODBYE_SECONDS: Final = 5.0  # how long the other side may take to read to the end and to answer a close


class Wire:
    """The way of encoded frames to one client."""

    __slots__ = ("_protocol", "drained", "paused")

    def __init__(self, protocol: "WebSocketProtocol") -> None:
        self._protocol = protocol
        self.paused = not protocol.writable.is_set()
        self.drained: Callable[[], None] | None = None

    def write(self, frame: bytes) -> None:
        """Hand a frame to the transport. Look at `paused` before: the transport takes whatever it gets.

        A client that has just gone gets nothing, and its socket is about to hear of it. That must not break off what is
        being handed out to others: they would get it again.
        """
        try:
            self._protocol.transport.write(frame)
        except RuntimeError:  # uvloop's, of a transport that is closed
            self.paused = True

    async def until_writable(self) -> None:
        """Return when the transport takes more, or is gone."""
        await self._protocol.writable.wait()

    def backlog(self) -> int:
        """How many bytes the client has yet to take: where they become fewer, it reads."""
        return self._protocol.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye with a code. A client that does not answer is cut off after a while."""
        self._protocol.say_goodbye(code, reason)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """The protocol class for uvicorn's `ws` option. The application finds its wire in `scope["extensions"]`."""

    wire: Wire | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep little in the transport: what waits is better kept where it can be replaced by what is newer."""
        cast("asyncio.Transport", transport).set_write_buffer_limits(HIGH_WATER)
        super().connection_made(transport)

    async def run_asgi(self) -> None:
        """Serve the connection."""
        self.wire = Wire(self)
        extensions = cast("dict[str, Any]", self.scope["extensions"])
        extensions[EXTENSION] = self.wire
        try:
            await super().run_asgi()
        finally:  # nothing may keep a socket that is gone until the next collection of garbage
            del extensions[EXTENSION]
            self.wire = None

    def pause_writing(self) -> None:
        """The client takes less than it is given."""
        super().pause_writing()
        if self.wire is not None:
            self.wire.paused = True

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        if self.wire is not None:
            self.wire.paused = False
            if self.wire.drained is not None:
                self.wire.drained()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Close from our side, without waiting."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_off_later()

    def shutdown(self) -> None:
        """The server stops. uvicorn says 1012; who does not read cannot hold us up."""
        super().shutdown()
        self._cut_off_later()

    def _cut_off_later(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)
