"""What time does to a task, without anybody's command: the events, and what each of them changes in its state."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.events import Event, Recorded, stored
from domain.instant import Instant


@stored("task.due_passed")
class TaskDuePassed(Event, frozen=True, kw_only=True):
    """The task was still open when it was due, at `due_at`. Once each time that it is given a due date."""

    due_at: Instant


@stored("task.purged")
class TaskPurged(Event, frozen=True, kw_only=True):
    """The task was taken out of the trash for good. Its history stays, for those who may audit."""

    reason: str | None = None


Changes = dict[str, object]


def _due_passed(_: object, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, TaskDuePassed)
    return {"overdue_since": recorded.event.due_at}


def _purged(_: object, recorded: Recorded) -> Changes:
    return {"purged_at": recorded.recorded_at}


CHANGES: Final[Mapping[type[Event], Callable[[Any, Recorded], Changes]]] = {
    TaskDuePassed: _due_passed,
    TaskPurged: _purged,
}
