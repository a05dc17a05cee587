"""The commands on what somebody has read of their notifications."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict
from domain.events import Event
from domain.inbox import MARKED_MAX, Inbox, InboxRead, InboxReadThrough, InboxUnread, inbox_of
from domain.policy import Action, Relation


@dataclass(frozen=True, slots=True)
class InboxCommand:
    """A command on one's own inbox. What is marked need not be there: nothing comes of a mark on what is not."""

    user_id: str

    @property
    def stream_id(self) -> str:
        """The inbox."""
        return inbox_of(self.user_id)

    def _own(self, context: Context) -> Inbox | None:
        context.allowed(Action.NOTIFICATION_MARK, Relation.SELF if context.actor_id == self.user_id else 0)
        return context.read(self.stream_id, Inbox)

    def _marked(self, event: Event) -> list[Fact]:
        return [Fact(self.stream_id, event)]


@dataclass(frozen=True, slots=True)
class MarkRead(InboxCommand):
    """Have read some, each by its position."""

    positions: tuple[int, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """The mark, unless they are read. Raises `Conflict` `inbox.full`."""
        inbox = self._own(context)
        new = tuple(sorted({each for each in self.positions if inbox is None or not inbox.has_read(each)}))
        if not new:
            return []
        _check_room(inbox, len(new))
        return self._marked(InboxRead(positions=new))


@dataclass(frozen=True, slots=True)
class MarkReadThrough(InboxCommand):
    """Have read all up to a position."""

    position: int

    def decide(self, context: Context) -> Sequence[Fact]:
        """The mark, unless all of that is read."""
        inbox = self._own(context)
        if inbox is not None and self.position <= inbox.through and not any(at <= self.position for at in inbox.unread):
            return []
        return self._marked(InboxReadThrough(position=self.position))


@dataclass(frozen=True, slots=True)
class MarkUnread(InboxCommand):
    """Want to see some again as if they had not been read."""

    positions: tuple[int, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """The mark, unless they are unread. Raises `Conflict` `inbox.full`."""
        inbox = self._own(context)
        new = tuple(sorted({each for each in self.positions if inbox is None or inbox.has_read(each)}))
        if not new:
            return []
        _check_room(inbox, len(new))
        return self._marked(InboxUnread(positions=new))


def _check_room(inbox: Inbox | None, more: int) -> None:
    if inbox is not None and len(inbox.read) + len(inbox.unread) + more > MARKED_MAX:
        detail = f"at most {MARKED_MAX} notifications are marked one by one; mark all up to a position as read"
        raise Conflict("inbox.full", detail)
