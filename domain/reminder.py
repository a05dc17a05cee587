"""Reminders at a task, each of one member for themselves: their events, their state, and the fold. One stream a task.

One that counts back from a date of the task follows that date: it is due anew when the date moves, and never while the
task has none.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.dates import Dates
from domain.events import Event, Recorded, stored
from domain.instant import EARLIEST, Instant, instant

OWN_MAX: Final = 20  # of one member at one task
REMINDERS_MAX: Final = 1_000  # of all at one task
MINUTES_MAX: Final = 527_040  # a year before


class Date(StrEnum):
    """The date of a task from which a reminder counts back."""

    START_AT = "start_at"
    DUE_AT = "due_at"


class ReminderEvent(Event, frozen=True, kw_only=True):
    """Something happened to a reminder at a task."""

    task_id: str
    reminder_id: str
    user_id: str


@stored("reminder.added")
class ReminderAdded(ReminderEvent, frozen=True, kw_only=True):
    """Somebody wants to be reminded: at an instant, or so many minutes before a date of the task.

    `fired_for` is of one that was removed and is there again: when it was due when it fired.
    """

    at: Instant | None = None
    relative_to: Date | None = None
    minutes_before: int = 0
    fired_for: Instant | None = None


@stored("reminder.removed")
class ReminderRemoved(ReminderEvent, frozen=True, kw_only=True):
    """They do not want to be any more."""


@stored("reminder.fired")
class ReminderFired(ReminderEvent, frozen=True, kw_only=True):
    """It was due, at `due_at`, and the task was open. Once each time that it comes to be due."""

    due_at: Instant


class Reminder(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A reminder. `fired_for` is when it was due when it last fired, `added` the version that it came to be with."""

    id: str
    user_id: str
    at: Instant | None = None
    relative_to: Date | None = None
    minutes_before: int = 0
    fired_for: Instant | None = None
    added: int = 0

    def moment(self, dates: Dates) -> Instant | None:
        """When it is due, while the task has these dates; None: it has not the date from which this one counts."""
        if self.relative_to is None:
            return self.at
        date = dates.start_at if self.relative_to is Date.START_AT else dates.due_at
        return None if date is None else _before(date, self.minutes_before)

    def fires_at(self, dates: Dates) -> Instant | None:
        """When it fires next; None: never, as things stand."""
        moment = self.moment(dates)
        return None if moment == self.fired_for else moment


class Reminders(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the reminders at a task, in the order in which they were added."""

    id: str
    version: int
    position: int
    task_id: str
    reminders: tuple[Reminder, ...]

    def of(self, user_id: str) -> list[Reminder]:
        """Those of one member."""
        return [reminder for reminder in self.reminders if reminder.user_id == user_id]


def evolve(reminders: Reminders | None, recorded: Recorded) -> Reminders:
    """The next state. Total over every logged event; what is about an erased reminder changes nothing."""
    before = reminders or Reminders(id=recorded.stream_id, version=0, position=0, task_id="", reminders=())
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    if not isinstance(event, ReminderEvent):  # erased
        return after
    return replace(after, task_id=event.task_id, reminders=changed(before.reminders, event, recorded.version))


def changed(reminders: tuple[Reminder, ...], event: ReminderEvent, version: int = 0) -> tuple[Reminder, ...]:
    """The reminders at a task after what happened to one of them."""
    match event:
        case ReminderAdded():
            return (*reminders, _reminder(event, version))
        case ReminderFired():
            return tuple(
                replace(each, fired_for=event.due_at) if each.id == event.reminder_id else each for each in reminders
            )
        case _:
            return tuple(each for each in reminders if each.id != event.reminder_id)


def _reminder(event: ReminderAdded, version: int) -> Reminder:
    return Reminder(
        id=event.reminder_id,
        user_id=event.user_id,
        at=event.at,
        relative_to=event.relative_to,
        minutes_before=event.minutes_before,
        fired_for=event.fired_for,
        added=version,
    )


def _before(date: Instant, minutes: int) -> Instant:
    try:
        return instant(datetime.fromisoformat(date) - timedelta(minutes=minutes))
    except OverflowError:
        return instant(EARLIEST)
