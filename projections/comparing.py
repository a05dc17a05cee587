"""Two builds of a projection side by side, row by row and field by field, at the same position.

Both builds move on while they are compared. A statement sees both and both checkpoints at one moment: a row that either
build has changed past the lower of the two checkpoints says nothing yet (`moved`) and is to be looked at again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from projections.database import Connection
from projections.lookups import LAST
from projections.table import Table


class Difference(NamedTuple):
    """A row that the two builds do not have alike; None where a build does not have it."""

    id: str
    live: dict[str, Any] | None
    other: dict[str, Any] | None

    def fields(self) -> dict[str, tuple[Any, Any]]:
        """The fields that differ, with their values in the live build and in the other one."""
        live, other = self.live or {}, self.other or {}
        return {
            name: (live.get(name), other.get(name)) for name in (live or other) if live.get(name) != other.get(name)
        }


class Part(NamedTuple):
    """What came of a part of the rows. `upto` is the last id that was looked at, None when there are no more."""

    rows: int
    upto: str | None
    differing: list[Difference]
    moved: list[str]


class Pair(NamedTuple):
    """The two builds of a workspace."""

    workspace_id: str
    live: int
    other: int


async def after(connection: Connection, table: Table, pair: Pair, id_: str, most: int) -> Part:
    """Compare the rows that come next after an id, about as many as `most`."""
    ends = sql.SQL(
        """
        SELECT least(
            (SELECT {key} FROM {table} WHERE workspace_id = %(workspace)s AND build = %(live)s
             AND {key} > %(after)s ORDER BY {key} OFFSET %(most)s - 1 LIMIT 1),
            (SELECT {key} FROM {table} WHERE workspace_id = %(workspace)s AND build = %(other)s
             AND {key} > %(after)s ORDER BY {key} OFFSET %(most)s - 1 LIMIT 1)) AS upto
        """
    )
    within = sql.SQL("{key} > %(after)s AND {key} <= coalesce((SELECT upto FROM ends), %(last)s)")
    return await _compare(connection, table, pair, ends, within, {"after": id_, "most": most, "last": LAST})


async def these(connection: Connection, table: Table, pair: Pair, ids: Sequence[str]) -> Part:
    """Compare some rows."""
    within = sql.SQL("{key} = ANY (%(ids)s::uuid[])")
    return await _compare(connection, table, pair, sql.SQL("SELECT NULL::uuid AS upto"), within, {"ids": list(ids)})


async def _compare(
    connection: Connection, table: Table, pair: Pair, ends: sql.SQL, within: sql.SQL, parameters: dict[str, Any]
) -> Part:
    names = {"table": sql.Identifier(table.name), "key": sql.Identifier(table.key)}
    query = sql.SQL(
        """
        WITH ends AS MATERIALIZED ({ends}),
        place AS MATERIALIZED (
            SELECT min(position) AS both FROM checkpoints
            WHERE workspace_id = %(workspace)s AND projection = %(projection)s AND build IN (%(live)s, %(other)s)),
        one AS MATERIALIZED (
            SELECT * FROM {table} WHERE workspace_id = %(workspace)s AND build = %(live)s AND {within}),
        two AS MATERIALIZED (
            SELECT * FROM {table} WHERE workspace_id = %(workspace)s AND build = %(other)s AND {within})
        SELECT ends.upto::text, greatest((SELECT count(*) FROM one), (SELECT count(*) FROM two)), d.*
        FROM ends LEFT JOIN LATERAL (
            SELECT coalesce(a.{key}, b.{key})::text, greatest(a.position, b.position) > place.both,
                   CASE WHEN a.{key} IS NOT NULL THEN json_build_object({a_fields})::text END,
                   CASE WHEN b.{key} IS NOT NULL THEN json_build_object({b_fields})::text END
            FROM one a FULL JOIN two b ON b.{key} = a.{key} CROSS JOIN place
            WHERE ROW({a}) IS DISTINCT FROM ROW({b}) OR greatest(a.position, b.position) > place.both) d ON true
        """
    ).format(
        ends=ends.format(**names),
        within=within.format(**names),
        a=_columns("a", table),
        b=_columns("b", table),
        a_fields=_fields("a", table),
        b_fields=_fields("b", table),
        **names,
    )
    cursor = await connection.execute(
        query,
        {
            "workspace": pair.workspace_id,
            "projection": table.name,
            "live": pair.live,
            "other": pair.other,
            **parameters,
        },
    )
    found = await cursor.fetchall()
    differing, moved = [], []
    for _, _, id_, unsettled, live, other in found:
        if unsettled:
            moved.append(id_)
        elif id_ is not None:
            differing.append(Difference(id_, _row(live), _row(other)))
    return Part(int(found[0][1]), found[0][0], differing, moved)


def _columns(alias: str, table: Table) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) for column in table.columns)


def _fields(alias: str, table: Table) -> sql.Composed:
    return sql.SQL(", ").join(
        part for column in table.columns for part in (sql.Literal(column), sql.Identifier(alias, column))
    )


def _row(document: str | None) -> dict[str, Any] | None:
    return None if document is None else msgspec.json.decode(document, type=dict[str, Any])
