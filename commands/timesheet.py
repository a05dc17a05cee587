"""The commands on the hours spent on a task."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around
from domain.dates import Day, check_day
from domain.errors import Conflict, Invalid, NotFound
from domain.events import Event
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.text import check_text
from domain.timesheet import (
    EDITABLE,
    ENTRIES_MAX,
    MINUTES_MAX,
    NOTE_MAX,
    Entry,
    EntryAdded,
    EntryEdited,
    EntryRemoved,
    Timesheet,
)


@dataclass(frozen=True, slots=True)
class TimesheetCommand:
    """A command on one entry of the timesheet of a task."""

    task_id: str
    entry_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the timesheet."""
        return stream_of(self.task_id, Part.TIMESHEET)

    def entry(self, context: Context) -> Entry:
        """The entry, where the actor may change it. Raises `NotFound`, `Forbidden` for one of somebody else."""
        context.task(self.task_id, Action.TASK_READ)
        timesheet = context.read(self.stream_id, Timesheet)
        entry = None if timesheet is None else timesheet.entry(self.entry_id)
        if entry is None:
            raise entry_not_found()
        around(context, self.task_id, Action.TIME_CHANGE, entry.user_id)
        return entry

    def fact(self, event: Event) -> list[Fact]:
        """An event for the timesheet's stream."""
        return [Fact(self.stream_id, event)]


@dataclass(frozen=True, slots=True)
class AddEntry(TimesheetCommand):
    """Write down one's own work; `entry_id` is new."""

    minutes: int
    on: Day
    note: str = ""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The entry. Raises `Conflict` `timesheet.full`."""
        _check(self.minutes, self.on, self.note)
        around(context, self.task_id, Action.TIME_ADD)
        timesheet = context.read(self.stream_id, Timesheet)
        if timesheet is not None and len(timesheet.entries) >= ENTRIES_MAX:
            raise Conflict("timesheet.full", f"a timesheet has at most {ENTRIES_MAX} entries")
        about = {"task_id": self.task_id, "entry_id": self.entry_id, "user_id": context.actor_id}
        return self.fact(EntryAdded(**about, minutes=self.minutes, on=self.on, note=self.note))


@dataclass(frozen=True, slots=True)
class EditEntry(TimesheetCommand):
    """Say that it was otherwise. What is UNSET, or so already, stays."""

    minutes: int | UnsetType = UNSET
    on: Day | UnsetType = UNSET
    note: str | UnsetType = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ."""
        _check(self.minutes, self.on, self.note)
        entry = self.entry(context)
        wanted = {field: getattr(self, field) for field in EDITABLE}
        new = {field: value for field, value in wanted.items() if value is not UNSET and value != getattr(entry, field)}
        return self.fact(EntryEdited(task_id=self.task_id, entry_id=self.entry_id, **new)) if new else []


@dataclass(frozen=True, slots=True)
class RemoveEntry(TimesheetCommand):
    """Let an entry count no more."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The removal."""
        self.entry(context)
        return self.fact(EntryRemoved(task_id=self.task_id, entry_id=self.entry_id))


def entry_not_found() -> NotFound:
    """Unknown, removed, or of another task: one answer."""
    return NotFound("timesheet.entry_not_found", "the timesheet of this task has no entry with this id")


def _check(minutes: int | UnsetType, on: Day | UnsetType, note: str | UnsetType) -> None:
    """Raises `Invalid` for what is no amount of time, no day, or no text."""
    if minutes is not UNSET and not 1 <= minutes <= MINUTES_MAX:
        raise Invalid("value.range", "/minutes", f"must be 1 to {MINUTES_MAX}, got {minutes}", minutes)
    if on is not UNSET:
        check_day(on, "/on")
    if note is not UNSET:
        check_text(note, "/note", most=NOTE_MAX)
