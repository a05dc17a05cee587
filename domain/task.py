"""A task: its events, its state, and the fold from the one to the other."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.dates import Dates, Day
from domain.events import NAMES, Erased, Event, Recorded, stored
from domain.instant import Instant
from domain.task_fields import Assignee, FromTemplate, Origin, Priority
from domain.task_links import CHANGES as LINK_CHANGES
from domain.task_links import Link, LinkType, Subtask
from domain.task_series import CHANGES as SERIES_CHANGES
from domain.task_series import TaskSeriesLeft
from domain.task_time import CHANGES as TIME_CHANGES
from domain.task_time import TaskPurged
from domain.workflow import STANDARD, Category


@stored("task.created")
class TaskCreated(Event, frozen=True, kw_only=True):
    """Somebody wrote down what is to be done. The creator is the actor of the envelope, unless one is named."""

    title: str
    status: str
    category: Category
    description: str = ""
    priority: Priority = Priority.NORMAL
    due_at: Instant | None = None
    tags: tuple[str, ...] = ()
    estimate_minutes: int | None = None
    project_id: str | None = None
    key: str | None = None  # in the project: `APP-17`
    parent_id: str | None = None
    start_at: Instant | None = None
    due_on: Day | None = None
    due_zone: str | None = None
    created_by: str | None = None  # an occurrence is made by nobody, and is the creator's of the first one
    template: FromTemplate | None = None
    imported: Origin | None = None


@stored("task.edited")
class TaskEdited(Event, frozen=True, kw_only=True):
    """Some fields got new values; a field that is absent kept its value."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    due_at: Instant | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    estimate_minutes: int | UnsetType | None = UNSET
    start_at: Instant | UnsetType | None = UNSET
    due_on: Day | UnsetType | None = UNSET
    due_zone: str | UnsetType | None = UNSET


@stored("task.project_changed")
class TaskProjectChanged(Event, frozen=True, kw_only=True):
    """The task was put into another project, or taken out of all; its status may be another one there."""

    project_id: str | None
    key: str | None
    status: str
    category: Category


@stored("task.assigned")
class TaskAssigned(Event, frozen=True, kw_only=True):
    """The task was given to somebody."""

    assignee: Assignee


@stored("task.unassigned")
class TaskUnassigned(Event, frozen=True, kw_only=True):
    """The task was taken from whoever had it."""


class TaskMoved(Event, frozen=True, kw_only=True):
    """A move of the workflow. The status it led to is part of the fact: a later workflow cannot change it.

    `despite` are the tasks that blocked this one, and were overridden.
    """

    status: str
    category: Category
    reason: str | None = None
    despite: tuple[str, ...] = ()


@stored("task.started")
class TaskStarted(TaskMoved, frozen=True, kw_only=True):
    """Work began."""


@stored("task.paused")
class TaskPaused(TaskMoved, frozen=True, kw_only=True):
    """Work stopped for now."""


@stored("task.completed")
class TaskCompleted(TaskMoved, frozen=True, kw_only=True):
    """The work is done."""


@stored("task.cancelled")
class TaskCancelled(TaskMoved, frozen=True, kw_only=True):
    """The work will not be done."""


@stored("task.reopened")
class TaskReopened(TaskMoved, frozen=True, kw_only=True):
    """The work is to be done after all."""


@stored("task.moved")
class TaskMovedOn(TaskMoved, frozen=True, kw_only=True):
    """A move that only the task's own workflow has, by its name there."""

    move: str


@stored("task.status_mapped")
class TaskStatusMapped(Event, frozen=True, kw_only=True):
    """The workflow lost the status that the task had; this one took its place."""

    status: str
    category: Category


@stored("task.status_restored")
class TaskStatusRestored(Event, frozen=True, kw_only=True):
    """A move was taken back: the task has the status again that it had before, and is done since when it was."""

    status: str
    category: Category
    completed_at: Instant | None = None


@stored("task.deleted")
class TaskDeleted(Event, frozen=True, kw_only=True):
    """The task was put in the trash."""

    reason: str | None = None


@stored("task.restored")
class TaskRestored(Event, frozen=True, kw_only=True):
    """The task was taken out of the trash."""

    reason: str | None = None


MOVES: Final[dict[str, type[TaskMoved]]] = {
    "start": TaskStarted,
    "pause": TaskPaused,
    "complete": TaskCompleted,
    "cancel": TaskCancelled,
    "reopen": TaskReopened,
}

ERASED_TITLE: Final = "[erased]"


class Task(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a task: the fold of its stream up to `version`, last changed at `position`.

    Encoded as JSON it is the document that clients get, field for field.
    """

    id: str
    version: int
    position: int
    title: str
    description: str
    status: str
    category: Category
    priority: Priority
    start_at: Instant | None
    due_at: Instant | None
    due_on: Day | None
    due_zone: str | None
    overdue_since: Instant | None
    assignee: Assignee | None
    project_id: str | None
    key: str | None
    parent_id: str | None
    subtasks: tuple[Subtask, ...]
    links: tuple[Link, ...]
    tags: tuple[str, ...]
    estimate_minutes: int | None
    series_id: str | None = None
    occurrence: Instant | None = None
    followed_by: str | None = None
    created_by: str
    created_at: Instant
    updated_at: Instant
    completed_at: Instant | None
    deleted_at: Instant | None
    purged_at: Instant | None

    @property
    def is_closed(self) -> bool:
        """Done, or cancelled."""
        return self.category.closed

    @property
    def dates(self) -> Dates:
        """When it begins and when it is due."""
        return Dates(self.start_at, self.due_at, self.due_on, self.due_zone)

    @property
    def open_subtasks(self) -> list[str]:
        """The parts of it that are not closed."""
        return [subtask.id for subtask in self.subtasks if not subtask.closed]

    @property
    def blocks(self) -> list[str]:
        """The tasks that wait for this one."""
        return [link.task_id for link in self.links if link.type is LinkType.BLOCKS]

    @property
    def open_blockers(self) -> list[str]:
        """The tasks that have to be closed before this one can start or be completed."""
        return [link.task_id for link in self.links if link.type is LinkType.BLOCKED_BY and not link.closed]


def evolve(task: Task | None, recorded: Recorded) -> Task:
    """The next state. Total over every logged event of a task: a fact that is in the log must fold."""
    if task is None:
        return _created(recorded)
    return replace(
        task,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](task, recorded),
    )


def fold(history: Iterable[Recorded], task: Task | None = None) -> Task | None:
    """The state after a history, oldest first."""
    for recorded in history:
        task = evolve(task, recorded)
    return task


def _created(recorded: Recorded) -> Task:
    event = recorded.event
    if not isinstance(event, TaskCreated):  # the creation was erased
        event = TaskCreated(title=ERASED_TITLE, status=STANDARD.initial, category=Category.OPEN)
    return Task(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        title=event.title,
        description=event.description,
        status=event.status,
        category=event.category,
        priority=event.priority,
        start_at=event.start_at,
        due_at=event.due_at,
        due_on=event.due_on,
        due_zone=event.due_zone,
        overdue_since=None,
        assignee=None,
        project_id=event.project_id,
        key=event.key,
        parent_id=event.parent_id,
        subtasks=(),
        links=(),
        tags=event.tags,
        estimate_minutes=event.estimate_minutes,
        created_by=event.created_by or recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        completed_at=recorded.recorded_at if event.category is Category.DONE else None,
        deleted_at=None,
        purged_at=None,
    )


Changes = dict[str, object]
Change = Callable[[Task, Recorded], Changes]


def _moved(_: Task, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TaskMoved)
    return _at(event.status, event.category, recorded.recorded_at)


def _at(status: str, category: Category, now: Instant) -> Changes:
    return {"status": status, "category": category, "completed_at": now if category is Category.DONE else None}


def _mapped(task: Task, recorded: Recorded) -> Changes:
    """Another status without having moved: what was done stays done since then."""
    event = recorded.event
    assert isinstance(event, TaskStatusMapped | TaskProjectChanged)
    return _at(event.status, event.category, task.completed_at or recorded.recorded_at)


def _status_restored(_: Task, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TaskStatusRestored)
    return {"status": event.status, "category": event.category, "completed_at": event.completed_at}


def _project_changed(task: Task, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TaskProjectChanged)
    return {"project_id": event.project_id, "key": event.key, **_mapped(task, recorded)}


def _edited(task: Task, recorded: Recorded) -> Changes:
    fields = edited_fields(recorded.event)
    if fields.get("due_at", task.due_at) != task.due_at:
        fields["overdue_since"] = None  # it may become overdue once more
    return fields


def _assigned(_: Task, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, TaskAssigned)
    return {"assignee": recorded.event.assignee}


def _deleted(_: Task, recorded: Recorded) -> Changes:
    return {"deleted_at": recorded.recorded_at}


def _linking(change: Callable[[Task, Event], Changes]) -> Change:
    return lambda task, recorded: change(task, recorded.event)


_CHANGES: Final[dict[type[Event], Change]] = {
    TaskEdited: _edited,
    TaskAssigned: _assigned,
    TaskUnassigned: lambda _task, _recorded: {"assignee": None},
    TaskMovedOn: _moved,
    **dict.fromkeys(MOVES.values(), _moved),
    TaskStatusMapped: _mapped,
    TaskStatusRestored: _status_restored,
    TaskProjectChanged: _project_changed,
    TaskDeleted: _deleted,
    TaskRestored: lambda _task, _recorded: {"deleted_at": None},
    **TIME_CHANGES,
    **SERIES_CHANGES,
    **{record: _linking(change) for record, change in LINK_CHANGES.items()},
    Erased: lambda task, recorded: _erased(task, recorded),
}


def _erased(task: Task, recorded: Recorded) -> Changes:
    """What is left of an event whose data were erased: that it happened. A reason that is gone reopens nothing."""
    assert isinstance(recorded.event, Erased)
    name = recorded.event.name
    if name in ERASED_MOVES:
        status = ERASED_MOVES[name]
        return _at(status, STANDARD.categories[status], recorded.recorded_at)
    left: dict[str, Change] = {
        "task.deleted": _deleted,
        "task.restored": _CHANGES[TaskRestored],
        "task.unassigned": _CHANGES[TaskUnassigned],
        "task.due_passed": lambda task, _: {"overdue_since": task.due_at},
        "task.purged": _CHANGES[TaskPurged],
        "task.series_left": _CHANGES[TaskSeriesLeft],
    }
    return left[name](task, recorded) if name in left else {}


# In the standard workflow a move leads to one status, wherever it begins.
ERASED_MOVES: Final = {NAMES[MOVES[move.name]][0]: move.to for move in STANDARD.moves}


def edited_fields(event: Event) -> dict[str, object]:
    """The fields that an edit set, with their new values."""
    return {field: value for field in EDITABLE if (value := getattr(event, field)) is not UNSET}


EDITABLE: Final = tuple(TaskEdited.__struct_fields__)
