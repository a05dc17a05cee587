"""What each occurrence of a series is like when it is made, with all that is below it; and its dates.

These are the dates of the task that it was taken from, moved on the clocks of the zone of the series.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from domain.checklist import Checklist
from domain.dates import Day
from domain.instant import Instant
from domain.policy import Eyes, audience
from domain.recurrence import Local
from domain.reminder import Date, Reminders
from domain.task import EDITABLE, Task, TaskEdited
from domain.task_fields import Assignee
from domain.zones import end_of, to_instant, to_local

SUBTASKS_MAX: Final = 200  # that come again with each occurrence
ITEMS_MAX: Final = 1_000  # on the checklists of all these together
TEXT_MAX: Final = 500_000  # characters of all their texts together

_DAY: Final = 10  # characters of a local time


class Anchor(StrEnum):
    """Which date of a task its occurrence is: the others keep their distance to it on the clocks of the zone."""

    DUE_AT = "due_at"
    DUE_ON = "due_on"
    START_AT = "start_at"


class Alarm(msgspec.Struct, frozen=True, gc=False):
    """A reminder that counts back from a date, so that every occurrence can have it."""

    user_id: str
    relative_to: Date
    minutes_before: int


class Pattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What each occurrence is like when it is made. `fields` has the dates of the task that it was taken from.

    `subtasks` are patterns of their own, of which `parent_id` says nothing.
    """

    fields: TaskEdited
    created_by: str
    assignee: Assignee | None = None
    project_id: str | None = None
    parent_id: str | None = None
    checklist: tuple[str, ...] = ()
    reminders: tuple[Alarm, ...] = ()
    subtasks: tuple["Pattern", ...] = ()

    @property
    def height(self) -> int:
        """Of how many levels the tree is that is made, itself included."""
        return 1 + max((subtask.height for subtask in self.subtasks), default=0)

    @property
    def size(self) -> int:
        """About how many characters its texts have, with those of all below it."""
        own = (self.fields.title or "", self.fields.description or "", *self.checklist)
        return sum(map(len, own)) + sum(subtask.size for subtask in self.subtasks)

    def shown_to(self, user_id: str, eyes: Eyes) -> "Pattern":
        """What somebody may know of it: of reminders their own, of subtasks those that they see."""
        seen = tuple(each.shown_to(user_id, eyes) for each in self.subtasks if eyes.see(audience(each)))
        return replace(self.without_others(user_id), subtasks=seen)

    def without_others(self, user_id: str) -> "Pattern":
        """The same with nobody's reminders but somebody's own."""
        own = tuple(alarm for alarm in self.reminders if alarm.user_id == user_id)
        return replace(self, reminders=own, subtasks=tuple(each.without_others(user_id) for each in self.subtasks))


def pattern_of(
    task: Task,
    dates: dict[str, Any],
    checklist: Checklist | None,
    reminders: Reminders | None,
    subtasks: tuple[Pattern, ...] = (),
) -> Pattern:
    """What the occurrences that follow a task are like, once it has these dates."""
    fields = {field: getattr(task, field) for field in EDITABLE} | dates
    return Pattern(
        fields=TaskEdited(**fields),
        created_by=task.created_by,
        assignee=task.assignee,
        project_id=task.project_id,
        parent_id=task.parent_id,
        checklist=() if checklist is None else tuple(item.text for item in checklist.items),
        reminders=() if reminders is None else tuple(_alarms(reminders)),
        subtasks=subtasks,
    )


def _alarms(reminders: Reminders) -> Iterator[Alarm]:
    for reminder in reminders.reminders:
        if reminder.relative_to is not None:
            yield Alarm(reminder.user_id, reminder.relative_to, reminder.minutes_before)


def dates_at(fields: TaskEdited | Task, anchor: Anchor, zone: str, local: Local) -> dict[str, Any]:
    """The dates of an occurrence at a local time, where `fields` has those of another one. Their distances are kept on
    the clocks of the zone: what begins at nine two days before does so after the clocks have changed too.
    """
    at = datetime.fromisoformat(local)
    if anchor is Anchor.START_AT:
        return {"start_at": to_instant(at, zone)}
    if anchor is Anchor.DUE_ON:
        due: dict[str, Any] = {"due_on": local[:_DAY], "due_at": end_of(at.date(), zone)}
    else:
        due = {"due_on": None, "due_at": to_instant(at, zone)}
    by = shift(fields, anchor, zone, local)
    start = fields.start_at or None
    if by is not None:
        start = _before(_moved(start, zone, by), due["due_at"])
    return {**due, "due_zone": zone, "start_at": start}


class Shift(NamedTuple):
    """How far an occurrence is from another one, on the clocks of the zone: from time to time, and from day to day."""

    by: timedelta
    days: timedelta


def shift(fields: TaskEdited | Task, anchor: Anchor, zone: str, local: Local) -> Shift | None:
    """How far an occurrence at a local time is from the dates in `fields`, in whole days where either of both is a day;
    None where there is nothing to be far from.
    """
    at, before = datetime.fromisoformat(local), _base(fields, anchor, zone)
    if before is None:
        return None
    days = at.date() - before.date()
    return Shift(days if anchor is Anchor.DUE_ON or isinstance(fields.due_on, str) else at - before, days)


def dates_after(fields: TaskEdited | Task, zone: str, by: Shift | None) -> dict[str, Any]:
    """The dates in `fields`, those of a subtask, once the task above it has moved so far; none past the calendar."""
    if by is None:
        return {}
    due: dict[str, Any] = {"due_on": None, "due_at": None, "due_zone": None}
    if isinstance(fields.due_on, str) and isinstance(fields.due_zone, str):
        due |= _day_moved(fields.due_on, fields.due_zone, by)
    elif (due_at := _moved(fields.due_at or None, zone, by)) is not None:
        due |= {"due_at": due_at, "due_zone": fields.due_zone or None}
    return {**due, "start_at": _before(_moved(fields.start_at or None, zone, by), due["due_at"])}


def _day_moved(day: Day, zone: str, by: Shift) -> dict[str, Any]:
    try:
        moved = date.fromisoformat(day) + by.days
        return {"due_on": moved.isoformat(), "due_at": end_of(moved, zone), "due_zone": zone}
    except OverflowError:
        return {}


def _moved(moment: Instant | None, zone: str, by: Shift) -> Instant | None:
    if moment is None:
        return None
    try:
        return to_instant(to_local(moment, zone) + by.by, zone)
    except OverflowError:
        return None


def _before(start: Instant | None, due_at: Instant | None) -> Instant | None:
    """A start, unless clocks jumped over the time between."""
    return None if start is None or (due_at is not None and start >= due_at) else start


def _base(fields: TaskEdited | Task, anchor: Anchor, zone: str) -> datetime | None:
    """The local time of the date that the occurrence is."""
    if anchor is not Anchor.START_AT and isinstance(fields.due_on, str):
        return datetime.combine(date.fromisoformat(fields.due_on), time())
    at = fields.start_at if anchor is Anchor.START_AT else fields.due_at
    return to_local(at, zone) if isinstance(at, str) else None
