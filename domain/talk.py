"""What people say and do around a task: comments, watchers, a checklist, hours, files.

Each has streams of its own, so that none of it moves the version of the task. What is one list a task has one stream,
whose id follows from that of the task: a rule over the list reads that stream alone.
"""

from enum import StrEnum
from uuid import UUID, uuid5

from domain.policy import Relation, to_task, to_team
from domain.task import Task
from domain.user import User


class Part(StrEnum):
    """The lists of a task that have one stream each."""

    WATCHING = "watching"
    CHECKLIST = "checklist"
    TIMESHEET = "timesheet"
    ATTACHMENTS = "attachments"
    REMINDERS = "reminders"


def stream_of(task_id: str, part: Part) -> str:
    """The id of the stream of a task's list (UUID version 5, RFC 9562 §5.5). For ever: logs hold it."""
    return str(uuid5(UUID(task_id), part.value))


def to_part(user: User, task: Task, author: str | None = None) -> int:
    """The relations of a user to what is around a task, and is the author's own.

    Where the task is a team's, the team's leads are leads here; in a project its members are what their roles say.
    """
    relations = to_task(user, task)
    if user.id == author:
        relations |= Relation.SELF
    if task.project_id is None and task.assignee is not None and task.assignee.type == "team":
        relations |= to_team(user, task.assignee.id)
    return int(relations)
