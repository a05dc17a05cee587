"""The bodies about people: members, teams, invites, and how somebody comes in. The rules are those of the domain."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.contract.patterns import EMAIL, KIND, LINE, LOCALE, SLUG
from api.documents import Body, Line, Position, Text, Version
from commands.passwords import LONGEST, SHORTEST
from commands.preferences import NOTIFICATION_KINDS_MAX, VIEW_MAX
from domain.invite import InviteStatus
from domain.team import DESCRIPTION_MAX, NAME_MAX, TeamRole
from domain.user import Role

Email = Annotated[str, StringConstraints(min_length=3, max_length=254), Field(json_schema_extra={"pattern": EMAIL})]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=40), Field(json_schema_extra={"pattern": SLUG})]
# Its length is checked with the other rules for it: what pydantic refuses, it repeats.
Password = Annotated[
    str, Field(json_schema_extra={"format": "password", "minLength": SHORTEST, "maxLength": LONGEST}, repr=False)
]
# Of an authenticator, or a recovery code.
Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Token = Annotated[str, StringConstraints(max_length=200)]


class UserDocument(BaseModel):
    """A member of the workspace."""

    id: UUID
    version: Version
    email: Annotated[str, StringConstraints(min_length=3, max_length=254)]
    display_name: str
    role: Role
    active: bool
    teams: list[UUID]
    joined_at: datetime


class ProfileDocument(UserDocument):
    """One's own profile. `projects` are those that one is in."""

    projects: list[UUID]
    preferences: dict[str, Any]
    time_zone: str
    locale: str


class UserPage(BaseModel):
    """A page of members."""

    items: list[UserDocument]
    next_cursor: str | None


class RoleBody(Body):
    """The role to give."""

    role: Annotated[Role, Field(strict=False)]


class InviteBody(Body):
    """Whom to invite, and the role they are to have."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "bob@example.com", "role": "member"}]})

    email: Email
    role: Annotated[Role, Field(strict=False)] = Role.MEMBER


class InviteDocument(BaseModel):
    """An invite. `email` is null once it is not open any more."""

    id: UUID
    email: str | None
    role: Role
    status: InviteStatus
    created_by: UUID
    created_at: datetime
    expires_at: datetime


class InviteList(BaseModel):
    """The open invites, oldest first. They are few: `next_cursor` is always null."""

    items: list[InviteDocument]
    next_cursor: None


_PREFERENCES: Final[dict[str, Any]] = {
    "notifications": {
        "type": "object",
        "maxProperties": NOTIFICATION_KINDS_MAX,
        "propertyNames": {"pattern": KIND},
        "additionalProperties": {"type": "boolean"},
    },
    "default_view": {"type": ["string", "null"], "minLength": 1, "maxLength": VIEW_MAX, "pattern": LINE},
}


class ProfileBody(Body):
    """New values for one's own profile; what is absent stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "display_name": "Ada",
                    "time_zone": "Europe/London",
                    "locale": "en-GB",
                    "preferences": {"notifications": {"updated": False}, "default_view": "today"},
                }
            ]
        }
    )

    display_name: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = ""
    preferences: Annotated[
        dict[str, Any],
        Field(
            description="Known: `notifications`, kinds mapped to true or false, and `default_view`. All else is kept.",
            json_schema_extra={"properties": _PREFERENCES},
        ),
    ] = {}  # noqa: RUF012  (pydantic gives each body its own)
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "UTC"
    locale: Annotated[
        str, StringConstraints(min_length=2, max_length=50), Field(json_schema_extra={"pattern": LOCALE})
    ] = "en"


TeamName = Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
TeamDescription = Annotated[Text, StringConstraints(max_length=DESCRIPTION_MAX)]


class NewTeam(Body):
    """A team to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Operations"}]})

    name: TeamName
    description: TeamDescription = ""


class TeamPatch(Body):
    """A merge patch (RFC 7396): fields that are absent stay, null empties the description."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Site operations"}]})

    name: TeamName = ""
    description: TeamDescription | None = None


class MemberBody(Body):
    """What a member is in the team."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "lead"}]})

    role: Annotated[TeamRole, Field(strict=False)] = TeamRole.MEMBER


class MemberDocument(BaseModel):
    """A member of a team."""

    user_id: UUID
    role: TeamRole


class TeamDocument(BaseModel):
    """A team, with its members in the order in which they joined it."""

    id: UUID
    version: Version
    position: Position
    name: str
    description: str
    members: list[MemberDocument]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class TeamPage(BaseModel):
    """A page of teams."""

    items: list[TeamDocument]
    next_cursor: str | None


class RegisterBody(Body):
    """Who joins. Without `workspace` one joins `main`, or where `invite` leads to; a new name founds a workspace."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "ada@example.com", "password": "correct horse", "display_name": "Ada"}]  # nosec B105
        }
    )

    email: Email
    password: Password
    display_name: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    workspace: Slug = "main"
    invite: Annotated[str, StringConstraints(max_length=200)] | None = None


class LoginBody(Body):
    """An e-mail address and its password; with `otp` for who has a second factor, a code of it or a recovery code."""

    email: Annotated[str, StringConstraints(max_length=254)]
    password: Password
    workspace: Annotated[str, StringConstraints(max_length=40)] = "main"
    otp: Code | None = None


class RefreshBody(Body):
    """A refresh token."""

    refresh_token: Annotated[str, StringConstraints(max_length=200)]


class PasswordBody(Body):
    """The password that one has, and the one to have."""

    current_password: Password
    new_password: Password


class ProofBody(Body):
    """The password that one has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "correct horse"}]})  # nosec B105

    password: Password


class ForgottenBody(Body):
    """Whose password is to be a new one."""

    email: Email
    workspace: Slug = "main"


class ResetBody(Body):
    """The token of a link that came by mail, and the password to have."""

    token: Token
    new_password: Password


class EmailBody(Body):
    """The address to have, and the password that one has."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"new_email": "ada@example.org", "password": "correct horse"}]  # nosec B105
        }
    )

    new_email: Email
    password: Password


class ConfirmBody(Body):
    """The token of a link that came by mail."""

    token: Token


class TokensDocument(BaseModel):
    """An access token to send, and a refresh token to get the next one with."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Field(ge=1)]
    user: ProfileDocument


class TicketDocument(BaseModel):
    """A ticket that opens one socket: `/ws/tasks?ticket=…`."""

    ticket: str
    expires_in: Annotated[int, Field(ge=1)]
