"""Searches: the best matches of words first, by keyset pages.

To rank is to read each match, so no more than `MOST_RANKED` are ranked, nor looked at for a phrase: whoever finds more
is told that there are.
"""

from typing import Any, Final, NamedTuple

from psycopg import DataError

from projections import cursors
from projections.database import Connection
from projections.task_list import (
    Key,
    Page,
    TaskQuery,
    beyond,
    cursor_parameters,
    cut,
    is_cut,
    order_of,
    parameters_of,
    position_of,
    some,
)

MOST_RANKED: Final = 5_000

_RANK: Final = "ts_rank(t.search, %(words)s::tsquery)"
_KEYS: Final = [Key("rank", True, "real"), Key("task_id", True, "uuid")]


class Ranked(NamedTuple):
    """A page of what was found, best first; and whether there is more than could be looked at."""

    page: Page
    cut: bool


async def search(connection: Connection, query: TaskQuery) -> Ranked:
    """One page. What only comments say ranks last. Raises `Invalid` `cursor.invalid`."""
    parameters: dict[str, Any] = parameters_of(query)
    further = "true"
    if query.cursor is not None:
        parameters |= cursor_parameters(query, _KEYS)
        further = beyond(_KEYS)
    try:
        cursor = await connection.execute(statement(query, further).encode(), parameters, prepare=False)
    except DataError as error:  # the filters were checked at the edge: only a forged cursor is left
        raise cursors.invalid(query.cursor or "") from error
    rows = await cursor.fetchall()
    found = [row[2:] for row in rows if row[2] is not None]
    position, more = (int(rows[0][0]), bool(rows[0][1])) if rows else (0, False)
    return Ranked(Page(*cut(query, found), position), more)


def statement(query: TaskQuery, further: str = "true") -> str:
    """The matches are found first, without their order, and only the page is joined to its rows."""
    rank = f"CASE WHEN {query.asked.own} THEN {_RANK} ELSE 0 END" if query.asked.loose else _RANK
    return f"""
        SELECT {position_of(query.asked)}, p.cut,
               CASE WHEN p.n IS NOT NULL THEN task_document(p.t)::text END, p.keys
        FROM checkpoints c
        LEFT JOIN LATERAL (
            WITH {some(query, f"t.task_id, {rank} AS rank", MOST_RANKED + 1)}, matches AS (
                SELECT * FROM found f WHERE f.matches LIMIT {MOST_RANKED + 1}
            ), best AS MATERIALIZED (
                SELECT r.task_id, r.rank, row_number() OVER (ORDER BY {order_of(_KEYS)}) AS n
                FROM matches r WHERE {further}
                ORDER BY {order_of(_KEYS)} LIMIT {query.limit + 1}
            )
            SELECT m.cut, t, ARRAY[r.rank::text, r.task_id::text] AS keys, r.n
            FROM (SELECT {is_cut(query, MOST_RANKED)} AS cut) m
            LEFT JOIN (best r JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
                                          AND t.task_id = r.task_id) ON true) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ORDER BY p.n
    """  # noqa: S608 (every part is from tables of ours; values are parameters)
