"""Who is told of an event, and why: a pure function of the log, whatever anybody prefers to see of it.

What it must know of the streams around the event is less than their states; a fold of its own keeps just that.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from domain import team, user, watching
from domain.comment import CommentEdited, CommentPosted, CommentRestored
from domain.events import NAMES, Erased, Event, Recorded, name_of
from domain.policy import audience, eyes
from domain.reminder import ReminderFired
from domain.streams import kind_of
from domain.talk import Part, stream_of
from domain.task import (
    MOVES,
    TaskAssigned,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskMovedOn,
    TaskProjectChanged,
    TaskRestored,
    TaskStatusRestored,
    TaskUnassigned,
)
from domain.task_fields import Assignee
from domain.task_links import TaskBlockerClosed
from domain.task_time import TaskDuePassed
from domain.team import Team
from domain.user import User
from domain.watching import Watching, watchers


class Reason(StrEnum):
    """Why somebody is told, the weightiest first; who is told for several is told for that one."""

    ASSIGNED = "assigned"  # the task was given to them, or to their team
    MENTIONED = "mentioned"  # in a comment
    UNBLOCKED = "unblocked"  # the last task that theirs waited for is closed
    REMINDED = "reminded"  # they asked to be
    OVERDUE = "overdue"  # a task that they watch, or that was given to them, is past its due date
    UPDATED = "updated"  # a task that they watch


class Held(msgspec.Struct, frozen=True, gc=False):
    """What is to be known of a task: whose it is."""

    created_by: str
    assignee: Assignee | None = None
    project_id: str | None = None


class Said(msgspec.Struct, frozen=True, gc=False):
    """What is to be known of a comment: on what, and whom it mentions."""

    task_id: str | None
    mentions: tuple[str, ...]


Source = Held | Said | Watching | Team | User
Sources = Mapping[str, Source | None]  # by stream; None: one without events


class Told(NamedTuple):
    """Who is told of an event, and why; about which task, and which comment on it."""

    task_id: str
    comment_id: str | None
    reasons: dict[str, Reason]


_UPDATING: Final[tuple[type[Event], ...]] = (
    *(
        TaskDuePassed,
        TaskEdited,
        TaskProjectChanged,
        TaskAssigned,
        TaskUnassigned,
        TaskMovedOn,
        TaskDeleted,
        TaskRestored,
    ),
    TaskStatusRestored,
    *MOVES.values(),
)
# After these whoever watches is told. A status that is mapped is no move: the workflow changed, for hundreds at once.
_UPDATES: Final = frozenset(NAMES[record][0] for record in _UPDATING)
_HOLDING: Final[tuple[type[Event], ...]] = (TaskCreated, TaskAssigned, TaskUnassigned, TaskProjectChanged)
# The events of tasks that change what is known of them here.
HOLDS: Final = tuple(NAMES[record][0] for record in _HOLDING)


def evolve(source: Any, recorded: Recorded) -> Source | None:
    """What is known of a stream after an event. Total over every logged event."""
    match kind_of(name_of(recorded.event)):
        case "task":
            return _held(source, recorded)
        case "comment":
            return _said(source, recorded.event)
        case "watching":
            return watching.evolve(source, recorded)
        case "team":
            return team.evolve(source, recorded)
        case "user":
            return user.evolve(source, recorded)
        case _:
            return None


def _held(held: Held | None, recorded: Recorded) -> Held:
    event = recorded.event
    if held is None:
        if not isinstance(event, TaskCreated):
            return Held(recorded.meta.actor, None, None)
        return Held(event.created_by or recorded.meta.actor, None, event.project_id)
    match event:
        case TaskAssigned():
            return replace(held, assignee=event.assignee)
        case TaskProjectChanged():
            return replace(held, project_id=event.project_id)
        case TaskUnassigned() | Erased(name="task.unassigned"):
            return replace(held, assignee=None)
        case _:
            return held


def _said(said: Said | None, event: Event) -> Said:
    match event:
        case CommentPosted():
            return Said(event.task_id, event.mentions)
        case CommentEdited() | CommentRestored():
            return Said(said.task_id if said else None, event.mentions)
        case _:
            return said or Said(None, ())


def task_of(recorded: Recorded, source: Source | None) -> str | None:
    """The task whose people may be told of an event; None: nobody is. `source` is what is known of its stream."""
    event = recorded.event
    match event:
        case CommentPosted():
            return event.task_id
        case CommentEdited():
            return source.task_id if isinstance(source, Said) else None
        case TaskBlockerClosed():
            return recorded.stream_id if event.freed else None
        case ReminderFired():
            return event.task_id
        case _:
            return recorded.stream_id if name_of(event) in _UPDATES else None


@lru_cache(maxsize=10_000)
def watching_of(task_id: str) -> str:
    """The stream of a task's watchers. Several events of one task are folded together, and it costs 3 µs."""
    return stream_of(task_id, Part.WATCHING)


def told(recorded: Recorded, before: Source | None, sources: Sources) -> Told | None:
    """Who is told of an event: never who did it, and nobody who could not see the task right after it.

    `before` is what was known of its stream before it, `sources` what is known after it: of the task, of its watchers,
    of the team that has it and of all these people.
    """
    task_id = task_of(recorded, before)
    held = None if task_id is None else sources.get(task_id)
    if task_id is None or not isinstance(held, Held):
        return None
    reasons = dict(_reasons(recorded, before, held, task_id, sources))
    reasons.pop(recorded.meta.actor, None)
    seen_by = audience(held)
    reasons = {user_id: why for user_id, why in reasons.items() if _sees(sources.get(user_id), seen_by)}
    comment_id = recorded.stream_id if isinstance(recorded.event, CommentPosted | CommentEdited) else None
    return Told(task_id, comment_id, reasons) if reasons else None


def _reasons(
    recorded: Recorded, before: Source | None, held: Held, task_id: str, sources: Sources
) -> Iterator[tuple[str, Reason]]:
    """Each with why, the weightiest last."""
    event = recorded.event
    if isinstance(event, ReminderFired):
        yield event.user_id, Reason.REMINDED
        return
    crew = sources.get(held.assignee.id) if held.assignee is not None else None
    assignees = _assignees(held, crew if isinstance(crew, Team) else None)
    if not isinstance(event, CommentEdited):
        watched = sources.get(watching_of(task_id))
        why = _WHY.get(type(event), Reason.UPDATED)
        for user_id in watchers(held, watched if isinstance(watched, Watching) else None):
            yield user_id, why
        if isinstance(event, TaskBlockerClosed | TaskDuePassed):
            yield from ((user_id, why) for user_id in assignees)
    if isinstance(event, CommentPosted | CommentEdited):
        known = before.mentions if isinstance(before, Said) else ()
        yield from ((user_id, Reason.MENTIONED) for user_id in event.mentions if user_id not in known)
    if isinstance(event, TaskAssigned):
        yield from ((user_id, Reason.ASSIGNED) for user_id in assignees)


_WHY: Final[Mapping[type[Event], Reason]] = {TaskBlockerClosed: Reason.UNBLOCKED, TaskDuePassed: Reason.OVERDUE}


def _assignees(held: Held, crew: Team | None) -> list[str]:
    if held.assignee is None:
        return []
    if held.assignee.type == "user":
        return [held.assignee.id]
    return [] if crew is None or crew.deleted_at else list(crew.members)


def _sees(member: Source | None, seen_by: frozenset[str]) -> bool:
    return isinstance(member, User) and member.active and eyes(member).see(seen_by)
