"""Tasks as they hang together, from the read table: what is below a task, and some tasks in a few words."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from domain.policy import Eyes
from projections.database import Connection

MOST: Final = 1_000  # tasks of one answer

# `domain.policy.audience`, as SQL.
_SEEN: Final = """(
    %(see_all)s OR t.project_id = ANY (%(eyes)s::uuid[])
    OR t.project_id IS NULL AND (t.created_by = ANY (%(eyes)s::uuid[]) OR t.assignee_id = ANY (%(eyes)s::uuid[])))"""

_BRIEF: Final = """
    t.task_id::text AS id, t.key, t.title, t.status, t.category,
    (ARRAY['low', 'normal', 'high', 'urgent'])[t.priority + 1] AS priority,
    CASE WHEN t.assignee_id IS NOT NULL THEN json_build_object('type', t.assignee_type, 'id', t.assignee_id) END
        AS assignee,
    t.project_id::text, t.parent_id::text"""

_NAMES: Final = ("id", "key", "title", "status", "category", "priority", "assignee", "project_id", "parent_id")


class Tree(NamedTuple):
    """What is below a task, level by level, with the progress of each; `truncated` at MOST tasks."""

    items: list[dict[str, Any]]
    progress: dict[str, int]
    truncated: bool
    position: int


async def below(connection: Connection, workspace_id: str, eyes: Eyes, task_id: str) -> Tree:
    """The tasks below a task that somebody sees; below one that they do not see they see nothing."""
    cursor = await connection.execute(
        f"""
        WITH RECURSIVE live AS (
            SELECT position, build FROM checkpoints
            WHERE workspace_id = %(workspace)s AND projection = 'tasks' AND live
        ), tree AS (
            SELECT {_BRIEF}, 1 AS depth FROM live l JOIN tasks t ON t.build = l.build
            WHERE t.workspace_id = %(workspace)s AND t.parent_id = %(task)s AND t.deleted_at IS NULL AND {_SEEN}
            UNION ALL
            SELECT {_BRIEF}, above.depth + 1 FROM tree above
            JOIN tasks t ON t.parent_id = above.id::uuid
            WHERE t.workspace_id = %(workspace)s AND t.build = (SELECT build FROM live) AND t.deleted_at IS NULL
              AND above.depth < 20 AND {_SEEN}
        )
        SELECT l.position, found.* FROM live l LEFT JOIN (SELECT * FROM tree LIMIT {MOST + 1}) found ON true
        """.encode(),  # noqa: S608  (constants of ours)
        {"workspace": workspace_id, "task": task_id, **_of(eyes)},
    )
    rows = await cursor.fetchall()
    found = [row for row in rows if row[1] is not None]
    items = [dict(zip((*_NAMES, "depth"), row[1:], strict=True)) for row in found[:MOST]]
    items.sort(key=lambda item: (item["depth"], item["id"]))
    progress = _progress(items, task_id)
    return Tree(items, progress, len(found) > MOST, int(rows[0][0]) if rows else 0)


def _progress(items: Sequence[dict[str, Any]], root_id: str) -> dict[str, int]:
    """Roll up, deepest first: each item gets its own. Answers that of the root."""
    counts = {id_: {"total": 0, "closed": 0, "done": 0} for id_ in (root_id, *(item["id"] for item in items))}
    for item in reversed(items):
        own, above = counts[item["id"]], counts[item["parent_id"]]
        item["progress"] = own
        above["total"] += own["total"] + 1
        above["closed"] += own["closed"] + (item["category"] in ("done", "cancelled"))
        above["done"] += own["done"] + (item["category"] == "done")
    return counts[root_id]


async def brief(
    connection: Connection, workspace_id: str, eyes: Eyes, task_ids: Iterable[str]
) -> tuple[dict[str, dict[str, Any]], int]:
    """Those of some tasks that somebody sees, by their ids, and the position that they show."""
    cursor = await connection.execute(
        f"""
        SELECT c.position, found.* FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT {_BRIEF} FROM tasks t
            WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND t.task_id = ANY (%(tasks)s::uuid[])
              AND t.deleted_at IS NULL AND {_SEEN}) found ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        """.encode(),  # noqa: S608  (constants of ours)
        {"workspace": workspace_id, "tasks": list(task_ids), **_of(eyes)},
    )
    rows = await cursor.fetchall()
    found = {row[1]: dict(zip(_NAMES, row[1:], strict=True)) for row in rows if row[1] is not None}
    return found, int(rows[0][0]) if rows else 0


def _of(eyes: Eyes) -> dict[str, Any]:
    return {"see_all": eyes.see_all, "eyes": list(eyes.ids)}
