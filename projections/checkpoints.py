"""Checkpoints: how far each projection of each workspace has come, and which worker may write it."""

from typing import NamedTuple

from psycopg import sql

from projections.database import Connection

LEASE_SECONDS = 3.0


class Lag(NamedTuple):
    """A projection of a workspace, its checkpoint, and the end of the log."""

    workspace_id: str
    projection: str
    position: int
    head: int
    error: str | None


async def claim(connection: Connection, workspace_id: str, projection: str, lease: str) -> int | None:
    """Take or renew the lease. Answers the checkpoint, or None while another worker holds the lease.

    None also for a workspace that is not of this database: hints of another installation may get here.
    """
    cursor = await connection.execute(
        """
        INSERT INTO checkpoints AS c (workspace_id, projection, lease, leased_until)
        SELECT w.workspace_id, %s, %s, clock_timestamp() + make_interval(secs => %s)
        FROM workspaces w WHERE w.workspace_id = %s
        ON CONFLICT (workspace_id, projection) DO UPDATE
        SET lease = excluded.lease, leased_until = excluded.leased_until
        WHERE c.lease = excluded.lease OR c.leased_until < clock_timestamp()
        RETURNING position
        """,
        (projection, lease, LEASE_SECONDS, workspace_id),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def move(connection: Connection, workspace_id: str, projection: str, lease: str, after: int, to: int) -> None:
    """Move the checkpoint inside the caller's transaction, so that it commits with the rows.

    Raises `psycopg.errors.ObjectNotInPrerequisiteState` when there is another writer.
    """
    await connection.execute(
        "SELECT move_checkpoint(%s, %s, %s, %s, %s, %s)",
        (workspace_id, projection, lease, after, to, LEASE_SECONDS),
    )


async def release(connection: Connection, lease: str) -> None:
    """Give back every lease of a worker that stops, so that the next one need not wait."""
    await connection.execute(
        "UPDATE checkpoints SET lease = NULL, leased_until = '-infinity' WHERE lease = %s", (lease,)
    )


async def fail(connection: Connection, workspace_id: str, projection: str, error: str) -> None:
    """Put on record why a projection does not come further. The next batch that commits clears it.

    One that has read all does not fail: then a connection broke after the commit, or another worker took over.
    """
    await connection.execute(
        """
        UPDATE checkpoints c SET error = %s
        WHERE c.workspace_id = %s AND c.projection = %s
          AND c.position < (SELECT l.position FROM logs l WHERE l.workspace_id = c.workspace_id)
        """,
        (error, workspace_id, projection),
    )


async def lags(connection: Connection, projections: list[str], *, behind: bool = False) -> list[Lag]:
    """Where every projection of every workspace stands; with `behind` only those that have not read all."""
    cursor = await connection.execute(
        """
        SELECT l.workspace_id::text, p.projection, coalesce(c.position, 0), l.position, c.error
        FROM logs l
        CROSS JOIN unnest(%s::text[]) AS p(projection)
        LEFT JOIN checkpoints c ON c.workspace_id = l.workspace_id AND c.projection = p.projection
        WHERE NOT %s OR l.position > coalesce(c.position, 0)
        ORDER BY 1, 2
        """,
        (projections, behind),
    )
    return [Lag(*row) for row in await cursor.fetchall()]


async def positions(connection: Connection, projection: str, workspace_ids: list[str]) -> dict[str, int]:
    """The checkpoints of a projection in some workspaces."""
    cursor = await connection.execute(
        """
        SELECT workspace_id::text, position FROM checkpoints
        WHERE projection = %s AND workspace_id = ANY (%s::uuid[])
        """,
        (projection, workspace_ids),
    )
    return {workspace_id: int(position) for workspace_id, position in await cursor.fetchall()}


async def reset(connection: Connection, projection: str) -> int:
    """Start a projection over: empty its table and set its checkpoints to 0, in the caller's transaction.

    Answers the number of workspaces. A worker in the middle of a batch is fenced off by the lease that goes.
    """
    cursor = await connection.execute(
        """
        UPDATE checkpoints SET position = 0, lease = NULL, leased_until = '-infinity', error = NULL
        WHERE projection = %s
        """,
        (projection,),
    )
    workspaces = cursor.rowcount
    await connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(projection)))
    return workspaces
