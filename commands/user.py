"""The commands on users. Credentials and profile values are no events: see `commands/accounts.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.invite import accepted
from domain.errors import Conflict, NotFound
from domain.invite import InviteAccepted
from domain.policy import Action
from domain.text import check_reason
from domain.user import (
    Role,
    User,
    UserDeactivated,
    UserJoined,
    UserPasswordChanged,
    UserProfileChanged,
    UserReactivated,
    UserRoleChanged,
    UserSecondFactorAdded,
    UserSecondFactorRemoved,
)
from domain.workspace import AdminAdded, AdminRemoved, WorkspaceFounded


@dataclass(frozen=True, slots=True)
class UserCommand:
    """A command on one user."""

    user_id: str

    @property
    def stream_id(self) -> str:
        """The user's own stream."""
        return self.user_id


@dataclass(frozen=True, slots=True)
class JoinWorkspace(UserCommand):
    """Become a member; `user_id` is new. The first one is the admin; an invite says which role, and is spent."""

    invite_id: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The joining, and the founding where nobody was there before. Raises `Forbidden` `auth.invite_invalid`."""
        workspace = context.workspace()
        context.begin(self.user_id)
        if workspace is None:
            return [
                Fact(context.workspace_id, WorkspaceFounded(admin_id=self.user_id)),
                Fact(self.user_id, UserJoined(role=Role.ADMIN)),
            ]
        if self.invite_id is None:
            return [Fact(self.user_id, UserJoined(role=Role.MEMBER))]
        invite = accepted(context, self.invite_id)
        joined = Fact(self.user_id, UserJoined(role=invite.role, invited_by=invite.created_by))
        spent = Fact(invite.id, InviteAccepted(user_id=self.user_id))
        admin = [Fact(workspace.id, AdminAdded(user_id=self.user_id))] if invite.role is Role.ADMIN else []
        return [joined, spent, *admin]


@dataclass(frozen=True, slots=True)
class ChangeRole(UserCommand):
    """Give a member another role."""

    role: Role

    def decide(self, context: Context) -> Sequence[Fact]:
        """The change. Where the set of admins changes, the workspace's stream says so: that guards the last one."""
        context.allowed(Action.USER_CHANGE_ROLE)
        user = context.user(self.user_id)
        if user.role is self.role:
            return []
        change = Fact(self.user_id, UserRoleChanged(role=self.role))
        if not user.active:
            return [change]  # who is shut out counts for no admin, whatever the role
        if self.role is Role.ADMIN:
            return [change, _admin_added(context, user)]
        return [change, *_admin_removed(context, user)]


@dataclass(frozen=True, slots=True)
class DeactivateUser(UserCommand):
    """Shut a member out. What they did and were given stays; the sessions end in the same transaction."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The deactivation, unless it is so already. Raises `Conflict` `user.last_admin`."""
        reason = check_reason(self.reason)
        context.allowed(Action.USER_DEACTIVATE)
        user = context.user(self.user_id)
        if not user.active:
            return []
        return [Fact(self.user_id, UserDeactivated(reason=reason)), *_admin_removed(context, user)]


@dataclass(frozen=True, slots=True)
class ReactivateUser(UserCommand):
    """Let a member in again, with the role they have."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The reactivation, unless the member is active."""
        reason = check_reason(self.reason)
        context.allowed(Action.USER_REACTIVATE)
        user = context.user(self.user_id)
        if user.active:
            return []
        event = Fact(self.user_id, UserReactivated(reason=reason))
        return [event, _admin_added(context, user)] if user.role is Role.ADMIN else [event]


@dataclass(frozen=True, slots=True)
class ChangePassword(UserCommand):
    """Have another password. That the old one, or a link, was right is seen to before."""

    reset: bool = False

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact, each time: whoever looks into a log for it wants to know how often."""
        _only_oneself(context, self.user_id)
        return [Fact(self.user_id, UserPasswordChanged(reset=self.reset))]


@dataclass(frozen=True, slots=True)
class AddSecondFactor(UserCommand):
    """Have a second factor. That the user has it is seen to before."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact; that there is none yet is seen to in the same transaction."""
        _only_oneself(context, self.user_id)
        return [Fact(self.user_id, UserSecondFactorAdded())]


@dataclass(frozen=True, slots=True)
class RemoveSecondFactor(UserCommand):
    """Have none any more; `reset`: by an admin, who knows that the user has lost it."""

    reset: bool = False

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact. Raises `Conflict` for an admin's own: who has stolen a session would need neither factor."""
        if not self.reset:
            _only_oneself(context, self.user_id)
        elif context.allowed(Action.USER_RESET_FACTOR).id == self.user_id:
            raise Conflict("second_factor.own", "this is your own; remove it with your password and a code")
        context.user(self.user_id)
        return [Fact(self.user_id, UserSecondFactorRemoved(reset=self.reset))]


@dataclass(frozen=True, slots=True)
class ChangeProfile(UserCommand):
    """Say that one's own profile gets new values in these fields; the values themselves stay out of the log."""

    fields: tuple[str, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact that it changed, if any field did."""
        _only_oneself(context, self.user_id)
        return [Fact(self.user_id, UserProfileChanged(fields=self.fields))] if self.fields else []


def _only_oneself(context: Context, user_id: str) -> None:
    if context.actor().id != user_id:
        raise NotFound("user.not_found", "no member of this workspace has this id")


def _admin_added(context: Context, user: User) -> Fact:
    """Said in the stream that guards the set of admins."""
    workspace = context.workspace()
    assert workspace is not None
    return Fact(workspace.id, AdminAdded(user_id=user.id))


def _admin_removed(context: Context, user: User) -> Sequence[Fact]:
    """Said in the same place, where the user is an admin. Raises `Conflict` for the last one."""
    if user.role is not Role.ADMIN:
        return []
    workspace = context.workspace()
    assert workspace is not None
    if workspace.admins == {user.id}:
        raise Conflict("user.last_admin", "a workspace keeps at least one admin; make somebody else one first")
    return [Fact(workspace.id, AdminRemoved(user_id=user.id))]
