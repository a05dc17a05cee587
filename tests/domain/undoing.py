"""Taking commands back without a database, and what of the folds must be as it was."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from commands.deciding import Command
from commands.inverse.step import Wrote
from commands.undo import Undo, is_step, steps_of
from domain.board import Board
from domain.events import Recorded
from domain.inbox import Inbox, InboxReadThrough
from domain.series import End, Series
from domain.streams import State, evolve
from domain.tagbook import PLAIN, Tagbook
from domain.task_timers import Timed
from domain.timers import CLOCKWORKS, thing_of
from tests.domain.given import ADA, Given
from tests.domain.rewriting import made_one, settle

# Who did it and when, and where that stands in the log, are of the last who did it. What is a list here has an order
# only by who came when.
_STAYS = frozenset(
    {"version", "position", "updated_at", "checked_by", "checked_at", "added", "created_at", "created_by", "ended_at"}
)
_SETS = frozenset(
    {"subtasks", "links", "removed", "projects", "entries", "items", "read", "unread", "admins", "reminders"}
)
_ORDERED = frozenset({"checklist"})
# Old names of tags stand for those of today for ever.
# Numbers and keys are given for ever; where statuses led that were lost is kept for what is in the trash.
_FOR_EVER = ("Numbering", "ProjectKey", "Instantiation")
_KEPT = frozenset({"mapped"})


def command_at(
    log: Sequence[Recorded], first: int, position: int | None = None, last: int | None = None, **more: Any
) -> Undo:
    """The undo of what one command wrote, which is a log from an index on, up to another or the end."""
    wrote = Wrote(log[first:last])
    streams = {event.stream_id for event in wrote.events if is_step(event.event)}
    states: dict[str, State | None] = {}
    found = {}
    for event in log:
        if event.stream_id in streams:
            before = states.get(event.stream_id)
            states[event.stream_id] = evolve(before, event)
            found[event.position] = (before, states[event.stream_id])
    wrote.steps += steps_of(wrote, found)
    wrote.merged |= {step.recorded.position for step in wrote.steps if made_one(log, step)}
    for step in wrote.steps:
        if isinstance(step.event, InboxReadThrough):  # as if there were a notification of each event
            before, to = step.before, step.event.position
            wrote.unread[step.recorded.position] = tuple(
                at for at in range(1, to + 1) if before is None or not before.has_read(at)
            )
    return Undo(position or wrote.events[-1].position, wrote, **more)


def done(given: Given, command: Command, by: str = ADA) -> Undo:
    """Perform a command that changes something, with what follows for tags, and answer its undo."""
    first = len(given.log)
    given.does(command, by)
    last = len(given.log)
    assert last > first, command
    settle(given)
    return command_at(given.log, first, last=last)


def world(given: Given) -> dict[str, Any]:
    """All streams, but for what stays; what is gone is as if it had never been."""
    shown = {stream_id: shape(folded.state) for stream_id, folded in given.folded.items()}
    return {stream_id: state for stream_id, state in shown.items() if state is not None}


def timers(given: Given) -> dict[str, Any]:
    """What is to happen to each task at a time, and whether it is closed or in the trash, not since when."""
    states: dict[str, Any] = {}
    for event in given.log:
        thing = thing_of(event)
        if thing is not None:
            kind, id_ = thing
            states[id_] = CLOCKWORKS[kind].evolve(states.get(id_, CLOCKWORKS[kind].blank), event)
    return {id_: _timed(state) for id_, state in states.items()}


def _timed(state: Timed) -> dict[str, Any]:
    values = {field: _plain(field, getattr(state, field), ordered=False) for field in state.__struct_fields__}
    return {**values, "trashed_at": state.trashed_at is not None, "closed_at": state.closed_at is not None}


def shape(state: State | None) -> Any:
    """What of a state must be as it was; None for what is not there, or holds nothing."""
    name = type(state).__name__
    if state is None or name in _FOR_EVER or (getattr(state, "deleted_at", None) and name != "Task"):
        return None
    if isinstance(state, Series) and state.ended_because is End.UNDONE:
        return None
    if isinstance(state, Board):
        return {"tasks": sorted(state.tasks)} if state.count else None
    if isinstance(state, Tagbook):
        looks = {tag: look for tag, look in state.looks.items() if look != PLAIN}
        return {"looks": looks, "to come": (state.unfinished, state.undoing)} if looks else None
    if isinstance(state, Inbox):
        return {"read": read} if (read := [at for at in range(1, state.position) if state.has_read(at)]) else None
    ordered = name == "Checklist"
    values = {field: _plain(field, getattr(state, field), ordered) for field in state.__struct_fields__}
    kept = {field: value for field, value in values.items() if field not in _STAYS | _KEPT}
    if name == "Task":
        kept["deleted_at"] = kept["deleted_at"] is not None
    if name == "Project":
        kept["archived_at"] = kept["archived_at"] is not None
    return kept if any(value for field, value in kept.items() if field not in ("id", "task_id")) else None


def _plain(field: str, value: Any, ordered: bool) -> Any:
    plain = msgspec.to_builtins(value)
    if field in _SETS and isinstance(plain, list | tuple):
        items = [_without(item) for item in plain]
        return items if ordered else sorted(items, key=str)
    return plain


def _without(item: Any) -> Any:
    return {name: value for name, value in item.items() if name not in _STAYS} if isinstance(item, Mapping) else item
