"""Turns: one command at a time on a stream, first come first served.

Within a process commands on the same stream need not conflict to find out about each other. Between processes the
expectations of their appends decide.

A command has a turn on its own stream from the first. On others that it writes, such as a board that all moves of a
project write, it takes turns once it has lost over one, or finds that somebody does: else of fifty who want the same
stream forty-nine would decide in vain each time. Turns of this second sort are a set of their own, are taken in the
order of their streams, and whoever has them waits for no turn of the first sort: so no two wait for each other.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Name = tuple[str, str]  # a workspace and a stream


@dataclass(slots=True)
class Queue:
    """Whose turn it is on a stream, and how many want one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    takers: int = 0


class Turns:
    """The streams that somebody works on."""

    def __init__(self) -> None:
        self._queues: dict[Name, Queue] = {}

    def take(self, name: Name) -> "Turn":
        """A turn on a stream: `async with turns.take(name)`."""
        return Turn(self._queues, name)

    def are_taken(self, workspace_id: str, stream_ids: Iterable[str]) -> bool:
        """Whether somebody has a turn on one of these, or waits for one."""
        return any((workspace_id, stream_id) in self._queues for stream_id in stream_ids)


class Turn:
    """A turn on one stream. It ends `rest` seconds after its block, so that another process can have one."""

    __slots__ = ("_name", "_queue", "_queues", "rest")

    def __init__(self, queues: dict[Name, Queue], name: Name) -> None:
        self._queues = queues
        self._name = name
        self._queue = queues.get(name) or queues.setdefault(name, Queue())
        self.rest = 0.0

    async def __aenter__(self) -> Self:
        self._queue.takers += 1
        try:
            await self._queue.lock.acquire()
        except asyncio.CancelledError:
            self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rest:
            asyncio.get_running_loop().call_later(self.rest, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self._queue.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._queue.takers -= 1
        if not self._queue.takers:
            del self._queues[self._name]
