"""A lean HTTP/1.1 client: one keep-alive connection, one request at a time, no more of the answer read than needed."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

HEAD_END: Final = b"\r\n\r\n"


class Answered(NamedTuple):
    """The status of an answer, its head in lower case, and its body."""

    status: int
    head: bytes
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, if it is there."""
        at = self.head.find(b"\r\n" + name + b":")
        if at < 0:
            return None
        start = at + len(name) + 3
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else None].strip()


class Wire(asyncio.Protocol):
    """A connection. `on_answer` is called with it and each answer; `on_lost` when the other side has closed it."""

    def __init__(self, on_answer: Callable[["Wire", Answered], None], on_lost: Callable[[], None]) -> None:
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self, request: bytes) -> None:
        """Send a request. The one before must have been answered."""
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return
        answered = Answered(int(self._buffer[9:12]), self._buffer[:end].lower())
        length = int(answered.header(b"content-length") or 0)
        start = end + len(HEAD_END)
        if len(self._buffer) >= start + length:
            body, self._buffer = self._buffer[start : start + length], b""
            self._on_answer(self, answered._replace(body=body))

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone."""
        self._on_lost()

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


def post(path: str, token: str, body: bytes) -> bytes:
    """The bytes of a command."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, token: str) -> bytes:
    """The bytes of a read."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def new_task(title: str) -> bytes:
    """The body that creates a task."""
    return (
        f'{{"title":"{title}","description":"With the figures of all regions, and what was planned a year ago.",'
        '"priority":"high","due_at":"2027-01-31T17:00:00Z","tags":["q4","board"]}'
    ).encode()


async def opened(
    connections: int, port: int, on_answer: Callable[[Wire, Answered], None], on_lost: Callable[[], None]
) -> list[Wire]:
    """So many connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    wires = []
    for _ in range(connections):
        _, wire = await loop.create_connection(lambda: Wire(on_answer, on_lost), "127.0.0.1", port)
        wires.append(wire)
    return wires
