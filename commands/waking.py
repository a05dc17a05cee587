"""What happens to a task at a time: it is overdue, somebody is to be reminded, or the next of its series is to be made.
Nobody asks for it but the clock.

The rule is here and not with who keeps the time: however often it is asked, and by however many, each happens once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context, task_not_found
from commands.recurring import following, rests
from domain.instant import Instant
from domain.reminder import ReminderFired, Reminders
from domain.talk import Part, stream_of
from domain.task import Task
from domain.task_time import TaskDuePassed


@dataclass(frozen=True, slots=True)
class WakeTask:
    """Let happen what is due at a task by the time `now`."""

    task_id: str
    now: Instant

    @property
    def stream_id(self) -> str:
        """The task's own stream."""
        return self.task_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """That its due date passed, and the reminders that are due; nothing of what is closed, in the trash, or in an
        archived project. And the next of its series, also of what is closed; or the end of that.
        """
        reminders_id = stream_of(self.task_id, Part.REMINDERS)
        context.need([self.task_id, reminders_id])
        task = context.read(self.task_id, Task)
        if task is None:
            raise task_not_found()
        follows = following(context, task, self.now)
        if task.is_closed or task.deleted_at or rests(context, task.project_id):
            return follows
        found = context.read(reminders_id, Reminders)
        return [*self._overdue(task), *self._due(task, reminders_id, found), *follows]

    def _overdue(self, task: Task) -> list[Fact]:
        if task.due_at is None or task.overdue_since is not None or task.due_at > self.now:
            return []
        return [Fact(task.id, TaskDuePassed(due_at=task.due_at))]

    def _due(self, task: Task, reminders_id: str, found: Reminders | None) -> list[Fact]:
        facts = []
        for reminder in () if found is None else found.reminders:
            moment = reminder.fires_at(task.dates)
            if moment is not None and moment <= self.now:
                event = ReminderFired(task_id=task.id, reminder_id=reminder.id, user_id=reminder.user_id, due_at=moment)
                facts.append(Fact(reminders_id, event))
        return facts
