"""One batch of one projection: read on, fold in memory, write each touched row once together with the checkpoint."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from domain.events import Recorded, recorded
from domain.messages import RoleChange, TaskChange
from projections import checkpoints, log
from projections.changes import LIKE as CHANGES_LIKE
from projections.changes import role_change, task_change
from projections.database import Connection
from projections.table import Table

MOST_STATES = 100_000
MOST_PUBLISHED = 500  # changes in one publication; a larger batch is a catch-up, and readers go to the log


class Progress:
    """What a worker holds of one projection of one workspace: the checkpoint, and states that were just used.

    Only good as long as no other worker writes; who is fenced off throws it away.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.states: OrderedDict[str, Any] = OrderedDict()

    def keep(self, states: dict[str, Any]) -> None:
        """Remember states, least recently used out first."""
        for id_, state in states.items():
            self.states[id_] = state
            self.states.move_to_end(id_)
        while len(self.states) > MOST_STATES:
            self.states.popitem(last=False)


class Batch:
    """What became of the positions in (`after`, `to`]. `tasks` is None when there is too much to publish."""

    def __init__(self, after: int, to: int, head: int) -> None:
        self.after = after
        self.to = to
        self.head = head
        self.tasks: list[TaskChange] | None = []
        self.roles: list[RoleChange] = []


async def project(
    connection: Connection, workspace_id: str, table: Table, progress: Progress, lease: str, most: int
) -> Batch:
    """Project at most `most` positions and commit. Raises when another worker writes this projection."""
    like = CHANGES_LIKE if table.publishes else [f"{table.kind}.%"]
    part = await log.read(connection, workspace_id, progress.position, most, like)
    batch = Batch(part.after, part.to, part.head)
    if batch.to == batch.after:
        return batch
    mine, others = _split(part, f"{table.kind}.")
    states = await _states(connection, workspace_id, table, progress, mine)
    if table.publishes and len(mine) <= MOST_PUBLISHED:
        batch.tasks = _fold_with_changes(table, mine, states)
        batch.roles = [change for event in others if (change := role_change(event)) is not None]
    else:
        batch.tasks = None
        _fold(table, mine, states)
    async with connection.pipeline(), connection.transaction():
        await checkpoints.move(connection, workspace_id, table.name, lease, batch.after, batch.to)
        if states:
            await table.save(connection, workspace_id, states.values())
    progress.position = batch.to
    progress.keep(states)
    return batch


def _split(part: log.Slice, prefix: str) -> tuple[list[Recorded], list[Recorded]]:
    """The events whose names begin like this, and the others."""
    mine: list[Recorded] = []
    others: list[Recorded] = []
    for row in part.rows:
        (mine if row[4].startswith(prefix) else others).append(recorded(row))
    return mine, others


async def _states(
    connection: Connection, workspace_id: str, table: Table, progress: Progress, events: Sequence[Recorded]
) -> dict[str, Any]:
    """The states of the streams that a batch touches, from memory or from the rows."""
    states: dict[str, Any] = {}
    missing = []
    for event in events:
        id_ = event.stream_id
        if id_ not in states:
            states[id_] = progress.states.get(id_)
            if states[id_] is None and event.version > 1:
                missing.append(id_)
    if missing:
        states.update(await table.load(connection, workspace_id, missing))
    return states


def _fold(table: Table, events: Sequence[Recorded], states: dict[str, Any]) -> None:
    evolve = table.evolve
    for event in events:
        states[event.stream_id] = evolve(states[event.stream_id], event)


def _fold_with_changes(table: Table, events: Sequence[Recorded], states: dict[str, Any]) -> list[TaskChange]:
    changes = []
    for event in events:
        before = states[event.stream_id]
        after = states[event.stream_id] = table.evolve(before, event)
        changes.append(task_change(before, after))
    return changes
