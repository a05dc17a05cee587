"""A user as the log knows one: an id, a role, and that things happened. Names and e-mails never enter an event."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant
from domain.project import ProjectRole
from domain.team import TeamRole


class Role(StrEnum):
    """What a user may do in the workspace; the meaning is the table in `domain/policy.py`."""

    ADMIN = "admin"
    MANAGER = "manager"
    MEMBER = "member"
    AUDITOR = "auditor"


@stored("user.joined")
class UserJoined(Event, frozen=True, kw_only=True):
    """Somebody became a member of the workspace, perhaps by an invite of another one."""

    role: Role
    invited_by: str | None = None


@stored("user.role_changed")
class UserRoleChanged(Event, frozen=True, kw_only=True):
    """Somebody got another role."""

    role: Role


@stored("user.profile_changed")
class UserProfileChanged(Event, frozen=True, kw_only=True):
    """Somebody changed these fields of their profile. The values stay out of the log: they can be erased."""

    fields: tuple[str, ...]


@stored("user.password_changed")
class UserPasswordChanged(Event, frozen=True, kw_only=True):
    """Somebody has another password; `reset`: by a link that came by mail, without knowing the one before."""

    reset: bool = False


@stored("user.second_factor_added")
class UserSecondFactorAdded(Event, frozen=True, kw_only=True):
    """Somebody has a second factor: a login asks for it from then on."""


@stored("user.second_factor_removed")
class UserSecondFactorRemoved(Event, frozen=True, kw_only=True):
    """Somebody has none any more; `reset`: an admin took it away."""

    reset: bool = False


@stored("user.deactivated")
class UserDeactivated(Event, frozen=True, kw_only=True):
    """Somebody may no longer come in. What they did, and what they were given, stays."""

    reason: str | None = None


@stored("user.reactivated")
class UserReactivated(Event, frozen=True, kw_only=True):
    """Somebody may come in again."""

    reason: str | None = None


@stored("user.team_joined")
class UserTeamJoined(Event, frozen=True, kw_only=True):
    """Somebody became a member of a team. The team's stream says it too: each is the set that a rule looks at."""

    team_id: str
    role: TeamRole


@stored("user.team_role_changed")
class UserTeamRoleChanged(Event, frozen=True, kw_only=True):
    """Somebody got another role in a team."""

    team_id: str
    role: TeamRole


@stored("user.team_left")
class UserTeamLeft(Event, frozen=True, kw_only=True):
    """Somebody ceased to be a member of a team."""

    team_id: str


@stored("user.project_joined")
class UserProjectJoined(Event, frozen=True, kw_only=True):
    """Somebody became a member of a project. The project's stream says it too, as with teams."""

    project_id: str
    role: ProjectRole


@stored("user.project_role_changed")
class UserProjectRoleChanged(Event, frozen=True, kw_only=True):
    """Somebody got another role in a project."""

    project_id: str
    role: ProjectRole


@stored("user.project_left")
class UserProjectLeft(Event, frozen=True, kw_only=True):
    """Somebody ceased to be a member of a project."""

    project_id: str


class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a user: the fold of the user's stream. `teams` and `projects` map these to the roles in them."""

    id: str
    version: int
    position: int
    role: Role
    active: bool
    teams: dict[str, TeamRole]
    projects: dict[str, ProjectRole]
    joined_at: Instant
    updated_at: Instant


def evolve(user: User | None, recorded: Recorded) -> User:
    """The next state. Total over every logged event of a user."""
    if user is None:
        return _joined(recorded)
    return replace(
        user,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](user, recorded.event),
    )


def _joined(recorded: Recorded) -> User:
    event = recorded.event
    return User(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        role=event.role if isinstance(event, UserJoined) else Role.MEMBER,  # else the joining was erased
        active=True,
        teams={},
        projects={},
        joined_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
    )


Changes = dict[str, object]


def _role(_: User, event: Event) -> Changes:
    assert isinstance(event, UserRoleChanged)
    return {"role": event.role}


def _in_team(user: User, event: Event) -> Changes:
    assert isinstance(event, UserTeamJoined | UserTeamRoleChanged)
    return {"teams": {**user.teams, event.team_id: event.role}}


def _out_of_team(user: User, event: Event) -> Changes:
    assert isinstance(event, UserTeamLeft)
    return {"teams": {team_id: role for team_id, role in user.teams.items() if team_id != event.team_id}}


def _in_project(user: User, event: Event) -> Changes:
    assert isinstance(event, UserProjectJoined | UserProjectRoleChanged)
    return {"projects": {**user.projects, event.project_id: event.role}}


def _out_of_project(user: User, event: Event) -> Changes:
    assert isinstance(event, UserProjectLeft)
    return {"projects": {id_: role for id_, role in user.projects.items() if id_ != event.project_id}}


# An erased event still says that it was one of its name; for whoever was shut out, that is what counts.
_ERASED: Final[dict[str, Changes]] = {"user.deactivated": {"active": False}, "user.reactivated": {"active": True}}

_CHANGES: Final[dict[type[Event], Callable[[User, Event], Changes]]] = {
    UserRoleChanged: _role,
    UserProfileChanged: lambda _user, _event: {},
    UserPasswordChanged: lambda _user, _event: {},
    UserSecondFactorAdded: lambda _user, _event: {},
    UserSecondFactorRemoved: lambda _user, _event: {},
    UserDeactivated: lambda _user, _event: {"active": False},
    UserReactivated: lambda _user, _event: {"active": True},
    UserTeamJoined: _in_team,
    UserTeamRoleChanged: _in_team,
    UserTeamLeft: _out_of_team,
    UserProjectJoined: _in_project,
    UserProjectRoleChanged: _in_project,
    UserProjectLeft: _out_of_project,
    Erased: lambda _, event: _ERASED.get(event.name, {}) if isinstance(event, Erased) else {},
}
