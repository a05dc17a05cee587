"""A task: its events, its state, and the fold from the one to the other."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.events import NAMES, Erased, Event, Recorded, stored
from domain.instant import Instant
from domain.workflow import STANDARD, Category


class Priority(StrEnum):
    """How urgent a task is, least first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Assignee(msgspec.Struct, frozen=True, gc=False):
    """Whom a task is given to."""

    type: Literal["user", "team"]
    id: str


@stored("task.created")
class TaskCreated(Event, frozen=True, kw_only=True):
    """Somebody wrote down what is to be done. The creator is the actor of the envelope."""

    title: str
    status: str
    category: Category
    description: str = ""
    priority: Priority = Priority.NORMAL
    due_at: Instant | None = None
    tags: tuple[str, ...] = ()


@stored("task.edited")
class TaskEdited(Event, frozen=True, kw_only=True):
    """Some fields got new values; a field that is absent kept its value."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    due_at: Instant | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


@stored("task.assigned")
class TaskAssigned(Event, frozen=True, kw_only=True):
    """The task was given to somebody."""

    assignee: Assignee


@stored("task.unassigned")
class TaskUnassigned(Event, frozen=True, kw_only=True):
    """The task was taken from whoever had it."""


class TaskMoved(Event, frozen=True, kw_only=True):
    """A move of the workflow. The status it led to is part of the fact: a later workflow cannot change it."""

    status: str
    category: Category
    reason: str | None = None


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
    due_at: Instant | None
    assignee: Assignee | None
    project_id: str | None
    parent_id: str | None
    tags: tuple[str, ...]
    created_by: str
    created_at: Instant
    updated_at: Instant
    completed_at: Instant | None
    deleted_at: Instant | None


def evolve(task: Task | None, recorded: Recorded) -> Task:
    """The next state. Total over every logged event of a task: a fact that is in the log must fold."""
    if task is None:
        return _created(recorded)
    return replace(
        task,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](recorded),
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
        due_at=event.due_at,
        assignee=None,
        project_id=None,
        parent_id=None,
        tags=event.tags,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        completed_at=None,
        deleted_at=None,
    )


Changes = dict[str, object]


def _moved(recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TaskMoved)
    completed_at = recorded.recorded_at if event.category is Category.DONE else None
    return {"status": event.status, "category": event.category, "completed_at": completed_at}


def _edited(recorded: Recorded) -> Changes:
    return edited_fields(recorded.event)


def _assigned(recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, TaskAssigned)
    return {"assignee": recorded.event.assignee}


_CHANGES: Final[dict[type[Event], Callable[[Recorded], Changes]]] = {
    TaskEdited: _edited,
    TaskAssigned: _assigned,
    TaskUnassigned: lambda _: {"assignee": None},
    **dict.fromkeys(MOVES.values(), _moved),
    TaskDeleted: lambda recorded: {"deleted_at": recorded.recorded_at},
    TaskRestored: lambda _: {"deleted_at": None},
    Erased: lambda recorded: _erased(recorded),
}


def _erased(recorded: Recorded) -> Changes:
    """What is left of an event whose data were erased: that it happened. A reason that is gone reopens nothing."""
    assert isinstance(recorded.event, Erased)
    name = recorded.event.name
    if name in _ERASED_MOVES:
        status = _ERASED_MOVES[name]
        category = STANDARD.categories[status]
        return {
            "status": status,
            "category": category,
            "completed_at": recorded.recorded_at if category is Category.DONE else None,
        }
    left: dict[str, Changes] = {
        "task.deleted": {"deleted_at": recorded.recorded_at},
        "task.restored": {"deleted_at": None},
        "task.unassigned": {"assignee": None},
    }
    return left.get(name, {})


# In the standard workflow a move leads to one status, wherever it begins.
_ERASED_MOVES: Final = {NAMES[MOVES[move]][0]: status for (_, move), status in STANDARD.moves.items()}


def edited_fields(event: Event) -> dict[str, object]:
    """The fields that an edit set, with their new values."""
    return {field: value for field in EDITABLE if (value := getattr(event, field)) is not UNSET}


EDITABLE: Final = tuple(TaskEdited.__struct_fields__)
