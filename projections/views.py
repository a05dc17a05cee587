"""The projection `views`: one row a saved view, also of those that are deleted; and the queries."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.policy import Action, Eyes, Relation, may
from domain.view import View, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "views"
KIND: Final = "view"

decode: Final = msgspec.json.Decoder(View).decode


async def load(connection: Connection, workspace_id: str, build: int, view_ids: Collection[str]) -> dict[str, Any]:
    """The states of some views in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT view_id::text, view_document(v)::text FROM views v
        WHERE workspace_id = %s AND build = %s AND view_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(view_ids)),
    )
    return {view_id: decode(document) for view_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, views: Collection[Any]) -> None:
    """Write each view of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO views (workspace_id, build, view_id, version, position, name, query, sharing, team_id,
                           created_by, created_at, updated_at, deleted_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, name, query, sharing, team_id,
               created_by, created_at, updated_at, deleted_at
        FROM moved, json_to_recordset(%(rows)s::json) AS v(
            id uuid, version integer, position bigint, name text, query text, sharing text, team_id uuid,
            created_by uuid, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
        ON CONFLICT (workspace_id, build, view_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, name = excluded.name, query = excluded.query,
            sharing = excluded.sharing, team_id = excluded.team_id, updated_at = excluded.updated_at,
            deleted_at = excluded.deleted_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(views),
    )


VIEWS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda view: len(view.name) + len(view.query),
    columns=(
        *("version", "position", "name", "query", "sharing", "team_id", "created_by", "created_at", "updated_at"),
        "deleted_at",
    ),
    wakes=frozenset({"view"}),
)

# `domain.policy.to_view` with the row `view.read` of the table, as SQL.
_VIEWS: Final = """
    SELECT c.position, CASE WHEN v.view_id IS NOT NULL THEN view_document(v)::text END
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT * FROM views v
        WHERE v.workspace_id = c.workspace_id AND v.build = c.build AND v.deleted_at IS NULL AND ({where})
          AND (v.created_by = %(user)s OR v.sharing = 'workspace' OR v.team_id = ANY (%(eyes)s::uuid[])
               OR (%(shared)s AND v.sharing <> 'private'))
        ORDER BY v.view_id LIMIT %(limit)s) v ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'views' AND c.live
    ORDER BY v.view_id
"""
PAGE: Final = _VIEWS.format(where="v.view_id > %(after)s")
ONE: Final = _VIEWS.format(where="v.view_id = %(after)s")


async def page(
    connection: Connection, workspace_id: str, user_id: str, eyes: Eyes, after: str | None, limit: int
) -> tuple[list[View], int]:
    """The views of somebody, in the order of their making; and the position of the projection."""
    return await _read(connection, PAGE, workspace_id, user_id, eyes, after or FIRST, limit)


async def get(
    connection: Connection, workspace_id: str, user_id: str, eyes: Eyes, view_id: str
) -> tuple[View | None, int]:
    """One view, if it is there and somebody may see it; and the position of the projection."""
    views, position = await _read(connection, ONE, workspace_id, user_id, eyes, view_id, 1)
    return (views[0] if views else None), position


async def _read(
    connection: Connection, query: str, workspace_id: str, user_id: str, eyes: Eyes, after: str, limit: int
) -> tuple[list[View], int]:
    cursor = await connection.execute(
        query.encode(),
        {
            "workspace": workspace_id,
            "user": user_id,
            "eyes": list(eyes.ids),
            "shared": may(eyes.role, Action.VIEW_READ, Relation.SHARED),
            "after": after,
            "limit": limit,
        },
    )
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [decode(row[1]) for row in rows if row[1] is not None], position
