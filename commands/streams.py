"""Folded streams, kept in memory as long as they are used.

Nobody is ever wronged by a stale entry: whatever a decision read becomes an expectation of its append, and a verdict
that says otherwise makes it read again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import NamedTuple

from commands.event_store import EventStore
from domain.events import Recorded
from domain.streams import State, evolve, fold


class Folded(NamedTuple):
    """A stream folded up to `version`; 0 and None when it has no events. `read_at` is on the monotonic clock."""

    version: int
    state: State | None
    read_at: float


class Streams:
    """A bounded cache of folded streams over the event store, least recently used out first."""

    def __init__(self, store: EventStore, most: int = 50_000) -> None:
        self._store = store
        self._most = most
        self._folded: OrderedDict[tuple[str, str], Folded] = OrderedDict()

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

    async def refresh(self, workspace_id: str, stream_ids: Iterable[str]) -> None:
        """Read what the log holds of these streams beyond what is known, in one query."""
        known = {id_: self._folded.get((workspace_id, id_)) or Folded(0, None, 0) for id_ in stream_ids}
        read_at = monotonic()
        events = await self._store.load(workspace_id, {id_: folded.version for id_, folded in known.items()})
        for event in events:
            before = known[event.stream_id]
            known[event.stream_id] = Folded(event.version, evolve(before.state, event), read_at)
        for stream_id, folded in known.items():
            self._put(workspace_id, stream_id, folded._replace(read_at=read_at))

    def advance(self, workspace_id: str, events: Iterable[Recorded]) -> None:
        """Take in events of the log, where they follow on what is known."""
        for event in events:
            before = self._folded.get((workspace_id, event.stream_id)) or Folded(0, None, monotonic())
            if before.version == event.version - 1:
                folded = Folded(event.version, evolve(before.state, event), before.read_at)
                self._put(workspace_id, event.stream_id, folded)

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
        events = await self._store.load(workspace_id, {stream_id: 0})
        return fold(event for event in events if event.version <= version)

    def _put(self, workspace_id: str, stream_id: str, folded: Folded) -> None:
        known = self._folded.get((workspace_id, stream_id))
        if known is not None and known.version > folded.version:
            return  # somebody else read further meanwhile
        self._folded[workspace_id, stream_id] = folded
        self._folded.move_to_end((workspace_id, stream_id))
        if len(self._folded) > self._most:
            self._folded.popitem(last=False)
