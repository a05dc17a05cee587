"""HTTP/1.1 of uvicorn, with each answer in one write: its head and its body would else be two calls of the kernel, two
packets, and two wake-ups of the client.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class OneWrite:
    """A transport that holds back the head of an answer until its body comes, or its end."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = b""

    def write(self, data: bytes) -> None:
        """The first time: keep it. The second time: send both. From then on, and for `100 Continue`: send."""
        head = self._head
        if head is None or data.startswith(b"HTTP/1.1 100"):
            self._transport.write(data)
        elif head:
            self._head = None
            self._transport.write(head + data)
        else:
            self._head = data

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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.transport = OneWrite(cycle.transport)  # type: ignore[assignment]
        super()._start_asgi_task(cycle, app)
