"""Which tags tasks have: counted over what somebody sees, and who has one."""

from collections.abc import Mapping
from typing import Final

import msgspec

from domain.policy import Eyes
from projections.database import Connection
from projections.task_list import VISIBLE

# Names that are no tags' own any more count as what they mean; a task that has both names has the tag once.
_COUNTED: Final = """
    SELECT c.position, n.tag, n.tasks
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT named.tag, count(*) AS tasks
        FROM tasks t
        CROSS JOIN LATERAL (
            SELECT DISTINCT CASE WHEN %(aside)s::jsonb ? u.tag THEN %(aside)s::jsonb ->> u.tag ELSE u.tag END AS tag
            FROM unnest(t.tags) AS u(tag)) named
        WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND t.deleted_at IS NULL AND named.tag IS NOT NULL
          AND (%(name)s::text IS NULL OR named.tag = %(name)s) AND {visible}
        GROUP BY named.tag) n ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
"""


async def counts(
    connection: Connection, workspace_id: str, eyes: Eyes, aside: Mapping[str, str | None], name: str | None = None
) -> tuple[dict[str, int], int]:
    """How many tasks that somebody sees have each tag, or the one of this name; and the projection's position.

    It looks at every task of the workspace that the reader sees. What is in the trash does not count.
    """
    cursor = await connection.execute(
        _COUNTED.format(visible="true" if eyes.see_all else VISIBLE).encode(),
        {
            "workspace": workspace_id,
            "eyes": list(eyes.ids),
            "aside": msgspec.json.encode(aside).decode(),
            "name": name,
        },
    )
    rows = await cursor.fetchall()
    found = {str(row[1]): int(row[2]) for row in rows if row[1] is not None}
    return found, int(rows[0][0]) if rows else 0


async def holders(connection: Connection, workspace_id: str, name: str) -> list[str]:
    """The ids of all tasks that have a name among their tags, those in the trash included."""
    cursor = await connection.execute(
        """
        SELECT t.task_id::text
        FROM checkpoints c JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
        WHERE c.workspace_id = %s AND c.projection = 'tasks' AND c.live AND t.tags @> ARRAY[%s]::text[]
        ORDER BY t.task_id
        """,
        (workspace_id, name),
    )
    return [str(row[0]) for row in await cursor.fetchall()]
