"""What to do about an event that stops a projection: try again, or leave it out, by a decision that is on record."""

import logging
from datetime import datetime
from typing import Final, NamedTuple

from projections.database import Connection

log: Final = logging.getLogger(__name__)


class Passed(NamedTuple):
    """An event that is left out of a projection, and who decided so when, and why."""

    slug: str
    projection: str
    position: int
    name: str
    reason: str
    decided_by: str
    decided_at: datetime


class NotFailingError(ValueError):
    """The projection does not stop at that position: leaving the event out would lose something."""


async def retry(connection: Connection, projection: str, workspace_id: str | None = None) -> int:
    """Have a projection that stopped tried again now, whatever pause its worker makes. Answers how many builds."""
    cursor = await connection.execute(
        """
        UPDATE checkpoints SET tries = tries + 1
        WHERE projection = %s AND workspace_id = coalesce(%s, workspace_id) AND error IS NOT NULL
        """,
        (projection, workspace_id),
    )
    return cursor.rowcount


async def pass_over(connection: Connection, workspace_id: str, projection: str, position: int, reason: str) -> None:
    """Leave an event out of a projection of a workspace, in all its builds, for ever.

    Raises `NotFailingError` when no build stops there.
    """
    async with connection.transaction():
        cursor = await connection.execute(
            """
            SELECT DISTINCT failed_at FROM checkpoints
            WHERE workspace_id = %s AND projection = %s AND state IN ('live', 'filling') AND failed_at IS NOT NULL
            """,
            (workspace_id, projection),
        )
        failing = [int(row[0]) for row in await cursor.fetchall()]
        if position not in failing:
            where = " and ".join(map(str, failing)) or "nowhere"
            raise NotFailingError(f"{projection} stops at {where}, asked to pass over {position}")
        await connection.execute(
            """
            INSERT INTO passed_over (workspace_id, projection, position, reason) VALUES (%s, %s, %s, %s)
            ON CONFLICT (workspace_id, projection, position) DO NOTHING
            """,
            (workspace_id, projection, position, reason),
        )
        await retry(connection, projection, workspace_id)
    extra = {"workspace": workspace_id, "projection": projection, "position": position, "reason": reason}
    log.warning("an event is passed over", extra=extra)


async def passed(connection: Connection, projections: list[str], most: int) -> list[Passed]:
    """What is left out, the latest decisions first."""
    cursor = await connection.execute(
        """
        SELECT w.slug, p.projection, p.position, e.name, p.reason, p.decided_by, p.decided_at
        FROM passed_over p JOIN workspaces w USING (workspace_id) JOIN events e USING (workspace_id, position)
        WHERE p.projection = ANY (%s) ORDER BY p.decided_at DESC LIMIT %s
        """,
        (projections, most),
    )
    return [Passed(*row) for row in await cursor.fetchall()]


async def positions(connection: Connection, workspace_id: str, projection: str) -> frozenset[int]:
    """The positions that are left out of a projection of a workspace."""
    cursor = await connection.execute(
        "SELECT position FROM passed_over WHERE workspace_id = %s AND projection = %s", (workspace_id, projection)
    )
    return frozenset([int(row[0]) for row in await cursor.fetchall()])
