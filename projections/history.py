"""One task's history: its stream, folded on reading, with what each event changed."""

from typing import Any, NamedTuple

import msgspec

from domain.diff import difference
from domain.events import LoggedRow, Recorded, name_of, recorded
from domain.policy import audience
from domain.task import Task, evolve
from projections import log, passing
from projections.database import Connection
from projections.tasks import NAME

_ALL = 2**31 - 1


class PassedOver(NamedTuple):
    """An event that is left out of the fold, by a decision on record, because it cannot be read. It is still shown."""

    position: int
    version: int
    recorded_at: str
    name: str
    meta: dict[str, Any]
    data: dict[str, Any]


async def read(connection: Connection, workspace_id: str, task_id: str) -> list[Recorded | PassedOver]:
    """Every event of a task, oldest first; empty when there is no such task."""
    passed = await passing.positions(connection, workspace_id, NAME)
    rows = await log.stream_rows(connection, workspace_id, {task_id: _ALL})
    if not rows or not rows[0][4].startswith("task."):
        return []
    return [_passed_over(row) if row[0] in passed else recorded(row) for row in rows]


def _passed_over(row: LoggedRow) -> PassedOver:
    position, _, version, recorded_at, name, _, meta, data = row
    return PassedOver(position, version, recorded_at, name, _object(meta), _object(data or "{}"))


def _object(text: str) -> dict[str, Any]:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}


def entries(events: list[Recorded | PassedOver]) -> list[dict[str, Any]]:
    """The history as clients get it, with the fields that each event changed, before and after."""
    items = []
    task: Task | None = None
    for event in events:
        if isinstance(event, PassedOver):
            items.append(_entry(event))
            continue
        before, task = task, evolve(task, event)
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
                "changes": difference(before, task),
                "passed_over": False,
            }
        )
    return items


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


def owners(events: list[Recorded | PassedOver]) -> frozenset[str]:
    """Whose the task is after these events: who may read its history, also when it is in the trash."""
    task: Task | None = None
    for event in events:
        if not isinstance(event, PassedOver):
            task = evolve(task, event)
    return frozenset() if task is None else audience(task)
