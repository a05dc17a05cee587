"""What somebody was told while they were away, and read elsewhere: from the rows, and from their inbox."""

from collections.abc import AsyncIterator
from typing import Final

from api.sockets import frames
from api.sockets.missed import Resync, Viewer, check_head
from domain.policy import Eyes
from domain.user import Role
from projections import notifications, notifying
from projections.database import Pool
from projections.notifications import Reader, listener

MOST: Final = 1_000  # notifications, and as many marks; who missed more reads the list again


def ears(reader: Reader) -> Eyes:
    """As whom a socket listens: as its user, for what they read, and for each reason they want to be told for.

    Nobody hears what another one is told, whatever their role.
    """
    return Eyes(Role.MEMBER, frozenset((reader.user_id, *(listener(reader.user_id, why) for why in reader.reasons))))


class Told:
    """Reads what one client missed. What is about a task that its user cannot see today is left out."""

    def __init__(self, pool: Pool, reader: Reader) -> None:
        self._pool = pool
        self._reader = reader

    async def eyes_at(self, workspace_id: str, user_id: str, position: int) -> Eyes:
        """The same at all times: whom it reaches is settled when something happens."""
        return ears(self._reader)

    async def frames(self, viewer: Viewer, workspace_id: str, after: int, to: int) -> AsyncIterator[bytes]:
        """The frames of (`after`, `to`] in order. Raises `Resync`."""
        if after > to:
            await check_head(self._pool, workspace_id, after)
        if after >= to:
            return
        async with self._pool.connection() as connection:
            told, reached = await notifications.missed(connection, workspace_id, self._reader, after, to, MOST + 1)
            marks = await notifying.marks(connection, workspace_id, viewer.user_id, after, to, MOST + 1)
        # A build that took over may be behind the one that was live for a moment: then the list knows better.
        if max(len(told), len(marks)) > MOST or reached < to:
            raise Resync("too_far_behind")
        for _, document in sorted([*told, *marks]):
            yield frames.frame(document)
