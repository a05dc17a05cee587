"""How a task hangs together with others: its parent and subtasks, and its links; the events and what they change.

Each relation stands in the streams of both tasks. Whoever closes tells the parent and those that wait for it, so that
"no open subtask" and "no open blocker" are rules over one stream, the task's own.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from domain.events import Event, stored

if TYPE_CHECKING:
    from domain.task import Task

SUBTASKS_MAX: Final = 100  # of one task
LINKS_MAX: Final = 100  # of one task
DEPTH_MAX: Final = 8  # levels of a tree, its root included
WALKED_MAX: Final = 1_000  # tasks that one decision looks at


class LinkType(StrEnum):
    """What a task is to another one."""

    BLOCKS = "blocks"
    BLOCKED_BY = "blocked_by"
    RELATES = "relates"
    DUPLICATES = "duplicates"
    DUPLICATED_BY = "duplicated_by"


INVERSE: Final = {
    LinkType.BLOCKS: LinkType.BLOCKED_BY,
    LinkType.BLOCKED_BY: LinkType.BLOCKS,
    LinkType.RELATES: LinkType.RELATES,
    LinkType.DUPLICATES: LinkType.DUPLICATED_BY,
    LinkType.DUPLICATED_BY: LinkType.DUPLICATES,
}


class Subtask(msgspec.Struct, frozen=True, gc=False):
    """A task below this one, and whether it is closed: done, or cancelled."""

    id: str
    closed: bool


class Link(msgspec.Struct, frozen=True, gc=False):
    """What this task is to another one. `closed`, of one that blocks this: it is done, cancelled, or in the trash."""

    type: LinkType
    task_id: str
    closed: bool = False


@stored("task.parent_changed")
class TaskParentChanged(Event, frozen=True, kw_only=True):
    """The task, with all below it, was put under another one, or under none."""

    parent_id: str | None


@stored("task.subtask_added")
class TaskSubtaskAdded(Event, frozen=True, kw_only=True):
    """Another task is a part of this one."""

    task_id: str
    closed: bool = False


@stored("task.subtask_removed")
class TaskSubtaskRemoved(Event, frozen=True, kw_only=True):
    """Another task ceased to be a part of this one: it was moved, or deleted."""

    task_id: str


@stored("task.subtask_closed")
class TaskSubtaskClosed(Event, frozen=True, kw_only=True):
    """A part of this task is done, or will not be."""

    task_id: str


@stored("task.subtask_reopened")
class TaskSubtaskReopened(Event, frozen=True, kw_only=True):
    """A part of this task is to be done after all."""

    task_id: str


@stored("task.linked")
class TaskLinked(Event, frozen=True, kw_only=True):
    """This task has to do with another one. `closed`: the other one was closed already."""

    type: LinkType
    task_id: str
    closed: bool = False
    reason: str | None = None


@stored("task.unlinked")
class TaskUnlinked(Event, frozen=True, kw_only=True):
    """It has that to do with it no longer."""

    type: LinkType
    task_id: str


@stored("task.blocker_closed")
class TaskBlockerClosed(Event, frozen=True, kw_only=True):
    """A task that this one waited for is closed. `freed`: it was the last one, so this one can begin."""

    task_id: str
    freed: bool


@stored("task.blocker_reopened")
class TaskBlockerReopened(Event, frozen=True, kw_only=True):
    """A task that this one waits for is open again."""

    task_id: str


Changes = dict[str, object]


def _parent_changed(_: "Task", event: Any) -> Changes:
    return {"parent_id": event.parent_id}


def _subtask_added(task: "Task", event: Any) -> Changes:
    others = (subtask for subtask in task.subtasks if subtask.id != event.task_id)
    return {"subtasks": (*others, Subtask(event.task_id, event.closed))}


def _subtask_removed(task: "Task", event: Any) -> Changes:
    return {"subtasks": tuple(subtask for subtask in task.subtasks if subtask.id != event.task_id)}


def _subtask(closed: bool) -> Callable[["Task", Any], Changes]:
    def change(task: "Task", event: Any) -> Changes:
        return {
            "subtasks": tuple(
                replace(subtask, closed=closed) if subtask.id == event.task_id else subtask for subtask in task.subtasks
            )
        }

    return change


def _linked(task: "Task", event: Any) -> Changes:
    others = (link for link in task.links if (link.type, link.task_id) != (event.type, event.task_id))
    return {"links": (*others, Link(event.type, event.task_id, event.closed))}


def _unlinked(task: "Task", event: Any) -> Changes:
    gone = (event.type, event.task_id)
    return {"links": tuple(link for link in task.links if (link.type, link.task_id) != gone)}


def _blocker(closed: bool) -> Callable[["Task", Any], Changes]:
    def change(task: "Task", event: Any) -> Changes:
        which = (LinkType.BLOCKED_BY, event.task_id)
        return {
            "links": tuple(
                replace(link, closed=closed) if (link.type, link.task_id) == which else link for link in task.links
            )
        }

    return change


# What an event changes. Total: one whose forerunner was erased changes nothing.
CHANGES: Final[dict[type[Event], Callable[["Task", Any], Changes]]] = {
    TaskParentChanged: _parent_changed,
    TaskSubtaskAdded: _subtask_added,
    TaskSubtaskRemoved: _subtask_removed,
    TaskSubtaskClosed: _subtask(closed=True),
    TaskSubtaskReopened: _subtask(closed=False),
    TaskLinked: _linked,
    TaskUnlinked: _unlinked,
    TaskBlockerClosed: _blocker(closed=True),
    TaskBlockerReopened: _blocker(closed=False),
}
