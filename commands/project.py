"""The commands on projects. A membership stands in two streams, the project's and the user's: rules read either set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context, check_goes_on
from commands.placing import count
from commands.workflow import dropping
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import Action, Relation
from domain.project import (
    DESCRIPTION_MAX,
    EDITABLE,
    NAME_MAX,
    Blocking,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectMemberAdded,
    ProjectMemberRemoved,
    ProjectMemberRoleChanged,
    ProjectRestored,
    ProjectRole,
    key_id,
)
from domain.project_key import ProjectKey, ProjectKeyTaken
from domain.text import check_line, check_reason, check_text
from domain.user import UserProjectJoined, UserProjectLeft, UserProjectRoleChanged

MEMBERS_MAX: Final = 500  # a deletion is one command, and tells each of them
PROJECTS_MAX: Final = 500  # of one user
KEY: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ProjectCommand:
    """A command on one project."""

    project_id: str

    @property
    def stream_id(self) -> str:
        """The project's own stream."""
        return self.project_id


@dataclass(frozen=True, slots=True)
class CreateProject(ProjectCommand):
    """Begin a project; `project_id` is new. Who begins it leads it."""

    name: str
    key: str
    description: str = ""
    blocking: Blocking = Blocking.HARD

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation, the key, and the first membership. Raises `Conflict` `project.key_taken`."""
        event = ProjectCreated(
            name=_name(self.name), key=self.key, description=_description(self.description), blocking=self.blocking
        )
        if KEY.fullmatch(self.key) is None:
            raise Invalid("project.key", "/key", "must be 2 to 10 of A-Z and 0-9, a letter first", self.key)
        actor = context.allowed(Action.PROJECT_CREATE)
        context.begin(self.project_id)
        key = key_id(context.workspace_id, self.key)
        if context.read(key, ProjectKey) is not None:
            raise Conflict("project.key_taken", f"the key {self.key} belongs to another project, or did", key=self.key)
        _check_room(actor.projects)
        return [
            Fact(self.project_id, event),
            Fact(key, ProjectKeyTaken(project_id=self.project_id)),
            *_joining(self.project_id, actor.id, ProjectRole.LEAD),
        ]


@dataclass(frozen=True, slots=True)
class EditProject(ProjectCommand):
    """Give some fields new values. What is UNSET, or has that value already, stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    blocking: Blocking | UnsetType = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ."""
        if self.name is not UNSET:
            _name(self.name)
        if self.description is not UNSET:
            _description(self.description)
        project = context.project(self.project_id, Action.PROJECT_EDIT)
        check_goes_on(project)
        wanted = {field: getattr(self, field) for field in EDITABLE}
        new = {field: value for field, value in wanted.items() if value not in (UNSET, getattr(project, field))}
        return [Fact(self.project_id, ProjectEdited(**new))] if new else []


@dataclass(frozen=True, slots=True)
class ArchiveProject(ProjectCommand):
    """Let a project rest: it can be read, and nothing in it changes."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The archiving, unless it is archived."""
        reason = check_reason(self.reason)
        project = context.project(self.project_id, Action.PROJECT_ARCHIVE)
        return [] if project.archived_at else [Fact(self.project_id, ProjectArchived(reason=reason))]


@dataclass(frozen=True, slots=True)
class RestoreProject(ProjectCommand):
    """Let a project go on."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The restoration, unless it goes on anyway."""
        reason = check_reason(self.reason)
        project = context.project(self.project_id, Action.PROJECT_ARCHIVE)
        return [Fact(self.project_id, ProjectRestored(reason=reason))] if project.archived_at else []


@dataclass(frozen=True, slots=True)
class DeleteProject(ProjectCommand):
    """Let a project that holds no task cease to be. Its key stays its own."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """Everybody leaves, and then the project is gone. Raises `Conflict` `project.not_empty`."""
        project = context.project(self.project_id, Action.PROJECT_DELETE)
        tasks = sum(count(context, project, status) for status in context.workflow_of(project).categories)
        if tasks:
            detail = f"{tasks} tasks are in the project; move or delete them, or archive the project"
            raise Conflict("project.not_empty", detail, tasks=tasks)
        leave = [fact for user_id in project.members for fact in _leaving(context, self.project_id, user_id)]
        return [*leave, *dropping(context, project), Fact(self.project_id, ProjectDeleted())]


@dataclass(frozen=True, slots=True)
class AddProjectMember(ProjectCommand):
    """Make a user a member of the project, or give a member another role in it."""

    user_id: str
    role: ProjectRole = ProjectRole.EDITOR

    def decide(self, context: Context) -> Sequence[Fact]:
        """The membership in both streams, unless it is there already."""
        project = context.project(self.project_id, Action.PROJECT_ADD_MEMBER)
        user = context.user(self.user_id)
        before = project.members.get(self.user_id)
        if before is self.role:
            return []
        if before is not None:
            return [
                Fact(self.project_id, ProjectMemberRoleChanged(user_id=self.user_id, role=self.role)),
                Fact(self.user_id, UserProjectRoleChanged(project_id=self.project_id, role=self.role)),
            ]
        if not user.active:
            raise Conflict("project.user_deactivated", "this member is deactivated and joins no project")
        if len(project.members) >= MEMBERS_MAX:
            raise Conflict("project.full", f"a project has at most {MEMBERS_MAX} members")
        _check_room(user.projects)
        return _joining(self.project_id, self.user_id, self.role)


@dataclass(frozen=True, slots=True)
class RemoveProjectMember(ProjectCommand):
    """Take a user out of the project; anybody may leave by themselves."""

    user_id: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """The departure in both streams. Raises `NotFound` where the user is no member."""
        own = Relation.SELF if context.actor_id == self.user_id else 0
        project = context.project(self.project_id, Action.PROJECT_REMOVE_MEMBER, own)
        if self.user_id not in project.members:
            raise NotFound("project.member_not_found", "no member of this project has this id")
        return _leaving(context, self.project_id, self.user_id)


def _joining(project_id: str, user_id: str, role: ProjectRole) -> list[Fact]:
    return [
        Fact(project_id, ProjectMemberAdded(user_id=user_id, role=role)),
        Fact(user_id, UserProjectJoined(project_id=project_id, role=role)),
    ]


def _leaving(context: Context, project_id: str, user_id: str) -> list[Fact]:
    context.user(user_id)  # what is appended to is read: the next version is an expectation
    return [
        Fact(project_id, ProjectMemberRemoved(user_id=user_id)),
        Fact(user_id, UserProjectLeft(project_id=project_id)),
    ]


def _check_room(projects: dict[str, ProjectRole]) -> None:
    if len(projects) >= PROJECTS_MAX:
        raise Conflict("project.too_many", f"a user is in at most {PROJECTS_MAX} projects")


def _name(name: str) -> str:
    return check_line(name, "/name", most=NAME_MAX)


def _description(description: str) -> str:
    return check_text(description, "/description", most=DESCRIPTION_MAX)
