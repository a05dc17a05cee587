"""Checkpoints: how far each build of each projection of each workspace has come, and which worker may write it.

A projection of a workspace has one live build, and others beside it while it is rebuilt (see `builds`). Whoever asks
for no build in particular means the live one.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Json

from projections.database import Connection

LEASE_SECONDS: Final = 3.0

_encode: Final = msgspec.json.Encoder().encode


class Move(NamedTuple):
    """What a batch does to its checkpoint: from `after` to `to`, if `lease` still holds the build, and for how many
    seconds it holds it from then on.
    """

    workspace_id: str
    projection: str
    build: int
    lease: str
    after: int
    to: int
    seconds: float = LEASE_SECONDS

    def with_rows(self, rows: Iterable[Any]) -> dict[str, Any]:
        """The parameters of a statement that writes rows (see `MOVED`). All of them travel as one JSON document,
        `rows`, which costs little Python per row; they are encoded one by one, or they would be in memory twice.
        """
        return {**self._asdict(), "rows": Json(b"[" + b",".join(map(_encode, rows)) + b"]", dumps=bytes)}


_MOVE: Final = """
    SELECT move_checkpoint(%(workspace_id)s, %(projection)s, %(build)s::smallint, %(lease)s,
                           %(after)s, %(to)s, %(seconds)s)
"""
# Before rows that are selected `FROM moved, …`, which then stand or fall with the checkpoint, in one round trip. There
# must be rows: otherwise PostgreSQL need not look at `moved` at all.
MOVED: Final = f"WITH moved AS MATERIALIZED ({_MOVE})"


class Claim(NamedTuple):
    """What a worker may write: a build, from where it stands, and the position that it is known to fail at.

    `tries` is as in `Lag`.
    """

    build: int
    position: int
    failed_at: int | None
    tries: int


class Lag(NamedTuple):
    """The live build of a projection of a workspace: its checkpoint, the end of the log, and why it stopped if it did.

    `tries` changes when somebody asks for another try at once.
    """

    workspace_id: str
    projection: str
    position: int
    head: int
    error: str | None
    failed_at: int | None = None
    tries: int = 0


async def claim(
    connection: Connection, workspace_id: str, projection: str, lease: str, seconds: float = LEASE_SECONDS
) -> Claim | None:
    """Take or renew the lease of the live build, for some seconds. None while another worker holds it.

    None also for a workspace that is not of this database: hints of another installation may get here. The first build
    of a workspace comes to be here.
    """
    cursor = await connection.execute(
        """
        UPDATE checkpoints
        SET lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
        WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND live
          AND (lease = %(lease)s OR leased_until < clock_timestamp())
        RETURNING build, position, failed_at, tries
        """,
        {"workspace": workspace_id, "projection": projection, "lease": lease, "seconds": seconds},
    )
    row = await cursor.fetchone()
    if row is None:
        return await _begin(connection, workspace_id, projection, lease, seconds)
    return Claim(*row)


async def _begin(
    connection: Connection, workspace_id: str, projection: str, lease: str, seconds: float
) -> Claim | None:
    """The first build of a projection of a workspace, unless there is one."""
    cursor = await connection.execute(
        """
        INSERT INTO checkpoints (workspace_id, projection, build, state, lease, leased_until)
        SELECT w.workspace_id, %(projection)s, 1, 'live', %(lease)s,
               clock_timestamp() + make_interval(secs => %(seconds)s)
        FROM workspaces w
        WHERE w.workspace_id = %(workspace)s AND NOT EXISTS (
            SELECT FROM checkpoints c WHERE c.workspace_id = w.workspace_id AND c.projection = %(projection)s)
        ON CONFLICT DO NOTHING
        RETURNING build, position, failed_at, tries
        """,
        {"workspace": workspace_id, "projection": projection, "lease": lease, "seconds": seconds},
    )
    row = await cursor.fetchone()
    return None if row is None else Claim(*row)


async def move(connection: Connection, move: Move) -> None:
    """Move a checkpoint where no rows go with it.

    Raises `psycopg.errors.ObjectNotInPrerequisiteState` when there is another writer, or the build is given up.
    """
    await connection.execute(_MOVE, move._asdict())


async def release(connection: Connection, lease: str) -> None:
    """Give back every lease of a worker that stops, so that the next one need not wait."""
    await connection.execute(
        "UPDATE checkpoints SET lease = NULL, leased_until = '-infinity' WHERE lease = %s", (lease,)
    )


async def fail(
    connection: Connection,
    workspace_id: str,
    projection: str,
    error: str,
    *,
    build: int | None = None,
    after: int | None = None,
) -> None:
    """Put on record why a build (default: the live one) does not come further; with `after`, that it is the position
    after this one that fails, unless somebody has got past it meanwhile. The next batch that commits clears it.

    One that has read all does not fail: then a connection broke after the commit, or another worker took over.
    """
    await connection.execute(
        """
        UPDATE checkpoints c
        SET error = %(error)s, failed_at = CASE WHEN c.position = %(after)s THEN c.position + 1 ELSE c.failed_at END
        WHERE c.workspace_id = %(workspace)s AND c.projection = %(projection)s
          AND CASE WHEN %(build)s::smallint IS NULL THEN c.live ELSE c.build = %(build)s END
          AND c.position < (SELECT l.position FROM logs l WHERE l.workspace_id = c.workspace_id)
        """,
        {
            "error": error,
            "after": after,
            "workspace": workspace_id,
            "projection": projection,
            "build": build,
        },
    )


async def lags(connection: Connection, projections: list[str], *, behind: bool = False) -> list[Lag]:
    """Where every projection of every workspace stands; with `behind` only those that have not read all."""
    cursor = await connection.execute(
        """
        SELECT l.workspace_id::text, p.projection, coalesce(c.position, 0), l.position, c.error, c.failed_at,
               coalesce(c.tries, 0)
        FROM logs l
        CROSS JOIN unnest(%s::text[]) AS p(projection)
        LEFT JOIN checkpoints c ON c.workspace_id = l.workspace_id AND c.projection = p.projection AND c.live
        WHERE NOT %s OR l.position > coalesce(c.position, 0)
        ORDER BY 1, 2
        """,
        (projections, behind),
    )
    return [Lag(*row) for row in await cursor.fetchall()]


class Failure(NamedTuple):
    """A projection of a workspace that does not come further: why, and the position that fails if it is known."""

    workspace_id: str
    projection: str
    failed_at: int | None
    error: str


async def failures(connection: Connection, projections: list[str], most: int) -> list[Failure]:
    """The first projections that do not come further, at most so many of each."""
    cursor = await connection.execute(
        """
        SELECT f.*
        FROM unnest(%s::text[]) AS p(projection)
        CROSS JOIN LATERAL (
            SELECT workspace_id::text, projection, failed_at, error FROM checkpoints c
            WHERE c.projection = p.projection AND live AND error IS NOT NULL
            ORDER BY workspace_id LIMIT %s) f
        """,
        (projections, most),
    )
    return [Failure(*row) for row in await cursor.fetchall()]


async def positions(connection: Connection, projection: str, workspace_ids: list[str]) -> dict[str, int]:
    """The checkpoints of a projection in some workspaces."""
    cursor = await connection.execute(
        """
        SELECT workspace_id::text, position FROM checkpoints
        WHERE projection = %s AND workspace_id = ANY (%s::uuid[]) AND live
        """,
        (projection, workspace_ids),
    )
    return {workspace_id: int(position) for workspace_id, position in await cursor.fetchall()}
