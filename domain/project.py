"""A project: its events, its state, and the fold. Memberships are facts of users' streams too (`domain/user.py`)."""

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant

NAME_MAX: Final = 100
DESCRIPTION_MAX: Final = 10_000
ERASED_NAME: Final = "[erased]"


class ProjectRole(StrEnum):
    """What a member of a project may do in it; the meaning is the table in `domain/policy.py`."""

    VIEWER = "viewer"
    EDITOR = "editor"
    LEAD = "lead"


class Blocking(StrEnum):
    """What an open blocker does: `hard` refuses to start or complete what it blocks, `soft` only warns."""

    HARD = "hard"
    SOFT = "soft"


@stored("project.created")
class ProjectCreated(Event, frozen=True, kw_only=True):
    """A project came to be. `key` begins the keys of its tasks, for ever."""

    name: str
    key: str
    description: str = ""
    blocking: Blocking = Blocking.HARD


@stored("project.edited")
class ProjectEdited(Event, frozen=True, kw_only=True):
    """Some fields got new values; a field that is absent kept its value."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    blocking: Blocking | UnsetType = UNSET


@stored("project.member_added")
class ProjectMemberAdded(Event, frozen=True, kw_only=True):
    """Somebody became a member."""

    user_id: str
    role: ProjectRole


@stored("project.member_role_changed")
class ProjectMemberRoleChanged(Event, frozen=True, kw_only=True):
    """A member got another role in the project."""

    user_id: str
    role: ProjectRole


@stored("project.member_removed")
class ProjectMemberRemoved(Event, frozen=True, kw_only=True):
    """Somebody ceased to be a member."""

    user_id: str


@stored("project.archived")
class ProjectArchived(Event, frozen=True, kw_only=True):
    """The project is over: all of it can be read, and nothing in it changes."""

    reason: str | None = None


@stored("project.restored")
class ProjectRestored(Event, frozen=True, kw_only=True):
    """The project goes on."""

    reason: str | None = None


@stored("project.workflow_changed")
class ProjectWorkflowChanged(Event, frozen=True, kw_only=True):
    """The project lives by another workflow, or by the standard one.

    `mapping` leads from statuses that this one lacks to those that took their places.
    """

    workflow_id: str | None
    mapping: dict[str, str] = msgspec.field(default_factory=dict)


@stored("project.deleted")
class ProjectDeleted(Event, frozen=True, kw_only=True):
    """The project, which held no task any more, ceased to be."""


@stored("project.revived")
class ProjectRevived(Event, frozen=True, kw_only=True):
    """The deletion of the project was taken back: it is there again, with nobody in it yet."""


class Project(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a project: the fold of its stream.

    `members` maps users to their roles in it, `mapped` statuses that its workflows lacked to those that took their
    places: it is for tasks that were in the trash.
    """

    id: str
    version: int
    position: int
    name: str
    key: str
    description: str
    blocking: Blocking
    members: dict[str, ProjectRole]
    workflow_id: str | None
    mapped: dict[str, str]
    created_by: str
    created_at: Instant
    updated_at: Instant
    archived_at: Instant | None
    deleted_at: Instant | None


def evolve(project: Project | None, recorded: Recorded) -> Project:
    """The next state. Total over every logged event of a project."""
    if project is None:
        return _created(recorded)
    return replace(
        project,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](project, recorded),
    )


@lru_cache(maxsize=1_000)
def numbering_id(project_id: str) -> str:
    """The stream that numbers the tasks of a project: see `domain/numbering.py`."""
    return str(uuid5(UUID(project_id), "numbering"))


@lru_cache(maxsize=10_000)
def board_id(project_id: str, status: str) -> str:
    """The stream of the tasks of a project that have a status: see `domain/board.py`."""
    return str(uuid5(UUID(project_id), f"board:{status}"))


def key_id(workspace_id: str, key: str) -> str:
    """The stream that says whose a key is: see `domain/project_key.py`."""
    return str(uuid5(UUID(workspace_id), f"project-key:{key}"))


def _created(recorded: Recorded) -> Project:
    event = recorded.event
    if not isinstance(event, ProjectCreated):  # the creation was erased
        event = ProjectCreated(name=ERASED_NAME, key="")
    return Project(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        name=event.name,
        key=event.key,
        description=event.description,
        blocking=event.blocking,
        members={},
        workflow_id=None,
        mapped={},
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        archived_at=None,
        deleted_at=None,
    )


Changes = dict[str, object]


def _edited(_: Project, recorded: Recorded) -> Changes:
    return {field: value for field in EDITABLE if (value := getattr(recorded.event, field)) is not UNSET}


def _joined(project: Project, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, ProjectMemberAdded | ProjectMemberRoleChanged)
    return {"members": {**project.members, event.user_id: event.role}}


def _left(project: Project, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, ProjectMemberRemoved)
    gone = recorded.event.user_id
    return {"members": {user_id: role for user_id, role in project.members.items() if user_id != gone}}


def _workflow_changed(project: Project, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, ProjectWorkflowChanged)
    return {"workflow_id": event.workflow_id, "mapped": {**project.mapped, **event.mapping}}


# What is left of these when their data are erased: that they happened.
_PLAIN: Final[dict[str, Callable[[Project, Recorded], Changes]]] = {
    "project.archived": lambda _, recorded: {"archived_at": recorded.recorded_at},
    "project.restored": lambda _, __: {"archived_at": None},
    "project.deleted": lambda _, recorded: {"deleted_at": recorded.recorded_at},
    "project.revived": lambda _, __: {"deleted_at": None},
}

_CHANGES: Final[dict[type[Event], Callable[[Project, Recorded], Changes]]] = {
    ProjectEdited: _edited,
    ProjectMemberAdded: _joined,
    ProjectMemberRoleChanged: _joined,
    ProjectMemberRemoved: _left,
    ProjectWorkflowChanged: _workflow_changed,
    ProjectArchived: _PLAIN["project.archived"],
    ProjectRestored: _PLAIN["project.restored"],
    ProjectDeleted: _PLAIN["project.deleted"],
    ProjectRevived: _PLAIN["project.revived"],
    Erased: lambda project, recorded: _erased(project, recorded),
}


def _erased(project: Project, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, Erased)
    change = _PLAIN.get(recorded.event.name)
    return {} if change is None else change(project, recorded)


EDITABLE: Final = tuple(ProjectEdited.__struct_fields__)
