"""What somebody may do with a task now: the moves that leave its status, and why some of them would be refused."""

from collections.abc import Sequence
from typing import Final

import msgspec

from commands.closing import Wish, consequences
from commands.deciding import Context, check_goes_on, forbidden
from commands.moving import check_move, status_of
from commands.placing import check_room
from domain.errors import Rejection
from domain.policy import Action, may, to_task
from domain.project import Project
from domain.task import Task
from domain.workflow import Category, Move, Mover, Required, Workflow


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A move that leaves the status of a task; `why_not` where it would be refused now, as a problem."""

    move: str
    to: str
    category: Category
    who: tuple[Mover, ...]
    requires: tuple[Required, ...]
    why_not: dict[str, object] | None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do with a task now: its status, and the moves that leave it, sorted by name."""

    task_id: str
    version: int
    status: str
    items: Sequence[Option]


# Stands for the reason that whoever makes the move will give: the list says that it is required, and refuses nothing.
A_REASON: Final = "a reason"


def options(context: Context, task_id: str) -> Options:
    """The moves that leave the status of a task. Raises `NotFound`."""
    task = context.permitted(task_id, Action.TASK_READ)
    project = None if task.project_id is None else context.read(task.project_id, Project)
    workflow = context.workflow_of(project)
    status = status_of(context, project, workflow, task)
    moves = [workflow.table[status, name] for name in workflow.allowed(status)]
    return Options(
        task_id=task.id,
        version=task.version,
        status=status,
        items=[
            Option(
                move=move.name,
                to=move.to,
                category=workflow.categories[move.to],
                who=move.who,
                requires=move.requires,
                why_not=_why_not(context, project, workflow, task, move),
            )
            for move in moves
        ],
    )


def _why_not(
    context: Context, project: Project | None, workflow: Workflow, task: Task, move: Move
) -> dict[str, object] | None:
    actor = context.actor()
    try:
        if not may(actor.role, Action.TASK_MOVE, to_task(actor, task)):
            raise forbidden(actor, Action.TASK_MOVE)
        if project is not None:
            check_goes_on(project)
        check_move(context, task, move, A_REASON)
        consequences(context, task, workflow.categories[move.to], Wish(move.name, A_REASON), project)
        if project is not None and move.to != task.status:
            check_room(context, project, move.to)
    except Rejection as refusal:
        return {**refusal.extra, "code": refusal.code, "detail": refusal.detail}
    return None
