"""The projection `templates`: one row a template, also of those that are deleted; and the queries.

What a template said before is in no row: each event of its stream holds the whole of it.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec

from domain.events import decode as decode_event
from domain.template import Definition, Template, TemplateSaved, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "templates"
KIND: Final = "template"

decode: Final = msgspec.json.Decoder(Template).decode
encode: Final = msgspec.json.Encoder().encode


async def load(connection: Connection, workspace_id: str, build: int, template_ids: Collection[str]) -> dict[str, Any]:
    """The states of some templates in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT template_id::text, template_document(t)::text FROM templates t
        WHERE workspace_id = %s AND build = %s AND template_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(template_ids)),
    )
    return {template_id: decode(document) for template_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, templates: Collection[Any]) -> None:
    """Write each template of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO templates (workspace_id, build, template_id, version, position, name, description, variables, tasks,
                               created_by, created_at, updated_at, deleted_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, name, description, variables, tasks,
               created_by, created_at, updated_at, deleted_at
        FROM moved, json_to_recordset(%(rows)s::json) AS t(
            id uuid, version integer, position bigint, name text, description text, variables jsonb, tasks jsonb,
            created_by uuid, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
        ON CONFLICT (workspace_id, build, template_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, name = excluded.name,
            description = excluded.description, variables = excluded.variables, tasks = excluded.tasks,
            updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(templates),
    )


TEMPLATES: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda template: len(encode(template.tasks)) + len(encode(template.variables)) + len(template.description),
    columns=(
        *("version", "position", "name", "description", "variables", "tasks"),
        *("created_by", "created_at", "updated_at", "deleted_at"),
    ),
    wakes=frozenset({"template"}),
)


class Brief(NamedTuple):
    """A template in a few words: of its tasks the number."""

    id: str
    version: int
    position: int
    name: str
    description: str
    variables: list[dict[str, Any]]
    tasks: int
    created_by: str
    created_at: str
    updated_at: str


async def page(connection: Connection, workspace_id: str, after: str | None, limit: int) -> tuple[list[Brief], int]:
    """Templates that are not deleted, in the order of their making; and the position of the projection."""
    cursor = await connection.execute(
        """
        SELECT c.position, t.template_id::text, t.version, t.position, t.name, t.description, t.variables,
               jsonb_array_length(t.tasks), t.created_by::text, instant(t.created_at), instant(t.updated_at)
        FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT * FROM templates t
            WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND t.deleted_at IS NULL
              AND t.template_id > %(after)s
            ORDER BY t.template_id LIMIT %(limit)s) t ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'templates' AND c.live
        ORDER BY t.template_id
        """,
        {"workspace": workspace_id, "after": after or FIRST, "limit": limit},
    )
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [Brief(*row[1:]) for row in rows if row[1] is not None], position


async def get(connection: Connection, workspace_id: str, template_id: str) -> tuple[Template | None, int]:
    """One template, if it is there and not deleted; and the position of the projection."""
    cursor = await connection.execute(
        """
        SELECT c.position, CASE WHEN t.template_id IS NOT NULL THEN template_document(t)::text END FROM checkpoints c
        LEFT JOIN templates t ON t.workspace_id = c.workspace_id AND t.build = c.build
                             AND t.template_id = %(template)s AND t.deleted_at IS NULL
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'templates' AND c.live
        """,
        {"workspace": workspace_id, "template": template_id},
    )
    row = await cursor.fetchone()
    if row is None:
        return None, 0
    return None if row[1] is None else decode(row[1]), int(row[0])


class Version(NamedTuple):
    """A version of a template in a few words: when it was saved, and by whom. An erased one has no name."""

    version: int
    position: int
    name: str | None
    tasks: int
    saved_by: str
    saved_at: str


async def versions(
    connection: Connection, workspace_id: str, template_id: str, before: int, limit: int
) -> list[Version]:
    """The versions of a template that were saved before this one, newest first: those of its stream."""
    cursor = await connection.execute(
        """
        SELECT e.version, e.position, e.data->>'name', coalesce(json_array_length(e.data->'tasks'), 0),
               e.meta->>'actor', instant(e.recorded_at)
        FROM events e
        WHERE e.workspace_id = %s AND e.stream_id = %s AND e.version < %s
          AND e.name IN ('template.created', 'template.changed', 'template.revived')
        ORDER BY e.version DESC LIMIT %s
        """,
        (workspace_id, template_id, before, limit),
    )
    return [Version(*row) for row in await cursor.fetchall()]


class Saved(NamedTuple):
    """What a version of a template says, since when, and by whom."""

    definition: Definition
    position: int
    saved_by: str
    saved_at: str


async def saved(connection: Connection, workspace_id: str, template_id: str, version: int) -> Saved | None:
    """A version of a template; None where there is none, or what it said was erased."""
    cursor = await connection.execute(
        """
        SELECT e.name, e.schema_version, e.data::text, e.position, e.meta->>'actor', instant(e.recorded_at)
        FROM events e
        WHERE e.workspace_id = %s AND e.stream_id = %s AND e.version = %s
          AND e.name IN ('template.created', 'template.changed', 'template.revived')
        """,
        (workspace_id, template_id, version),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    event = decode_event(row[0], row[1], row[2])
    return Saved(event.definition, *row[3:]) if isinstance(event, TemplateSaved) else None
