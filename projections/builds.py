"""Builds: the next version of a projection, filled beside the live one, and the swap from the one to the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from psycopg import sql
from psycopg.errors import LockNotAvailable

from projections.batch import project
from projections.checkpoints import Claim
from projections.database import Connection
from projections.progress import Progress
from projections.table import Table

MOST_WHILE_HELD: Final = 500  # positions that are read while the live build is held: a few milliseconds
DELETED_AT_ONCE: Final = 2_000


class Build(NamedTuple):
    """A build of a projection of a workspace. `state` and the others are as the table `checkpoints` says."""

    workspace_id: str
    slug: str
    projection: str
    build: int
    state: str
    position: int
    head: int
    error: str | None
    failed_at: int | None
    tries: int
    share: float | None
    worked: bool  # whether a worker holds its lease
    retired: bool  # was live before

    @property
    def live(self) -> bool:
        """Whether readers see this one."""
        return self.state == "live"


_BUILDS: Final = """
    SELECT c.workspace_id::text, w.slug, c.projection, c.build, c.state, c.position, l.position,
           c.error, c.failed_at, c.tries, c.share,
           c.lease IS NOT NULL AND c.leased_until > clock_timestamp(),
           c.swapped_at IS NOT NULL AND NOT c.live
    FROM checkpoints c JOIN workspaces w USING (workspace_id) JOIN logs l USING (workspace_id)
"""


async def all_of(connection: Connection, projections: list[str], workspace_id: str | None = None) -> list[Build]:
    """Every build of some projections, of one workspace or of all."""
    cursor = await connection.execute(
        _BUILDS.encode()
        + b" WHERE c.projection = ANY (%s) AND c.workspace_id = coalesce(%s, c.workspace_id) ORDER BY 2, 3, 4",
        (projections, workspace_id),
    )
    return [Build(*row) for row in await cursor.fetchall()]


async def filling(connection: Connection, projections: list[str]) -> list[Build]:
    """The builds that workers are to keep up to date beside the live ones."""
    cursor = await connection.execute(
        _BUILDS.encode() + b" WHERE c.projection = ANY (%s) AND c.state = 'filling' ORDER BY 1, 3, 4", (projections,)
    )
    return [Build(*row) for row in await cursor.fetchall()]


async def claim(
    connection: Connection, workspace_id: str, projection: str, build: int, lease: str, seconds: float
) -> Claim | None:
    """Take or renew the lease of a build that is being filled. None while another worker holds it."""
    cursor = await connection.execute(
        """
        UPDATE checkpoints
        SET lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
        WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND build = %(build)s
          AND state = 'filling' AND (lease = %(lease)s OR leased_until < clock_timestamp())
        RETURNING build, position, failed_at, tries
        """,
        {
            "workspace": workspace_id,
            "projection": projection,
            "build": build,
            "lease": lease,
            "seconds": seconds,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else Claim(*row)


async def begin(connection: Connection, workspace_id: str, projection: str, share: float | None) -> int | None:
    """Start the next build of a projection of a workspace; or go on with the one that was started before.

    Answers its number; None where the projection has not begun: then its first build reads the whole log anyway.
    """
    cursor = await connection.execute(
        """
        WITH under_way AS (
            UPDATE checkpoints SET share = coalesce(%(share)s, share)
            WHERE workspace_id = %(workspace)s AND projection = %(projection)s
              AND state = 'filling' AND swapped_at IS NULL
            RETURNING build
        ), started AS (
            INSERT INTO checkpoints (workspace_id, projection, build, state, share)
            SELECT workspace_id, projection, max(build) + 1, 'filling', %(share)s
            FROM checkpoints
            WHERE workspace_id = %(workspace)s AND projection = %(projection)s
              AND NOT EXISTS (SELECT FROM under_way)
            GROUP BY workspace_id, projection
            ON CONFLICT DO NOTHING
            RETURNING build
        )
        SELECT build FROM under_way UNION ALL SELECT build FROM started ORDER BY build DESC LIMIT 1
        """,
        {"workspace": workspace_id, "projection": projection, "share": share},
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


@asynccontextmanager
async def held(
    connection: Connection, workspace_id: str, table: Table, build: int, lease: str
) -> AsyncIterator[int | None]:
    """A transaction in which the live build stands still and the other one has come to the same position.

    Yields how far the other one is ahead then; None when it is too far behind, or somebody else has the lock: then
    there is nothing to do. Keep it short: the workers wait. Raises `LookupError` when there are no two such builds.
    """
    waiting = True
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'")
            cursor = await connection.execute(
                """
                SELECT live, position FROM checkpoints
                WHERE workspace_id = %(workspace)s AND projection = %(projection)s
                  AND (live OR build = %(build)s AND state = 'filling')
                ORDER BY build FOR UPDATE
                """,
                {"workspace": workspace_id, "projection": table.name, "build": build},
            )
            found = dict(await cursor.fetchall())
            waiting = False
            if found.keys() != {True, False}:
                raise LookupError(f"{table.name} has no live build and build {build} beside it")
            if found[True] - found[False] > MOST_WHILE_HELD:
                yield None
                return
            progress = Progress(found[False], build, live=False)
            await _take_over(connection, workspace_id, table.name, build, lease)
            while progress.position < found[True]:
                most = found[True] - progress.position
                await project(connection, workspace_id, table, progress, lease, most)
            yield progress.position - found[True]
            await _take_over(connection, workspace_id, table.name, build, None)
    except LockNotAvailable:
        if not waiting:
            raise
        yield None


async def _take_over(connection: Connection, workspace_id: str, projection: str, build: int, lease: str | None) -> None:
    await connection.execute(
        """
        UPDATE checkpoints SET lease = %s, leased_until = '-infinity'
        WHERE workspace_id = %s AND projection = %s AND build = %s
        """,
        (lease, workspace_id, projection, build),
    )


async def has_stopped(connection: Connection, workspace_id: str, projection: str) -> bool:
    """Whether the live build stands at an event that it cannot take in."""
    cursor = await connection.execute(
        """
        SELECT FROM checkpoints
        WHERE workspace_id = %s AND projection = %s AND live AND failed_at IS NOT NULL
        """,
        (workspace_id, projection),
    )
    return await cursor.fetchone() is not None


async def flip(connection: Connection, workspace_id: str, projection: str, build: int) -> None:
    """Make a build the live one, inside the transaction that holds both. From its commit on readers see this one."""
    await connection.execute(
        """
        UPDATE checkpoints
        SET state = 'kept', lease = NULL, leased_until = '-infinity', error = NULL, failed_at = NULL,
            swapped_at = clock_timestamp()
        WHERE workspace_id = %s AND projection = %s AND live
        """,
        (workspace_id, projection),
    )
    await connection.execute(
        """
        UPDATE checkpoints SET state = 'live', share = NULL, swapped_at = clock_timestamp()
        WHERE workspace_id = %s AND projection = %s AND build = %s
        """,
        (workspace_id, projection, build),
    )


async def revive(connection: Connection, workspace_id: str, projection: str) -> int | None:
    """Have the build that was live before filled up again, for a rollback. Answers its number; None: there is none."""
    cursor = await connection.execute(
        """
        UPDATE checkpoints SET state = 'filling', share = NULL
        WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND build = (
            SELECT build FROM checkpoints
            WHERE workspace_id = %(workspace)s AND projection = %(projection)s
              AND state IN ('kept', 'filling') AND swapped_at IS NOT NULL
            ORDER BY swapped_at DESC LIMIT 1)
        RETURNING build
        """,
        {"workspace": workspace_id, "projection": projection},
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def give_up(connection: Connection, workspace_id: str, projection: str, build: int) -> None:
    """Mark a build, unless it is live, as one whose rows are going. A batch under way ends first, none can follow."""
    await connection.execute(
        """
        UPDATE checkpoints SET state = 'dropping', lease = NULL, leased_until = '-infinity'
        WHERE workspace_id = %s AND projection = %s AND build = %s AND NOT live
        """,
        (workspace_id, projection, build),
    )


async def drop_some(connection: Connection, workspace_id: str, table: Table, build: int) -> int:
    """Delete some rows of a build that is given up, in the end its checkpoint. Answers how many rows; 0: all gone."""
    async with connection.transaction():
        # By place, not by key: a planner that knows of no rows of this build yet looks for each one among all others.
        cursor = await connection.execute(
            sql.SQL(
                """
                DELETE FROM {name} WHERE ctid = ANY (ARRAY(
                    SELECT r.ctid FROM {name} r
                    WHERE r.workspace_id = %(workspace)s AND r.build = %(build)s AND (
                        SELECT c.state = 'dropping' FROM checkpoints c
                        WHERE c.workspace_id = %(workspace)s AND c.projection = %(projection)s AND c.build = %(build)s)
                    LIMIT %(most)s))
                """
            ).format(name=sql.Identifier(table.name)),
            {
                "workspace": workspace_id,
                "build": build,
                "projection": table.name,
                "most": DELETED_AT_ONCE,
            },
        )
        rows = cursor.rowcount
        if rows == 0:
            await connection.execute(
                "DELETE FROM lexicon WHERE workspace_id = %s AND projection = %s AND build = %s",
                (workspace_id, table.name, build),
            )
            await connection.execute(
                """
                DELETE FROM checkpoints
                WHERE workspace_id = %s AND projection = %s AND build = %s AND state = 'dropping'
                """,
                (workspace_id, table.name, build),
            )
    return rows
