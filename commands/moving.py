"""The rules of a move: whose it is, and what it needs; and the fact that it was made."""

from commands.deciding import Context
from domain.errors import Conflict, Forbidden
from domain.events import Event
from domain.policy import may_make
from domain.project import Project
from domain.task import MOVES, Task, TaskMovedOn
from domain.workflow import Move, Required, Workflow


def check_move(context: Context, task: Task, move: Move, reason: str | None) -> None:
    """Raises `Forbidden` `task.move_not_allowed` where the move is others', `Conflict` `task.move_requires`."""
    if move.who and not may_make(context.actor(), task, move.who):
        detail = f"the move {move.name!r} is for the {' or '.join(move.who)} of a task"
        raise Forbidden("task.move_not_allowed", detail, move=move.name, who=list(move.who))
    if move.requires:
        missing = [field for field in move.requires if not _given(task, reason, field)]
        if missing:
            detail = f"the move {move.name!r} needs what is not set: {', '.join(missing)}"
            raise Conflict("task.move_requires", detail, move=move.name, missing=missing)


def move_event(workflow: Workflow, move: Move, reason: str | None, despite: tuple[str, ...] = ()) -> Event:
    """The fact that the move was made. The standard names have events of their own."""
    category = workflow.categories[move.to]
    record = MOVES.get(move.name)
    if record is None:
        return TaskMovedOn(move=move.name, status=move.to, category=category, reason=reason, despite=despite)
    return record(status=move.to, category=category, reason=reason, despite=despite)


def status_of(context: Context, project: Project | None, workflow: Workflow, task: Task) -> str:
    """Where the task stands in the workflow of its project. Another one than it says only after erasures, or in the
    trash: what is on a board is mapped when the workflow changes.
    """
    if project is None or workflow.keeps(task.status, task.category):
        return task.status
    return workflow.home(task.status, task.category, mapped(context, project))


def mapped(context: Context, project: Project) -> dict[str, str]:
    """Where statuses led that the workflows of a project lost."""
    if project.workflow_id is None:
        return project.mapped
    return context.workflow(project.workflow_id).mapped | project.mapped


def _given(task: Task, reason: str | None, field: Required) -> bool:
    if field is Required.REASON:
        return bool(reason and reason.strip())
    return bool(getattr(task, field))
