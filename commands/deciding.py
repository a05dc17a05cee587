"""What a decision sees: states by stream. Each one that it reads becomes an expectation of its append."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from commands.appending import Fact
from commands.streams import Folded
from domain.custom_workflow import CustomWorkflow
from domain.errors import Conflict, Forbidden, NotFound, Unauthenticated
from domain.policy import Action, Relation, may, to_project, to_task
from domain.project import Project
from domain.streams import State
from domain.task import Task
from domain.team import Team
from domain.user import User
from domain.workflow import STANDARD, Workflow
from domain.workspace import Workspace

S = TypeVar("S", bound=State)


class Reader(Protocol):
    """Gives what is known of a stream without waiting."""

    def __call__(self, stream_id: str, /) -> Folded | None:
        """The folded stream, or None when it has to be loaded first."""


class NotLoaded(Exception):  # noqa: N818  (a request to the one who runs the decision, not an error)
    """The decision needs streams that are not in memory. It is pure: load the streams and run it again."""

    def __init__(self, *stream_ids: str) -> None:
        super().__init__(*stream_ids)
        self.stream_ids = stream_ids


class Context:
    """The world of one run of a decision. `reads` collects what it looked at, with the version it saw."""

    def __init__(self, workspace_id: str, actor_id: str, reader: Reader) -> None:
        self.workspace_id = workspace_id
        self.actor_id = actor_id
        self.reads: dict[str, int] = {}
        self.arrived: dict[str, int] = {}  # by board: how many more tasks the decision has put there
        self._reader = reader

    def known(self, stream_id: str) -> Folded | None:
        """What is known of a stream without waiting; None when it has to be loaded first."""
        return self._reader(stream_id)

    def read(self, stream_id: str, kind: type[S]) -> S | None:
        """The state of a stream; None when it does not exist or is of another kind."""
        state = self.folded(stream_id).state
        return state if isinstance(state, kind) else None

    def folded(self, stream_id: str) -> Folded:
        """A stream of any kind, with the state and the version that it has."""
        folded = self.known(stream_id)
        if folded is None:
            raise NotLoaded(stream_id)
        self.reads[stream_id] = folded.version
        return folded

    def need(self, stream_ids: Iterable[str]) -> None:
        """See to it that all of these are loaded, at once rather than one after another."""
        missing = [stream_id for stream_id in stream_ids if self.known(stream_id) is None]
        if missing:
            raise NotLoaded(*missing)

    def begin(self, stream_id: str) -> None:
        """Expect that a stream with a new id is not there yet; nothing has to be loaded for that."""
        self.reads[stream_id] = 0

    def actor(self) -> User:
        """Who decides. Reading the actor's own stream is what makes a demotion bite on commands in flight."""
        user = self.read(self.actor_id, User)
        if user is None:
            raise unknown_user()
        if not user.active:
            raise deactivated()
        return user

    def allowed(self, action: Action, relations: int = Relation.UNRELATED) -> User:
        """The actor, where the role allows the action in these relations. Raises `Forbidden`."""
        actor = self.actor()
        if not may(actor.role, action, relations):
            raise forbidden(actor, action)
        return actor

    def user(self, user_id: str) -> User:
        """A member of the workspace. Raises `NotFound`."""
        user = self.read(user_id, User)
        if user is None:
            raise NotFound("user.not_found", "no member of this workspace has this id")
        return user

    def team(self, team_id: str) -> Team:
        """A team that is there. Raises `NotFound`."""
        team = self.read(team_id, Team)
        if team is None or team.deleted_at:
            raise NotFound("team.not_found", "no team of this workspace has this id")
        return team

    def project(self, project_id: str, action: Action, more: int = 0) -> Project:
        """A project to which the actor may do the action, `more` being relations that only the command knows of.

        Raises `NotFound` when there is none or the actor may not see it, `Forbidden` when the actor may only look.
        """
        actor = self.actor()
        project = self.read(project_id, Project)
        if project is None or project.deleted_at:
            raise project_not_found()
        relations = to_project(actor, project_id)
        if not may(actor.role, action, relations | more):
            raise forbidden(actor, action) if may(actor.role, Action.PROJECT_READ, relations) else project_not_found()
        return project

    def project_of(self, task: Task) -> Project | None:
        """The project that a task is in. Raises `Conflict` `project.is_archived` or `project.is_deleted`."""
        project = None if task.project_id is None else self.read(task.project_id, Project)
        if project is not None:
            check_goes_on(project)
        return project

    def workflow(self, workflow_id: str) -> CustomWorkflow:
        """A workflow that managers made. Raises `NotFound`."""
        workflow = self.read(workflow_id, CustomWorkflow)
        if workflow is None or workflow.deleted_at:
            raise workflow_not_found()
        return workflow

    def workflow_of(self, project: Project | None) -> Workflow:
        """How tasks move in a project, or in none."""
        if project is None or project.workflow_id is None:
            return STANDARD
        return self.workflow(project.workflow_id).definition

    def workspace(self) -> Workspace | None:
        """The workspace's own stream."""
        return self.read(self.workspace_id, Workspace)

    def task(self, task_id: str, action: Action, *, trashed: bool = False) -> Task:
        """A task to which the actor may do the action; with `trashed` also one in the trash.

        Raises `NotFound` when there is none or the actor may not see it, `Forbidden` when the actor may only look,
        `Conflict` when its project is archived.
        """
        task = self.permitted(task_id, action, trashed=trashed)
        self.project_of(task)
        return task

    def permitted(self, task_id: str, action: Action, *, trashed: bool = False) -> Task:
        """The same of any project, also an archived one. Raises `NotFound`, `Forbidden`."""
        actor = self.actor()
        task = self.read(task_id, Task)
        if task is None or task.purged_at or (task.deleted_at and not trashed):
            raise task_not_found()
        relations = to_task(actor, task)
        if not may(actor.role, action, relations):
            raise forbidden(actor, action) if may(actor.role, Action.TASK_READ, relations) else task_not_found()
        return task


class Command(Protocol):
    """An intent. `stream_id` is the stream whose receipt answers it."""

    @property
    def stream_id(self) -> str:
        """The stream that the command is about."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The events that follow, none when nothing changes. Pure. Raises `Rejection` and `NotLoaded`."""


def task_not_found() -> NotFound:
    """Unknown, deleted or not visible: one and the same answer."""
    return NotFound("task.not_found", "no task with this id is visible to you")


def project_not_found() -> NotFound:
    """Unknown, deleted or not visible: one and the same answer."""
    return NotFound("project.not_found", "no project with this id is visible to you")


def workflow_not_found() -> NotFound:
    """There is none of this id."""
    return NotFound("workflow.not_found", "no workflow of this workspace has this id")


def check_goes_on(project: Project) -> None:
    """Raises `Conflict` `project.is_archived`, `project.is_deleted`."""
    if project.deleted_at:
        raise Conflict("project.is_deleted", f"the project {project.key} is deleted")
    if project.archived_at:
        raise Conflict(
            "project.is_archived", f"the project {project.key} is archived; restore it to change what is in it"
        )


def unknown_user() -> Unauthenticated:
    """The token is ours, and its user is not."""
    return Unauthenticated("auth.unknown_user", "the user of this token is not a member of the workspace")


def deactivated() -> Unauthenticated:
    """The user may no longer come in."""
    return Unauthenticated("auth.deactivated", "this account is deactivated; an admin can reactivate it")


def forbidden(actor: User, action: Action) -> Forbidden:
    """The role does not reach that far."""
    return Forbidden("auth.forbidden", f"the role {actor.role.value!r} may not do {action.value!r} here")
