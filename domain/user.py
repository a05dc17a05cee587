"""A user as the log knows one: an id, a role, and that things happened. Names and e-mails never enter an event."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant


class Role(StrEnum):
    """What a user may do in the workspace; the meaning is the table in `domain/policy.py`."""

    ADMIN = "admin"
    MANAGER = "manager"
    MEMBER = "member"
    AUDITOR = "auditor"


@stored("user.joined")
class UserJoined(Event, frozen=True, kw_only=True):
    """Somebody became a member of the workspace."""

    role: Role


@stored("user.role_changed")
class UserRoleChanged(Event, frozen=True, kw_only=True):
    """Somebody got another role."""

    role: Role


@stored("user.profile_changed")
class UserProfileChanged(Event, frozen=True, kw_only=True):
    """Somebody changed these fields of their profile. The values stay out of the log: they can be erased."""

    fields: tuple[str, ...]


class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a user: the fold of the user's stream."""

    id: str
    version: int
    position: int
    role: Role
    joined_at: Instant
    updated_at: Instant


def evolve(user: User | None, recorded: Recorded) -> User:
    """The next state. Total over every logged event of a user."""
    if user is None:
        event = recorded.event
        return User(
            id=recorded.stream_id,
            version=recorded.version,
            position=recorded.position,
            role=event.role if isinstance(event, UserJoined) else Role.MEMBER,
            joined_at=recorded.recorded_at,
            updated_at=recorded.recorded_at,
        )
    role = _ROLES.get(type(recorded.event), _unchanged)(user, recorded.event)
    return replace(
        user,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        role=role,
    )


def _unchanged(user: User, _: Event) -> Role:
    return user.role


def _changed(_: User, event: Event) -> Role:
    assert isinstance(event, UserRoleChanged)
    return event.role


_ROLES: Final[dict[type[Event], Callable[[User, Event], Role]]] = {
    UserRoleChanged: _changed,
    UserProfileChanged: _unchanged,
    Erased: _unchanged,
}
