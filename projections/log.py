"""Reading the log: by position, and by stream.

Commits are serialised, so positions become visible in order: `position > after` misses nothing, and no reader needs
to look for gaps or wait for transactions that are under way.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from domain.events import LoggedRow, Recorded, recorded
from projections.database import Connection


class Slice(NamedTuple):
    """The events with some names in (`after`, `to`] of a log whose end was seen at `head`."""

    after: int
    to: int
    head: int
    rows: list[LoggedRow]

    def events(self) -> list[Recorded]:
        """The rows, decoded."""
        return [recorded(row) for row in self.rows]


async def head(connection: Connection, workspace_id: str) -> int:
    """The position of the last event; 0 for an empty log or an unknown workspace."""
    cursor = await connection.execute("SELECT position FROM logs WHERE workspace_id = %s", (workspace_id,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def read(connection: Connection, workspace_id: str, after: int, most: int, like: Sequence[str]) -> Slice:
    """Read on from a position: at most `most` positions further, the events with names like these patterns.

    A pattern takes in every name of a kind, also one that this program does not know: that is then an error, never
    an event passed over in silence.
    """
    async with connection.pipeline():
        # The end of the log first: what is below it is then certainly visible to the second statement.
        ends = await connection.execute("SELECT position FROM logs WHERE workspace_id = %s", (workspace_id,))
        events = await connection.execute(
            """
            SELECT position, stream_id::text, version, instant(recorded_at),
                   name, schema_version, meta::text, data::text
            FROM events
            WHERE workspace_id = %s AND position > %s AND position <= %s AND name LIKE ANY (%s)
            ORDER BY position
            """,
            (workspace_id, after, after + most, list(like)),
        )
        end = await ends.fetchone()
        rows: list[LoggedRow] = await events.fetchall()
    last = 0 if end is None else int(end[0])
    to = max(after, min(last, after + most))
    return Slice(after, to, last, [row for row in rows if row[0] <= to] if rows and rows[-1][0] > to else rows)


async def streams(
    connection: Connection, workspace_id: str, before: Mapping[str, int], after: Mapping[str, int] | None = None
) -> list[Recorded]:
    """The events of some streams below the versions of `before` (and past those of `after`), by stream and version."""
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
               e.name, e.schema_version, e.meta::text, e.data::text
        FROM unnest(%s::uuid[], %s::integer[], %s::integer[]) AS wanted(stream_id, before, after)
        JOIN events e ON e.workspace_id = %s AND e.stream_id = wanted.stream_id
                     AND e.version < wanted.before AND e.version > wanted.after
        ORDER BY e.stream_id, e.version
        """,
        (
            list(before.keys()),
            list(before.values()),
            [(after or {}).get(id_, 0) for id_ in before],
            workspace_id,
        ),
    )
    return [recorded(row) for row in await cursor.fetchall()]
