"""Pages of lists of tasks.

What no index has in its order is read part by part, each of which one has. By priority and then by due date, say, the
urgent tasks come first, by due date, then the others: four parts, one after the other, each read by the index of due
dates, or by that of priorities where few have this one; which costs less is the planner's to know. A part is read where
those before it have not filled the page.

Where words must stand in an order, which no index knows, tasks that have the words are looked at one by one, no more
than `MOST_LOOKED` for a page. A page that ends there may be short, or empty, and the next one goes on from there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from psycopg import DataError

from projections import cursors, task_list
from projections.cursors import Cursor
from projections.database import Connection
from projections.queries import Asked
from projections.task_list import (
    SORTS,
    Key,
    Page,
    TaskQuery,
    beyond,
    cursor_parameters,
    keys_of,
    order_of,
    parameters_of,
    position_of,
    present,
)

MOST_LOOKED: Final = 2_000

Row = tuple[str | None, list[str], bool]  # a document, its keys, and whether looking ended there


class Part(NamedTuple):
    """Tasks of some `conditions`, by these `keys`; the first ones of these, `same`, are the same for all of them."""

    conditions: tuple[str, ...]
    keys: tuple[Key, ...]
    same: int


async def page(connection: Connection, query: TaskQuery) -> Page:
    """One page. Its position is that of the projection, where comments are looked at the smaller one of both.

    Raises `Invalid` `cursor.invalid` for a cursor that does not belong to this sort.
    """
    parameters: dict[str, Any] = parameters_of(query)
    if query.cursor is not None:
        parameters |= cursor_parameters(query, keys_of(query))
    try:
        cursor = await connection.execute(statement(query).encode(), parameters, prepare=False)
    except DataError as error:  # the filters were checked at the edge: only a forged cursor is left
        raise cursors.invalid(query.cursor or "") from error
    rows = await cursor.fetchall()
    found = [(row[1], row[2], bool(row[3:] and row[3])) for row in rows if row[2] is not None]
    return Page(*_cut(query, found), int(rows[0][0]) if rows else 0)


def _cut(query: TaskQuery, found: Sequence[Row]) -> tuple[list[str], str | None]:
    """The documents of a page out of those found, of which one more was asked for, and the cursor of the next page."""
    shown = found[: query.limit]
    documents = [document for document, _, _ in shown if document is not None]
    goes_on = len(found) > query.limit or any(is_last for _, _, is_last in shown)
    return documents, cursors.encode(Cursor(list(query.sort), shown[-1][1], None)) if goes_on else None


def statement(query: TaskQuery) -> str:
    """The rows of a page: the position, the document, the keys, and whether it is the last one that was looked at.

    That one has no document where it was looked at in vain.
    """
    if query.asked.loose or len(_parts(tuple(query.sort))) > 1:
        return _by_parts(query)
    keys, conditions = keys_of(query), present(query)
    if query.cursor is not None:
        conditions.append(beyond(keys))
    return task_list.statement(keys, conditions, position=position_of(query.asked), limit=str(query.limit + 1))


def parts_of(query: TaskQuery) -> list[Part]:
    """The parts of a list, in its order."""
    last = keys_of(query)[-1]
    return [Part(part.conditions, (*part.keys, last), part.same) for part in _parts(tuple(query.sort))]


def _parts(names: tuple[str, ...]) -> list[Part]:
    if not names:
        return [Part((), (), 0)]
    (first, *others), key = names, SORTS[names[0]]
    name, below = first.lstrip("-"), _parts(tuple(others))
    if name == "priority" and others:
        ranks = sorted(range(4), reverse=key.descending)
        return [part for rank in ranks for part in _same(below, f"t.priority = {rank}", key, str(rank))]
    never = "'-infinity'" if key.descending else "'infinity'"
    rest = tuple(SORTS[each] for each in others)
    if name == "start_at":  # its index knows those alone that have one
        dated = Part(("t.start_at IS NOT NULL",), (key._replace(expression="t.start_at"), *rest), 0)
        return [dated, *_same(below, "t.start_at IS NULL", key, never)]
    if name == "due_at" and others:
        dated = Part((f"{key.expression} {'>' if key.descending else '<'} {never}",), (key, *rest), 0)
        return [dated, *_same(below, f"{key.expression} = {never}", key, never)]
    return [Part((), (key, *rest), 0)]


def _same(parts: Sequence[Part], condition: str, key: Key, value: str) -> list[Part]:
    """These parts of the tasks whose first key has this value."""
    same = key._replace(expression=f"{value}::{key.type}")
    return [Part((condition, *part.conditions), (same, *part.keys), part.same + 1) for part in parts]


def _by_parts(query: TaskQuery) -> str:
    comments, asked = query.asked.looked()
    most = MOST_LOOKED if asked.loose else query.limit + 1
    keys, parts = keys_of(query), parts_of(query)
    order = ", ".join(f"k{n} {'DESC' if key.descending else 'ASC'}" for n, key in enumerate(keys))
    named = ", ".join(f"p{n} AS MATERIALIZED ({_part(query, asked, part, n, most)})" for n, part in enumerate(parts))
    texts = ", ".join(f"k{n}::text" for n in range(len(keys)))
    # The documents are made for the page alone, after the limit.
    return f"""
        SELECT {position_of(asked)}, CASE WHEN p.matches THEN task_document(p.t)::text END, p.keys, p.place = {most}
        FROM checkpoints c
        LEFT JOIN LATERAL (
            WITH {comments}{named}, looked AS (
                SELECT u.*, row_number() OVER (ORDER BY {order}) AS place
                FROM ({" UNION ALL ".join(f"TABLE p{n}" for n in range(len(parts)))}) u
                ORDER BY {order} LIMIT {most}
            ), shown AS MATERIALIZED (
                SELECT l.* FROM looked l WHERE l.matches {f"OR l.place = {most}" if asked.loose else ""}
                ORDER BY l.place LIMIT {query.limit + 1}
            )
            SELECT t, ARRAY[{texts}] AS keys, s.matches, s.place
            FROM shown s JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
                                     AND t.task_id = s.task_id) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ORDER BY p.place
    """  # noqa: S608 (every part is from tables of ours; values are parameters)


def _part(query: TaskQuery, asked: Asked, part: Part, n: int, most: int) -> str:
    wide = replace(asked, own=asked.loose or asked.own)
    conditions = [*present(replace(query, asked=wide)), *part.conditions]
    if query.cursor is not None:
        conditions.append(_beyond(part.keys, part.same))
    if n > 0:
        before = " + ".join(f"(SELECT count(*) FROM p{earlier})" for earlier in range(n))  # noqa: S608 (names of ours)
        conditions.append(f"{before} < {most}")
    columns = ", ".join(f"{key.expression} AS k{n}" for n, key in enumerate(part.keys))
    matches = asked.worded[0] if asked.loose else "true"
    return f"""
        SELECT t.task_id, {columns}, {matches} AS matches
        FROM tasks t WHERE {" AND ".join(conditions)}
        ORDER BY {order_of(part.keys[part.same :])} LIMIT {most}"""  # noqa: S608 (as above)


def _beyond(keys: Sequence[Key], same: int, n: int = 0) -> str:
    """Past the row of the cursor: what is the same for all of a part is compared once, and not task by task."""
    if same == 0:
        return beyond(keys, first=n)
    key, value = keys[0], f"%(key{n})s::{keys[0].type}"
    further = f"{key.expression} {'<' if key.descending else '>'} {value}"
    return f"({further} OR {key.expression} = {value} AND {_beyond(keys[1:], same - 1, n + 1)})"
