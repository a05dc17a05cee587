"""Folded streams, kept in memory as long as they are used.

Nobody is ever wronged by a stale entry: whatever a decision read becomes an expectation of its append, and a verdict
that says otherwise makes it read again.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from time import monotonic
from typing import Final, NamedTuple

from commands.event_store import MOST_VERSIONS, EventStore
from commands.snapshot_table import Snapshot
from commands.snapshots import EVERY, Snapshots
from commands.turns import Turns
from domain.events import Erased, Recorded
from domain.snapshot import FOLDS, decode
from domain.streams import State, evolve, evolve_all

log: Final = logging.getLogger(__name__)

PIECES_AT_ONCE: Final = 4
LONG_AGO: Final = float("-inf")  # the monotonic clock begins with the machine: 0 may be a minute ago


class Folded(NamedTuple):
    """A stream folded up to `version`; 0 and None when it has no events. `read_at` is on the monotonic clock.

    `erased` counts those of its events that had been erased when they were folded.
    """

    version: int
    state: State | None
    read_at: float
    erased: int = 0


UNKNOWN: Final = Folded(0, None, LONG_AGO)


class Streams:
    """A bounded cache of folded streams over the event store, least recently used out first.

    Of long streams it reads the last snapshot and what follows on it. It keeps one after `every` so many events.
    """

    def __init__(self, store: EventStore, most: int = 50_000, every: int = EVERY) -> None:
        self._store = store
        self._most = most
        self._folded: OrderedDict[tuple[str, str], Folded] = OrderedDict()
        self._snapshots = Snapshots(store.snapshots, lambda name, id_: self.forget(name, [id_]), every)
        self._turns = Turns()  # on streams that are too long to be read at once

    def get(self, workspace_id: str, stream_id: str) -> Folded | None:
        """What is known of a stream, if anything is."""
        folded = self._folded.get((workspace_id, stream_id))
        if folded is not None:
            self._folded.move_to_end((workspace_id, stream_id))
        return folded

    def are_at(self, workspace_id: str, versions: Mapping[str, int]) -> bool:
        """Whether each of these streams is known at just this version."""
        return all(
            (folded := self._folded.get((workspace_id, stream_id))) is not None and folded.version == version
            for stream_id, version in versions.items()
        )

    def forget(self, workspace_id: str, stream_ids: Iterable[str]) -> None:
        """Know nothing of these streams any more."""
        for stream_id in stream_ids:
            self._folded.pop((workspace_id, stream_id), None)

    def clear(self) -> None:
        """Know nothing of any stream any more."""
        self._folded.clear()
        self._snapshots.clear()

    async def settled(self) -> None:
        """Wait until the snapshots that are due are kept."""
        await self._snapshots.settled()

    async def stop(self) -> None:
        """Keep no more snapshots."""
        await self._snapshots.stop()

    async def refresh(self, workspace_id: str, stream_ids: Iterable[str]) -> None:
        """Read what the log holds of these streams beyond what is known: in one query, but for those that are long."""
        known = {id_: self._folded.get((workspace_id, id_)) or UNKNOWN for id_ in stream_ids}
        if not known:
            return
        read_at = monotonic()
        goes_on = await self._read(workspace_id, known)
        for stream_id, folded in known.items():
            if stream_id not in goes_on:
                self._put(workspace_id, stream_id, folded._replace(read_at=read_at))
        for stream_id in goes_on:
            await self._read_long(workspace_id, stream_id, known[stream_id])

    async def _read_long(self, workspace_id: str, stream_id: str, begun: Folded) -> None:
        """Read the rest of a stream. What is known on the way is known as old.

        Whoever wants the same one meanwhile waits, and then has only to read what came since.
        """
        async with self._turns.take((workspace_id, stream_id)):
            known = self._folded.get((workspace_id, stream_id)) or begun
            folded, read_at = max(known, begun, key=_version), monotonic()
            async for further in self._rest(workspace_id, stream_id, folded):
                folded = further
                self._put(workspace_id, stream_id, folded._replace(read_at=LONG_AGO))
            self._put(workspace_id, stream_id, folded._replace(read_at=read_at))

    async def _rest(
        self, workspace_id: str, stream_id: str, folded: Folded, up_to: int = MOST_VERSIONS
    ) -> AsyncIterator[Folded]:
        """What follows in a stream, to its end or to a version. Between the pieces others have their turns.

        A few pieces are folded at once: a large state is copied each time.
        """
        events: list[Recorded] = []
        after = {stream_id: folded.version}
        while after:
            piece = await self._store.read(workspace_id, after, up_to=up_to)
            events += piece.events
            after = piece.goes_on
            if events and (not after or len(events) >= PIECES_AT_ONCE * self._store.piece):
                folded, events = _on(folded, events), []
                yield folded

    async def _read(self, workspace_id: str, known: dict[str, Folded], up_to: int = MOST_VERSIONS) -> set[str]:
        """Fold a piece of what the log holds beyond what is `known` into it. Answers which streams go on."""
        after = {stream_id: folded.version for stream_id, folded in known.items()}
        spares = self._snapshots.every
        piece = await self._store.read(workspace_id, after, up_to=up_to, folds=FOLDS, spares=spares)
        unread = {kept.stream_id for kept in piece.snapshots if not await self._take(workspace_id, kept, known)}
        events: dict[str, list[Recorded]] = {}
        for event in piece.events:
            events.setdefault(event.stream_id, []).append(event)
        for stream_id in events.keys() - unread:
            known[stream_id] = _on(known[stream_id], events[stream_id])
        return unread | piece.goes_on.keys()

    async def _take(self, workspace_id: str, kept: Snapshot, known: dict[str, Folded]) -> bool:
        """Begin with a snapshot. One that cannot be read is deleted, and the stream is read without it."""
        try:
            state = decode(kept.fold, kept.state)
            if (state.id, state.version) != (kept.stream_id, kept.version):
                raise ValueError(f"it is of version {state.version} of the stream {state.id}")
        except ValueError as error:
            log.warning("a snapshot cannot be read", extra={"stream": kept.stream_id, "error": str(error)})
            await self._store.snapshots.discard(workspace_id, kept)
            return False
        known[kept.stream_id] = Folded(kept.version, state, LONG_AGO, kept.erased)
        self._snapshots.found(workspace_id, kept.stream_id, kept.version, state)
        return True

    def advance(self, workspace_id: str, events: Iterable[Recorded]) -> None:
        """Take in events of the log, where they follow on what is known."""
        for event in events:
            before = self._folded.get((workspace_id, event.stream_id)) or Folded(0, None, monotonic())
            if before.version == event.version - 1:
                erased = before.erased + isinstance(event.event, Erased)
                folded = Folded(event.version, evolve(before.state, event), before.read_at, erased)
                self._put(workspace_id, event.stream_id, folded)

    def put(self, workspace_id: str, folded: Mapping[str, Folded]) -> None:
        """Take in streams that were folded elsewhere, by events that are in the log now."""
        for stream_id, now in folded.items():
            self._put(workspace_id, stream_id, now._replace(read_at=now.read_at or monotonic()))

    async def current(self, workspace_id: str, stream_id: str, max_age: float) -> State | None:
        """The state of a stream, at most `max_age` seconds old."""
        folded = self.get(workspace_id, stream_id)
        if folded is None or monotonic() - folded.read_at > max_age:
            await self.refresh(workspace_id, [stream_id])
            folded = self._folded[workspace_id, stream_id]
        return folded.state

    async def at(self, workspace_id: str, stream_id: str, version: int) -> State | None:
        """The state of a stream as it was at a version: what was answered then can be answered again."""
        folded = self.get(workspace_id, stream_id)
        if folded is not None and folded.version == version:
            return folded.state
        known = {stream_id: UNKNOWN}
        if await self._read(workspace_id, known, version):
            async for further in self._rest(workspace_id, stream_id, known[stream_id], version):
                known[stream_id] = further
        return known[stream_id].state

    def _put(self, workspace_id: str, stream_id: str, folded: Folded) -> None:
        known = self._folded.get((workspace_id, stream_id))
        if known is not None and known.version > folded.version:
            return  # somebody else read further meanwhile
        self._folded[workspace_id, stream_id] = folded
        self._folded.move_to_end((workspace_id, stream_id))
        self._snapshots.offer(workspace_id, stream_id, folded.version, folded.state, folded.erased)
        if len(self._folded) > self._most:
            self._folded.popitem(last=False)


def _on(before: Folded, events: list[Recorded]) -> Folded:
    """What is known with what follows on it."""
    erased = before.erased + sum(isinstance(event.event, Erased) for event in events)
    return Folded(events[-1].version, evolve_all(before.state, events), before.read_at, erased)


def _version(folded: Folded) -> int:
    return folded.version
