"""What the commands on comments, watchers, checklists, hours and files of a task have in common."""

from commands.deciding import Context
from domain.policy import Action
from domain.talk import to_part
from domain.task import Task


def around(context: Context, task_id: str, action: Action, author: str | None = None) -> Task:
    """The task, where the actor may do this to what is around it and is the author's.

    Raises `NotFound` where the actor may not see the task, `Forbidden` where they see it and may not do that.
    """
    task = context.task(task_id, Action.TASK_READ)
    context.allowed(action, to_part(context.actor(), task, author))
    return task
