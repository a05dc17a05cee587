"""One task's history: its stream, folded on reading, with what each event changed."""

from typing import Any

import msgspec

from domain.diff import difference
from domain.events import Recorded, name_of
from domain.policy import audience
from domain.task import Task, evolve
from projections import log
from projections.database import Connection

_ALL = 2**31 - 1


async def read(connection: Connection, workspace_id: str, task_id: str) -> list[Recorded]:
    """Every event of a task, oldest first; empty when there is no such task."""
    events = await log.streams(connection, workspace_id, {task_id: _ALL})
    return events if events and name_of(events[0].event).startswith("task.") else []


def entries(events: list[Recorded]) -> list[dict[str, Any]]:
    """The history as clients get it, with the fields that each event changed, before and after."""
    items = []
    task: Task | None = None
    for event in events:
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
            }
        )
    return items


def owners(events: list[Recorded]) -> frozenset[str]:
    """Whose the task is after these events: who may read its history, also when it is in the trash."""
    task: Task | None = None
    for event in events:
        task = evolve(task, event)
    return frozenset() if task is None else audience(task)
