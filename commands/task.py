"""The commands on tasks. Each one's rule is its own `decide`."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.closing import Wish, check_override, consequences
from commands.deciding import Context
from commands.moving import check_move, move_event, status_of
from commands.placing import arrival, check_in, chosen_project, departure, numbered
from commands.subtasks import check_depth, check_same_project, chosen_parent, placed
from commands.tagging import written
from commands.trashing import restored, trashed
from domain.dates import NONE as NO_DATES
from domain.dates import Day, Wanted, dated
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Event
from domain.instant import Instant
from domain.policy import Action, Relation, may, to_team, to_user
from domain.project import Project
from domain.task import EDITABLE, Task, TaskAssigned, TaskCreated, TaskEdited, TaskUnassigned
from domain.task_fields import Assignee, FromTemplate, Origin, Priority, check_estimate
from domain.task_links import TaskSubtaskAdded
from domain.text import DESCRIPTION_MAX, TITLE_MAX, check_line, check_reason, check_tags, check_text
from domain.user import User
from domain.workflow import Workflow


@dataclass(frozen=True, slots=True)
class TaskCommand:
    """A command on one task."""

    task_id: str

    @property
    def stream_id(self) -> str:
        """The task's own stream."""
        return self.task_id

    def facts(self, *events: Event) -> list[Fact]:
        """Events for the task's stream."""
        return [Fact(self.task_id, event) for event in events]


@dataclass(frozen=True, slots=True)
class CreateTask(TaskCommand):
    """Write down what is to be done; `task_id` is new."""

    title: str
    description: str = ""
    priority: Priority = Priority.NORMAL
    due_at: Instant | None = None
    tags: tuple[str, ...] = ()
    estimate_minutes: int | None = None
    assignee: Assignee | None = None
    project_id: str | None = None
    parent_id: str | None = None
    start_at: Instant | None = None
    due_on: Day | None = None
    due_zone: str | None = None
    template: FromTemplate | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """A creation, with a key where it is in a project; and an assignment where somebody is named.

        A subtask is in the project of its parent.
        """
        title = check_line(self.title, "/title", most=TITLE_MAX)
        description = check_text(self.description, "/description", most=DESCRIPTION_MAX)
        tags = check_tags(self.tags, "/tags")
        check_estimate(self.estimate_minutes)
        dates = dated(NO_DATES, Wanted(self.start_at, self.due_at, self.due_on, self.due_zone))
        context.allowed(Action.TASK_CREATE)
        context.begin(self.task_id)
        tags = written(context, tags)
        parent = None if self.parent_id is None else self._below(context, self.parent_id)
        project_id = self.project_id if parent is None else parent.project_id
        project = None if project_id is None else chosen_project(context, project_id)
        workflow = context.workflow_of(project)
        status = self._status(workflow)
        category = workflow.categories[status]
        key, placed = (None, []) if project is None else self._placed(context, project, status)
        if parent is not None:
            placed.append(Fact(parent.id, TaskSubtaskAdded(task_id=self.task_id, closed=category.closed)))
        event = TaskCreated(
            title=title,
            description=description,
            priority=self.priority,
            tags=tags,
            estimate_minutes=self.estimate_minutes,
            project_id=None if project is None else project.id,
            key=key,
            parent_id=self.parent_id,
            **dates._asdict(),
            template=self.template,
            status=status,
            category=category,
            imported=self._origin(),
        )
        if self.assignee is None:
            return [*self.facts(event), *placed]
        assignee = _chosen(context, self.assignee, "/assignee/id", project)
        return [*self.facts(event, TaskAssigned(assignee=assignee)), *placed]

    def _below(self, context: Context, parent_id: str) -> Task:
        parent = chosen_parent(context, parent_id)
        check_same_project(parent, self.project_id)
        check_depth(context, parent)
        return parent

    def _status(self, workflow: Workflow) -> str:
        return workflow.initial

    def _origin(self) -> Origin | None:
        return None

    def _placed(self, context: Context, project: Project, status: str) -> tuple[str, list[Fact]]:
        key, number = numbered(context, project, self.task_id)
        return key, [number, arrival(context, project, self.task_id, status)]


@dataclass(frozen=True, slots=True)
class CreateSubtask(CreateTask):
    """The same, asked of the parent: where the actor does not see that, there is nothing to ask. Raises `NotFound`."""

    def _below(self, context: Context, parent_id: str) -> Task:
        context.task(parent_id, Action.TASK_EDIT)
        return CreateTask._below(self, context, parent_id)


@dataclass(frozen=True, slots=True)
class EditTask(TaskCommand):
    """Give some fields new values. What is UNSET, or has that value already, stays."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    due_at: Instant | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    estimate_minutes: int | UnsetType | None = UNSET
    assignee: Assignee | UnsetType | None = UNSET
    project_id: str | UnsetType | None = UNSET
    parent_id: str | UnsetType | None = UNSET
    start_at: Instant | UnsetType | None = UNSET
    due_on: Day | UnsetType | None = UNSET
    due_zone: str | UnsetType | None = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ; another project, parent or assignee where these differ."""
        if self.title is not UNSET:
            check_line(self.title, "/title", most=TITLE_MAX)
        if self.description is not UNSET:
            check_text(self.description, "/description", most=DESCRIPTION_MAX)
        tags = self.tags if self.tags is UNSET else check_tags(self.tags, "/tags")
        check_estimate(self.estimate_minutes)
        task = context.task(self.task_id, Action.TASK_EDIT)
        tags = tags if tags is UNSET else written(context, tags)
        dates = dated(task.dates, Wanted(self.start_at, self.due_at, self.due_on, self.due_zone))
        wanted = {field: getattr(self, field) for field in EDITABLE} | {"tags": tags} | dates._asdict()
        new = {field: value for field, value in wanted.items() if value is not UNSET and value != getattr(task, field)}
        edit = self.facts(TaskEdited(**new)) if new else []
        project, put = placed(context, task, self.project_id, self.parent_id)
        if self.assignee is not UNSET and self.assignee != task.assignee:
            context.task(self.task_id, Action.TASK_UNASSIGN if self.assignee is None else Action.TASK_ASSIGN)
            return [*edit, *put, *_assign(self, context, task, self.assignee, "/assignee/id", project)]
        elsewhere = project is not None and project.id != task.project_id
        if elsewhere and project is not None and task.assignee is not None and task.assignee.type == "user":
            check_in(project, context.user(task.assignee.id), "/project_id")
        return [*edit, *put]


@dataclass(frozen=True, slots=True)
class AssignTask(TaskCommand):
    """Give the task to a member, or to a team."""

    assignee: Assignee

    def decide(self, context: Context) -> Sequence[Fact]:
        """An assignment, unless it is theirs already."""
        task = context.task(self.task_id, Action.TASK_ASSIGN)
        return _assign(self, context, task, self.assignee, f"/{self.assignee.type}_id", context.project_of(task))


@dataclass(frozen=True, slots=True)
class UnassignTask(TaskCommand):
    """Take the task from whoever has it."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """An unassignment, unless it is nobody's already."""
        task = context.task(self.task_id, Action.TASK_UNASSIGN)
        return _assign(self, context, task, None, "", None)


@dataclass(frozen=True, slots=True)
class MoveTask(TaskCommand):
    """Make a move of the task's workflow."""

    move: str
    reason: str | None = None
    close_subtasks: bool = False
    override: bool = False

    def decide(self, context: Context) -> Sequence[Fact]:
        """The move, and what it means for others: see `commands/closing.py`.

        Raises `Conflict` `task.illegal_move` where the workflow has none from the current status,
        `task.move_requires` and `workflow.limit_reached`; `Forbidden` `task.move_not_allowed`.
        """
        reason = check_reason(self.reason)
        if self.override:
            check_override(reason)
        task = context.task(self.task_id, Action.TASK_MOVE)
        project = context.project_of(task)
        workflow = context.workflow_of(project)
        move = workflow.move(status_of(context, project, workflow, task), self.move)
        check_move(context, task, move, reason)
        despite: tuple[str, ...] = ()
        moved: list[Fact] = []
        if task.links or task.subtasks or task.parent_id:  # most tasks have nothing to do with others
            wish = Wish(self.move, reason, self.close_subtasks, self.override)
            despite, moved = consequences(context, task, workflow.categories[move.to], wish, project)
        moved += self.facts(move_event(workflow, move, reason, despite))
        if project is None or move.to == task.status:
            return moved
        return [*moved, departure(context, project, task), arrival(context, project, task.id, move.to)]


@dataclass(frozen=True, slots=True)
class DeleteTask(TaskCommand):
    """Put the task in the trash; with `subtasks` also all that is below it."""

    reason: str | None = None
    subtasks: bool = False

    def decide(self, context: Context) -> Sequence[Fact]:
        """The deletions. Raises `Conflict` `task.has_subtasks`."""
        reason = check_reason(self.reason)
        task = context.task(self.task_id, Action.TASK_DELETE)
        return trashed(context, task, reason, subtasks=self.subtasks)


@dataclass(frozen=True, slots=True)
class RestoreTask(TaskCommand):
    """Take the task out of the trash, with all that went there with it."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The restorations, unless it is not in the trash; its workflow may have lost its status meanwhile.

        Raises `Conflict` `task.parent_trashed`.
        """
        reason = check_reason(self.reason)
        task = context.task(self.task_id, Action.TASK_RESTORE, trashed=True)
        return restored(context, task, reason) if task.deleted_at else []


def _assign(
    command: TaskCommand, context: Context, task: Task, assignee: Assignee | None, field: str, project: Project | None
) -> list[Fact]:
    """The change of assignee, if it is one. That the assignee is still there when it commits is an expectation."""
    if assignee == task.assignee:
        return []
    if assignee is None:
        return command.facts(TaskUnassigned())
    return command.facts(TaskAssigned(assignee=_chosen(context, assignee, field, project)))


def _chosen(context: Context, assignee: Assignee, field: str, project: Project | None) -> Assignee:
    """Somebody to whom the actor may give tasks of a project, or of none. Raises `Invalid` where there is no such one,
    `Conflict` where they may not come in, or are not in the project, `Forbidden` where the choice is not the actor's.
    """
    actor = context.actor()
    try:
        if assignee.type == "team":
            relations = to_team(actor, context.team(assignee.id).id)
        else:
            relations = _to_assignee(actor, context.user(assignee.id), field, project)
    except NotFound as error:
        detail = f"must be the id of a {'team' if assignee.type == 'team' else 'member'} of this workspace"
        raise Invalid("assignee.not_found", field, detail, assignee.id) from error
    if not may(actor.role, Action.ASSIGNEE_CHOOSE, relations):
        detail = "members assign to themselves and to members of their teams, leads also to the teams they lead"
        raise Forbidden("assignee.not_allowed", detail)
    return assignee


def _to_assignee(actor: User, user: User, field: str, project: Project | None) -> int:
    if not user.active:
        raise Conflict("assignee.deactivated", "this member is deactivated and gets no tasks", field=field)
    if project is None:
        return to_user(actor, user)
    check_in(project, user, field)
    return to_user(actor, user) | (Relation.PROJECTMATE if actor.id in project.members else 0)
