"""The commands on users. Credentials and profile values are no events: see `commands/accounts.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict, NotFound
from domain.policy import Action
from domain.user import Role, User, UserJoined, UserProfileChanged, UserRoleChanged
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
    """Become a member; `user_id` is new. The first one is the admin."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The joining, and the founding where nobody was there before."""
        workspace = context.workspace()
        context.begin(self.user_id)
        if workspace is None:
            return [
                Fact(context.workspace_id, WorkspaceFounded(admin_id=self.user_id)),
                Fact(self.user_id, UserJoined(role=Role.ADMIN)),
            ]
        return [Fact(self.user_id, UserJoined(role=Role.MEMBER))]


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
        return [Fact(self.user_id, UserRoleChanged(role=self.role)), *self._admins(context, user)]

    def _admins(self, context: Context, user: User) -> Sequence[Fact]:
        workspace = context.workspace()
        assert workspace is not None
        if self.role is Role.ADMIN:
            return [Fact(workspace.id, AdminAdded(user_id=user.id))]
        if user.role is not Role.ADMIN:
            return []
        if workspace.admins == {user.id}:
            raise Conflict("user.last_admin", "a workspace keeps at least one admin; make somebody else one first")
        return [Fact(workspace.id, AdminRemoved(user_id=user.id))]


@dataclass(frozen=True, slots=True)
class ChangeProfile(UserCommand):
    """Say that one's own profile gets new values in these fields; the values themselves stay out of the log."""

    fields: tuple[str, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """The fact that it changed, if any field did."""
        if context.actor().id != self.user_id:
            raise NotFound("user.not_found", "no member of this workspace has this id")
        return [Fact(self.user_id, UserProfileChanged(fields=self.fields))] if self.fields else []
