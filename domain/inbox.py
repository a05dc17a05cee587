"""What somebody has read of their notifications: the events, and their fold. One stream a user.

A notification is known by its position: nobody has two at one. So "all up to here" is one number, and what is marked
one by one is a few beside it.
"""

from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored

MARKED_MAX: Final = 10_000  # one by one; "all up to here" makes room


@stored("inbox.read")
class InboxRead(Event, frozen=True, kw_only=True):
    """Somebody has read these."""

    positions: tuple[int, ...]


@stored("inbox.read_through")
class InboxReadThrough(Event, frozen=True, kw_only=True):
    """Somebody has read all up to a position."""

    position: int


@stored("inbox.unread")
class InboxUnread(Event, frozen=True, kw_only=True):
    """Somebody wants to see these again as if they had not."""

    positions: tuple[int, ...]


class Inbox(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of an inbox: all is read up to `through` but what is `unread`, and past it what is `read`."""

    id: str
    version: int
    position: int
    through: int = 0
    read: frozenset[int] = frozenset()
    unread: frozenset[int] = frozenset()

    def has_read(self, position: int) -> bool:
        """Whether the notification at a position is read."""
        return position in self.read or (position <= self.through and position not in self.unread)


def inbox_of(user_id: str) -> str:
    """The id of the stream of somebody's inbox (UUID version 5, RFC 9562 §5.5). For ever: logs hold it."""
    return str(uuid5(UUID(user_id), "inbox"))


def evolve(inbox: Inbox | None, recorded: Recorded) -> Inbox:
    """The next state. Total over every logged event of an inbox."""
    before = inbox or Inbox(id=recorded.stream_id, version=0, position=0)
    after = replace(before, version=recorded.version, position=recorded.position)
    match recorded.event:
        case InboxRead(positions=positions):
            past = frozenset(position for position in positions if position > before.through)
            return replace(after, read=before.read | past, unread=before.unread.difference(positions))
        case InboxUnread(positions=positions):
            within = frozenset(position for position in positions if position <= before.through)
            return replace(after, read=before.read.difference(positions), unread=before.unread | within)
        case InboxReadThrough(position=through):
            # One that lies further back takes nothing back.
            return replace(
                after,
                through=max(through, before.through),
                read=frozenset(position for position in before.read if position > through),
                unread=frozenset(position for position in before.unread if position > through),
            )
        case _:  # erased
            return after
