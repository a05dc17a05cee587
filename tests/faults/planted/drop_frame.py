"""The hub forgets a change now and then, and says that all was sent."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from api.sockets.feed import Feed
from domain.messages import TaskChange


def plant() -> None:
    """Each twentieth change gets to nobody."""
    hand_out = Feed.hand_out
    seen = count(1)

    def dropping(self: Feed, tasks: Sequence[TaskChange], *rest: Any, **more: Any) -> None:
        kept = [change for change in tasks if change.position <= self.position or next(seen) % 20 != 0]
        hand_out(self, kept, *rest, **more)

    Feed.hand_out = dropping  # type: ignore[method-assign]
