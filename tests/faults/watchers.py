"""Clients that watch: they record every frame, and after any cut resume where the last finished position was."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.bell import Bell, back_off
from tests.faults.ledger import Texts
from tests.house import Client

BACK_OFF: Final = 0.1
SLOTH: Final = 0.002
NOTHING: Final = msgspec.Raw(b"")


class Frame(msgspec.Struct):
    """A frame as it came; `task` holds the bytes of the document."""

    type: str
    op: str = ""
    position: int = 0
    task_id: str = ""
    task: bytes | msgspec.Raw = NOTHING
    epoch: str = ""
    reason: str = ""
    conflated: int = 0


class _Wired(msgspec.Struct):
    """The same, to be read from the wire."""

    type: str
    op: str = ""
    position: int = 0
    task_id: str = ""
    task: msgspec.Raw = NOTHING
    epoch: str = ""
    reason: str = ""
    conflated: int = 0


_decode = msgspec.json.Decoder(_Wired).decode


def read_frame(text: bytes | str, texts: Texts) -> Frame:
    """A frame, with its document held once for all who got it."""
    wired = _decode(text)
    task = texts.one(bytes(wired.task))
    return Frame(wired.type, wired.op, wired.position, wired.task_id, task, wired.epoch, wired.reason, wired.conflated)


@dataclass
class Session:
    """One connection: after which position it asked to go on, and all that came. `code` is None where we cut it.

    `finished` is the last position of which certainly everything is here: a `through` or a greater position came.
    """

    after: int
    frames: list[Frame] = field(default_factory=list)
    code: int | None = None
    finished: int = 0
    _current: int = 0

    def __post_init__(self) -> None:
        self.finished = self._current = self.after
        for frame in self.frames:
            self._follow(frame)

    def take(self, frame: Frame) -> None:
        """One more."""
        self.frames.append(frame)
        self._follow(frame)

    def _follow(self, frame: Frame) -> None:
        if frame.type == "through":
            self.finished = max(self.finished, frame.position)
        elif frame.type == "change" and frame.position > self._current:
            self.finished, self._current = max(self.finished, self._current), frame.position


@dataclass
class Watched:
    """What one watcher saw."""

    name: str
    user_id: str
    sessions: list[Session] = field(default_factory=list)

    @property
    def finished(self) -> int:
        """Where it would resume."""
        return self.sessions[-1].finished if self.sessions else 0


@dataclass(frozen=True)
class Manners:
    """How a watcher behaves: `impatience` cuts its connection itself after some frames, at any place; `sloth` stops
    reading now and then for as many seconds at most, with next to no room on its side.
    """

    impatience: Random | None = None
    sloth: Random | None = None
    sloth_seconds: float = 3.0


class Watcher:
    """A user's socket, now at this process of the API and now at that one."""

    def __init__(
        self, name: str, client: Client, bases: Sequence[str], bell: Bell, texts: Texts, manners: Manners | None = None
    ) -> None:
        self.seen = Watched(name, client.id)
        self.complaints: list[str] = []
        self.hurried = False  # in the end even a slow one is to get there
        self._client = client
        self._bases = bases
        self._bell = bell
        self._texts = texts
        self._manners = manners or Manners()
        self._at = len(name)
        self._epoch: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._at += 1
            try:
                await self._connect(self._bases[self._at % len(self._bases)])
            except ConnectionClosed as closed:
                self.seen.sessions[-1].code = closed.rcvd.code if closed.rcvd else 1006
            except InvalidHandshake as error:
                if "did not receive a valid HTTP response" not in str(error):
                    self.complaints.append(f"{self.seen.name}: {error}")
            except (OSError, EOFError, TimeoutError):
                pass  # nobody listens there now
            self._bell.ring()
            await back_off(BACK_OFF)

    async def _connect(self, base: str) -> None:
        place: dict[str, Any] = {"after": self.seen.finished}
        if self._epoch is not None:
            place["epoch"] = self._epoch
        url = f"{base.replace('http', 'ws', 1)}/ws/tasks?{urlencode(place)}"
        async with connect(
            url,
            additional_headers=self._client.headers,
            compression=None,
            open_timeout=10,
            close_timeout=2,
            ping_interval=None,
            **self._room(base),
        ) as socket:
            self.seen.sessions.append(Session(place["after"]))
            await self._record(socket, self.seen.sessions[-1])

    def _room(self, base: str) -> dict[str, Any]:
        """A slow one takes little off the server's hands."""
        if self._manners.sloth is None or self.hurried:
            return {}
        socket = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
        try:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
            place = urlsplit(base)
            socket.connect((place.hostname, place.port))
            socket.setblocking(False)
        except OSError:
            socket.close()
            raise
        return {"sock": socket, "max_queue": 4}

    async def _record(self, socket: ClientConnection, session: Session) -> None:
        manners = self._manners
        slow = manners.sloth is not None and not self.hurried
        most = int(10 ** manners.impatience.uniform(0, 3)) if manners.impatience else 1 << 62
        while len(session.frames) < most and not (slow and self.hurried):
            frame = read_frame(await socket.recv(decode=False), self._texts)
            if frame.type == "ping":
                await socket.send('{"type":"pong"}')
                continue
            session.take(frame)
            if frame.type == "hello":
                self._epoch = frame.epoch
            self._bell.ring()
            if slow and manners.sloth is not None and manners.sloth.random() < SLOTH:
                await back_off(manners.sloth.uniform(0, manners.sloth_seconds))
        socket.transport.abort()  # no farewell


class Watches(Protocol):
    """Whoever looks on."""

    async def run(self) -> None:
        """Look on until cancelled."""


@asynccontextmanager
async def watching(watchers: Sequence[Watches]) -> AsyncIterator[None]:
    """Let them watch until the block is left."""
    running = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if not isinstance(result, asyncio.CancelledError):
            with contextlib.suppress(asyncio.CancelledError):
                raise result or RuntimeError("a watcher ended by itself")
