"""Clients that watch: they record every frame, and after any cut resume where the last finished position was."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.bell import Bell
from tests.house import Client

BACK_OFF = 0.1

Frame = dict[str, Any]


@dataclass
class Session:
    """One connection: after which position it asked to go on, and all that came. `code` is None where we cut it."""

    after: int
    frames: list[Frame] = field(default_factory=list)
    code: int | None = None

    @property
    def finished(self) -> int:
        """The last position of which certainly everything is here: a `through` or a greater position came."""
        finished, current = self.after, self.after
        for frame in self.frames:
            if frame["type"] == "through":
                finished = max(finished, frame["position"])
            elif frame["type"] == "change" and frame["position"] > current:
                finished, current = max(finished, current), frame["position"]
        return finished


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


class Watcher:
    """A user's socket. An impatient one cuts its connection itself after some frames, at any place."""

    def __init__(self, name: str, client: Client, bell: Bell, impatience: Random | None = None) -> None:
        self.seen = Watched(name, client.id)
        self.complaints: list[str] = []
        self._client = client
        self._bell = bell
        self._impatience = impatience
        self._epoch: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._connect()
            except ConnectionClosed as closed:
                self.seen.sessions[-1].code = closed.rcvd.code if closed.rcvd else 1006
            except InvalidHandshake as error:
                if "did not receive a valid HTTP response" not in str(error):
                    self.complaints.append(f"{self.seen.name}: {error}")
            except (OSError, EOFError, TimeoutError):
                pass  # nobody listens there now
            self._bell.ring()
            await self._bell.heard(BACK_OFF)

    async def _connect(self) -> None:
        place: dict[str, Any] = {"after": self.seen.finished}
        if self._epoch is not None:
            place["epoch"] = self._epoch
        url = f"{self._client.base.replace('http', 'ws', 1)}/ws/tasks?{urlencode(place)}"
        async with connect(
            url, additional_headers=self._client.headers, compression=None, open_timeout=10, close_timeout=2
        ) as socket:
            self.seen.sessions.append(Session(place["after"]))
            await self._record(socket, self.seen.sessions[-1])

    async def _record(self, socket: ClientConnection, session: Session) -> None:
        most = self._impatience.randint(1, 60) if self._impatience else 1 << 62
        while len(session.frames) < most:
            frame = orjson.loads(await socket.recv())
            if frame["type"] == "ping":
                await socket.send('{"type":"pong"}')
                continue
            session.frames.append(frame)
            if frame["type"] == "hello":
                self._epoch = frame["epoch"]
            self._bell.ring()


@asynccontextmanager
async def watching(watchers: Sequence[Watcher]) -> AsyncIterator[None]:
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
