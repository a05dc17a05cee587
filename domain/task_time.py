"""What time does to a task, without anybody's command: the events, and what each of them changes in its state."""

from collections.abc import Callable, Mapping
from typing import Final

from domain.events import Event, stored
from domain.instant import Instant


@stored("task.due_passed")
class TaskDuePassed(Event, frozen=True, kw_only=True):
    """The task was still open when it was due, at `due_at`. Once each time that it is given a due date."""

    due_at: Instant


Changes = dict[str, object]


def _due_passed(event: Event) -> Changes:
    assert isinstance(event, TaskDuePassed)
    return {"overdue_since": event.due_at}


CHANGES: Final[Mapping[type[Event], Callable[[Event], Changes]]] = {TaskDuePassed: _due_passed}
