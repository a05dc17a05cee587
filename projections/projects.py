"""The projection `projects`: one row a project, also of those that are deleted; and the queries."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.policy import Eyes
from domain.project import Project, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "projects"
KIND: Final = "project"

# Those that are archived now, of all workspaces: there are few, in an index of their own.
ARCHIVED: Final = """
    SELECT p.project_id FROM projects p
    JOIN checkpoints k ON k.workspace_id = p.workspace_id AND k.projection = 'projects' AND k.live AND k.build = p.build
    WHERE p.archived_at IS NOT NULL"""

decode: Final = msgspec.json.Decoder(Project).decode


async def load(connection: Connection, workspace_id: str, build: int, project_ids: Collection[str]) -> dict[str, Any]:
    """The states of some projects in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT project_id::text, project_document(p)::text FROM projects p
        WHERE workspace_id = %s AND build = %s AND project_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(project_ids)),
    )
    return {project_id: decode(document) for project_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, projects: Collection[Any]) -> None:
    """Write each project of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO projects (workspace_id, build, project_id, version, position, name, key, description, blocking,
                              members, workflow_id, mapped, created_by, created_at, updated_at, archived_at,
                              deleted_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, name, key, description, blocking,
               members, workflow_id, mapped, created_by, created_at, updated_at, archived_at, deleted_at
        FROM moved, json_to_recordset(%(rows)s::json) AS p(
            id uuid, version integer, position bigint, name text, key text, description text, blocking text,
            members jsonb, workflow_id uuid, mapped jsonb, created_by uuid, created_at timestamptz,
            updated_at timestamptz, archived_at timestamptz, deleted_at timestamptz)
        ON CONFLICT (workspace_id, build, project_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, name = excluded.name,
            description = excluded.description, blocking = excluded.blocking, members = excluded.members,
            workflow_id = excluded.workflow_id, mapped = excluded.mapped,
            updated_at = excluded.updated_at, archived_at = excluded.archived_at, deleted_at = excluded.deleted_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(projects),
    )


PROJECTS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda project: len(project.description) + 60 * len(project.members) + 110 * len(project.mapped),
    columns=(
        *("version", "position", "name", "key", "description", "blocking", "members", "workflow_id", "mapped"),
        *("created_by", "created_at", "updated_at", "archived_at", "deleted_at"),
    ),
    wakes=frozenset({"project"}),
)


_PROJECTS: Final = """
    SELECT c.position, CASE WHEN p.project_id IS NOT NULL THEN project_document(p)::text END
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT * FROM projects p
        WHERE p.workspace_id = c.workspace_id AND p.build = c.build AND p.deleted_at IS NULL
          AND ({where}) AND (%(all)s OR p.project_id = ANY (%(eyes)s::uuid[]))
        ORDER BY p.project_id LIMIT %(limit)s) p ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'projects' AND c.live
    ORDER BY p.project_id
"""
PAGE: Final = _PROJECTS.format(
    where="p.project_id > %(after)s AND (%(archived)s::boolean IS NULL OR %(archived)s = (p.archived_at IS NOT NULL))"
)
ONE: Final = _PROJECTS.format(where="p.project_id = %(after)s")


async def page(
    connection: Connection, workspace_id: str, eyes: Eyes, after: str | None, limit: int, archived: bool | None
) -> tuple[list[Project], int]:
    """Projects that somebody sees, in the order of their making, archived or not; and the projection's position."""
    return await _read(connection, PAGE, workspace_id, eyes, after or FIRST, limit, archived)


async def get(connection: Connection, workspace_id: str, eyes: Eyes, project_id: str) -> tuple[Project | None, int]:
    """One project, if somebody sees it; and the position of the projection."""
    projects, position = await _read(connection, ONE, workspace_id, eyes, project_id, 1, None)
    return (projects[0] if projects else None), position


async def _read(
    connection: Connection, query: str, workspace_id: str, eyes: Eyes, after: str, limit: int, archived: bool | None
) -> tuple[list[Project], int]:
    cursor = await connection.execute(
        query.encode(),
        {
            "workspace": workspace_id,
            "all": eyes.see_all,
            "eyes": list(eyes.ids),
            "after": after,
            "limit": limit,
            "archived": archived,
        },
    )
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [decode(row[1]) for row in rows if row[1] is not None], position
