"""Which streams the drift check looks at: a few at random, without a look at all; or each of them, page by page."""

import random
from collections.abc import AsyncIterator, Iterable
from typing import Final
from uuid import UUID

from projections import checkpoints
from projections.database import Connection
from projections.drift import WINDOW
from projections.lookups import FIRST, by_index
from projections.table import Table

IDS_A_PAGE: Final = 200
DRAWS: Final = 8  # positions that are drawn for each stream that is wanted


# A value and no join, behind which PostgreSQL would not know that rows come in the order of their index.
_BUILD: Final = (
    "(SELECT build FROM checkpoints WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND live)"
)

_chance: Final = random.Random()  # noqa: S311  (nobody gains by guessing it)


async def sample(
    connection: Connection, workspace_id: str, table: Table, most: int, longest: int | None = None
) -> list[str]:
    """Ids of about `most` streams and rows of a projection, none of a stream of more than `longest` events.

    Ids are made in the order of time, so a random id would nearly always lie beyond all of them. Three ways share the
    number: streams that begin at a random position of the log, each as likely as another; streams that have any event
    at a random position, the likelier the more happens to them; and the rows that follow on a random place between the
    first and the last, which may be of no stream.
    """
    if table.windows is not None:
        head = await _checkpoint(connection, workspace_id, table)
        return [str(_chance.randrange(head)) for _ in range(max(1, most // 10))] if head else []
    async with by_index(connection):
        drawn = await _at_random_positions(connection, workspace_id, table, most * DRAWS)
        rows = await _rows_somewhere(connection, workspace_id, table, max(1, most - 2 * (most // 3)))
        begun = [stream_id for stream_id, begins in drawn if begins]
        others = [stream_id for stream_id, begins in drawn if not begins]
        busy = others[: most // 3]
        chosen = dict.fromkeys([*rows, *busy, *begun[: most - len(rows) - len(busy)]])
        return await _not_longer(connection, workspace_id, chosen, longest)


async def every(connection: Connection, workspace_id: str, table: Table) -> AsyncIterator[list[str]]:
    """Ids of all streams of a projection, and then of all its rows that have none of them, in pages."""
    if table.windows is not None:
        head = await _checkpoint(connection, workspace_id, table)
        for begin in range(0, head, WINDOW):
            yield [str(begin)]
        return
    async for page in _pages(connection, _STREAMS, workspace_id, table):
        yield page
    rows = _ROWS.format(table=table.name, id=f"{table.kind}_id", build=_BUILD)
    async for page in _pages(connection, rows, workspace_id, table):
        yield page


async def _checkpoint(connection: Connection, workspace_id: str, table: Table) -> int:
    known = await checkpoints.positions(connection, table.name, [workspace_id])
    return known.get(workspace_id, 0)


async def _at_random_positions(
    connection: Connection, workspace_id: str, table: Table, draws: int
) -> list[tuple[str, bool]]:
    """The streams of events at random positions, in random order; and whether one of these events is their first.

    LIMIT makes PostgreSQL look them up one by one. A join it turned round where its statistics were of a short log, and
    then it read all of the log for a handful of positions.
    """
    cursor = await connection.execute(
        """
        WITH live AS (SELECT position FROM checkpoints
                      WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND live)
        SELECT e.stream_id::text, bool_or(e.version = 1)
        FROM live CROSS JOIN unnest(%(shares)s::float8[]) AS share
        CROSS JOIN LATERAL (
            SELECT stream_id, version, name FROM events
            WHERE workspace_id = %(workspace)s AND position = 1 + floor(share * live.position)::bigint
            LIMIT 1) e
        WHERE e.name LIKE %(like)s
        GROUP BY e.stream_id
        """,
        {
            "workspace": workspace_id,
            "projection": table.name,
            "shares": [_chance.random() for _ in range(draws)],
            "like": f"{table.kind}.%",
        },
    )
    drawn = await cursor.fetchall()
    _chance.shuffle(drawn)
    return drawn


async def _rows_somewhere(connection: Connection, workspace_id: str, table: Table, most: int) -> list[str]:
    """The rows of the live build from a random place on."""
    id_ = f"{table.kind}_id"
    live = f"""
        FROM {table.name} r WHERE r.workspace_id = %(workspace)s AND r.build = {_BUILD}
    """
    named = {"workspace": workspace_id, "projection": table.name}
    ends = []
    for direction in ("ASC", "DESC"):
        cursor = await connection.execute(f"SELECT r.{id_} {live} ORDER BY r.{id_} {direction} LIMIT 1".encode(), named)
        ends += await cursor.fetchall()
    if not ends:
        return []
    cursor = await connection.execute(
        f"SELECT r.{id_}::text {live} AND r.{id_} >= %(from)s ORDER BY r.{id_} LIMIT %(most)s".encode(),
        {**named, "from": between(ends[0][0], ends[-1][0]), "most": most},
    )
    return [row[0] for row in await cursor.fetchall()]


def between(first: UUID, last: UUID) -> UUID:
    """A random id from the first to the last."""
    return UUID(int=_chance.randint(first.int, max(first.int, last.int)))


async def _not_longer(connection: Connection, workspace_id: str, ids: Iterable[str], longest: int | None) -> list[str]:
    """Those that are not the ids of streams of more than so many events."""
    if longest is None:
        return list(ids)
    cursor = await connection.execute(
        """
        SELECT id::text FROM unnest(%s::uuid[]) AS id WHERE (
            SELECT true FROM events e WHERE e.workspace_id = %s AND e.stream_id = id AND e.version > %s LIMIT 1) IS NULL
        """,
        (list(ids), workspace_id, longest),
    )
    return [row[0] for row in await cursor.fetchall()]


# A page of ids, each with whether it is to be looked at. The first event of a stream tells its kind.
_STREAMS: Final = """
    SELECT e.stream_id::text, e.name LIKE %(like)s FROM events e
    WHERE e.workspace_id = %(workspace)s AND e.stream_id > %(after)s AND e.version = 1
    ORDER BY e.stream_id LIMIT %(most)s
"""
_ROWS: Final = """
    SELECT p.id::text, e.name IS NULL OR e.name NOT LIKE %(like)s
    FROM (SELECT r.{id} AS id
          FROM {table} r WHERE r.workspace_id = %(workspace)s AND r.build = {build} AND r.{id} > %(after)s
          ORDER BY r.{id} LIMIT %(most)s) p
    LEFT JOIN LATERAL (
        SELECT name FROM events
        WHERE workspace_id = %(workspace)s AND stream_id = p.id ORDER BY version LIMIT 1) e ON true
    ORDER BY p.id
"""


async def _pages(connection: Connection, query: str, workspace_id: str, table: Table) -> AsyncIterator[list[str]]:
    named = {"workspace": workspace_id, "projection": table.name, "like": f"{table.kind}.%", "most": IDS_A_PAGE}
    after = FIRST
    while True:
        async with by_index(connection):
            cursor = await connection.execute(query.encode(), {**named, "after": after})
            page = await cursor.fetchall()
        wanted = [id_ for id_, is_wanted in page if is_wanted]
        if wanted:
            yield wanted
        if len(page) < IDS_A_PAGE:
            return
        after = page[-1][0]
