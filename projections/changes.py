"""What changed, position by position: the content of publications, catch-ups and the change feed.

It is a fold of the log and needs no table, so it never expires and nobody can forget to write it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from domain.events import NAMES, Event, Recorded, name_of
from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes, audience
from domain.task import Task, evolve
from domain.user import (
    UserDeactivated,
    UserProjectJoined,
    UserProjectLeft,
    UserReactivated,
    UserRoleChanged,
    UserTeamJoined,
    UserTeamLeft,
)
from projections import log
from projections.database import Connection
from projections.tasks import KIND, NAME

# The events of users after which they see other tasks.
_ACCESS: Final[Mapping[type[Event], Callable[[Any], dict[str, Any]]]] = {
    UserRoleChanged: lambda event: {"role": event.role},
    UserTeamJoined: lambda event: {"joined": event.team_id},
    UserTeamLeft: lambda event: {"left": event.team_id},
    UserProjectJoined: lambda event: {"joined": event.project_id},
    UserProjectLeft: lambda event: {"left": event.project_id},
    UserDeactivated: lambda _: {"active": False},
    UserReactivated: lambda _: {"active": True},
}
LIKE: Final = [f"{KIND}.%", *(NAMES[record][0].replace("_", r"\_") for record in _ACCESS)]

_encode: Final = msgspec.json.Encoder().encode


class Changes(NamedTuple):
    """What happened in (`after`, `to`] of a log that was `head` long."""

    after: int
    to: int
    head: int
    tasks: list[TaskChange]
    accesses: list[AccessChange]


def task_change(before: Task | None, after: Task) -> TaskChange:
    """What one event did to one task."""
    return TaskChange(after.position, after.id, msgspec.Raw(_encode(after)), _audience(before), _audience(after))


def access_change(event: Recorded) -> AccessChange | None:
    """How an event changed what its user sees, if it did."""
    said = _ACCESS.get(type(event.event))
    return None if said is None else AccessChange(event.position, event.stream_id, **said(event.event))


def seen(change: TaskChange, eyes: Eyes) -> str | None:
    """What a change is to somebody: `upsert`, `removed`, or nothing at all."""
    if change.after is not None and eyes.see(change.after):
        return "upsert"
    if change.before is not None and eyes.see(change.before):
        return "removed"
    return None


async def read(
    connection: Connection, workspace_id: str, after: int, most: int, *, most_bytes: int = log.MOST_BYTES
) -> Changes:
    """Fold the changes of at most `most` positions out of the log; fewer when they come to `most_bytes`.

    What was passed over for the tasks is left out: whoever decided that wants readers to go on as well.
    """
    part = await log.read(connection, workspace_id, after, most, LIKE, projection=NAME, most_bytes=most_bytes)
    events = part.events()
    tasks = [event for event in events if name_of(event.event).startswith(f"{KIND}.")]
    states = await _states_before(connection, workspace_id, tasks)
    changes, to = _until(_fold(states, tasks), most_bytes)
    to = part.to if to is None else to
    accesses = [change for event in events if event.position <= to and (change := access_change(event)) is not None]
    return Changes(part.after, to, part.head, changes, accesses)


def _until(changes: Iterable[TaskChange], most_bytes: int) -> tuple[list[TaskChange], int | None]:
    """The changes up to where they come to so many bytes, and the position there; None when those are all."""
    taken, size = [], 0
    for change in changes:
        taken.append(change)
        size += len(bytes(change.task))
        if size >= most_bytes:
            return taken, change.position
    return taken, None


async def _states_before(
    connection: Connection, workspace_id: str, events: Iterable[Recorded]
) -> dict[str, Task | None]:
    """The state of each task just before its first event among these."""
    first: dict[str, int] = {}
    for event in events:
        first.setdefault(event.stream_id, event.version)
    states: dict[str, Task | None] = dict.fromkeys(first)
    older: Mapping[str, int] = {id_: version for id_, version in first.items() if version > 1}
    if older:
        for event in await log.streams(connection, workspace_id, older, projection=NAME):
            states[event.stream_id] = evolve(states[event.stream_id], event)
    return states


def _fold(states: dict[str, Task | None], events: Iterable[Recorded]) -> Iterable[TaskChange]:
    for event in events:
        before = states[event.stream_id]
        after = states[event.stream_id] = evolve(before, event)
        yield task_change(before, after)


def _audience(task: Task | None) -> frozenset[str] | None:
    return None if task is None or task.deleted_at else audience(task)
