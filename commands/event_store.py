"""The event store: the one place of the write side that talks to the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.events import NAMES, Event, LoggedRow, Meta, Recorded, encode, recorded

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


class Fact(NamedTuple):
    """An event on its way into the log, with the stream that it belongs to."""

    stream_id: str
    event: Event


@dataclass(slots=True)
class Append:
    """What one command wants of the log: events that stand only if no stream that it read has moved.

    `reads` holds every stream that the command read or writes, with the version it saw (0: not there yet).
    `stream_id` is the stream of its receipt. `key` makes it one effect however often it is sent; `keep` records
    the key although nothing changed. `fingerprint` is the hash of the request, in hexadecimal.
    """

    workspace_id: str
    command_id: str
    principal: str
    key: str
    keep: bool
    fingerprint: str
    stream_id: str
    reads: Mapping[str, int]
    facts: Sequence[Fact]
    meta: Meta
    writes: frozenset[str] = field(init=False)
    data: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.writes = frozenset(fact.stream_id for fact in self.facts)
        self.data = [encode(fact.event) for fact in self.facts]
        if not self.writes <= self.reads.keys():
            raise ValueError("every stream that is written must have been read")

    @property
    def size(self) -> int:
        """About how many bytes it adds to a batch."""
        return 500 + sum(map(len, self.data))

    @property
    def version(self) -> int:
        """The version of the receipt's stream once the events are in."""
        return self.reads.get(self.stream_id, 0) + sum(fact.stream_id == self.stream_id for fact in self.facts)


class Outcome(StrEnum):
    """How an append ended."""

    COMMITTED = "committed"
    CONFLICT = "conflict"
    KNOWN = "known"


class Verdict(NamedTuple):
    """The log's answer to one append.

    `position` is that of the command's last event, or the head of the log where it has none. When `KNOWN`,
    everything is as it was when the key was first used; when `CONFLICT`, nothing was written.
    """

    outcome: Outcome
    position: int
    recorded_at: str
    command_id: str | None = None
    fingerprint: str | None = None
    stream_id: str | None = None
    version: int | None = None


CONFLICT: Final = Verdict(Outcome.CONFLICT, 0, "")

# Sent as text and parsed once by the server: twice as fast as lists adapted one by one by the driver.
_APPEND: Final = """
    SELECT outcome, position, recorded_at, command_id::text, fingerprint, stream_id::text, version
    FROM {function}(%s, {account} %s, %s, %s)
"""
APPEND: Final = _APPEND.format(function="append", account="")
REGISTER: Final = _APPEND.format(function="register", account="%s,")
CHANGE_PROFILE: Final = _APPEND.format(function="change_profile", account="%s,")


class Documents(NamedTuple):
    """The three JSON parameters of the SQL function `append`."""

    commands: str
    reads: str
    facts: str


def documents(batch: Sequence[Append]) -> Documents:
    """Write a batch as the SQL function reads it: see `append` in schema.sql."""
    commands: list[dict[str, object]] = []
    reads: list[dict[str, object]] = []
    facts: list[dict[str, object]] = []
    for n, append in enumerate(batch, 1):
        commands.append(
            {
                "n": n,
                "id": append.command_id,
                "principal": append.principal,
                "key": append.key,
                "keep": append.keep,
                "fingerprint": append.fingerprint,
                "stream_id": append.stream_id,
                "version": append.version,
                "events": len(append.facts),
            }
        )
        reads.extend({"n": n, "stream_id": id_, "version": version} for id_, version in append.reads.items())
        if append.facts:
            facts.extend(_facts(n, append))
    return Documents(*(orjson.dumps(rows).decode() for rows in (commands, reads, facts)))


def _facts(n: int, append: Append) -> Iterable[dict[str, object]]:
    meta = orjson.Fragment(encode(append.meta))
    for (stream_id, event), data in zip(append.facts, append.data, strict=True):
        name, schema_version = NAMES[type(event)]
        yield {
            "n": n,
            "stream_id": stream_id,
            "name": name,
            "schema_version": schema_version,
            "meta": meta,
            "data": orjson.Fragment(data),
        }


async def append(connection: Connection, batch: Sequence[Append]) -> list[Verdict]:
    """Commit a batch for one workspace in one call; one verdict an append, in their order."""
    cursor = await connection.execute(APPEND, (batch[0].workspace_id, *documents(batch)))
    return verdicts(await cursor.fetchall(), batch)


async def append_with_account(
    connection: Connection, query: str, account: Mapping[str, object], single: Append
) -> Verdict:
    """Commit one command together with a change of an account: `query` is REGISTER or CHANGE_PROFILE."""
    parameters = (single.workspace_id, orjson.dumps(account).decode(), *documents([single]))
    cursor = await connection.execute(query, parameters)
    return verdicts(await cursor.fetchall(), [single])[0]


def verdicts(rows: Sequence[tuple[Any, ...]], batch: Sequence[Append]) -> list[Verdict]:
    """Read the answer of the SQL function. What our own id made known was committed by an earlier try of this call."""
    if len(rows) != len(batch):
        raise RuntimeError(f"the log answered {len(rows)} of {len(batch)} appends")
    return [_verdict(row, append) for row, append in zip(rows, batch, strict=True)]


def _verdict(row: tuple[Any, ...], append: Append) -> Verdict:
    verdict = Verdict(Outcome(row[0]), *row[1:])
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
