"""The frames for somebody whose role or teams change: what they come to see, and what they cease to see."""

from collections.abc import Sequence

from api.sockets import frames
from api.sockets.audiences import Told
from api.sockets.feed import Feed
from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes, eyes
from domain.user import Role
from projections import sight
from projections.database import Pool

NOBODY = Eyes(Role.MEMBER, frozenset())


class Sights:
    """Reads them from PostgreSQL: live, for a hole and for who resumes in the same way."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(self, feed: Feed, accesses: Sequence[AccessChange]) -> dict[int, Told]:
        """The frames, by position, of those changes that are to be handed out and whose users have sockets here."""
        told: dict[int, Told] = {}
        while any(access.position not in told for access in _due(feed, accesses)):  # others may come while it is read
            now: dict[str, Eyes] = {}
            for access in _due(feed, accesses):
                before = now.get(access.user_id) or feed.eyes_of(access.user_id)
                if before is not None:
                    now[access.user_id] = access.after(before)
                    if access.position not in told:
                        found = await self.read(feed.workspace_id, access, before)
                        told[access.position] = (
                            None if found is None else [(each.task_id, frame(each)) for each in found]
                        )
        return told

    async def read(self, workspace_id: str, access: AccessChange, before: Eyes) -> list[TaskChange] | None:
        """What one change does to the sight of who had these eyes before it; None where that is too much to tell."""
        after = access.after(before)
        if before == after or (before.see_all and after.see_all):
            return []
        async with self._pool.connection() as connection:
            return await sight.changes(connection, workspace_id, access.position, before, after)

    async def eyes_at(self, workspace_id: str, user_id: str, position: int) -> Eyes:
        """How somebody looked at tasks at a position, or when they joined if that was later."""
        async with self._pool.connection() as connection:
            user = await sight.user_at(connection, workspace_id, user_id, position)
        return NOBODY if user is None else eyes(user)


def frame(change: TaskChange) -> bytes:
    """The frame for a task that somebody comes to see, or ceases to see."""
    return frames.removed(change) if change.after is None else frames.upsert(change)


def _due(feed: Feed, accesses: Sequence[AccessChange]) -> list[AccessChange]:
    return [
        access for access in accesses if access.position > feed.position and feed.eyes_of(access.user_id) is not None
    ]
