"""The commands on teams. A membership stands in two streams, the team's and the user's: rules read either set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict, NotFound
from domain.policy import Action, Relation, to_team
from domain.team import (
    DESCRIPTION_MAX,
    EDITABLE,
    NAME_MAX,
    TeamCreated,
    TeamDeleted,
    TeamEdited,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamMemberRoleChanged,
    TeamRole,
)
from domain.text import check_line, check_text
from domain.user import UserTeamJoined, UserTeamLeft, UserTeamRoleChanged

MEMBERS_MAX: Final = 500  # a deletion is one command, and tells each of them
TEAMS_MAX: Final = 100  # of one user


@dataclass(frozen=True, slots=True)
class TeamCommand:
    """A command on one team."""

    team_id: str

    @property
    def stream_id(self) -> str:
        """The team's own stream."""
        return self.team_id


@dataclass(frozen=True, slots=True)
class CreateTeam(TeamCommand):
    """Make a team with nobody in it; `team_id` is new."""

    name: str
    description: str = ""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation."""
        event = TeamCreated(name=_name(self.name), description=_description(self.description))
        context.allowed(Action.TEAM_CREATE)
        context.begin(self.team_id)
        return [Fact(self.team_id, event)]


@dataclass(frozen=True, slots=True)
class EditTeam(TeamCommand):
    """Give some fields new values. What is UNSET, or has that value already, stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ."""
        if self.name is not UNSET:
            _name(self.name)
        if self.description is not UNSET:
            _description(self.description)
        team = context.team(self.team_id)
        context.allowed(Action.TEAM_EDIT, to_team(context.actor(), team.id))
        wanted = {field: getattr(self, field) for field in EDITABLE}
        new = {field: value for field, value in wanted.items() if value is not UNSET and value != getattr(team, field)}
        return [Fact(self.team_id, TeamEdited(**new))] if new else []


@dataclass(frozen=True, slots=True)
class DeleteTeam(TeamCommand):
    """Let a team cease to be. Its tasks stay its own: who has to see them is told by who assigns them anew."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """Everybody leaves, and then the team is gone."""
        team = context.team(self.team_id)
        context.allowed(Action.TEAM_DELETE, to_team(context.actor(), team.id))
        leave = [fact for user_id in team.members for fact in _leaving(context, self.team_id, user_id)]
        return [*leave, Fact(self.team_id, TeamDeleted())]


@dataclass(frozen=True, slots=True)
class AddMember(TeamCommand):
    """Make a user a member of the team, or give a member another role in it."""

    user_id: str
    role: TeamRole = TeamRole.MEMBER

    def decide(self, context: Context) -> Sequence[Fact]:
        """The membership in both streams, unless it is there already."""
        team = context.team(self.team_id)
        context.allowed(Action.TEAM_ADD_MEMBER, to_team(context.actor(), team.id))
        user = context.user(self.user_id)
        before = team.members.get(self.user_id)
        if before is self.role:
            return []
        if before is not None:
            return [
                Fact(self.team_id, TeamMemberRoleChanged(user_id=self.user_id, role=self.role)),
                Fact(self.user_id, UserTeamRoleChanged(team_id=self.team_id, role=self.role)),
            ]
        if not user.active:
            raise Conflict("team.user_deactivated", "this member is deactivated and joins no team")
        if len(team.members) >= MEMBERS_MAX:
            raise Conflict("team.full", f"a team has at most {MEMBERS_MAX} members")
        if len(user.teams) >= TEAMS_MAX:
            raise Conflict("team.too_many", f"a user is in at most {TEAMS_MAX} teams")
        return [
            Fact(self.team_id, TeamMemberAdded(user_id=self.user_id, role=self.role)),
            Fact(self.user_id, UserTeamJoined(team_id=self.team_id, role=self.role)),
        ]


@dataclass(frozen=True, slots=True)
class RemoveMember(TeamCommand):
    """Take a user out of the team; anybody may leave by themselves."""

    user_id: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """The departure in both streams. Raises `NotFound` where the user is no member."""
        team = context.team(self.team_id)
        actor = context.actor()
        own = Relation.SELF if actor.id == self.user_id else Relation.UNRELATED
        context.allowed(Action.TEAM_REMOVE_MEMBER, to_team(actor, team.id) | own)
        if self.user_id not in team.members:
            raise NotFound("team.member_not_found", "no member of this team has this id")
        return _leaving(context, self.team_id, self.user_id)


def _leaving(context: Context, team_id: str, user_id: str) -> list[Fact]:
    context.user(user_id)  # what is appended to is read: the next version is an expectation
    return [
        Fact(team_id, TeamMemberRemoved(user_id=user_id)),
        Fact(user_id, UserTeamLeft(team_id=team_id)),
    ]


def _name(name: str) -> str:
    return check_line(name, "/name", most=NAME_MAX)


def _description(description: str) -> str:
    return check_text(description, "/description", most=DESCRIPTION_MAX)
