"""Tasks below tasks: what a parent must be, the tree below a task, and moving a tree as one."""

from collections.abc import Collection, Iterable

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from commands.draft import Draft
from commands.placing import arrival, check_in, chosen_project, departure, numbered
from commands.walking import check_no_cycle, too_large
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.policy import Action, may, to_task
from domain.project import Project
from domain.task import Task, TaskProjectChanged
from domain.task_links import (
    DEPTH_MAX,
    SUBTASKS_MAX,
    WALKED_MAX,
    TaskParentChanged,
    TaskSubtaskAdded,
    TaskSubtaskRemoved,
)


def chosen_parent(context: Context, parent_id: str) -> Task:
    """A task below which the actor may put others.

    Raises `Invalid` `parent.not_found` where the actor sees no such one, `Forbidden`, `Conflict` `task.parent_closed`,
    `task.too_many_subtasks`, `project.is_archived`.
    """
    try:
        parent = context.task(parent_id, Action.TASK_EDIT)
    except NotFound as error:
        detail = "must be the id of a task that is visible to you"
        raise Invalid("parent.not_found", "/parent_id", detail, parent_id) from error
    if parent.is_closed:
        raise parent_closed(parent)
    check_room(parent)
    return parent


def parent_closed(parent: Task) -> Conflict:
    """Nothing open is below what is closed."""
    detail = f"the parent is {parent.status!r}; reopen it first"
    return Conflict("task.parent_closed", detail, parent_id=parent.id)


def check_room(parent: Task) -> None:
    """Raises `Conflict` `task.too_many_subtasks`."""
    if len(parent.subtasks) >= SUBTASKS_MAX:
        detail = f"a task has at most {SUBTASKS_MAX} subtasks"
        raise Conflict("task.too_many_subtasks", detail, parent_id=parent.id)


def check_depth(context: Context, parent: Task, height: int = 1) -> None:
    """Raises `Conflict` `task.too_deep` where a tree of so many levels has no room below a task."""
    depth, above = 1, parent
    while above.parent_id is not None and depth + height <= DEPTH_MAX:
        found = context.read(above.parent_id, Task)
        if found is None:
            break
        depth, above = depth + 1, found
    if depth + height > DEPTH_MAX:
        raise Conflict("task.too_deep", f"a tree of tasks has at most {DEPTH_MAX} levels", parent_id=parent.id)


def levels(context: Context, task: Task, *, closed: bool = True) -> list[list[Task]]:
    """A task and all below it, level by level; without what is `closed` where that is not asked for.

    Raises `Conflict` `task.graph_too_large`.
    """
    found = [[task]]
    count = 1
    while below := [id_ for above in found[-1] for id_ in (_all_subtasks(above) if closed else above.open_subtasks)]:
        count += len(below)
        if count > WALKED_MAX:
            raise too_large()
        context.need(below)
        found.append([subtask for id_ in below if (subtask := context.read(id_, Task)) is not None])
    return found


def _all_subtasks(task: Task) -> list[str]:
    return [subtask.id for subtask in task.subtasks]


def check_allowed(context: Context, tasks: Iterable[Task], action: Action) -> None:
    """What is done to a whole tree must be allowed for each of its tasks. Raises `Forbidden` `subtask.forbidden`."""
    actor = context.actor()
    others = [task.id for task in tasks if not may(actor.role, action, to_task(actor, task))]
    if others:
        detail = f"the role {actor.role.value!r} may not do {action.value!r} to some of the subtasks"
        raise Forbidden("subtask.forbidden", detail, subtasks=others)


def placed(
    context: Context, task: Task, project_id: str | UnsetType | None, parent_id: str | UnsetType | None
) -> tuple[Project | None, list[Fact]]:
    """The project that a task is in afterwards, and what putting it there, or below another one, means.

    A subtask is in the project of its parent: a project that is left open, or null, beside a new parent is the
    parent's, and a whole tree changes project with its root.
    """
    before = context.project_of(task)
    if parent_id is UNSET or parent_id == task.parent_id:
        same = project_id is UNSET or project_id == task.project_id
        if same or (project_id is None and task.parent_id is not None and parent_id is not UNSET):
            return before, []
        if task.parent_id is not None:
            detail = "a subtask is in the project of its parent; send parent_id too"
            raise Conflict("task.not_a_root", detail, parent_id=task.parent_id)
        assert project_id is not UNSET
        return _replaced(context, task, before, project_id, levels(context, task))
    parent = None if parent_id is None else chosen_parent(context, parent_id)
    if parent is not None:
        check_same_project(parent, project_id)
    tree = levels(context, task)
    wanted = task.project_id if project_id is UNSET else project_id
    if parent is not None:
        wanted = parent.project_id
        check_no_cycle(context, task.id, parent.id)
        check_depth(context, parent, len(tree))
    project, facts = (before, []) if wanted == task.project_id else _replaced(context, task, before, wanted, tree)
    return project, [*facts, *_moved_below(context, task, parent)]


def check_same_project(parent: Task, project_id: str | UnsetType | None) -> None:
    """Raises `Invalid` `parent.other_project` where another project is named beside a parent."""
    if project_id is not UNSET and project_id is not None and project_id != parent.project_id:
        detail = "must be the project of the parent, or be left out"
        raise Invalid("parent.other_project", "/project_id", detail, project_id)


def _moved_below(context: Context, task: Task, parent: Task | None) -> list[Fact]:
    draft = Draft(context, [])
    draft.add(task.id, TaskParentChanged(parent_id=None if parent is None else parent.id))
    leave(draft, task)
    if parent is not None:
        draft.add(parent.id, TaskSubtaskAdded(task_id=task.id, closed=task.is_closed))
    return draft.facts


def leave(draft: Draft, task: Task) -> None:
    """A task is no part of its parent any more."""
    parent = None if task.parent_id is None else draft.task(task.parent_id)
    if parent is not None and task.id in _all_subtasks(parent):
        draft.add(parent.id, TaskSubtaskRemoved(task_id=task.id))


def _replaced(
    context: Context, task: Task, before: Project | None, project_id: str | None, tree: Collection[Collection[Task]]
) -> tuple[Project | None, list[Fact]]:
    """A whole tree comes into another project, or into none: each of its tasks with a new key."""
    tasks = [each for level in tree for each in level]
    check_allowed(context, [each for each in tasks if each is not task], Action.TASK_EDIT)
    project = None if project_id is None else chosen_project(context, project_id)
    facts = []
    for nth, each in enumerate(tasks):
        facts += _entering(context, each, before, project, nth)
        if each is not task and project is not None and each.assignee is not None and each.assignee.type == "user":
            check_in(project, context.user(each.assignee.id), "/project_id")
    return project, facts


def _entering(context: Context, task: Task, before: Project | None, project: Project | None, nth: int) -> list[Fact]:
    left = [] if before is None else [departure(context, before, task)]
    workflow = context.workflow_of(project)
    status = workflow.home(task.status, task.category)
    category = workflow.categories[status]
    if project is None:
        return [Fact(task.id, TaskProjectChanged(project_id=None, key=None, status=status, category=category)), *left]
    key, number = numbered(context, project, task.id, nth)
    event = TaskProjectChanged(project_id=project.id, key=key, status=status, category=category)
    return [Fact(task.id, event), number, *left, arrival(context, project, task.id, status)]
