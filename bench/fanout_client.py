"""The client of the fan-out suite, as a process of its own: thousands of sockets, read as cheaply as Python can.

It never decodes what comes: it steps from frame to frame by the lengths in their headers. Orders come as lines of JSON
on stdin, and each is answered by a line on stdout (`Counted` for those that count, `null` for the others).
"""

import contextlib
import fcntl
import math
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable
from time import perf_counter, process_time, sleep
from typing import Final

import msgspec

AT_ONCE: Final = 100  # handshakes under way at the same time; servers listen with a backlog of about 2,000
CHANGE_LEAST: Final = 300  # bytes; a change of a task is longer, every other frame is shorter
SWEEP_SECONDS: Final = 0.01  # in a burst: reads find several frames at once, and cost the server's core less
PATIENCE_SECONDS: Final = 60.0
SMALL_BUFFER: Final = 2_048  # bytes, of who does not read
SMALL_SEGMENT: Final = 536  # with it the kernel at the other end gives a connection little room too
STAMP: Final = b'"title":"at '  # the moment when the command was sent, on the clock that all processes share
CLOSE: Final = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
REQUEST: Final = (
    "GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)


class Opening(msgspec.Struct, tag="open", kw_only=True):
    """Open sockets of a group: so many for each token. Those that are `stalled` never read after their greeting."""

    group: str
    port: int
    path: str
    tokens: dict[str, int]
    stalled: bool = False


class Closing(msgspec.Struct, tag="close", kw_only=True):
    """Close the sockets of a group."""

    group: str


class Holding(msgspec.Struct, tag="hold", kw_only=True):
    """Fail unless every socket of a group has got less than so many bytes: it does hold up the server."""

    group: str
    bytes: int


class Churning(msgspec.Struct, tag="churn", kw_only=True):
    """Connect, wait for the greeting, and leave; so many times."""

    port: int
    path: str
    token: str
    times: int


class Counting(msgspec.Struct, tag="count", kw_only=True):
    """Count changes until every socket of the group has as many as its token is to get.

    It is answered twice: with `null` when the counting has begun, and with the result.
    """

    group: str
    changes: dict[str, int]
    timed: bool = False  # take the time of each frame, and read at once


class Counted(msgspec.Struct, kw_only=True):
    """`last_at`: when the last one arrived, and the milliseconds from the stamps in the frames to their arrival."""

    changes: int
    last_at: float
    busy: float  # from the first to the last, the part of the time for which this process had a processor
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    sample: str = ""


Order = Opening | Closing | Holding | Churning | Counting


class Socket:
    """One connection, with what is left of the frame that has only come in part."""

    def __init__(self, connection: socket.socket, token: str) -> None:
        self.connection = connection
        self.token = token
        self.rest = b""
        self.greeted = False
        self.missing = 0


class Client:
    """All sockets, by group."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, Socket] = {}
        self._groups: dict[str, list[Socket]] = {}
        self._opened = 0
        self._greeted = 0
        self._missing = 0
        self._changes = 0
        self._delays: list[float] | None = None
        self._sample = b""
        self._first = (0.0, 0.0)  # when the first change arrived, and the processor time used until then
        self._last_at = 0.0

    def open(self, order: Opening) -> None:
        """Open them, some at a time, and wait for the greeting of each."""
        todo = [token for token, count in order.tokens.items() for _ in range(count)]
        group = self._groups.setdefault(order.group, [])
        for first in range(0, len(todo), AT_ONCE):
            part = [self._connect(order, token) for token in todo[first : first + AT_ONCE]]
            self._greeted = 0
            self._read_until(lambda part=part: self._greeted >= len(part))  # type: ignore[misc]
            for one in part if order.stalled else []:
                self._poll.unregister(one.connection)
            group += part

    def close(self, order: Closing) -> None:
        """Say goodbye as RFC 6455 §7 has it, and go."""
        for one in self._groups.pop(order.group, []):
            self._leave(one)

    def hold(self, order: Holding) -> None:
        """See what waits unread."""
        for one in self._groups[order.group]:
            waiting = struct.unpack("i", fcntl.ioctl(one.connection, termios.FIONREAD, bytes(4)))[0]
            if waiting >= order.bytes:
                raise RuntimeError(f"{waiting} bytes went to a socket that was to hold them up")

    def churn(self, order: Churning) -> None:
        """Come and go."""
        for first in range(0, order.times, AT_ONCE):
            tokens = {order.token: min(AT_ONCE, order.times - first)}
            self.open(Opening(group="churn", port=order.port, path=order.path, tokens=tokens))
            self.close(Closing(group="churn"))

    def count(self, order: Counting, begun: Callable[[], None]) -> Counted:
        """Count until all is there."""
        self._missing = self._changes = 0
        self._delays = [] if order.timed else None
        for one in self._groups[order.group]:
            one.missing = order.changes[one.token]
            self._missing += one.missing
        begun()
        self._read_until(lambda: self._missing <= 0, pause=0.0 if order.timed else SWEEP_SECONDS)
        first_at, used = self._first
        busy = (process_time() - used) / (perf_counter() - first_at)
        delays, self._delays = sorted(self._delays or [0.0]), None
        return Counted(
            changes=self._changes,
            last_at=self._last_at,
            busy=busy,
            p50_ms=_percentile(delays, 50) * 1000,
            p99_ms=_percentile(delays, 99) * 1000,
            sample=self._sample.decode(),
        )

    def _connect(self, order: Opening, token: str) -> Socket:
        connection = socket.socket()
        if order.stalled:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
        # An address has some 28,000 ports; each block of connections comes from another one.
        self._opened += 1
        connection.bind((f"127.0.0.{2 + self._opened // 10_000 % 250}", 0))
        connection.connect(("127.0.0.1", order.port))
        connection.sendall(REQUEST.format(path=order.path, token=token).encode())
        connection.setblocking(False)
        self._poll.register(connection, select.EPOLLIN)
        one = self._sockets[connection.fileno()] = Socket(connection, token)
        return one

    def _leave(self, one: Socket) -> None:
        self._sockets.pop(one.connection.fileno(), None)
        with contextlib.suppress(OSError):  # the other side was faster
            one.connection.send(CLOSE)
        one.connection.close()

    def _read_until(self, done: Callable[[], bool], pause: float = 0.0) -> None:
        deadline = perf_counter() + PATIENCE_SECONDS
        while not done():
            events = self._poll.poll(0.1, 8_192)
            for number, _ in events:
                self._read(self._sockets[number])
            if perf_counter() > deadline:
                raise RuntimeError(f"{self._missing} changes or some greetings did not come: {self._changes} did")
            if pause:
                sleep(pause)

    def _read(self, one: Socket) -> None:
        data = one.connection.recv(262_144)
        if not data:
            raise RuntimeError(f"a socket was closed: {one.rest[:300]!r}")
        now = perf_counter()
        if one.rest:
            data = one.rest + data
        at = 0
        if not one.greeted and (at := self._greeting(one, data)) == 0:
            one.rest = data
            return
        if changes := self._step(one, data, at, now):
            one.missing -= changes
            if one.missing < 0:
                raise RuntimeError("a socket got more changes than it was to get")
            if not self._changes:
                self._first = now, process_time()
            self._missing -= changes
            self._changes += changes
            self._last_at = now

    def _step(self, one: Socket, data: bytes, at: int, now: float) -> int:
        """Go from frame to frame. How many of them are changes."""
        changes, end = 0, len(data)
        while end - at >= 4:
            length = data[at + 1]
            head = 2
            if length == 126:
                length = data[at + 2] << 8 | data[at + 3]
                head = 4
            if end - at < head + length:
                break
            if length >= CHANGE_LEAST:
                changes += 1
                if self._delays is not None:
                    self._take_time(data[at + head : at + head + length], now)
            elif data[at] == CLOSE[0]:
                raise RuntimeError(f"a socket was closed: {data[at + head : at + head + length]!r}")
            at += head + length
        one.rest = data[at:]
        return changes

    def _take_time(self, frame: bytes, now: float) -> None:
        assert self._delays is not None
        start = frame.index(STAMP) + len(STAMP)
        self._delays.append(now - float(frame[start : frame.index(b'"', start)]))
        self._sample = frame

    def _greeting(self, one: Socket, data: bytes) -> int:
        """Where the frames begin: behind the answer to the handshake. The first frame is the greeting."""
        end = data.find(b"\r\n\r\n") + 4
        if not data.startswith(b"HTTP/1.1 101"[: len(data)]):
            raise RuntimeError(f"no socket: {data[:300]!r}")
        if end < 4 or len(data) < end + 2 or len(data) < end + 2 + data[end + 1]:
            return 0  # not all of it is there
        one.greeted = True
        self._greeted += 1
        return end


def _percentile(ordered: list[float], percent: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def main() -> None:
    """Orders on stdin, answers on stdout."""
    client = Client()
    decode, encode = msgspec.json.Decoder(Order).decode, msgspec.json.encode

    def answer(result: Counted | None = None) -> None:
        sys.stdout.buffer.write(encode(result) + b"\n")
        sys.stdout.buffer.flush()

    for line in sys.stdin.buffer:
        match decode(line):
            case Opening() as order:
                client.open(order)
                answer()
            case Closing() as order:
                client.close(order)
                answer()
            case Holding() as order:
                client.hold(order)
                answer()
            case Churning() as order:
                client.churn(order)
                answer()
            case Counting() as order:
                answer(client.count(order, answer))


if __name__ == "__main__":
    main()
