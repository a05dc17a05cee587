"""The commands on invites. To whom one goes, and its token, are no events: see `commands/invites.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context, forbidden
from domain.errors import Forbidden, NotFound
from domain.instant import Instant
from domain.invite import Invite, InviteCreated, InviteStatus, InviteWithdrawn
from domain.policy import Action, may_invite
from domain.user import Role, User


@dataclass(frozen=True, slots=True)
class InviteCommand:
    """A command on one invite."""

    invite_id: str

    @property
    def stream_id(self) -> str:
        """The invite's own stream."""
        return self.invite_id


@dataclass(frozen=True, slots=True)
class CreateInvite(InviteCommand):
    """Invite somebody to join with a role; `invite_id` is new."""

    role: Role
    expires_at: Instant

    def decide(self, context: Context) -> Sequence[Fact]:
        """The invite. Raises `Forbidden` for a role that the actor may not give away."""
        _inviter(context, self.role)
        context.begin(self.invite_id)
        return [Fact(self.invite_id, InviteCreated(role=self.role, expires_at=self.expires_at))]


@dataclass(frozen=True, slots=True)
class WithdrawInvite(InviteCommand):
    """Let an invite be good for nothing; for whoever might have made it."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The withdrawal. Raises `NotFound` for one that is not open."""
        context.allowed(Action.USER_INVITE)
        invite = context.read(self.invite_id, Invite)
        if invite is None or invite.status is not InviteStatus.OPEN:
            raise NotFound("invite.not_found", "no open invite of this workspace has this id")
        _inviter(context, invite.role)
        return [Fact(self.invite_id, InviteWithdrawn())]


def accepted(context: Context, invite_id: str) -> Invite:
    """An invite by which somebody may join now: it is open, and whoever made it might still do so.

    So the invites of somebody who was shut out, or has another role meanwhile, are worth no more than their maker.
    Raises `Forbidden`.
    """
    invite = context.read(invite_id, Invite)
    if invite is None or invite.status is not InviteStatus.OPEN:
        raise invite_invalid()
    maker = context.read(invite.created_by, User)
    if maker is None or not maker.active or not may_invite(maker.role, invite.role):
        raise invite_invalid()
    return invite


def invite_invalid() -> Forbidden:
    """One answer for all causes: what is wrong with a token is nobody's business who has no right one."""
    return Forbidden("auth.invite_invalid", "the invite is unknown, used, withdrawn or expired, or is somebody else's")


def _inviter(context: Context, role: Role) -> None:
    actor = context.allowed(Action.USER_INVITE)
    if not may_invite(actor.role, role):
        raise forbidden(actor, Action.USER_INVITE)
