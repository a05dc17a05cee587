"""The commands on the reminders at a task. Each is somebody's own: nobody else sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around
from domain.errors import Conflict, Invalid, NotFound
from domain.instant import Instant
from domain.policy import Action
from domain.reminder import (
    MINUTES_MAX,
    OWN_MAX,
    REMINDERS_MAX,
    Date,
    ReminderAdded,
    ReminderRemoved,
    Reminders,
)
from domain.talk import Part, stream_of


@dataclass(frozen=True, slots=True)
class ReminderCommand:
    """A command on one reminder of the actor's own at a task."""

    task_id: str
    reminder_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the reminders at the task."""
        return stream_of(self.task_id, Part.REMINDERS)

    def _reminders(self, context: Context) -> Reminders | None:
        around(context, self.task_id, Action.REMINDER_CHANGE, context.actor_id)
        return context.read(self.stream_id, Reminders)


@dataclass(frozen=True, slots=True)
class AddReminder(ReminderCommand):
    """Want to be reminded of a task, `at` an instant or some minutes before one of its dates; `reminder_id` is new."""

    at: Instant | None = None
    relative_to: Date | None = None
    minutes_before: int = 0

    def decide(self, context: Context) -> Sequence[Fact]:
        """The wish. Raises `Conflict` `reminder.too_many`."""
        if (self.at is None) is (self.relative_to is None):
            raise Invalid("reminder.when", "/at", "say either at, or relative_to with minutes_before")
        if not 0 <= self.minutes_before <= MINUTES_MAX:
            detail = f"must be 0 to {MINUTES_MAX}, got {self.minutes_before}"
            raise Invalid("value.range", "/minutes_before", detail, self.minutes_before)
        check_room(self._reminders(context), context.actor_id)
        event = ReminderAdded(
            task_id=self.task_id,
            reminder_id=self.reminder_id,
            user_id=context.actor_id,
            at=self.at,
            relative_to=self.relative_to,
            minutes_before=self.minutes_before,
        )
        return [Fact(self.stream_id, event)]


@dataclass(frozen=True, slots=True)
class RemoveReminder(ReminderCommand):
    """Do not want to be reminded any more."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The removal. Raises `NotFound` for one of somebody else as for none."""
        reminders = self._reminders(context)
        if self.reminder_id not in [each.id for each in ([] if reminders is None else reminders.of(context.actor_id))]:
            raise reminder_not_found()
        about = {"task_id": self.task_id, "reminder_id": self.reminder_id, "user_id": context.actor_id}
        return [Fact(self.stream_id, ReminderRemoved(**about))]


def check_room(reminders: Reminders | None, user_id: str) -> None:
    """Raises `Conflict` `reminder.too_many` where a member can have no more of them at a task."""
    own = [] if reminders is None else reminders.of(user_id)
    if len(own) >= OWN_MAX or (reminders is not None and len(reminders.reminders) >= REMINDERS_MAX):
        detail = f"a task has at most {OWN_MAX} reminders of one member, and {REMINDERS_MAX} in all"
        raise Conflict("reminder.too_many", detail)


def reminder_not_found() -> NotFound:
    """Unknown, removed, somebody else's, or of another task: one answer."""
    return NotFound("reminder.not_found", "you have no reminder with this id at this task")
