"""The commands on tasks. Each one's rule is its own `decide`."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Event
from domain.instant import Instant
from domain.policy import Action, may, to_team, to_user
from domain.task import (
    EDITABLE,
    MOVES,
    Assignee,
    Priority,
    TaskAssigned,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskRestored,
    TaskUnassigned,
)
from domain.text import DESCRIPTION_MAX, TITLE_MAX, check_line, check_reason, check_tags, check_text
from domain.workflow import STANDARD


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

    def decide(self, context: Context) -> Sequence[Fact]:
        """A creation, and an assignment where somebody is named."""
        event = TaskCreated(
            title=check_line(self.title, "/title", most=TITLE_MAX),
            description=check_text(self.description, "/description", most=DESCRIPTION_MAX),
            priority=self.priority,
            due_at=self.due_at,
            tags=check_tags(self.tags, "/tags"),
            estimate_minutes=self.estimate_minutes,
            status=STANDARD.initial,
            category=STANDARD.categories[STANDARD.initial],
        )
        context.allowed(Action.TASK_CREATE)
        context.begin(self.task_id)
        if self.assignee is None:
            return self.facts(event)
        return self.facts(event, TaskAssigned(assignee=_chosen(context, self.assignee, "/assignee/id")))


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

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ, and an assignment where that differs."""
        if self.title is not UNSET:
            check_line(self.title, "/title", most=TITLE_MAX)
        if self.description is not UNSET:
            check_text(self.description, "/description", most=DESCRIPTION_MAX)
        tags = self.tags if self.tags is UNSET else check_tags(self.tags, "/tags")
        task = context.task(self.task_id, Action.TASK_EDIT)
        wanted = {field: getattr(self, field) for field in EDITABLE} | {"tags": tags}
        new = {field: value for field, value in wanted.items() if value is not UNSET and value != getattr(task, field)}
        edit = self.facts(TaskEdited(**new)) if new else []
        if self.assignee is UNSET:
            return edit
        return [*edit, *_assign(self, context, self.assignee, "/assignee/id")]


@dataclass(frozen=True, slots=True)
class AssignTask(TaskCommand):
    """Give the task to a member, or to a team."""

    assignee: Assignee

    def decide(self, context: Context) -> Sequence[Fact]:
        """An assignment, unless it is theirs already."""
        return _assign(self, context, self.assignee, f"/{self.assignee.type}_id")


@dataclass(frozen=True, slots=True)
class UnassignTask(TaskCommand):
    """Take the task from whoever has it."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """An unassignment, unless it is nobody's already."""
        return _assign(self, context, None, "")


@dataclass(frozen=True, slots=True)
class MoveTask(TaskCommand):
    """Make a move of the task's workflow."""

    move: str
    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The move. Raises `Conflict` `task.illegal_move` where the workflow has none from the current status."""
        reason = check_reason(self.reason)
        task = context.task(self.task_id, Action.TASK_MOVE)
        status = STANDARD.next(task.status, self.move)
        return self.facts(MOVES[self.move](status=status, category=STANDARD.categories[status], reason=reason))


@dataclass(frozen=True, slots=True)
class DeleteTask(TaskCommand):
    """Put the task in the trash."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """A deletion."""
        reason = check_reason(self.reason)
        context.task(self.task_id, Action.TASK_DELETE)
        return self.facts(TaskDeleted(reason=reason))


@dataclass(frozen=True, slots=True)
class RestoreTask(TaskCommand):
    """Take the task out of the trash."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """A restoration, unless it is not in the trash."""
        reason = check_reason(self.reason)
        task = context.task(self.task_id, Action.TASK_RESTORE, trashed=True)
        return self.facts(TaskRestored(reason=reason)) if task.deleted_at else []


def _assign(command: TaskCommand, context: Context, assignee: Assignee | None, field: str) -> list[Fact]:
    """The change of assignee, if it is one. That the assignee is still there when it commits is an expectation."""
    task = context.task(command.task_id, Action.TASK_UNASSIGN if assignee is None else Action.TASK_ASSIGN)
    if assignee == task.assignee:
        return []
    if assignee is None:
        return command.facts(TaskUnassigned())
    return command.facts(TaskAssigned(assignee=_chosen(context, assignee, field)))


def _chosen(context: Context, assignee: Assignee, field: str) -> Assignee:
    """Somebody to whom the actor may give tasks. Raises `Invalid` where there is no such one, `Conflict` where they
    may not come in, `Forbidden` where the choice is not the actor's.
    """
    actor = context.actor()
    try:
        if assignee.type == "team":
            relations = to_team(actor, context.team(assignee.id).id)
        else:
            user = context.user(assignee.id)
            if not user.active:
                raise Conflict("assignee.deactivated", "this member is deactivated and gets no tasks", field=field)
            relations = to_user(actor, user)
    except NotFound as error:
        detail = f"must be the id of a {'team' if assignee.type == 'team' else 'member'} of this workspace"
        raise Invalid("assignee.not_found", field, detail, assignee.id) from error
    if not may(actor.role, Action.ASSIGNEE_CHOOSE, relations):
        detail = "members assign to themselves and to members of their teams, leads also to the teams they lead"
        raise Forbidden("assignee.not_allowed", detail)
    return assignee
