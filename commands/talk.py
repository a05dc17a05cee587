"""What the commands on comments, watchers, checklists, hours and files of a task have in common."""

from commands.deciding import Context
from domain.policy import Action, may, to_task
from domain.talk import to_part
from domain.task import Task
from domain.user import User


def around(context: Context, task_id: str, action: Action, author: str | None = None) -> Task:
    """The task, where the actor may do this to what is around it and is the author's.

    Raises `NotFound` where the actor may not see the task, `Forbidden` where they see it and may not do that.
    """
    task = context.task(task_id, Action.TASK_READ)
    context.allowed(action, to_part(context.actor(), task, author))
    return task


def sees(context: Context, user_id: str, task: Task) -> bool:
    """Whether somebody is a member who may come in and sees the task; an expectation, whatever the answer."""
    user = context.read(user_id, User)
    return user is not None and user.active and may(user.role, Action.TASK_READ, to_task(user, task))
