"""Taking back how tasks hang together: the trash, parents and dependencies; and whether what comes out is whole."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from commands.appending import Fact
from commands.deciding import Context
from commands.draft import Draft
from commands.inverse.step import Inverse, Step, depend_on, depends
from commands.subtasks import check_depth, check_room, leave, levels, parent_closed
from commands.trashing import restored, trashed
from commands.walking import check_no_cycle
from domain.errors import Conflict
from domain.events import Event
from domain.policy import Action, may, to_task
from domain.project import Project
from domain.task import Task, TaskDeleted, TaskRestored
from domain.task_links import (
    LINKS_MAX,
    LinkType,
    TaskLinked,
    TaskParentChanged,
    TaskSubtaskAdded,
    TaskUnlinked,
)


def _with_parent(context: Context, step: Step, record: type[Event]) -> bool:
    """Whether the same happened to its parent before, in the same command: then it goes with that."""
    task = context.read(step.stream_id, Task)
    if task is None or task.parent_id is None or not step.came_first(record, task.parent_id):
        return False
    return _is_kept_by_parent(context, task)


def _is_kept_by_parent(context: Context, task: Task) -> bool:
    """Whether its parent says so too: one that went to the trash alone has left it."""
    parent = None if task.parent_id is None else context.read(task.parent_id, Task)
    return parent is not None and any(subtask.id == task.id for subtask in parent.subtasks)


def _deleted(context: Context, step: Step) -> Sequence[Fact]:
    """It comes out of the trash, with all that went there with it."""
    if _with_parent(context, step, TaskDeleted):
        return []
    return restored(context, context.task(step.stream_id, Action.TASK_RESTORE, trashed=True), None)


def _restored(context: Context, step: Step) -> Sequence[Fact]:
    """It goes to the trash again, with what came out with it, and with nothing else."""
    if _with_parent(context, step, TaskRestored):
        return []
    task = context.task(step.stream_id, Action.TASK_DELETE)
    tree = {each.id for level in levels(context, task) for each in level}
    depend_on(tree - step.wrote.streams(TaskRestored), "the task has other subtasks")
    return trashed(context, task, None, subtasks=True)


def _parent_changed(context: Context, step: Step) -> Sequence[Fact]:
    task, parent_id = context.task(step.stream_id, Action.TASK_EDIT, trashed=True), step.before.parent_id
    draft = Draft(context, [])
    if task.deleted_at and _is_kept_by_parent(context, task):
        raise depends("the task went to the trash with its parent", task_id=task.id)
    draft.add(task.id, TaskParentChanged(parent_id=parent_id))
    if task.deleted_at:
        return draft.facts
    leave(draft, task)
    if parent_id is not None:
        parent = context.task(parent_id, Action.TASK_EDIT)
        if parent.is_closed and not task.is_closed:
            raise parent_closed(parent)
        check_room(parent)
        check_no_cycle(context, task.id, parent.id)
        check_depth(context, parent, len(levels(context, task)))
        draft.add(parent.id, TaskSubtaskAdded(task_id=task.id, closed=task.is_closed))
    return draft.facts


def _linked(context: Context, step: Step) -> Sequence[Fact]:
    """The end of the link in this stream; that in the other task's is a step of its own."""
    _ends(context, step)
    return step.fact(TaskUnlinked(type=step.event.type, task_id=step.event.task_id))


def _unlinked(context: Context, step: Step) -> Sequence[Fact]:
    task, other = _ends(context, step)
    if len(task.links) >= LINKS_MAX:
        raise Conflict("task.too_many_links", f"a task has at most {LINKS_MAX} dependencies", task_id=task.id)
    type_ = step.event.type
    if type_ is LinkType.BLOCKS:
        check_no_cycle(context, task.id, other.id)
    elif type_ is LinkType.BLOCKED_BY:
        check_no_cycle(context, other.id, task.id)
    closed = type_ is LinkType.BLOCKED_BY and (other.is_closed or other.deleted_at is not None)
    return step.fact(TaskLinked(type=type_, task_id=other.id, closed=closed))


def _ends(context: Context, step: Step) -> tuple[Task, Task]:
    """Both tasks, one of which the actor may edit: that is what linking them took."""
    task = context.permitted(step.stream_id, Action.TASK_READ, trashed=True)
    other = context.permitted(step.event.task_id, Action.TASK_READ, trashed=True)
    actor = context.actor()
    edits = [each for each in (task, other) if may(actor.role, Action.TASK_EDIT, to_task(actor, each))]
    if not edits:
        context.permitted(task.id, Action.TASK_EDIT, trashed=True)
    for each in edits:
        context.project_of(each)
    return task, other


def check_whole(context: Context, task_ids: Iterable[str]) -> None:
    """Raises `Conflict` where tasks would not be as commands leave them: in a project and a tree that hold together."""
    for task_id in task_ids:
        task = context.read(task_id, Task)
        if task is not None and not task.deleted_at:
            _check_status(context, task)
            _check_parent(context, task)
            _check_subtasks(context, task)


def _check_status(context: Context, task: Task) -> None:
    project = None if task.project_id is None else context.read(task.project_id, Project)
    if project is not None and not context.workflow_of(project).keeps(task.status, task.category):
        raise depends(f"the workflow has no status {task.status!r} any more", task_id=task.id)


def _check_parent(context: Context, task: Task) -> None:
    if task.parent_id is None:
        return
    parent = context.read(task.parent_id, Task)
    if parent is None or parent.deleted_at:
        raise depends("its parent is in the trash", task_id=task.id)
    if parent.project_id != task.project_id:
        raise depends("its parent is in another project", task_id=task.id)
    if parent.is_closed and not task.is_closed:
        raise parent_closed(parent)


def _check_subtasks(context: Context, task: Task) -> None:
    context.need(subtask.id for subtask in task.subtasks)
    below = [found for subtask in task.subtasks if (found := context.read(subtask.id, Task)) is not None]
    elsewhere = (each.id for each in below if each.project_id != task.project_id)
    depend_on(elsewhere, "the task has subtasks, which would be in another project")
    if task.is_closed and task.open_subtasks:
        detail = "the task has open subtasks; close them first"
        raise Conflict("task.open_subtasks", detail, subtasks=task.open_subtasks)


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    TaskDeleted: _deleted,
    TaskRestored: _restored,
    TaskParentChanged: _parent_changed,
    TaskLinked: _linked,
    TaskUnlinked: _unlinked,
}
