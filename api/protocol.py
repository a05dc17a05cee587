"""HTTP/1.1 of uvicorn, with each answer in one write, and with limits on heads and on slow clients.

The head and the body of an answer would else be two calls of the kernel, two packets, and two wake-ups of the client.
Whoever sends endless or countless header lines, or a request byte by byte, would else hold memory and connections for
nothing. Where a head is whole but too large the application answers, so that it is logged and counted like others.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api import problems

HEAD: Final = "taskfold.head"  # in the scope: the `OneWrite` whose `lines` go into the head
LINES: Final = "taskfold.lines"  # in the scope: header lines of the answer, each with its end
REFUSED: Final = "taskfold.refused"  # in the scope: the status with which the head is refused
LATE: Final = "taskfold.late"  # in the scope, once the body is known to come too slowly

HEAD_BYTES: Final = 32_768
HEADERS: Final = 100
TARGET_BYTES: Final = 8_192  # RFC 9110 §4.1 recommends to take 8,000 at least
HEAD_SECONDS: Final = 10.0  # from its first byte, or the opening of the connection, to the end of a head
BODY_SECONDS: Final = 10.0  # in each of these spans a body that is not whole must grow by so much:
BODY_BYTES: Final = 10_240


class OneWrite:
    """A transport that holds back the head of an answer until its body comes, or its end. `lines` are added to it."""

    __slots__ = ("_head", "_transport", "lines")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = b""
        self.lines = b""

    def write(self, data: bytes) -> None:
        """The first time: keep it. The second time: send both. From then on, and for `100 Continue`: send."""
        head = self._head
        if head is None or data.startswith(b"HTTP/1.1 100"):
            self._transport.write(data)
        elif head:
            self._head = None
            self._transport.write(head + data)
        else:
            self._head = data[:-2] + self.lines + b"\r\n" if self.lines else data

    def close(self) -> None:
        """Send what was held back, and end."""
        if self._head:
            self._transport.write(self._head)
        self._head = None
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Http(HttpToolsProtocol):
    """The protocol class for uvicorn's `http` option."""

    url = b""
    _in_head = False  # between the first byte of a request and the end of its head
    _head_bytes = 0  # of a head that is not whole yet
    _timer: asyncio.TimerHandle | None = None
    _body_bytes = 0  # of a body that is not whole yet, since the timer was set

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request, and not for ever."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._timer = self.loop.call_later(HEAD_SECONDS, self._on_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in some bytes. What is whole after them costs nothing more than a look."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head:
            if self._head_bytes > HEAD_BYTES:
                self._cut(431, "request.head_too_large", problems.HEAD_LIMITS)
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_SECONDS, self._on_slow_head)
            return
        self._head_bytes = 0
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.more_body:
            self._body_bytes += len(data)
            if self._timer is None:
                self._body_bytes = 0
                self._timer = self.loop.call_later(BODY_SECONDS, self._on_slow_body)
        elif self._timer is not None and cycle is not None:
            self._disarm()

    def handle_websocket_upgrade(self) -> None:
        """A socket has its own clock."""
        self._disarm()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """A head begins. What came before it, of a request that is being answered still, is not part of it."""
        self._in_head = True
        if self._is_answering():
            self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole. Its size is added up only where it can be too large."""
        self._in_head = False
        self._disarm()
        if len(self.url) > TARGET_BYTES:
            self._refuse(414)
        elif len(self.headers) > HEADERS or (self._head_bytes > HEAD_BYTES and self._size() > HEAD_BYTES):
            self._refuse(431)
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        transport = OneWrite(cycle.transport)
        cycle.transport = transport  # type: ignore[assignment]
        scope = cast("dict[str, Any]", cycle.scope)
        scope[HEAD] = transport
        if REFUSED in scope:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _size(self) -> int:
        return sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, status: int) -> None:
        """Have the application answer it so. Nobody reads on after such a head."""
        cast("dict[str, Any]", self.scope)[REFUSED] = status
        self.headers[:] = [pair for pair in self.headers if len(pair[1]) <= 256][:HEADERS]

    def _on_slow_head(self) -> None:
        self._timer = None
        if self._in_head:
            self._cut(408, "request.too_slow", "the head of the request came too slowly")
        else:  # somebody opened a connection and said nothing
            self._close()

    def _on_slow_body(self) -> None:
        self._timer = None
        cycle = self.cycle
        if cycle.response_complete:
            self._close()
        elif cycle.more_body and self._body_bytes < BODY_BYTES and not self.flow.read_paused:
            cast("dict[str, Any]", cycle.scope)[LATE] = True
            cycle.keep_alive = False
            cycle.message_event.set()
        elif cycle.more_body:
            self._body_bytes = 0
            self._timer = self.loop.call_later(BODY_SECONDS, self._on_slow_body)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        self._cut(400, "request.malformed", "this is no HTTP request")

    def _cut(self, status: int, code: str, detail: str) -> None:
        """Refuse what is no request yet, and close. An answer that is under way is not disturbed by it."""
        if self._is_answering():
            self.cycle.keep_alive = False
            return
        if not self.transport.is_closing():
            path = self.url.partition(b"?")[0].decode("latin-1") if self.headers else "/"
            self.transport.write(problems.raw(status, code, detail, path))
        self._close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
