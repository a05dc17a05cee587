"""Lists of tasks: filters, sorts and full-text search over the read table, by keyset pages.

A search also finds what is said about a task: its words stand together in the task's own text, or in one comment; words
to be left out are in neither. What is found by its comments alone ranks last.

Filters and sorts are tables. A page is one statement, so that its rows and its position belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from psycopg import DataError

from domain.policy import Eyes
from projections import cursors
from projections.cursors import AsOf, Cursor
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
    "key": "t.key = %(key)s",
    "parent_id": "t.parent_id = %(parent_id)s",
    "tag": "t.tags @> %(tag)s::text[]",
    # Of each of these lists of names the task has one: the spellings of a tag that is being renamed.
    "spelt": "NOT EXISTS (SELECT FROM jsonb_array_elements(%(spelt)s::jsonb) names"
    " WHERE NOT t.tags && ARRAY(SELECT jsonb_array_elements_text(names)))",
    "due_before": "t.due_at < %(due_before)s",
    "due_after": "t.due_at > %(due_after)s",
    "start_before": "t.start_at < %(start_before)s",
    "start_after": "t.start_at > %(start_after)s",
    "overdue": "(t.overdue_since IS NOT NULL AND t.category NOT IN ('done', 'cancelled')) = %(overdue)s",
    "updated_after": "t.updated_at > %(updated_after)s",
    "q": "t.search @@ websearch_to_tsquery('simple', %(q)s)",
}

# The present also knows what is said. As an array it is looked up once, by either index, and never task by task.
_FOUND: Final = """t.task_id = ANY (ARRAY(
    SELECT s.task_id FROM tasks s
    WHERE s.workspace_id = c.workspace_id AND s.build = c.build
      AND s.search @@ websearch_to_tsquery('simple', %(q)s)
    UNION ALL
    SELECT m.task_id
    FROM checkpoints k
    JOIN comments m ON m.workspace_id = k.workspace_id AND m.build = k.build
    JOIN tasks s ON s.workspace_id = c.workspace_id AND s.build = c.build AND s.task_id = m.task_id
    WHERE k.workspace_id = c.workspace_id AND k.projection = 'comments' AND k.live
      AND m.search @@ websearch_to_tsquery('simple', %(q)s)
      AND (s.search || m.search) @@ websearch_to_tsquery('simple', %(q)s)))"""
PRESENT: Final[Mapping[str, str]] = {**FILTERS, "q": _FOUND}
_SAID: Final = """least(c.position, coalesce((
    SELECT k.position FROM checkpoints k
    WHERE k.workspace_id = c.workspace_id AND k.projection = 'comments' AND k.live), 0))"""


class Key(NamedTuple):
    """An expression to sort by, its direction, and the type that its text is read as."""

    expression: str
    descending: bool
    type: str


_RANK: Final = "ts_rank(t.search, websearch_to_tsquery('simple', %(q)s))"

# A task without a start, or a due date, comes last in both directions.
SORTS: Final[Mapping[str, Key]] = {
    "priority": Key("t.priority", False, "smallint"),
    "-priority": Key("t.priority", True, "smallint"),
    "start_at": Key("coalesce(t.start_at, 'infinity')", False, "timestamptz"),
    "-start_at": Key("coalesce(t.start_at, '-infinity')", True, "timestamptz"),
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
    """What a reader wants to see. `filters` maps names of FILTERS to their values; `sort` names keys of SORTS.

    With `as_of` it is a list of `past`; `page` shows the present.
    """

    workspace_id: str
    eyes: Eyes
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: Sequence[str] = DEFAULT_SORT
    trashed: bool = False
    limit: int = 50
    cursor: str | None = None
    as_of: AsOf | None = None


class Page(NamedTuple):
    """JSON documents of tasks, the cursor of the next page, and the position that all of it shows."""

    documents: list[str]
    next_cursor: str | None
    position: int


async def page(connection: Connection, query: TaskQuery) -> Page:
    """One page. Its position is that of the projection, with words the smaller one of both that know some.

    Raises `Invalid` `cursor.invalid` for a cursor that does not belong to this sort.
    """
    keys = keys_of(query)
    parameters: dict[str, Any] = parameters_of(query)
    conditions = ["t.workspace_id = c.workspace_id AND t.build = c.build", *conditions_of(query, PRESENT)]
    if not query.eyes.see_all:
        conditions.append(VISIBLE)
    if query.cursor is not None:
        parameters |= cursor_parameters(query, keys)
        conditions.append(beyond(keys))
    try:
        position = _SAID if "q" in query.filters else "c.position"
        cursor = await connection.execute(statement(keys, conditions, position=position).encode(), parameters)
    except DataError as error:  # the filters were checked at the edge: only a forged cursor is left
        raise cursors.invalid(query.cursor or "") from error
    rows = await cursor.fetchall()
    found = [row[1:] for row in rows if row[1] is not None]
    return Page(*cut(query, found), int(rows[0][0]) if rows else 0)


def cut(query: TaskQuery, found: Sequence[tuple[str, list[str]]]) -> tuple[list[str], str | None]:
    """The documents of a page out of those found, of which one more was asked for, and the cursor of the next page."""
    next_cursor = None
    if len(found) > query.limit:
        next_cursor = cursors.encode(Cursor(list(query.sort), found[query.limit - 1][1], query.as_of))
    return [document for document, _ in found[: query.limit]], next_cursor


def own(ids: str) -> str:
    """Whether a task is somebody's own, by a parameter that holds their ids: `domain.policy.audience`, as SQL."""
    return f"""(
        t.project_id IS NULL AND (t.created_by = ANY (%({ids})s::uuid[]) OR t.assignee_id = ANY (%({ids})s::uuid[]))
        OR t.project_id = ANY (%({ids})s::uuid[]))"""


VISIBLE: Final = own("eyes")


def statement(
    keys: Sequence[Key],
    conditions: Sequence[str],
    source: str = "tasks t",
    row: str = "t",
    position: str = "c.position",
) -> str:
    """The rows of a page from a `source` that is named `t`, whose rows are `row` as rows of the table `tasks`."""
    order = order_of(keys)
    texts = ", ".join(f"({key.expression})::text" for key in keys)
    # The documents are made for the page alone, after the limit.
    return f"""
        SELECT {position}, CASE WHEN p.n IS NOT NULL THEN task_document(p.t)::text END, p.keys
        FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT {row} AS t, ARRAY[{texts}] AS keys, row_number() OVER (ORDER BY {order}) AS n
            FROM {source} WHERE {" AND ".join(conditions)}
            ORDER BY {order} LIMIT %(limit)s) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ORDER BY p.n
    """  # noqa: S608 (every part is from the tables above; values are parameters)


def order_of(keys: Sequence[Key]) -> str:
    """What stands after ORDER BY."""
    return ", ".join(f"{key.expression} {'DESC' if key.descending else 'ASC'}" for key in keys)


def keys_of(query: TaskQuery) -> list[Key]:
    """The sort, made total by the id in the direction of its last key."""
    keys = [SORTS[name] for name in query.sort]
    return [*keys, Key("t.task_id", keys[-1].descending, "uuid")]


def parameters_of(query: TaskQuery) -> dict[str, Any]:
    """What every page of a list is asked with."""
    return {
        "workspace": query.workspace_id,
        "eyes": list(query.eyes.ids),
        "limit": query.limit + 1,
        **query.filters,
    }


def cursor_parameters(query: TaskQuery, keys: Sequence[Key]) -> dict[str, str]:
    """The values of the cursor, for `beyond`. Raises `Invalid` `cursor.invalid`."""
    values = cursors.values_of(query.cursor or "", query.sort, len(keys), query.as_of)
    return {f"key{n}": value for n, value in enumerate(values)}


def conditions_of(query: TaskQuery, filters: Mapping[str, str] = FILTERS) -> list[str]:
    """What a task must be like to be in the list."""
    return [f"t.deleted_at IS {'NOT ' if query.trashed else ''}NULL", *[filters[name] for name in query.filters]]


def beyond(keys: Sequence[Key], name: str = "key") -> str:
    """Past the row with the values of the parameters `name`: greater in the first key that differs."""
    cases = []
    for n, key in enumerate(keys):
        same = [f"{earlier.expression} = %({name}{m})s::{earlier.type}" for m, earlier in enumerate(keys[:n])]
        greater = f"{key.expression} {'<' if key.descending else '>'} %({name}{n})s::{key.type}"
        cases.append(" AND ".join([*same, greater]))
    return "(" + " OR ".join(f"({case})" for case in cases) + ")"
