"""A TCP proxy of our own: a way to a server on which every fault of a network can be switched on and off."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from random import Random
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

CHUNK: Final = 65_536
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST


class Mode(StrEnum):
    """What the way does to connections."""

    OPEN = "open"
    HALF_OPEN = "half-open"  # bytes vanish both ways, and the connection stays; for good, as after a lost route
    DEAF = "deaf"  # requests arrive, answers vanish; for good
    DELAY = "delay"  # each chunk comes late, in order
    DRIP = "drip"  # one byte at a time
    CUT_AT_ANSWER = "cut at answer"  # the next answer does not arrive: the connection breaks instead
    REFUSE = "refuse"  # no new connection


class Link:
    """One connection that goes this way."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, mode: Mode) -> None:
        self.mode = mode
        self.asked = bytearray()  # the beginning of what was asked: it shows whose connection it is
        self._writers = (client, server)

    def cut(self) -> None:
        """Both sides see a broken connection."""
        for writer in self._writers:
            with suppress(OSError):
                sock = writer.get_extra_info("socket")
                if sock is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Proxy:
    """Hands on every byte in both directions, until it is told otherwise.

    Each fault holds for all connections or for a share of them, chosen by the seed; a fault that is switched on also
    takes that share of the connections that come while it lasts.
    """

    def __init__(self, url: str, seed: str = "") -> None:
        self._target = urlsplit(url)
        self._random = Random(seed)
        self._marker = b""
        self._marked = Mode.DEAF
        self._mode = Mode.OPEN
        self._share = 1.0
        self._seconds = 0.0
        self._server: asyncio.Server | None = None
        self._healed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.links: set[Link] = set()
        self.hits = 0  # connections to which something was done

    @property
    def url(self) -> str:
        """The same server by this way."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        credentials, at, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{credentials}{at}127.0.0.1:{port}"))

    def cut(self, share: float = 1.0, only: Callable[[Link], bool] = lambda _: True) -> int:
        """Break a share of the connections, or of some of them. Answers how many."""
        chosen = [link for link in self._chosen(share) if only(link)]
        for link in chosen:
            link.cut()
        self.hits += len(chosen)
        return len(chosen)

    def set(
        self, mode: Mode, share: float = 1.0, seconds: float = 0.0, only: Callable[[Link], bool] | None = None
    ) -> int:
        """Switch a fault on; `seconds` is how late a chunk comes. Answers how many connections it took at once.

        With `only` it holds for these of the connections that are there, and for none that come.
        """
        if only is not None:
            chosen = [link for link in self._chosen(share) if only(link)]
            return self._take(chosen, mode)
        self._mode, self._share, self._seconds = mode, share, seconds
        self._healed.clear()
        return self._take(self._chosen(share) if mode is not Mode.REFUSE else [], mode)

    def heal(self) -> None:
        """Switch it off. What vanished has vanished: connections that lost bytes go on losing them."""
        self._mode = Mode.OPEN
        self._healed.set()
        for link in self.links:
            if link.mode not in (Mode.HALF_OPEN, Mode.DEAF):
                link.mode = Mode.OPEN

    def on_request(self, marker: bytes, mode: Mode = Mode.DEAF) -> None:
        """From here on, this happens to a connection on which such a request is made. Empty: no such request."""
        self._marker, self._marked = marker, mode

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, links: list[Link], mode: Mode) -> int:
        for link in links:
            link.mode = mode
        self.hits += len(links)
        return len(links)

    def _chosen(self, share: float) -> list[Link]:
        return [link for link in self.links if share >= 1 or self._random.random() < share]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        hit = self._mode is not Mode.OPEN and (self._share >= 1 or self._random.random() < self._share)
        try:
            if hit:
                self.hits += 1
            await self._join(reader, writer, self._mode if hit else Mode.OPEN)
        except OSError:
            pass  # nobody listens there now
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mode: Mode) -> None:
        if mode is Mode.REFUSE:
            Link(writer, writer, mode).cut()
            return
        back, forth = await asyncio.open_connection(self._target.hostname, self._target.port)
        link = Link(writer, forth, mode)
        self.links.add(link)
        try:
            await _either(self._carry(link, reader, forth, asking=True), self._carry(link, back, writer, asking=False))
            if link.mode is Mode.HALF_OPEN and self._mode is Mode.HALF_OPEN:
                await self._healed.wait()  # a hang-up does not arrive either
        finally:
            self.links.discard(link)
            forth.transport.abort()

    async def _carry(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asking: bool
    ) -> None:
        """One direction, until its end. When the server dies, the client sees a broken connection."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if asking:
                    self._look(link, data)
                await self._hand_on(link, data, writer, asking)

    def _look(self, link: Link, data: bytes) -> None:
        if len(link.asked) < CHUNK:
            link.asked += data
        if self._marker and self._marker in data and link.mode is Mode.OPEN:
            link.mode = self._marked
            self.hits += 1

    async def _hand_on(self, link: Link, data: bytes, writer: asyncio.StreamWriter, asking: bool) -> None:
        match link.mode:
            case Mode.HALF_OPEN:
                return
            case Mode.DEAF if not asking:
                return
            case Mode.CUT_AT_ANSWER if not asking:
                link.cut()
                return
            case Mode.DELAY:
                await asyncio.sleep(self._seconds)
            case Mode.DRIP:
                await _drip(data, writer)
                return
        writer.write(data)
        await writer.drain()


async def _drip(data: bytes, writer: asyncio.StreamWriter) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0)


async def _either(*directions: Coroutine[Any, Any, None]) -> None:
    """Until one side has hung up; the other one is told at once."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
