"""What closing, reopening, trashing and restoring a task means for others: its subtasks, its parent, those it blocks.

Whoever does so tells them in the same append. So "no open subtask" and "no open blocker" are read in a task's own
stream, and nobody can start, complete or reopen unseen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.draft import Draft
from commands.moving import check_move, move_event, status_of
from commands.placing import arrival, departure
from commands.subtasks import check_allowed, levels, parent_closed
from domain.errors import Conflict, Invalid, Rejection
from domain.policy import Action
from domain.project import Blocking, Project
from domain.task import Task
from domain.task_links import (
    LinkType,
    TaskBlockerClosed,
    TaskBlockerReopened,
    TaskSubtaskClosed,
    TaskSubtaskReopened,
)
from domain.workflow import Category, Move, Workflow


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants a move to be made. `close_subtasks` also closes all that is open below the task; `override`
    makes it in spite of blockers, for a reason; those that it `bore` already, when it was there before, need none.
    """

    move: str
    reason: str | None = None
    close_subtasks: bool = False
    override: bool = False
    bore: Sequence[str] = ()


def check_override(reason: str | None) -> None:
    """Raises `Invalid` `override.no_reason`."""
    if not (reason or "").strip():
        raise Invalid("override.no_reason", "/reason", "must say why the blockers are overridden", reason)


def consequences(
    context: Context, task: Task, to: Category, wish: Wish, project: Project | None
) -> tuple[tuple[str, ...], list[Fact]]:
    """The blockers in spite of which a task is moved, and what its move into a category means for others.

    Raises `Conflict` `task.blocked`, `task.open_subtasks`, `task.parent_closed`, `task.graph_too_large`, `Forbidden`
    `subtask.forbidden`.
    """
    if to.closed is task.is_closed:
        return _despite(task, to, wish, project), []
    if not to.closed:
        _check_parent_open(context, task)
        draft = Draft(context, [task])
        tell_reopened(draft, task)
        return _despite(task, to, wish, project), draft.facts
    below = _open_below(context, task, wish)
    draft = Draft(context, [task, *below], leaving=True)
    for subtask in below:
        _close(context, draft, subtask, to, wish, project)
    tell_closed(draft, task)
    return _despite(task, to, wish, project, draft.leaving), draft.facts


def _open_below(context: Context, task: Task, wish: Wish) -> list[Task]:
    """What is open below a task that is to be closed, deepest first."""
    if not task.open_subtasks:
        return []
    if not wish.close_subtasks:
        detail = "the task has open subtasks; close them first, or send close_subtasks: true"
        raise Conflict("task.open_subtasks", detail, subtasks=task.open_subtasks)
    below = [subtask for level in levels(context, task, closed=False)[1:] for subtask in level]
    # A task is closed already where what told so was erased.
    left = [subtask for subtask in below if not (subtask.is_closed or subtask.deleted_at)]
    check_allowed(context, left, Action.TASK_MOVE)
    return left[::-1]


def _close(context: Context, draft: Draft, task: Task, to: Category, wish: Wish, project: Project | None) -> None:
    """Close one of the tasks below the one that is to be closed, by the same move where its status has that.

    A refusal names the task.
    """
    workflow = context.workflow_of(project)
    try:
        move = closing_move(workflow, status_of(context, project, workflow, task), wish.move, to)
        check_move(context, task, move, wish.reason)
    except Rejection as rejection:
        rejection.extra = {**rejection.extra, "task_id": task.id}
        raise
    despite = _despite(task, to, wish, project, draft.leaving)
    draft.add(task.id, move_event(workflow, move, wish.reason, despite))
    if project is not None:
        draft.facts += [departure(context, project, task), arrival(context, project, task.id, move.to)]
    tell_closed(draft, task)


def closing_move(workflow: Workflow, status: str, name: str, to: Category) -> Move:
    """The move that closes a subtask as its parent is closed: of the same name where there is one, else the first that
    leads to a status of the same category. Raises `Conflict` `task.illegal_move` where there is none.
    """
    leaving = [move for move in workflow.moves if status in move.from_ and workflow.categories[move.to] is to]
    return next((move for move in leaving if move.name == name), leaving[0]) if leaving else workflow.move(status, name)


def _despite(
    task: Task, to: Category, wish: Wish, project: Project | None, leaving: Collection[str] = ()
) -> tuple[str, ...]:
    """The open blockers of a move that starts or completes a task. Raises `Conflict` where they forbid it."""
    if to is task.category or to not in (Category.ACTIVE, Category.DONE):
        return ()
    blockers = tuple(blocker for blocker in task.open_blockers if blocker not in leaving)
    if wish.bore and set(blockers) <= set(wish.bore):
        return blockers
    if not blockers or wish.override or (project is not None and project.blocking is Blocking.SOFT):
        return blockers
    detail = "open tasks block it; close them first, or send override: true with a reason"
    raise Conflict("task.blocked", detail, task_id=task.id, blocked_by=list(blockers))


def _check_parent_open(context: Context, task: Task) -> None:
    parent = None if task.parent_id is None else context.read(task.parent_id, Task)
    if parent is not None and parent.is_closed:
        raise parent_closed(parent)


def tell_closed(draft: Draft, task: Task) -> None:
    """A task is closed: its parent and those that wait for it know."""
    parent = None if task.parent_id is None else draft.task(task.parent_id)
    if parent is not None and task.id in parent.open_subtasks:
        draft.add(parent.id, TaskSubtaskClosed(task_id=task.id))
    tell_freed(draft, task)


def tell_reopened(draft: Draft, task: Task) -> None:
    """A task is open again: its parent and those that wait for it know."""
    parent = None if task.parent_id is None else draft.task(task.parent_id)
    if parent is not None and any(subtask.id == task.id and subtask.closed for subtask in parent.subtasks):
        draft.add(parent.id, TaskSubtaskReopened(task_id=task.id))
    tell_bound(draft, task)


def tell_freed(draft: Draft, task: Task) -> None:
    """A task no longer stands in the way of others: it is closed, or in the trash."""
    for blocked in draft.blocked_by(task):
        if task.id in blocked.open_blockers:
            waits = not (blocked.is_closed or blocked.deleted_at or blocked.id in draft.leaving)
            freed = waits and blocked.open_blockers == [task.id]
            draft.add(blocked.id, TaskBlockerClosed(task_id=task.id, freed=freed))


def tell_bound(draft: Draft, task: Task) -> None:
    """A task stands in the way of others again."""
    for blocked in draft.blocked_by(task):
        if any(link.closed for link in blocked.links if (link.type, link.task_id) == (LinkType.BLOCKED_BY, task.id)):
            draft.add(blocked.id, TaskBlockerReopened(task_id=task.id))
