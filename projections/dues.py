"""What is due to somebody: open tasks with a due date that they or their teams have, or that they made for nobody; of
those in archived projects none.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from domain.policy import Eyes
from projections.database import Connection
from projections.projects import ARCHIVED
from projections.task_list import VISIBLE

MOST: Final = 1_000
PAST: Final = timedelta(days=366)  # what has been due for longer is left out
SHORT: Final = 2_000  # characters of a description that are shown


class Due(NamedTuple):
    """A task as a calendar shows it. `priority` is its rank: 0 low … 3 urgent."""

    id: str
    version: int
    key: str | None
    title: str
    description: str
    category: str
    priority: int
    start_at: datetime | None
    due_at: datetime
    due_on: date | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime


async def due(
    connection: Connection, workspace_id: str, user_id: str, teams: Collection[str], eyes: Eyes
) -> tuple[list[Due], int]:
    """The first of them, soonest first, as far as these eyes see them; and the position that they show."""
    cursor = await connection.execute(
        f"""
        SELECT c.position, p.*
        FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT t.task_id::text, t.version, t.key, t.title, left(t.description, {SHORT}), t.category, t.priority,
                   t.start_at, t.due_at, t.due_on, t.tags, t.created_at, t.updated_at
            FROM tasks t
            WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND t.deleted_at IS NULL
              AND (t.assignee_id = ANY (%(having)s::uuid[]) OR t.assignee_id IS NULL AND t.created_by = %(user)s)
              AND t.category NOT IN ('done', 'cancelled')
              AND t.due_at > clock_timestamp() - %(past)s
              AND (t.project_id IS NULL OR t.project_id <> ALL (ARRAY({ARCHIVED} AND p.workspace_id = c.workspace_id)))
              AND (%(see_all)s OR {VISIBLE})
            ORDER BY t.due_at, t.task_id LIMIT {MOST}) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        """.encode(),  # noqa: S608  (constants of ours)
        {
            "workspace": workspace_id,
            "user": user_id,
            "having": [user_id, *teams],
            "see_all": eyes.see_all,
            "eyes": list(eyes.ids),
            "past": PAST,
        },
    )
    rows = await cursor.fetchall()
    return [Due(*row[1:]) for row in rows if row[1] is not None], int(rows[0][0]) if rows else 0
