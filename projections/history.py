"""The history of one thing, a task or a comment: its stream, folded on reading, with what each event changed."""

from typing import Any, NamedTuple

import msgspec

from domain.diff import difference
from domain.events import NAMES, LoggedRow, Recorded, name_of, recorded
from domain.policy import audience
from domain.task import Task
from domain.task_time import TaskPurged
from projections import log, passing
from projections.database import Connection
from projections.table import Table
from projections.tasks import TASKS

_ALL = 2**31 - 1


class PassedOver(NamedTuple):
    """An event that is left out of the fold, by a decision on record, because it cannot be read. It is still shown."""

    position: int
    version: int
    recorded_at: str
    name: str
    meta: dict[str, Any]
    data: dict[str, Any]


async def read(
    connection: Connection, workspace_id: str, stream_id: str, table: Table = TASKS
) -> list[Recorded | PassedOver]:
    """Every event of a task, or of what else has rows in a table, oldest first; empty when there is no such thing."""
    passed = await passing.positions(connection, workspace_id, table.name)
    rows = await log.stream_rows(connection, workspace_id, {stream_id: _ALL})
    if not rows or not rows[0][4].startswith(f"{table.kind}."):
        return []
    return [_passed_over(row) if row[0] in passed else recorded(row) for row in rows]


def _passed_over(row: LoggedRow) -> PassedOver:
    position, _, version, recorded_at, name, _, meta, data = row
    return PassedOver(position, version, recorded_at, name, _object(meta), _object(data or "{}"))


def _object(text: str) -> dict[str, Any]:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}


def entries(events: list[Recorded | PassedOver], table: Table = TASKS) -> list[dict[str, Any]]:
    """The history as clients get it, with the fields that each event changed, before and after."""
    items = []
    folded: Any = None
    for event in events:
        if isinstance(event, PassedOver):
            items.append(_entry(event))
            continue
        before, folded = folded, table.evolve(folded, event)
        items.append(
            {
                "position": event.position,
                "version": event.version,
                "type": name_of(event.event),
                "data": msgspec.to_builtins(event.event),
                "actor": event.meta.actor,
                "recorded_at": event.recorded_at,
                "correlation_id": event.meta.correlation_id,
                "causation_id": event.meta.causation_id,
                "changes": difference(before, folded),
                "passed_over": False,
            }
        )
    return items


def cut(items: list[dict[str, Any]], after: int, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The page past a version, and the cursor of the next one."""
    left = [item for item in items if item["version"] > after]
    return left[:limit], str(left[limit - 1]["version"]) if len(left) > limit else None


def _entry(event: PassedOver) -> dict[str, Any]:
    return {
        "position": event.position,
        "version": event.version,
        "type": event.name,
        "data": event.data,
        "actor": event.meta.get("actor", ""),
        "recorded_at": event.recorded_at,
        "correlation_id": event.meta.get("correlation_id", ""),
        "causation_id": event.meta.get("causation_id", ""),
        "changes": {},
        "passed_over": True,
    }


def state(events: list[Recorded | PassedOver], table: Table = TASKS) -> Any:
    """What these events fold to; None where there are none."""
    folded: Any = None
    for event in events:
        if not isinstance(event, PassedOver):
            folded = table.evolve(folded, event)
    return folded


def owners(events: list[Recorded | PassedOver]) -> frozenset[str]:
    """Whose the task is after these events: who may read its history, also when it is in the trash."""
    task: Task | None = state(events)
    return frozenset() if task is None else audience(task)


def purged(events: list[Recorded | PassedOver]) -> bool:
    """Whether the task was taken out of the trash for good."""
    names = (event.name if isinstance(event, PassedOver) else name_of(event.event) for event in events)
    return NAMES[TaskPurged][0] in names
