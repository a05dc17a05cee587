"""The trash. A task that is put there leaves its parent; what goes there with it stays below it.

So while it is in the trash, its subtasks are those that went there with it, and those come back with it.
"""

from collections.abc import Sequence

from commands.appending import Fact
from commands.closing import tell_bound, tell_freed
from commands.deciding import Context
from commands.draft import Draft
from commands.moving import status_of
from commands.placing import arrival, departure
from commands.subtasks import check_allowed, check_depth, check_room, leave, levels, parent_closed
from domain.errors import Conflict
from domain.policy import Action
from domain.task import Task, TaskDeleted, TaskRestored, TaskStatusMapped
from domain.task_links import TaskParentChanged, TaskSubtaskAdded


def trashed(context: Context, task: Task, reason: str | None, *, subtasks: bool) -> Sequence[Fact]:
    """What putting a task in the trash means. Those that wait for it, or for what is below it, wait no longer.

    Raises `Conflict` `task.has_subtasks` where there are some and they are not asked for, `Forbidden`
    `subtask.forbidden`.
    """
    if task.subtasks and not subtasks:
        detail = "the task has subtasks; send ?subtasks=true to put them in the trash with it"
        raise Conflict("task.has_subtasks", detail, subtasks=[subtask.id for subtask in task.subtasks])
    tree = [each for level in levels(context, task) for each in level]
    check_allowed(context, tree[1:], Action.TASK_DELETE)
    project = context.project_of(task)
    draft = Draft(context, tree, leaving=True)
    for each in tree:
        draft.add(each.id, TaskDeleted(reason=reason))
        if project is not None:
            draft.facts.append(departure(context, project, each))
        if not each.is_closed:
            tell_freed(draft, each)
    leave(draft, task)
    return draft.facts


def restored(context: Context, task: Task, reason: str | None) -> Sequence[Fact]:
    """What taking a task out of the trash means. It is below its parent again, where that is in the same project still.

    Raises `Conflict` `task.parent_trashed`, `task.parent_closed`, `task.too_many_subtasks`, `task.too_deep`,
    `Forbidden` `subtask.forbidden`.
    """
    tree = levels(context, task)
    tasks = [each for level in tree for each in level]
    check_allowed(context, tasks[1:], Action.TASK_RESTORE)
    project = context.project_of(task)
    workflow = context.workflow_of(project)
    draft = Draft(context, tasks)
    _join(context, draft, task, len(tree))
    for each in tasks:
        status = status_of(context, project, workflow, each)
        now = TaskStatusMapped(status=status, category=workflow.categories[status])
        if (now.status, now.category) != (each.status, each.category):
            draft.add(each.id, now)
        draft.add(each.id, TaskRestored(reason=reason))
        if project is not None:
            draft.facts.append(arrival(context, project, each.id, status))
        if not each.is_closed:
            tell_bound(draft, each)
    return draft.facts


def _join(context: Context, draft: Draft, task: Task, height: int) -> None:
    """Make a task a part of its parent again, or a root where the parent has gone to another project."""
    parent = None if task.parent_id is None else context.read(task.parent_id, Task)
    if parent is None:
        return
    if parent.deleted_at:
        raise Conflict("task.parent_trashed", "the parent is in the trash; restore it first", parent_id=parent.id)
    if parent.project_id != task.project_id:
        draft.add(task.id, TaskParentChanged(parent_id=None))
        return
    if parent.is_closed and not task.is_closed:
        raise parent_closed(parent)
    check_room(parent)
    check_depth(context, parent, height)
    draft.add(parent.id, TaskSubtaskAdded(task_id=task.id, closed=task.is_closed))
