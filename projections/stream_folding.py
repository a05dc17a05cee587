"""How a batch folds a projection of which a row is a stream."""

from collections.abc import Sequence
from typing import Any, Final

from domain.events import Recorded, recorded
from domain.messages import TaskChange
from projections.batch_folding import Folding
from projections.changes import LIKE as CHANGES_LIKE
from projections.changes import access_change, task_change
from projections.checkpoints import Move
from projections.database import Connection
from projections.log import Slice
from projections.progress import Progress
from projections.table import Table

MOST_PUBLISHED: Final = 500  # changes in one publication; a larger batch is a catch-up, and readers go to the log
MOST_PUBLISHED_BYTES: Final = 4_000_000
LOADED_AT_ONCE: Final = 100  # states, as long as nobody knows how large they are


class StreamFolding(Folding):
    """One row a stream: each that its events touch is loaded once, and written once."""

    def __init__(
        self, connection: Connection, workspace_id: str, table: Table, progress: Progress, most_bytes: int
    ) -> None:
        super().__init__(connection, workspace_id, table, progress, most_bytes)
        self.like = CHANGES_LIKE if table.publishes else [f"{table.kind}.%"]
        if not table.publishes:
            self.tasks = None
        self._published_bytes = 0

    async def take(self, part: Slice) -> int:
        """Fold them as far as there is room for the states that they touch."""
        mine, others = _split(part, f"{self._table.kind}.")
        fits = await self._make_ready(mine)
        to = part.to
        if fits < len(mine):
            to = mine[fits].position - 1
            mine, others = mine[:fits], [event for event in others if event.position <= to]
        self._fold(mine)
        if self.tasks is None:
            self.accesses = []
        else:
            self.accesses += [change for event in others if (change := access_change(event)) is not None]
        return to

    async def write(self, move: Move) -> bool:
        """Write each row once."""
        if self.states:
            await self._table.save(self._connection, move, self.states.values())
        return bool(self.states)

    async def _make_ready(self, events: Sequence[Recorded]) -> int:
        """Have the states of the streams that these events touch, from memory or from the rows; for how many events."""
        states: dict[str, Any] = {}
        missing = []
        for event in events:
            id_ = event.stream_id
            if id_ not in self.states and id_ not in states:
                states[id_] = self._progress.states.get(id_)
                if states[id_] is None and event.version > 1:
                    missing.append(id_)
        loaded, left = await self._load(missing)
        states |= loaded
        fits = len(events)
        if left:
            fits = next(n for n, event in enumerate(events) if event.stream_id in left)
            touched = {event.stream_id for event in events[:fits]}
            states = {id_: state for id_, state in states.items() if id_ in touched}
        self.states |= states
        return fits

    async def _load(self, ids: Sequence[str]) -> tuple[dict[str, Any], frozenset[str]]:
        """The states of some streams from their rows, and those that are left because it would be too much at once."""
        states: dict[str, Any] = {}
        table, most = self._table, self._most_bytes
        at, count, weighed = 0, LOADED_AT_ONCE, 0
        while at < len(ids) and weighed < most:
            found = await table.load(self._connection, self._workspace_id, self._progress.build, ids[at : at + count])
            states |= found
            at += count
            weighed += sum(table.weight(state) for state in found.values())
            count = max(20, min(10 * count, (most - weighed) * at // max(weighed, 1)))
        return states, frozenset(ids[at:])

    def _fold(self, events: Sequence[Recorded]) -> None:
        """Fold the events into the states, and note what is to be published, if it is not too much."""
        done = 0
        if self.tasks is not None:
            if len(self.tasks) + len(events) <= MOST_PUBLISHED:
                done = self._fold_with_changes(self.tasks, events)
            else:
                self.tasks = None
        evolve, states = self._table.evolve, self.states
        for event in events[done:]:
            states[event.stream_id] = evolve(states[event.stream_id], event)

    def _fold_with_changes(self, changes: list[TaskChange], events: Sequence[Recorded]) -> int:
        """Note the changes. Answers how many events are folded: not all when the changes come to too many bytes."""
        for n, event in enumerate(events, 1):
            before = self.states[event.stream_id]
            after = self.states[event.stream_id] = self._table.evolve(before, event)
            changes.append(task_change(before, after))
            self._published_bytes += len(bytes(changes[-1].task))
            if self._published_bytes > MOST_PUBLISHED_BYTES:
                self.tasks = None
                return n
        return len(events)


def _split(part: Slice, prefix: str) -> tuple[list[Recorded], list[Recorded]]:
    """The events whose names begin like this, and the others. The rows are let go of: they are as large as these."""
    mine: list[Recorded] = []
    others: list[Recorded] = []
    for row in part.rows:
        (mine if row[4].startswith(prefix) else others).append(recorded(row))
    part.rows.clear()
    return mine, others
