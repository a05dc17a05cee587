"""Who watches a task: its events, their fold, and the watchers that follow. One stream a task.

Creator and assignee watch without a word, until they are taken out; that is no fact, but follows from the task.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored
from domain.task_fields import Owned

WATCHERS_MAX: Final = 500  # besides creator and assignee


class Why(StrEnum):
    """For what somebody watches."""

    CREATOR = "creator"
    ASSIGNEE = "assignee"
    EXPLICIT = "explicit"
    MENTION = "mention"


@stored("watching.added")
class WatcherAdded(Event, frozen=True, kw_only=True):
    """Somebody watches from now on, by a wish (`explicit`) or for a `mention`."""

    task_id: str
    user_id: str
    why: Why


@stored("watching.removed")
class WatcherRemoved(Event, frozen=True, kw_only=True):
    """Somebody watches no more, creator and assignee included."""

    task_id: str
    user_id: str


@stored("watching.restored")
class WatcherRestored(Event, frozen=True, kw_only=True):
    """A change was taken back: somebody is added as before, or not (`why`), and taken out as before, or not."""

    task_id: str
    user_id: str
    why: Why | None = None
    removed: bool = False


class Watching(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the watching of a task: who was added and why, and who was taken out."""

    id: str
    version: int
    position: int
    task_id: str
    added: dict[str, Why]
    removed: tuple[str, ...]


def evolve(watching: Watching | None, recorded: Recorded) -> Watching:
    """The next state. Total over every logged event of a watching."""
    before = watching or Watching(id=recorded.stream_id, version=0, position=0, task_id="", added={}, removed=())
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    match event:
        case WatcherAdded():
            added = {**before.added, event.user_id: event.why}
            return replace(after, task_id=event.task_id, added=added, removed=_without(before.removed, event.user_id))
        case WatcherRemoved():
            added = {user_id: why for user_id, why in before.added.items() if user_id != event.user_id}
            removed = (*_without(before.removed, event.user_id), event.user_id)
            return replace(after, task_id=event.task_id, added=added, removed=removed)
        case WatcherRestored():
            return replace(after, task_id=event.task_id, **_restored(before, event))
        case _:  # erased
            return after


def _restored(before: Watching, event: WatcherRestored) -> dict[str, Any]:
    added = {user_id: why for user_id, why in before.added.items() if user_id != event.user_id}
    removed = _without(before.removed, event.user_id)
    return {
        "added": added if event.why is None else {**added, event.user_id: event.why},
        "removed": (*removed, event.user_id) if event.removed else removed,
    }


def _without(users: tuple[str, ...], user_id: str) -> tuple[str, ...]:
    return tuple(each for each in users if each != user_id)


def watchers(task: Owned, watching: Watching | None) -> dict[str, Why]:
    """Who watches a task and why: creator and assignee first, then in the order in which they were added."""
    found = {task.created_by: Why.CREATOR}
    if task.assignee is not None and task.assignee.type == "user":
        found.setdefault(task.assignee.id, Why.ASSIGNEE)
    if watching is None:
        return found
    return {user_id: why for user_id, why in found.items() if user_id not in watching.removed} | watching.added
