"""Reading the log: by position, and by stream.

Commits are serialised, so positions become visible in order: `position > after` misses nothing, and no reader needs
to look for gaps or wait for transactions that are under way.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.events import LoggedRow, Recorded, recorded
from projections.database import Connection

MOST_BYTES: Final = 12_000_000
LAST: Final = 2**63 - 1  # past every position
GROUP: Final = 64  # large events that are fetched at once
GROUP_BYTES: Final = 500_000  # of their data as they are stored, mostly compressed


class Slice(NamedTuple):
    """The events with some names in (`after`, `to`] of a log whose end was seen at `head`.

    `cut`: it ends where it does because there was too much of it.
    """

    after: int
    to: int
    head: int
    rows: list[LoggedRow]
    cut: bool = False

    @property
    def size(self) -> int:
        """How many bytes of data there are."""
        return sum(len(row[7] or "") for row in self.rows)

    def events(self) -> list[Recorded]:
        """The rows, decoded."""
        return [recorded(row) for row in self.rows]


async def head(connection: Connection, workspace_id: str) -> int:
    """The position of the last event; 0 for an empty log or an unknown workspace."""
    cursor = await connection.execute("SELECT position FROM logs WHERE workspace_id = %s", (workspace_id,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def read(
    connection: Connection,
    workspace_id: str,
    after: int,
    most: int,
    like: Sequence[str],
    *,
    projection: str | None = None,
    most_bytes: int = MOST_BYTES,
) -> Slice:
    """Read on from a position: at most `most` positions further, the events with names like these patterns.

    A pattern takes in every name of a kind, also one that this program does not know: that is then an error, never
    an event passed over in silence. What was passed over for `projection`, by decision and on record, is left out.
    The slice ends earlier when the data come to `most_bytes`; the event that reaches the limit is its last one.
    """
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at), e.name, e.schema_version, e.meta::text,
               CASE WHEN pg_column_size(e.data) <= %(light)s AND pg_column_compression(e.data) IS NULL
                    THEN e.data::text END,
               l.position,
               CASE WHEN pg_column_size(e.data) > %(light)s OR pg_column_compression(e.data) IS NOT NULL
                    THEN pg_column_size(e.data) END
        FROM logs l
        LEFT JOIN events e ON e.workspace_id = l.workspace_id AND e.position > %(after)s AND e.position <= %(to)s
                          AND e.name LIKE ANY (%(like)s)
                          AND e.position <> ALL (ARRAY(
                              SELECT p.position FROM passed_over p
                              WHERE p.workspace_id = %(workspace)s AND p.projection = %(projection)s))
        WHERE l.workspace_id = %(workspace)s
        ORDER BY e.position
        """,
        {
            "workspace": workspace_id,
            "after": after,
            "to": after + most,
            "like": list(like),
            "projection": projection,
            "light": most_bytes // most,
        },
    )
    rows = await cursor.fetchall()
    # One statement has one snapshot: every event up to the end that it saw is among its rows.
    last = int(rows[0][8]) if rows else 0
    found: list[LoggedRow] = [row[:8] for row in rows if row[0] is not None]
    heavy = {row[0]: row[9] for row in rows if row[9] is not None}
    cut = bool(heavy) and await _fill_in(connection, workspace_id, found, heavy, most_bytes)
    to = found[-1][0] if cut else max(after, min(last, after + most))
    return Slice(after, to, last, found, cut)


async def _fill_in(
    connection: Connection, workspace_id: str, rows: list[LoggedRow], heavy: Mapping[int, int], most_bytes: int
) -> bool:
    """Fetch the data of the rows at these positions (as large as they are stored), a few at a time: whoever would fetch
    all at once does not know how much that is before it is in memory. Whether rows were cut off past `most_bytes`.
    """
    size = 0
    data: dict[int, str | None] = {}
    waiting = list(heavy)
    for n, row in enumerate(rows):
        if row[0] in heavy:
            if row[0] not in data:
                taken = _group(waiting, heavy)
                data = await _data(connection, workspace_id, taken)
                del waiting[: len(taken)]
            rows[n] = (*row[:7], data[row[0]])
        size += len(rows[n][7] or "")
        if size >= most_bytes and n + 1 < len(rows):
            del rows[n + 1 :]
            return True
    return False


def _group(positions: Sequence[int], sizes: Mapping[int, int]) -> list[int]:
    """The first of these positions, as many as may be fetched at once."""
    taken: list[int] = []
    size = 0
    for position in positions[:GROUP]:
        size += sizes[position]
        if taken and size > GROUP_BYTES:
            break
        taken.append(position)
    return taken


async def _data(connection: Connection, workspace_id: str, positions: list[int]) -> dict[int, str | None]:
    cursor = await connection.execute(
        "SELECT position, data::text FROM events WHERE workspace_id = %s AND position = ANY (%s)",
        (workspace_id, positions),
    )
    return dict(await cursor.fetchall())


async def streams(
    connection: Connection,
    workspace_id: str,
    before: Mapping[str, int],
    after: Mapping[str, int] | None = None,
    *,
    up_to: int = LAST,
    projection: str | None = None,
) -> list[Recorded]:
    """The events of some streams below the versions of `before` (and past those of `after`), by stream and version.

    Those past the position `up_to`, and what was passed over for `projection`, are left out.
    """
    rows = await stream_rows(connection, workspace_id, before, after, up_to=up_to, projection=projection)
    return [recorded(row) for row in rows]


async def stream_rows(
    connection: Connection,
    workspace_id: str,
    before: Mapping[str, int],
    after: Mapping[str, int] | None = None,
    *,
    up_to: int = LAST,
    projection: str | None = None,
) -> list[LoggedRow]:
    """The same, not decoded."""
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
               e.name, e.schema_version, e.meta::text, e.data::text
        FROM unnest(%s::uuid[], %s::integer[], %s::integer[]) AS wanted(stream_id, before, after)
        JOIN events e ON e.workspace_id = %s AND e.stream_id = wanted.stream_id
                     AND e.version < wanted.before AND e.version > wanted.after AND e.position <= %s
        WHERE e.position <> ALL (ARRAY(
            SELECT p.position FROM passed_over p WHERE p.workspace_id = %s AND p.projection = %s))
        ORDER BY e.stream_id, e.version
        """,
        (
            list(before.keys()),
            list(before.values()),
            [(after or {}).get(id_, 0) for id_ in before],
            workspace_id,
            up_to,
            workspace_id,
            projection,
        ),
    )
    return await cursor.fetchall()
