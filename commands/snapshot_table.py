"""The table of snapshots: streams that are kept folded, so that nobody needs to read all of a long one."""

from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool


class Snapshot(NamedTuple):
    """A stream folded up to a version, as it is kept; so many events up to there were `erased`."""

    stream_id: str
    version: int
    fold: str
    erased: int
    state: str


class Standing(NamedTuple):
    """Whether the log says what was folded, and the version of the snapshot that there is (0: none that is good)."""

    agrees: bool
    version: int


class SnapshotTable:
    """Writes and deletes snapshots. Every query borrows a connection of the pool for as long as it runs."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def look(self, workspace_id: str, snapshot: Snapshot, position: int) -> Standing:
        """How one stands that is not kept yet. The last event that it was folded from has this position."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT coalesce((SELECT is_of_log(e.workspace_id, e.stream_id, e.version, e.digest, %(erased)s)
                                 FROM events e
                                 WHERE e.workspace_id = %(workspace_id)s AND e.stream_id = %(stream_id)s
                                   AND e.version = %(version)s AND e.position = %(position)s), false),
                       coalesce((SELECT s.version FROM snapshots s
                                 WHERE s.workspace_id = %(workspace_id)s AND s.stream_id = %(stream_id)s
                                   AND s.fold = %(fold)s
                                   AND is_of_log(s.workspace_id, s.stream_id, s.version, s.digest, s.erased)), 0)
                """,
                {"workspace_id": workspace_id, "position": position, **snapshot._asdict()},
            )
            row = await cursor.fetchone()
        assert row is not None
        return Standing(*row)

    async def keep(self, workspace_id: str, snapshot: Snapshot, position: int) -> bool:
        """Keep one, unless the log says something else, or there is a newer one that is as good. Answers whether."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO snapshots AS s (workspace_id, stream_id, version, fold, digest, erased, state)
                SELECT e.workspace_id, e.stream_id, e.version, %(fold)s, e.digest, %(erased)s, %(state)s
                FROM events e
                WHERE e.workspace_id = %(workspace_id)s AND e.stream_id = %(stream_id)s
                  AND e.version = %(version)s AND e.position = %(position)s
                  AND is_of_log(e.workspace_id, e.stream_id, e.version, e.digest, %(erased)s)
                ON CONFLICT (workspace_id, stream_id) DO UPDATE
                SET version = excluded.version, fold = excluded.fold, digest = excluded.digest,
                    erased = excluded.erased, state = excluded.state, taken_at = excluded.taken_at
                WHERE s.version < excluded.version OR s.fold <> excluded.fold
                   OR NOT is_of_log(s.workspace_id, s.stream_id, s.version, s.digest, s.erased)
                """,
                {"workspace_id": workspace_id, "position": position, **snapshot._asdict()},
            )
        return cursor.rowcount == 1

    async def discard(self, workspace_id: str, snapshot: Snapshot) -> None:
        """Delete one that cannot be read."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM snapshots WHERE workspace_id = %s AND stream_id = %s AND version = %s",
                (workspace_id, snapshot.stream_id, snapshot.version),
            )
