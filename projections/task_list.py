"""Lists of tasks: filters and sorts over the read table. What a query adds is in `queries`, pages are in `task_pages`.

Filters and sorts are tables. Each sort has an index of its own, so a page costs what is on it. A page is one statement,
so that its rows and its position belong together; it is planned for its values, since what is best for a tag that one
task has is not for one that all have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from domain.policy import Eyes
from projections import cursors
from projections.cursors import AsOf, Cursor
from projections.queries import MOST_SAID, NOTHING, Asked

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
    "series_id": "t.series_id = %(series_id)s",
    "tag": "t.tags @> %(tag)s::text[]",
    "start_before": "t.start_at < %(start_before)s",
    "start_after": "t.start_at > %(start_after)s",
    "overdue": "(t.overdue_since IS NOT NULL AND t.category NOT IN ('done', 'cancelled')) = %(overdue)s",
    "due_before": "coalesce(t.due_at, 'infinity') < %(due_before)s",
    "due_after": "coalesce(t.due_at, '-infinity') > %(due_after)s",
    "updated_after": "t.updated_at > %(updated_after)s",
}
# The present looks tags up by an index: see the function `words` of the schema.
PRESENT: Final[Mapping[str, str]] = {**FILTERS, "tagged": "t.search @@ %(tagged)s::tsquery"}
_SAID: Final = """least(c.position, coalesce((
    SELECT k.position FROM checkpoints k
    WHERE k.workspace_id = c.workspace_id AND k.projection = 'comments' AND k.live), 0))"""


class Key(NamedTuple):
    """An expression to sort by, its direction, and the type that its text is read as."""

    expression: str
    descending: bool
    type: str


_RANK: Final = "ts_rank(t.search, %(words)s::tsquery)"

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

    `asked` is what a query adds. With `as_of` it is a list of `past`; `task_pages` shows the present.
    """

    workspace_id: str
    eyes: Eyes
    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: Sequence[str] = DEFAULT_SORT
    trashed: bool = False
    limit: int = 50
    cursor: str | None = None
    as_of: AsOf | None = None
    asked: Asked = NOTHING


class Page(NamedTuple):
    """JSON documents of tasks, the cursor of the next page, and the position that all of it shows."""

    documents: list[str]
    next_cursor: str | None
    position: int


def present(query: TaskQuery) -> list[str]:
    """What a task `t` must be like now to be in the list, beside the checkpoint `c`, and for this reader.

    The workspace stands there by itself: how many tasks it has is known, how many the checkpoint's has is not.
    """
    here = "t.workspace_id = %(workspace)s AND t.build = c.build"
    return [here, *conditions_of(query, PRESENT), *([] if query.eyes.see_all else [VISIBLE])]


def some(query: TaskQuery, columns: str, most: int) -> str:
    """The parts of a WITH, of which `found` has at most so many tasks of the list, with what they are read for.

    Those are the newest that say it themselves; what only comments say is looked up beside, so that each half has an
    index, and where there is room. A row says whether it `matches`, and whether the task says it itself, `own`: where
    words must stand in an order, those are looked at which have them.
    """
    comments, asked = query.asked.looked()
    wide = replace(query, asked=replace(asked, own=asked.loose or asked.own, said=""))
    matches = asked.own if asked.loose else "true"
    own = f"own AS MATERIALIZED ({_newest(wide, f'{columns}, {matches} AS matches, true AS own', most)})"
    if not asked.said:
        return f"{own}, found AS (TABLE own)"
    only_said = f"{asked.said} AND NOT ({asked.own})"
    said = replace(
        query, asked=replace(asked, conditions=(*asked.conditions, _ROOM.format(most)), own="", said=only_said)
    )
    return f"""{comments}{own}, found AS MATERIALIZED (
        (TABLE own) UNION ALL ({_newest(said, f"{columns}, true AS matches, false AS own", most)}))"""


_ROOM: Final = "(SELECT count(*) FROM own) < {}"


def is_cut(query: TaskQuery, most: int) -> str:
    """Whether there is more than what is looked at, as SQL: more than so many tasks, or too many comments."""
    said = f" OR (SELECT count(*) FROM said) > {MOST_SAID}" if query.asked.said else ""  # noqa: S608 (names of ours)
    return f"""(SELECT count(*) FILTER (WHERE f.own) > {most} OR count(*) FILTER (WHERE f.matches) > {most}
                FROM found f){said}"""  # noqa: S608 (as above)


def _newest(query: TaskQuery, columns: str, most: int) -> str:
    conditions = " AND ".join(present(query))
    return f"SELECT {columns} FROM tasks t WHERE {conditions} ORDER BY t.created_at DESC, t.task_id DESC LIMIT {most}"  # noqa: S608 (as below)


def position_of(asked: Asked) -> str:
    """The position that an answer shows: of comments too, where they were looked at."""
    return _SAID if "comments" in asked.projections else "c.position"


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
    limit: str = "%(limit)s",
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
            ORDER BY {order} LIMIT {limit}) p ON true
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
        **query.asked.parameters,
    }


def cursor_parameters(query: TaskQuery, keys: Sequence[Key]) -> dict[str, str]:
    """The values of the cursor, for `beyond`. Raises `Invalid` `cursor.invalid`."""
    values = cursors.values_of(query.cursor or "", query.sort, len(keys), query.as_of)
    return {f"key{n}": value for n, value in enumerate(values)}


def conditions_of(query: TaskQuery, filters: Mapping[str, str] = FILTERS) -> list[str]:
    """What a task must be like to be in the list."""
    there = "t.deleted_at IS NOT NULL AND t.purged_at IS NULL" if query.trashed else "t.deleted_at IS NULL"
    return [there, *[filters[name] for name in query.filters], *query.asked.conditions, *query.asked.worded]


def beyond(keys: Sequence[Key], name: str = "key", first: int = 0) -> str:
    """Past the row with the values of the parameters `name`, from `first` on: greater in the first key that differs.

    Where all keys go in one direction it is one comparison, by which an index begins there; else the first key is.
    """
    values = [f"%({name}{n})s::{key.type}" for n, key in enumerate(keys, first)]
    if len({key.descending for key in keys}) == 1:
        columns = ", ".join(key.expression for key in keys)
        return f"({columns}) {'<' if keys[0].descending else '>'} ({', '.join(values)})"
    cases = []
    for n, key in enumerate(keys):
        same = [f"{earlier.expression} = {value}" for earlier, value in zip(keys[:n], values, strict=False)]
        cases.append(" AND ".join([*same, f"{key.expression} {'<' if key.descending else '>'} {values[n]}"]))
    bound = f"{keys[0].expression} {'<=' if keys[0].descending else '>='} {values[0]}"
    return f"({bound} AND (" + " OR ".join(f"({case})" for case in cases) + "))"
