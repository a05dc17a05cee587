"""One batch of one build: read on, fold in memory, write each touched row once together with the checkpoint."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from domain import failpoints
from domain.events import Recorded, recorded
from domain.messages import AccessChange, TaskChange
from projections import checkpoints, log
from projections.changes import LIKE as CHANGES_LIKE
from projections.changes import access_change, task_change
from projections.checkpoints import LEASE_SECONDS, Move
from projections.database import Connection
from projections.log import MOST_BYTES
from projections.table import Table

# With 100,000 states and 64 MB of text a worker that followed an import of 100,000 tasks held 373 MB; catching up is no
# faster with more than these.
MOST_STATES: Final = 10_000
MOST_HELD_BYTES: Final = 8_000_000  # of the text of these states
MOST_PUBLISHED: Final = 500  # changes in one publication; a larger batch is a catch-up, and readers go to the log
MOST_PUBLISHED_BYTES: Final = 4_000_000
LOADED_AT_ONCE: Final = 100  # states, as long as nobody knows how large they are


class Progress:
    """What a worker holds of one build: the checkpoint, and states that were just used.

    Only good as long as no other worker writes; who is fenced off throws it away. Changes of a build that is not `live`
    are nobody's business.
    """

    def __init__(self, position: int, build: int = 1, *, live: bool = True) -> None:
        self.position = position
        self.build = build
        self.live = live
        self.states: OrderedDict[str, Any] = OrderedDict()
        self.held_bytes = 0

    def keep(self, table: Table, states: dict[str, Any]) -> None:
        """Remember states, least recently used out first."""
        weigh = table.weigh
        for id_, state in states.items():
            before = self.states.get(id_)
            self.held_bytes += weigh(state) - (0 if before is None else weigh(before))
            self.states[id_] = state
            self.states.move_to_end(id_)
        while len(self.states) > MOST_STATES or self.held_bytes > MOST_HELD_BYTES:
            self.held_bytes -= weigh(self.states.popitem(last=False)[1])


class Batch:
    """What became of the positions in (`after`, `to`]. `tasks` is None when there is too much to publish.

    `cut`: there were fewer positions than there might have been, because of their size.
    """

    def __init__(self, after: int, to: int, head: int, *, cut: bool = False) -> None:
        self.after = after
        self.to = to
        self.head = head
        self.cut = cut
        self.tasks: list[TaskChange] | None = []
        self.accesses: list[AccessChange] = []


async def project(
    connection: Connection,
    workspace_id: str,
    table: Table,
    progress: Progress,
    lease: str,
    most: int,
    *,
    most_bytes: int = MOST_BYTES,
    lease_seconds: float = LEASE_SECONDS,
) -> Batch:
    """Project at most `most` positions and commit: fewer when their data, or the states that they change, come to
    `most_bytes`. Raises when another worker writes this build.
    """
    if table.project is not None:
        return await table.project(
            connection,
            workspace_id,
            table,
            progress,
            lease,
            most,
            most_bytes=most_bytes,
            lease_seconds=lease_seconds,
        )
    like = CHANGES_LIKE if table.publishes else [f"{table.kind}.%"]
    part = await log.read(
        connection, workspace_id, progress.position, most, like, projection=table.name, most_bytes=most_bytes
    )
    if part.to == part.after:
        return Batch(part.after, part.to, part.head)
    failpoints.reach(failpoints.PROJECTOR_READ)
    mine, others = _split(part, f"{table.kind}.")
    states, fits = await _states(connection, workspace_id, table, progress, mine, most_bytes)
    to = part.to
    if fits < len(mine):
        to = mine[fits].position - 1
        mine, others = mine[:fits], [event for event in others if event.position <= to]
    batch = Batch(part.after, to, part.head, cut=part.cut or to < part.to)
    _fold_into(batch, table, progress, mine, states)
    if batch.tasks is not None:
        batch.accesses = [change for event in others if (change := access_change(event)) is not None]
    move = Move(workspace_id, table.name, progress.build, lease, batch.after, batch.to, lease_seconds)
    if states:
        await table.save(connection, move, states.values())
    else:
        await checkpoints.move(connection, move)
    progress.position = batch.to
    progress.keep(table, states)
    return batch


def _split(part: log.Slice, prefix: str) -> tuple[list[Recorded], list[Recorded]]:
    """The events whose names begin like this, and the others."""
    mine: list[Recorded] = []
    others: list[Recorded] = []
    for row in part.rows:
        (mine if row[4].startswith(prefix) else others).append(recorded(row))
    return mine, others


async def _states(
    connection: Connection,
    workspace_id: str,
    table: Table,
    progress: Progress,
    events: Sequence[Recorded],
    most_bytes: int,
) -> tuple[dict[str, Any], int]:
    """The states of the streams that a batch touches, from memory or from the rows; and for how many of the events."""
    states: dict[str, Any] = {}
    missing = []
    for event in events:
        id_ = event.stream_id
        if id_ not in states:
            states[id_] = progress.states.get(id_)
            if states[id_] is None and event.version > 1:
                missing.append(id_)
    loaded, left = await _load(connection, workspace_id, table, progress.build, missing, most_bytes)
    states.update(loaded)
    if not left:
        return states, len(events)
    fits = next(n for n, event in enumerate(events) if event.stream_id in left)
    touched = {event.stream_id for event in events[:fits]}
    return {id_: state for id_, state in states.items() if id_ in touched}, fits


async def _load(
    connection: Connection, workspace_id: str, table: Table, build: int, ids: Sequence[str], most_bytes: int
) -> tuple[dict[str, Any], frozenset[str]]:
    """The states of some streams from their rows, and those that are left because they would be too much at once."""
    states: dict[str, Any] = {}
    at, count, weight = 0, LOADED_AT_ONCE, 0
    while at < len(ids) and weight < most_bytes:
        found = await table.load(connection, workspace_id, build, ids[at : at + count])
        states.update(found)
        at += count
        weight += sum(map(table.weigh, found.values()))
        count = max(20, min(10 * count, (most_bytes - weight) * at // max(weight, 1)))
    return states, frozenset(ids[at:])


def _fold_into(
    batch: Batch, table: Table, progress: Progress, events: Sequence[Recorded], states: dict[str, Any]
) -> None:
    """Fold the events into the states, and note what is to be published, if it is not too much."""
    if table.publishes and progress.live and len(events) <= MOST_PUBLISHED:
        batch.tasks, done = _fold_with_changes(table, events, states)
    else:
        batch.tasks, done = None, 0
    _fold(table, events[done:], states)


def _fold_with_changes(
    table: Table, events: Sequence[Recorded], states: dict[str, Any]
) -> tuple[list[TaskChange] | None, int]:
    """The changes, and how many events are folded: not all when the changes come to too many bytes."""
    changes = []
    size = 0
    for n, event in enumerate(events, 1):
        before = states[event.stream_id]
        after = states[event.stream_id] = table.evolve(before, event)
        changes.append(task_change(before, after))
        size += len(bytes(changes[-1].task))
        if size > MOST_PUBLISHED_BYTES:
            return None, n
    return changes, len(events)


def _fold(table: Table, events: Sequence[Recorded], states: dict[str, Any]) -> None:
    evolve = table.evolve
    for event in events:
        states[event.stream_id] = evolve(states[event.stream_id], event)
