"""The event store: the one place of the write side that talks to the log."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.appending import Append, Outcome, Verdict
from commands.columns import ROW, columns
from commands.snapshot_table import Snapshot, SnapshotTable
from domain.events import Recorded, recorded

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

_APPEND: Final = """
    SELECT n, outcome, position, recorded_at, command_id::text, fingerprint, stream_id::text, version, missed,
           contended::text[]
    FROM {function}(%s, {account} {row})
"""
APPEND: Final = _APPEND.format(function="append", account="", row=ROW)
REGISTER: Final = _APPEND.format(function="register", account="%s,", row=ROW)
CHANGE_ACCOUNT: Final = _APPEND.format(function="change_account", account="%s,", row=ROW)
CHANGE_INVITE: Final = _APPEND.format(function="change_invite", account="%s,", row=ROW)
CHANGE_BLOB: Final = _APPEND.format(function="change_blob", account="%s,", row=ROW)

MOST_VERSIONS: Final = 2**31 - 1
PIECE: Final = 5_000  # events that are read at once: some 20 ms of this process, and no statement that takes long

# LATERAL and LIMIT: a snapshot is looked up, whatever the planner believes of the sizes of tables. Positions rise with
# the versions of a stream.
_READ: Final = """
    WITH begun AS MATERIALIZED (
        SELECT wanted.stream_id, coalesce(s.version, wanted.after) AS after, s.fold, s.erased, s.state
        FROM unnest(%(stream_ids)s::uuid[], %(after)s::integer[]) AS wanted(stream_id, after)
        LEFT JOIN LATERAL (
            SELECT s.version, s.fold, s.erased, s.state FROM snapshots s
            WHERE s.workspace_id = %(workspace_id)s AND s.stream_id = wanted.stream_id
              AND s.version BETWEEN wanted.after + %(spares)s AND %(up_to)s AND s.fold = ANY (%(folds)s)
              AND is_of_log(s.workspace_id, s.stream_id, s.version, s.digest, s.erased)
            LIMIT 1) s ON true
    )
    SELECT NULL::bigint AS position, b.stream_id::text, b.after, NULL, b.fold, b.erased, NULL, b.state
    FROM begun b WHERE b.state IS NOT NULL
    UNION ALL
    SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
           e.name, e.schema_version::integer, e.meta::text, e.data::text
    FROM begun b
    JOIN events e ON e.workspace_id = %(workspace_id)s AND e.stream_id = b.stream_id
                 AND e.version > b.after AND e.version <= least(b.after::bigint + %(most)s, %(up_to)s)
    ORDER BY position
"""


class Piece(NamedTuple):
    """Some of what was asked for: events by position, which follow on the snapshot where there is one.

    `goes_on` names the streams that may hold more, with the versions that were read.
    """

    snapshots: list[Snapshot]
    events: list[Recorded]
    goes_on: dict[str, int]


async def append(connection: Connection, batch: Sequence[Append]) -> list[Verdict]:
    """Commit a batch for one workspace in one call; one verdict an append, in their order."""
    cursor = await connection.execute(APPEND, (batch[0].workspace_id, *columns(batch)))
    return verdicts(await cursor.fetchall(), batch)


async def append_with(connection: Connection, query: str, more: Mapping[str, object], single: Append) -> Verdict:
    """Commit one command together with what is no fact: `query` is one of those above but APPEND."""
    parameters = (single.workspace_id, orjson.dumps(more).decode(), *columns([single]))
    cursor = await connection.execute(query, parameters)
    return verdicts(await cursor.fetchall(), [single])[0]


def verdicts(rows: Sequence[tuple[Any, ...]], batch: Sequence[Append]) -> list[Verdict]:
    """Read the answer of the SQL function: a row for the batch, then one for each append that wrote nothing."""
    out = {row[0]: row for row in rows}
    if out.keys() - range(1, len(batch) + 1) != {0} or len(out) != len(rows):
        raise RuntimeError(f"the log answered rows {[row[0] for row in rows]} to {len(batch)} appends")
    _, _, position, recorded_at, *_, contended = out[0]
    verdicts = []
    for n, append in enumerate(batch, 1):
        if n in out:
            verdicts.append(_verdict(out[n], append))
        else:
            position += len(append.facts)
            again = bool(contended) and not append.writes.isdisjoint(contended)
            verdicts.append(Verdict(Outcome.COMMITTED, position, recorded_at, contended=again))
    return verdicts


def _verdict(row: tuple[Any, ...], append: Append) -> Verdict:
    """What our own id made known was committed by an earlier try of this call."""
    verdict = Verdict(Outcome(row[1]), *row[2:9])
    if verdict.command_id == append.command_id:
        return verdict._replace(outcome=Outcome.COMMITTED)
    return verdict


class EventStore:
    """Reads streams and keys. Every query borrows a connection of the pool for as long as it runs.

    A read gives about `piece` events at most.
    """

    def __init__(self, pool: Pool, piece: int = PIECE) -> None:
        self._pool = pool
        self.piece = piece
        self.snapshots = SnapshotTable(pool)

    async def load(self, workspace_id: str, after: Mapping[str, int]) -> list[Recorded]:
        """All events of some streams past the versions given, each stream in the order of versions."""
        events: list[Recorded] = []
        while after:
            piece = await self.read(workspace_id, after)
            events += piece.events
            after = piece.goes_on
        return events

    async def read(
        self,
        workspace_id: str,
        after: Mapping[str, int],
        *,
        up_to: int = MOST_VERSIONS,
        folds: Sequence[str] = (),
        spares: int = 0,
    ) -> Piece:
        """A piece of some streams past the versions given, in one query.

        It begins with a snapshot by one of these `folds` where there is one, not past the version `up_to`, that spares
        so many events at least.
        """
        most = max(self.piece // len(after), self.piece // 10, 1)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _READ,
                {
                    "workspace_id": workspace_id,
                    "stream_ids": list(after.keys()),
                    "after": list(after.values()),
                    "up_to": up_to,
                    "folds": list(folds),
                    "spares": spares,
                    "most": most,
                },
            )
            rows = await cursor.fetchall()
        snapshots = [
            Snapshot(id_, version, fold, erased, state)
            for position, id_, version, _, fold, erased, _, state in rows
            if position is None
        ]
        events = [recorded(row) for row in rows if row[0] is not None]
        begun = {**after, **{snapshot.stream_id: snapshot.version for snapshot in snapshots}}
        ends = {event.stream_id: event.version for event in events}
        goes_on = {id_: version for id_, version in ends.items() if begun[id_] + most == version < up_to}
        return Piece(snapshots, events, goes_on)

    async def known(self, workspace_id: str, principal: str, key: str) -> Verdict | None:
        """What was answered under a key, if anything was."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT 'known', position, instant(recorded_at), command_id::text, encode(fingerprint, 'hex'),
                       stream_id::text, version
                FROM keys WHERE workspace_id = %s AND principal = %s AND key = %s
                """,
                (workspace_id, principal, key),
            )
            row = await cursor.fetchone()
        return None if row is None else Verdict(Outcome(row[0]), *row[1:])

    async def kept(self, workspace_id: str, principal: str, prefix: str) -> dict[str, int]:
        """The keys that begin so, each with the version that is kept under it."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT key, version FROM keys WHERE workspace_id = %s AND principal = %s AND key >= %s AND key < %s",
                (workspace_id, principal, prefix, f"{prefix}~"),
            )
            return dict(await cursor.fetchall())
