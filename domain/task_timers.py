"""What of a task, and of the reminders at it, has to happen at a time. See `domain/timers.py`."""

import msgspec
from msgspec.structs import replace

from domain.dates import Dates
from domain.events import Erased, Event, Recorded
from domain.instant import Instant
from domain.reminder import Reminder, ReminderEvent, changed
from domain.task import (
    ERASED_MOVES,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskMoved,
    TaskProjectChanged,
    TaskRestored,
    TaskStatusMapped,
    TaskStatusRestored,
)
from domain.task_series import TaskFollowed, TaskSeriesJoined, TaskSeriesLeft
from domain.task_time import TaskDuePassed, TaskPurged
from domain.workflow import STANDARD


class Timed(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What of a task, and of the reminders at it, says when something has to happen."""

    start_at: Instant | None = None
    due_at: Instant | None = None
    overdue: bool = False
    closed: bool = False
    trashed_at: Instant | None = None
    purged: bool = False
    reminders: tuple[Reminder, ...] = ()
    closed_at: Instant | None = None
    next_at: Instant | None = None
    project_id: str | None = None
    latest: bool = False  # of its series, so that another one is to follow it

    @property
    def fires_at(self) -> Instant | None:
        """When it is overdue next, or somebody is to be reminded: never while it is closed. And when the next of its
        series is to be made: once it is closed, if not before. Nothing happens while it is in the trash.
        """
        if self.trashed_at is not None:
            return None
        moments = [self.next_at, self.closed_at] if self.latest else []
        if not self.closed:
            dates = Dates(self.start_at, self.due_at)
            moments += [None if self.overdue else self.due_at, *(each.fires_at(dates) for each in self.reminders)]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def rests_with(self) -> str | None:
        """The project in whose archive it is not woken: but the latest of a series is, so that this ends."""
        return None if self.latest else self.project_id

    @property
    def emptied_from(self) -> Instant | None:
        """Since when it lies in the trash, to be emptied some days later."""
        return None if self.purged else self.trashed_at


def evolve(before: Timed, recorded: Recorded) -> Timed:
    """The next state. Total over every logged event of a task and of its reminders; itself where nothing changes."""
    event = recorded.event
    if isinstance(event, ReminderEvent):
        return replace(before, reminders=changed(before.reminders, event))
    match event:
        case TaskCreated():
            return _created(event)
        case TaskEdited():
            return _edited(before, event)
        case TaskMoved() | TaskStatusMapped() | TaskStatusRestored() | TaskProjectChanged():
            return _closed(_placed(before, event), recorded.recorded_at, closed=event.category.closed)
        case TaskDuePassed() | Erased(name="task.due_passed"):
            return replace(before, overdue=True)
        case TaskDeleted() | Erased(name="task.deleted"):
            return replace(before, trashed_at=recorded.recorded_at)
        case TaskRestored() | Erased(name="task.restored"):
            return replace(before, trashed_at=None)
        case TaskPurged() | Erased(name="task.purged"):
            return replace(before, purged=True)
        case Erased(name=name) if name in ERASED_MOVES:
            return _closed(before, recorded.recorded_at, closed=STANDARD.categories[ERASED_MOVES[name]].closed)
        case _:
            return _in_series(before, event)


def _created(event: TaskCreated) -> Timed:
    return Timed(
        start_at=event.start_at, due_at=event.due_at, closed=event.category.closed, project_id=event.project_id
    )


def _placed(before: Timed, event: Event) -> Timed:
    return replace(before, project_id=event.project_id) if isinstance(event, TaskProjectChanged) else before


def _in_series(before: Timed, event: Event) -> Timed:
    match event:
        case TaskSeriesJoined():
            return replace(before, latest=True, next_at=event.next_at)
        case TaskFollowed() | TaskSeriesLeft() | Erased(name="task.followed" | "task.series_left"):
            return replace(before, latest=False, next_at=None)
        case _:
            return before


def _closed(before: Timed, at: Instant, *, closed: bool) -> Timed:
    if before.closed is closed:
        return before
    return replace(before, closed=closed, closed_at=at if closed else None)


def _edited(before: Timed, event: TaskEdited) -> Timed:
    start = before.start_at if event.start_at is msgspec.UNSET else event.start_at
    due = before.due_at if event.due_at is msgspec.UNSET else event.due_at
    if (start, due) == (before.start_at, before.due_at):
        return before
    return replace(before, start_at=start, due_at=due, overdue=before.overdue and due == before.due_at)
