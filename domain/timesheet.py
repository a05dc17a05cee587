"""The hours spent on a task: their events, their state, and the fold. One stream a task, so its sums are one too."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.dates import Day
from domain.events import Event, Recorded, stored
from domain.instant import Instant

ENTRIES_MAX: Final = 2_000
MINUTES_MAX: Final = 1_440  # an entry is of one day
NOTE_MAX: Final = 2_000


class EntryEvent(Event, frozen=True, kw_only=True):
    """Something happened to an entry of the timesheet of a task."""

    task_id: str
    entry_id: str


@stored("timesheet.entry_added")
class EntryAdded(EntryEvent, frozen=True, kw_only=True):
    """Somebody worked so many minutes on a day."""

    user_id: str
    minutes: int
    on: Day
    note: str = ""


@stored("timesheet.entry_edited")
class EntryEdited(EntryEvent, frozen=True, kw_only=True):
    """It was otherwise; a field that is absent kept its value."""

    minutes: int | UnsetType = UNSET
    on: Day | UnsetType = UNSET
    note: str | UnsetType = UNSET


@stored("timesheet.entry_removed")
class EntryRemoved(EntryEvent, frozen=True, kw_only=True):
    """It counts no more."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry. `added` is the version of the timesheet with which it came to be."""

    id: str
    user_id: str
    minutes: int
    on: Day
    note: str
    created_at: Instant
    updated_at: Instant
    added: int


class Timesheet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a timesheet; its entries are in the order in which they were added."""

    id: str
    version: int
    position: int
    task_id: str
    entries: tuple[Entry, ...]

    def entry(self, entry_id: str) -> Entry | None:
        """The entry of this id."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)


EDITABLE: Final = ("minutes", "on", "note")


def evolve(timesheet: Timesheet | None, recorded: Recorded) -> Timesheet:
    """The next state. Total over every logged event of a timesheet; what is about an erased entry changes nothing."""
    before = timesheet or Timesheet(id=recorded.stream_id, version=0, position=0, task_id="", entries=())
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    if not isinstance(event, EntryEvent):  # erased
        return after
    return replace(after, task_id=event.task_id, entries=_entries(before.entries, event, recorded))


def _entries(entries: tuple[Entry, ...], event: EntryEvent, recorded: Recorded) -> tuple[Entry, ...]:
    match event:
        case EntryAdded():
            return (*entries, _entry(event, recorded))
        case EntryEdited():
            new = edited_fields(event) | {"updated_at": recorded.recorded_at}
            return tuple(replace(entry, **new) if entry.id == event.entry_id else entry for entry in entries)
        case _:
            return tuple(entry for entry in entries if entry.id != event.entry_id)


def _entry(event: EntryAdded, recorded: Recorded) -> Entry:
    return Entry(
        id=event.entry_id,
        user_id=event.user_id,
        minutes=event.minutes,
        on=event.on,
        note=event.note,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        added=recorded.version,
    )


def edited_fields(event: EntryEdited) -> dict[str, Any]:
    """The fields that an edit set, with their new values."""
    return {field: value for field in EDITABLE if (value := getattr(event, field)) is not UNSET}


def minutes_by_user(entries: Iterable[Entry]) -> dict[str, int]:
    """How long each user worked, in minutes."""
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.user_id] = sums.get(entry.user_id, 0) + entry.minutes
    return sums
