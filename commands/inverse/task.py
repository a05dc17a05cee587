"""Taking back what happened to a task itself: its making, its fields, whose it is, and its moves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from commands.appending import Fact
from commands.closing import Wish, consequences
from commands.deciding import Context, check_goes_on
from commands.inverse.step import Inverse, Step, depends
from commands.placing import arrival, arrived, check_in, departure
from commands.task import EditTask
from commands.trashing import trashed
from domain.attachment import Attachments
from domain.checklist import Checklist
from domain.errors import Conflict
from domain.events import Event
from domain.policy import Action
from domain.project import Project
from domain.talk import Part, stream_of
from domain.task import (
    MOVES,
    Task,
    TaskAssigned,
    TaskCreated,
    TaskEdited,
    TaskMovedOn,
    TaskProjectChanged,
    TaskStatusMapped,
    TaskStatusRestored,
    TaskUnassigned,
)
from domain.task_fields import Assignee
from domain.timesheet import Timesheet
from domain.undo import set_by


def _created(context: Context, step: Step) -> Sequence[Fact]:
    """It goes to the trash, unless somebody has built on it. Comments go there with it, and come back with it."""
    task = context.task(step.stream_id, Action.TASK_DELETE)
    for part, has in _LISTS.items():
        if has(context.folded(stream_of(task.id, part)).state):
            raise depends(f"the task has {part.value}", task_id=task.id)
    return trashed(context, task, None, subtasks=False)


# What is not the task's own, and would be lost from sight with it.
_LISTS: Final[Mapping[Part, Callable[[object], bool]]] = {
    Part.CHECKLIST: lambda state: isinstance(state, Checklist) and bool(state.items),
    Part.TIMESHEET: lambda state: isinstance(state, Timesheet) and bool(state.entries),
    Part.ATTACHMENTS: lambda state: isinstance(state, Attachments) and bool(state.items),
}


def _edited(context: Context, step: Step) -> Sequence[Fact]:
    return EditTask(step.stream_id, **set_by(step.event, step.before)).decide(context)


def _assignee_changed(context: Context, step: Step) -> Sequence[Fact]:
    """Whoever had it has it again, if they still may: they were chosen by somebody who might choose them."""
    before: Assignee | None = step.before.assignee
    task = context.task(step.stream_id, Action.TASK_UNASSIGN if before is None else Action.TASK_ASSIGN)
    if before is None:
        return [] if task.assignee is None else step.fact(TaskUnassigned())
    _check_assignee(context, before, context.project_of(task))
    return step.fact(TaskAssigned(assignee=before))


def _check_assignee(context: Context, assignee: Assignee, project: Project | None) -> None:
    if assignee.type == "team":
        context.team(assignee.id)
        return
    user = context.user(assignee.id)
    if not user.active:
        raise Conflict("assignee.deactivated", "this member is deactivated and gets no tasks", field="/assignee")
    if project is not None:
        check_in(project, user, "/assignee")


def _moved(context: Context, step: Step) -> Sequence[Fact]:
    """It has the status again that it had, with all that this means for others: see `commands/closing.py`.

    Blockers that it had then do not keep it from there: somebody overrode them, or they came later.
    """
    before: Task = step.before
    task = context.task(step.stream_id, Action.TASK_MOVE)
    if (task.status, task.category) == (before.status, before.category):
        return []
    project = context.project_of(task)
    if context.workflow_of(project).categories.get(before.status) is not before.category:
        raise depends(f"the workflow has no status {before.status!r} any more", task_id=task.id)
    wish = Wish("undo", bore=before.open_blockers)
    _, told = consequences(context, task, before.category, wish, project)
    back = TaskStatusRestored(status=before.status, category=before.category, completed_at=before.completed_at)
    facts = [*told, *step.fact(back)]
    if project is None or before.status == task.status:
        return facts
    return [*facts, departure(context, project, task), arrival(context, project, task.id, before.status)]


def _mapped(context: Context, step: Step) -> Sequence[Fact]:
    """The status of before, which the workflow has again once all is taken back. No limit counts: nobody chose it."""
    task, before = context.read(step.stream_id, Task), step.before
    assert task is not None
    if (task.status, task.category) == (before.status, before.category):
        return []
    facts = step.fact(TaskStatusMapped(status=before.status, category=before.category))
    project = None if task.project_id is None else context.read(task.project_id, Project)
    if project is None or task.deleted_at or task.status == before.status:
        return facts
    return [*facts, departure(context, project, task), arrived(context, project, task.id, before.status)]


def _project_changed(context: Context, step: Step) -> Sequence[Fact]:
    """It is in the project again where it was, with the key of then, which nobody else has got."""
    task, before = context.task(step.stream_id, Action.TASK_EDIT), step.before
    left, project = context.project_of(task), None
    if before.project_id is not None:
        project = context.project(before.project_id, Action.TASK_PLACE)
        check_goes_on(project)
        if task.assignee is not None and task.assignee.type == "user":
            check_in(project, context.user(task.assignee.id), "/project_id")
    workflow = context.workflow_of(project)
    status = workflow.home(before.status, before.category)
    facts = step.fact(
        TaskProjectChanged(
            project_id=before.project_id, key=before.key, status=status, category=workflow.categories[status]
        )
    )
    if left is not None:
        facts.append(departure(context, left, task))
    if project is not None:
        facts.append(arrival(context, project, task.id, status))
    return facts


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    TaskCreated: _created,
    TaskEdited: _edited,
    TaskAssigned: _assignee_changed,
    TaskUnassigned: _assignee_changed,
    **dict.fromkeys((*MOVES.values(), TaskMovedOn, TaskStatusRestored), _moved),
    TaskStatusMapped: _mapped,
    TaskProjectChanged: _project_changed,
}
