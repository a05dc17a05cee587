"""An invite as the log knows one: a role, who made it, what became of it. The e-mail address never enters an event."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant
from domain.user import Role


class InviteStatus(StrEnum):
    """What became of an invite. That one has run out is no fact: its `expires_at` says so."""

    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


@stored("invite.created")
class InviteCreated(Event, frozen=True, kw_only=True):
    """Somebody was invited to join with a role, until a moment."""

    role: Role
    expires_at: Instant


@stored("invite.accepted")
class InviteAccepted(Event, frozen=True, kw_only=True):
    """Who was invited has joined, as this user. The user's stream says who invited them."""

    user_id: str


@stored("invite.withdrawn")
class InviteWithdrawn(Event, frozen=True, kw_only=True):
    """The invite is good for nothing any more."""


class Invite(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of an invite: the fold of its stream."""

    id: str
    version: int
    position: int
    role: Role
    status: InviteStatus
    created_by: str
    created_at: Instant
    expires_at: Instant


def evolve(invite: Invite | None, recorded: Recorded) -> Invite:
    """The next state. Total over every logged event of an invite."""
    if invite is None:
        return _made(recorded)
    return replace(
        invite,
        version=recorded.version,
        position=recorded.position,
        status=_STATUSES[type(recorded.event)](invite, recorded.event),
    )


def _made(recorded: Recorded) -> Invite:
    event = recorded.event
    made = isinstance(event, InviteCreated)  # else the making was erased, and nobody may join by it
    return Invite(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        role=event.role if isinstance(event, InviteCreated) else Role.MEMBER,
        status=InviteStatus.OPEN if made else InviteStatus.WITHDRAWN,
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        expires_at=event.expires_at if isinstance(event, InviteCreated) else recorded.recorded_at,
    )


# An erased event still says that it was one of its name.
_ERASED: Final = {"invite.accepted": InviteStatus.ACCEPTED, "invite.withdrawn": InviteStatus.WITHDRAWN}

_STATUSES: Final[dict[type[Event], Callable[[Invite, Event], InviteStatus]]] = {
    InviteAccepted: lambda _invite, _event: InviteStatus.ACCEPTED,
    InviteWithdrawn: lambda _invite, _event: InviteStatus.WITHDRAWN,
    Erased: lambda invite, event: (
        _ERASED.get(event.name, invite.status) if isinstance(event, Erased) else invite.status
    ),
}
