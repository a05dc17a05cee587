"""The event store: the one place of the write side that talks to the log."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.appending import Append, Outcome, Verdict
from commands.columns import ROW, columns
from domain.events import LoggedRow, Recorded, recorded

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
    """Reads streams and keys. Every query borrows a connection of the pool for as long as it runs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, workspace_id: str, after: Mapping[str, int]) -> list[Recorded]:
        """The events of some streams past the versions given, by stream and version."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
                       e.name, e.schema_version, e.meta::text, e.data::text
                FROM unnest(%s::uuid[], %s::integer[]) AS wanted(stream_id, after)
                JOIN events e ON e.workspace_id = %s AND e.stream_id = wanted.stream_id AND e.version > wanted.after
                ORDER BY e.stream_id, e.version
                """,
                (list(after.keys()), list(after.values()), workspace_id),
            )
            rows: list[LoggedRow] = await cursor.fetchall()
        return [recorded(row) for row in rows]

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
