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
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
               e.name, e.schema_version, e.meta::text, e.data::text, l.position
        FROM logs l
        LEFT JOIN events e ON e.workspace_id = l.workspace_id AND e.position > %(after)s AND e.position <= %(to)s
                          AND e.name LIKE ANY (%(like)s)
        WHERE l.workspace_id = %(workspace)s
        ORDER BY e.position
        """,
        {"workspace": workspace_id, "after": after, "to": after + most, "like": list(like)},
    )
    rows = await cursor.fetchall()
    # One statement has one snapshot: every event up to the end that it saw is among its rows.
    last = int(rows[0][8]) if rows else 0
    return Slice(after, max(after, min(last, after + most)), last, [row[:8] for row in rows if row[0] is not None])


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
