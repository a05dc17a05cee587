"""Lists of tasks: filters, sorts and full-text search over the read table, by keyset pages.

Filters and sorts are tables. A page is one statement, so that its rows and its position belong together.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import DataError

from domain.errors import Invalid
from domain.policy import Eyes
from projections.database import Connection

# What a filter means. Its value is the parameter of its own name.
FILTERS: Final[Mapping[str, str]] = {
    "status": "t.status = ANY (%(status)s)",
    "category": "t.category = ANY (%(category)s)",
    "priority": "t.priority = ANY (SELECT array_position(ARRAY['low', 'normal', 'high', 'urgent'], p) - 1"
    " FROM unnest(%(priority)s::text[]) p)",
    "assignee": "t.assignee_id = %(assignee)s",
    "unassigned": "t.assignee_id IS NULL",
    "created_by": "t.created_by = %(created_by)s",
    "project_id": "t.project_id = %(project_id)s",
    "parent_id": "t.parent_id = %(parent_id)s",
    "tag": "t.tags @> %(tag)s::text[]",
    "due_before": "t.due_at < %(due_before)s",
    "due_after": "t.due_at > %(due_after)s",
    "updated_after": "t.updated_at > %(updated_after)s",
    "q": "t.search @@ websearch_to_tsquery('simple', %(q)s)",
}


class Key(NamedTuple):
    """An expression to sort by, its direction, and the type that its text is read as."""

    expression: str
    descending: bool
    type: str


_RANK: Final = "ts_rank(t.search, websearch_to_tsquery('simple', %(q)s))"

# A task without a due date comes last in both directions.
SORTS: Final[Mapping[str, Key]] = {
    "priority": Key("t.priority", False, "smallint"),
    "-priority": Key("t.priority", True, "smallint"),
    "due_at": Key("coalesce(t.due_at, 'infinity')", False, "timestamptz"),
    "-due_at": Key("coalesce(t.due_at, '-infinity')", True, "timestamptz"),
    "created_at": Key("t.created_at", False, "timestamptz"),
    "-created_at": Key("t.created_at", True, "timestamptz"),
    "updated_at": Key("t.updated_at", False, "timestamptz"),
    "-updated_at": Key("t.updated_at", True, "timestamptz"),
    "title": Key("t.title", False, "text"),
    "-title": Key("t.title", True, "text"),
    "rank": Key(_RANK, True, "real"),
}
DEFAULT_SORT: Final = ("-created_at",)
RANK_SORT: Final = ("rank",)


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """What a reader wants to see. `filters` maps names of FILTERS to their values; `sort` names keys of SORTS."""

    workspace_id: str
    eyes: Eyes
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: Sequence[str] = DEFAULT_SORT
    trashed: bool = False
    limit: int = 50
    cursor: str | None = None


class Page(NamedTuple):
    """JSON documents of tasks, the cursor of the next page, and the position that all of it shows."""

    documents: list[str]
    next_cursor: str | None
    position: int


async def page(connection: Connection, query: TaskQuery) -> Page:
    """One page. Raises `Invalid` `cursor.invalid` for a cursor that does not belong to this sort."""
    keys = _keys(query)
    parameters: dict[str, Any] = {
        "workspace": query.workspace_id,
        "eyes": list(query.eyes.ids),
        "limit": query.limit + 1,
        **query.filters,
    }
    conditions = _conditions(query)
    if query.cursor is not None:
        values = decode_cursor(query.cursor, query.sort, len(keys))
        parameters |= {f"key{n}": value for n, value in enumerate(values)}
        conditions.append(_beyond(keys))
    try:
        cursor = await connection.execute(_statement(keys, conditions).encode(), parameters)
    except DataError as error:  # the filters were checked at the edge: only a forged cursor is left
        raise _invalid(query.cursor or "", "must be a next_cursor of an earlier page") from error
    rows = await cursor.fetchall()
    found = [row for row in rows if row[1] is not None]
    more = len(found) > query.limit
    return Page(
        [row[1] for row in found[: query.limit]],
        encode_cursor(query.sort, found[query.limit - 1][2]) if more else None,
        int(rows[0][0]) if rows else 0,
    )


def _statement(keys: Sequence[Key], conditions: Sequence[str]) -> str:
    order = ", ".join(f"{key.expression} {'DESC' if key.descending else 'ASC'}" for key in keys)
    texts = ", ".join(f"({key.expression})::text" for key in keys)
    # The documents are made for the page alone, after the limit.
    return f"""
        SELECT c.position, CASE WHEN p.n IS NOT NULL THEN task_document(p.t)::text END, p.keys
        FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT t, ARRAY[{texts}] AS keys, row_number() OVER (ORDER BY {order}) AS n
            FROM tasks t WHERE {" AND ".join(conditions)}
            ORDER BY {order} LIMIT %(limit)s) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ORDER BY p.n
    """  # noqa: S608 (every part is from the tables above; values are parameters)


def _keys(query: TaskQuery) -> list[Key]:
    """The sort, made total by the id in the direction of its last key."""
    keys = [SORTS[name] for name in query.sort]
    return [*keys, Key("t.task_id", keys[-1].descending, "uuid")]


def _conditions(query: TaskQuery) -> list[str]:
    same = "t.workspace_id = c.workspace_id AND t.build = c.build"
    conditions = [same, f"t.deleted_at IS {'NOT ' if query.trashed else ''}NULL"]
    if not query.eyes.see_all:
        conditions.append("(t.created_by = ANY (%(eyes)s::uuid[]) OR t.assignee_id = ANY (%(eyes)s::uuid[]))")
    return conditions + [FILTERS[name] for name in query.filters]


def _beyond(keys: Sequence[Key]) -> str:
    """Past the cursor: greater in the first key that differs."""
    cases = []
    for n, key in enumerate(keys):
        same = [f"{earlier.expression} = %(key{m})s::{earlier.type}" for m, earlier in enumerate(keys[:n])]
        cases.append(" AND ".join([*same, f"{key.expression} {'<' if key.descending else '>'} %(key{n})s::{key.type}"]))
    return "(" + " OR ".join(f"({case})" for case in cases) + ")"


def encode_cursor(sort: Sequence[str], values: Sequence[str]) -> str:
    """The place after a row, as opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode([list(sort), list(values)])).rstrip(b"=").decode()


def decode_cursor(cursor: str, sort: Sequence[str], count: int) -> list[str]:
    """The values that a cursor stands for."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of, values = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[list[str], list[str]])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _invalid(cursor, "must be a next_cursor of an earlier page") from error
    if of != list(sort) or len(values) != count or "\x00" in "".join(values):
        raise _invalid(cursor, f"belongs to the sort {','.join(of)!r}, not to {','.join(sort)!r}")
    return values


def _invalid(cursor: str, detail: str) -> Invalid:
    return Invalid("cursor.invalid", "/query/cursor", detail, cursor[:200])
