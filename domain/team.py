"""A team: its events, its state, and the fold. Memberships are facts of the users' streams too (`domain/user.py`)."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant

NAME_MAX: Final = 100
DESCRIPTION_MAX: Final = 2_000
ERASED_NAME: Final = "[erased]"


class TeamRole(StrEnum):
    """What a member of a team may do in it; the meaning is the table in `domain/policy.py`."""

    LEAD = "lead"
    MEMBER = "member"


@stored("team.created")
class TeamCreated(Event, frozen=True, kw_only=True):
    """A team came to be, with nobody in it."""

    name: str
    description: str = ""


@stored("team.edited")
class TeamEdited(Event, frozen=True, kw_only=True):
    """Some fields got new values; a field that is absent kept its value."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


@stored("team.member_added")
class TeamMemberAdded(Event, frozen=True, kw_only=True):
    """Somebody became a member."""

    user_id: str
    role: TeamRole


@stored("team.member_role_changed")
class TeamMemberRoleChanged(Event, frozen=True, kw_only=True):
    """A member got another role in the team."""

    user_id: str
    role: TeamRole


@stored("team.member_removed")
class TeamMemberRemoved(Event, frozen=True, kw_only=True):
    """Somebody ceased to be a member."""

    user_id: str


@stored("team.deleted")
class TeamDeleted(Event, frozen=True, kw_only=True):
    """The team ceased to be. What it was assigned stays assigned to it, and is nobody's through it."""


@stored("team.revived")
class TeamRevived(Event, frozen=True, kw_only=True):
    """The deletion of the team was taken back: it is there again, with nobody in it yet."""


class Team(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a team: the fold of its stream. `members` maps users to their roles in it."""

    id: str
    version: int
    position: int
    name: str
    description: str
    members: dict[str, TeamRole]
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None


def evolve(team: Team | None, recorded: Recorded) -> Team:
    """The next state. Total over every logged event of a team."""
    if team is None:
        return _created(recorded)
    return replace(
        team,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](team, recorded),
    )


def _created(recorded: Recorded) -> Team:
    event = recorded.event
    if not isinstance(event, TeamCreated):  # the creation was erased
        event = TeamCreated(name=ERASED_NAME)
    return Team(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        name=event.name,
        description=event.description,
        members={},
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        deleted_at=None,
    )


Changes = dict[str, object]


def _edited(_: Team, recorded: Recorded) -> Changes:
    return {field: value for field in EDITABLE if (value := getattr(recorded.event, field)) is not UNSET}


def _joined(team: Team, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TeamMemberAdded | TeamMemberRoleChanged)
    return {"members": {**team.members, event.user_id: event.role}}


def _left(team: Team, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, TeamMemberRemoved)
    gone = recorded.event.user_id
    return {"members": {user_id: role for user_id, role in team.members.items() if user_id != gone}}


# What is left of these when their data are erased: that they happened.
_PLAIN: Final[dict[str, Callable[[Recorded], Changes]]] = {
    "team.deleted": lambda recorded: {"deleted_at": recorded.recorded_at},
    "team.revived": lambda _: {"deleted_at": None},
}

_CHANGES: Final[dict[type[Event], Callable[[Team, Recorded], Changes]]] = {
    TeamEdited: _edited,
    TeamMemberAdded: _joined,
    TeamMemberRoleChanged: _joined,
    TeamMemberRemoved: _left,
    TeamDeleted: lambda _, recorded: _PLAIN["team.deleted"](recorded),
    TeamRevived: lambda _, recorded: _PLAIN["team.revived"](recorded),
    Erased: lambda _, recorded: _erased(recorded),
}


def _erased(recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, Erased)
    change = _PLAIN.get(recorded.event.name)
    return {} if change is None else change(recorded)


EDITABLE: Final = tuple(TeamEdited.__struct_fields__)
