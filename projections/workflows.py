"""The projection `workflows`: one row a workflow that managers made, also of those that are gone; and the queries."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.custom_workflow import CustomWorkflow, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "workflows"
KIND: Final = "workflow"

decode: Final = msgspec.json.Decoder(CustomWorkflow).decode


async def load(connection: Connection, workspace_id: str, build: int, workflow_ids: Collection[str]) -> dict[str, Any]:
    """The states of some workflows in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT workflow_id::text, workflow_document(w)::text FROM workflows w
        WHERE workspace_id = %s AND build = %s AND workflow_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(workflow_ids)),
    )
    return {workflow_id: decode(document) for workflow_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, workflows: Collection[Any]) -> None:
    """Write each workflow of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO workflows (workspace_id, build, workflow_id, version, position, name, definition, projects, mapped,
                               created_by, created_at, updated_at, deleted_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, name, definition, projects, mapped,
               created_by, created_at, updated_at, deleted_at
        FROM moved, json_to_recordset(%(rows)s::json) AS w(
            id uuid, version integer, position bigint, name text, definition jsonb, projects jsonb, mapped jsonb,
            created_by uuid, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
        ON CONFLICT (workspace_id, build, workflow_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, name = excluded.name,
            definition = excluded.definition, projects = excluded.projects, mapped = excluded.mapped,
            updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(workflows),
    )


def _weigh(workflow: CustomWorkflow) -> int:
    definition = workflow.definition
    sources = sum(len(move.from_) for move in definition.moves)
    return 150 * (len(definition.statuses) + len(definition.moves)) + 60 * (sources + len(workflow.projects))


WORKFLOWS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=_weigh,
    columns=(
        *("version", "position", "name", "definition", "projects", "mapped", "created_by", "created_at", "updated_at"),
        "deleted_at",
    ),
    wakes=frozenset({"workflow"}),
)


_WORKFLOWS: Final = """
    SELECT c.position, CASE WHEN w.workflow_id IS NOT NULL THEN workflow_document(w)::text END
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT * FROM workflows w
        WHERE w.workspace_id = c.workspace_id AND w.build = c.build AND w.deleted_at IS NULL AND ({where})
        ORDER BY w.workflow_id LIMIT %(limit)s) w ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'workflows' AND c.live
    ORDER BY w.workflow_id
"""
PAGE: Final = _WORKFLOWS.format(where="w.workflow_id > %(after)s")
ONE: Final = _WORKFLOWS.format(where="w.workflow_id = %(after)s")


async def page(
    connection: Connection, workspace_id: str, after: str | None, limit: int
) -> tuple[list[CustomWorkflow], int]:
    """Workflows, in the order of their making; and the position of the projection."""
    return await _read(connection, PAGE, workspace_id, after or FIRST, limit)


async def get(connection: Connection, workspace_id: str, workflow_id: str) -> tuple[CustomWorkflow | None, int]:
    """One workflow, if it is there; and the position of the projection."""
    workflows, position = await _read(connection, ONE, workspace_id, workflow_id, 1)
    return (workflows[0] if workflows else None), position


async def _read(
    connection: Connection, query: str, workspace_id: str, after: str, limit: int
) -> tuple[list[CustomWorkflow], int]:
    values = {"workspace": workspace_id, "after": after, "limit": limit}
    cursor = await connection.execute(query.encode(), values)
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [decode(row[1]) for row in rows if row[1] is not None], position
