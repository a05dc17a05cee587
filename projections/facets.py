"""Facets: how many of the tasks that a list would show have each status, assignee, tag, project, priority, due date.

Counting reads each task, so no more than `MOST_COUNTED` are counted, nor looked at for a phrase: whoever asks for more
is told so.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from projections.database import Connection
from projections.task_list import TaskQuery, is_cut, parameters_of, position_of, some

MOST_COUNTED: Final = 5_000
MOST_VALUES: Final = 100  # of one facet, those with the most tasks

# What is counted of a task `m`; what has no value counts as null.
FACETS: Final[Mapping[str, str]] = {
    "status": "m.status::text",
    "category": "m.category::text",
    "priority": "(ARRAY['low', 'normal', 'high', 'urgent'])[m.priority + 1]",
    "assignee": "m.assignee_id::text",
    "creator": "m.created_by::text",
    "project": "m.project_id::text",
    "tag": "g.tag::text",
    "due": """CASE WHEN m.due_at IS NULL THEN NULL
        WHEN m.due_at < %(now)s THEN CASE WHEN m.category IN ('done', 'cancelled') THEN 'past' ELSE 'overdue' END
        WHEN m.due_at < %(tomorrow)s THEN 'today' WHEN m.due_at < %(week)s THEN 'week' ELSE 'later' END""",
}


_COUNTED: Final = "t.status, t.category, t.priority, t.assignee_id, t.created_by, t.project_id, t.due_at, t.tags"


class Count(NamedTuple):
    """How many tasks have a value."""

    value: str | None
    tasks: int


class Counted(NamedTuple):
    """The counts by facet, how many tasks were counted, whether there are more, and the position that this shows."""

    facets: dict[str, list[Count]]
    total: int
    cut: bool
    position: int


async def count(
    connection: Connection,
    query: TaskQuery,
    by: Sequence[str],
    moments: Mapping[str, str],
    aside: Mapping[str, str | None],
) -> Counted:
    """The counts of each of these facets, the most frequent value first.

    `moments` are those between the due dates: `now`, `tomorrow` and `week`. Names `aside` count as what they mean.
    """
    parameters = {**parameters_of(query), **moments, "aside": msgspec.json.encode(aside).decode()}
    text = statement(query, by, renamed=bool(aside))
    cursor = await connection.execute(text.encode(), parameters, prepare=False)
    rows = await cursor.fetchall()
    facets: dict[str, list[Count]] = {name: [] for name in by}
    total, cut = 0, False
    for _, facet, value, tasks in rows:
        if facet == "":
            total, cut = int(tasks), value is not None
        elif facet is not None:
            facets[facet].append(Count(value, int(tasks)))
    position = int(rows[0][0]) if rows else 0
    return Counted(facets, total, cut, position)


def statement(query: TaskQuery, by: Sequence[str], *, renamed: bool = False) -> str:
    """What is counted is found once, and each facet counts it."""
    counts = " UNION ALL ".join(_counts(name, _RENAMED if renamed else _TAGS) for name in by)
    return f"""
        SELECT {position_of(query.asked)}, f.facet, f.value, f.tasks
        FROM checkpoints c
        LEFT JOIN LATERAL (
            WITH {some(query, _COUNTED, MOST_COUNTED + 1)}, m AS MATERIALIZED (
                SELECT * FROM found f WHERE f.matches LIMIT {MOST_COUNTED}
            )
            SELECT '' AS facet, CASE WHEN {is_cut(query, MOST_COUNTED)} THEN 'cut' END AS value,
                   (SELECT count(*) FROM m) AS tasks
            UNION ALL {counts}) f ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ORDER BY f.facet, f.tasks DESC, f.value
    """  # noqa: S608 (every part is from tables of ours; values are parameters)


_TAGS: Final = " LEFT JOIN LATERAL unnest(m.tags) AS g(tag) ON true"
# Names that are no tags' own any more count as what they mean, and each once.
_RENAMED: Final = """
    LEFT JOIN LATERAL (
        SELECT DISTINCT CASE WHEN %(aside)s::jsonb ? u.tag THEN %(aside)s::jsonb ->> u.tag ELSE u.tag END AS tag
        FROM unnest(m.tags) AS u(tag)) g ON true"""


def _counts(name: str, tags: str) -> str:
    value = FACETS[name]
    return f"""(
        SELECT '{name}', {value}, count(*) FROM m {tags if name == "tag" else ""}
        GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT {MOST_VALUES})"""  # noqa: S608 (as above)
