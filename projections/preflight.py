"""The preflight of a program: all history of all workspaces, replayed through the code as it is.

Streams are read one after another in the order of their ids, so that one state is held at a time, however many streams
there are and however long they go on. By position, every stream would be under way until the end. The price is that an
index leads to the events, not their place on disk: a log that does not fit into memory is read page by page.
The log only grows, so no snapshot is needed: what is appended meanwhile is replayed as well or not, and both are true.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Final, NamedTuple

from domain.events import LoggedRow
from domain.replay import Fault, Finding, Replay
from projections.database import Connection
from projections.lookups import FIRST, by_index

EVENTS_A_SLICE: Final = 5_000
POSITIONS_A_SLICE: Final = 100_000
ROWS_AT_ONCE: Final = 50  # an event may be two megabytes


class Log(NamedTuple):
    """The log of a workspace: where it says that it ends, and the position of its last event (0: none)."""

    workspace_id: str
    slug: str
    head: int
    last: int


class Preflight:
    """Replays logs. `found` is told of each finding as it is made, `advanced` of how many events were replayed."""

    def __init__(
        self,
        connection: Connection,
        found: Callable[[Log, Finding], None],
        advanced: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._found = found
        self._advanced = advanced
        self._began = monotonic()
        self.faults: Counter[Fault] = Counter()
        self.names: Counter[tuple[str, int]] = Counter()
        self.workspaces = 0
        self.streams = 0
        self.events = 0
        self.erased = 0
        self.unjudged = 0

    @property
    def passed(self) -> bool:
        """Whether this program can work with all that it has read."""
        return not any(fault.breaks for fault in self.faults)

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return monotonic() - self._began

    async def run(self, slug: str | None = None) -> None:
        """Replay every log, or that of one workspace."""
        async for log in logs(self._connection, slug):
            self.workspaces += 1
            await self._replay(log)
            await self._look_for_holes(log)

    async def _replay(self, log: Log) -> None:
        replay = Replay()
        place = (FIRST, 0)
        read = EVENTS_A_SLICE
        while read == EVENTS_A_SLICE:
            read = 0
            async with by_index(self._connection):
                async for row in _events(self._connection, log.workspace_id, place):
                    read += 1
                    place = (row[1], row[2])
                    self._report(log, replay.take(row))
            self.events += read
            self._advanced(self.events)
        self.names += replay.names
        self.streams += replay.streams
        self.erased += replay.erased
        self.unjudged += replay.unjudged

    async def _look_for_holes(self, log: Log) -> None:
        if log.last > log.head:
            why = f"the log stands at {log.head}, and its last event is at {log.last}"
            self._report(log, [_of_log(log.last, why)])
        for after in range(0, log.head, POSITIONS_A_SLICE):
            to = min(after + POSITIONS_A_SLICE, log.head)
            async with by_index(self._connection):
                holes = await _holes(self._connection, log.workspace_id, after, to)
            self._report(log, [_of_log(first, _missing(first, last)) for first, last in holes])

    def _report(self, log: Log, findings: list[Finding]) -> None:
        for finding in findings:
            self.faults[finding.fault] += 1
            self._found(log, finding)


async def logs(connection: Connection, slug: str | None = None) -> AsyncIterator[Log]:
    """Every log, one at a time in the order of ids; also one whose workspace is unknown, but which has events."""
    after: str | None = FIRST
    while after is not None:
        async with by_index(connection):
            row = await _next_log(connection, after, slug)
        if row is not None:
            yield row
        after = None if row is None else row.workspace_id


async def _next_log(connection: Connection, after: str, slug: str | None) -> Log | None:
    cursor = await connection.execute(
        """
        SELECT n.id::text, coalesce(w.slug, n.id::text), coalesce(l.position, 0),
               coalesce((SELECT max(e.position) FROM events e WHERE e.workspace_id = n.id), 0)
        FROM (SELECT id FROM (
                  (SELECT workspace_id FROM logs WHERE workspace_id > %(after)s ORDER BY 1 LIMIT 1)
                  UNION ALL
                  (SELECT workspace_id FROM events WHERE workspace_id > %(after)s ORDER BY 1 LIMIT 1)) u(id)
              WHERE %(slug)s::text IS NULL
              UNION ALL
              SELECT workspace_id FROM workspaces WHERE slug = %(slug)s AND workspace_id > %(after)s
              ORDER BY id LIMIT 1) n
        LEFT JOIN workspaces w ON w.workspace_id = n.id
        LEFT JOIN logs l ON l.workspace_id = n.id
        """,
        {"after": after, "slug": slug},
    )
    row = await cursor.fetchone()
    return None if row is None else Log(*row)


async def size(connection: Connection, slug: str | None = None) -> int:
    """How many events there are to replay."""
    cursor = await connection.execute(
        """
        SELECT coalesce(sum(l.position), 0)::bigint FROM logs l JOIN workspaces w USING (workspace_id)
        WHERE %(slug)s::text IS NULL OR w.slug = %(slug)s
        """,
        {"slug": slug},
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _events(connection: Connection, workspace_id: str, after: tuple[str, int]) -> AsyncIterator[LoggedRow]:
    """The next slice of events by stream and version, a few at a time."""
    rows = connection.cursor().stream(
        f"""
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
               e.name, e.schema_version::integer, e.meta::text, e.data::text
        FROM events e
        WHERE e.workspace_id = %(workspace)s AND (e.stream_id, e.version) > (%(stream)s, %(version)s)
        ORDER BY e.stream_id, e.version LIMIT {EVENTS_A_SLICE}
        """.encode(),  # noqa: S608  (a number of ours)
        {"workspace": workspace_id, "stream": after[0], "version": after[1]},
        size=ROWS_AT_ONCE,
    )
    async for row in rows:
        yield row


async def _holes(connection: Connection, workspace_id: str, after: int, to: int) -> list[tuple[int, int]]:
    """The positions in (`after`, `to`] that have no event, as first and last of each run."""
    cursor = await connection.execute(
        """
        SELECT p.before + 1, p.position - 1
        FROM (SELECT position, lag(position, 1, %(after)s) OVER (ORDER BY position) AS before
              FROM (SELECT position FROM events
                    WHERE workspace_id = %(workspace)s AND position > %(after)s AND position <= %(to)s
                    UNION ALL SELECT %(to)s::bigint + 1) e) p
        WHERE p.position > p.before + 1 ORDER BY 1
        """,
        {"workspace": workspace_id, "after": after, "to": to},
    )
    return await cursor.fetchall()


def _missing(first: int, last: int) -> str:
    return f"the log has no position {first}" + ("" if first == last else f" to {last}")


def _of_log(position: int, why: str) -> Finding:
    return Finding(Fault.DISORDER, None, None, position, None, why)
