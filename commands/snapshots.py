"""Keeping long streams folded in the database, in the background: no command waits for it.

What is kept can be folded again from the log, so nothing that goes wrong here does harm.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from commands.snapshot_table import Snapshot, SnapshotTable
from domain.snapshot import FORMS, Kept, encode
from domain.streams import State

log: Final = logging.getLogger(__name__)

EVERY: Final = 1_000  # events since the last snapshot; below that, to read them costs less than a commit
PART: Final = 10  # and a tenth of what the state names, so that what is written for each event has a bound

Name = tuple[str, str]  # a workspace and a stream


class Offer(NamedTuple):
    """A stream folded up to a version; so many of its events were `erased`."""

    version: int
    state: Kept
    erased: int


class Snapshots:
    """Keeps what is offered once it is due: one after the other, and of each stream the newest.

    `forget(workspace_id, stream_id)` is called where the log says something else than what was folded.
    """

    def __init__(self, table: SnapshotTable, forget: Callable[[str, str], None], every: int) -> None:
        self._table = table
        self._forget = forget
        self.every = every
        self._due: dict[Name, int] = {}  # the version from which on the next one is; absent: `every`
        self._waiting: dict[Name, Offer] = {}
        self._worker: asyncio.Task[None] | None = None
        self._closing = False

    def offer(self, workspace_id: str, stream_id: str, version: int, state: State | None, erased: int) -> None:
        """Keep a folded stream, if it is one of those that are kept and it is time to."""
        name = (workspace_id, stream_id)
        if version < self._due.get(name, self.every) or not isinstance(state, Kept) or self._closing:
            return
        self.found(workspace_id, stream_id, version, state)
        self._waiting[name] = Offer(version, state, erased)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    def found(self, workspace_id: str, stream_id: str, version: int, state: Kept) -> None:
        """There is one of this version, or will be: the next one is not due for a while."""
        name = (workspace_id, stream_id)
        due = version + max(self.every, FORMS[type(state)].size(state) // PART)
        self._due[name] = max(due, self._due.get(name, 0))

    def clear(self) -> None:
        """Keep nothing of what was offered so far."""
        self._due.clear()
        self._waiting.clear()

    async def settled(self) -> None:
        """Wait until all that was offered is kept."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def stop(self, wait_seconds: float = 2.0) -> None:
        """End with the one under way, or without it where that takes longer."""
        self._closing = True
        self._waiting.clear()
        if self._worker is not None:
            _, late = await asyncio.wait([self._worker], timeout=wait_seconds)
            for worker in late:
                worker.cancel()
                await asyncio.wait([worker])
            self._worker = None  # it has not even begun, perhaps

    async def _work(self) -> None:
        try:
            while self._waiting:
                (workspace_id, stream_id), offer = next(iter(self._waiting.items()))
                del self._waiting[workspace_id, stream_id]
                try:
                    await self._keep(workspace_id, stream_id, offer)
                except Exception as error:  # whatever it is, the next one may do better
                    log.warning("a snapshot was not kept", extra={"stream": stream_id, "error": str(error)})
        finally:
            self._worker = None

    async def _keep(self, workspace_id: str, stream_id: str, offer: Offer) -> None:
        """Look first: a state can be large, and another process may have kept the stream already."""
        version, state, erased = offer
        snapshot = Snapshot(stream_id, version, FORMS[type(state)].fold, erased, state="")
        standing = await self._table.look(workspace_id, snapshot, state.position)
        if not standing.agrees:
            log.info("the log says something else than memory", extra={"stream": stream_id, "version": version})
            self._forget(workspace_id, stream_id)
        elif standing.version + self.every <= version:
            await self._table.keep(workspace_id, snapshot._replace(state=encode(state)), state.position)
