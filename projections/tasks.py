"""The projection `tasks`: one row a task, as it is at the checkpoint."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.events import recorded
from domain.task import Task, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lexicon import writing
from projections.table import Table

NAME: Final = "tasks"
KIND: Final = "task"

decode: Final = msgspec.json.Decoder(Task).decode
encode: Final = msgspec.json.Encoder().encode


async def load(connection: Connection, workspace_id: str, build: int, task_ids: Collection[str]) -> dict[str, Any]:
    """The states of some tasks in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT task_id::text, task_document(t)::text FROM tasks t
        WHERE workspace_id = %s AND build = %s AND task_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(task_ids)),
    )
    return {task_id: decode(document) for task_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, tasks: Collection[Any]) -> None:
    """Write each task of a build once."""
    await connection.execute(
        f"""
        {MOVED}, saved AS (
        INSERT INTO tasks (workspace_id, build, task_id, version, position, title, description, status, category,
                           priority, start_at, due_at, due_on, due_zone, overdue_since,
                           assignee_type, assignee_id, project_id, key, parent_id,
                           subtasks, links, tags, estimate_minutes, series_id, occurrence, followed_by,
                           created_by, created_at, updated_at,
                           completed_at, deleted_at, purged_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, title, description, status, category,
               array_position(ARRAY['low', 'normal', 'high', 'urgent'], priority) - 1, start_at, due_at,
               due_on, due_zone, overdue_since,
               assignee->>'type', (assignee->>'id')::uuid, project_id, key, parent_id, subtasks,
               links, tags, estimate_minutes, series_id, occurrence, followed_by,
               created_by, created_at, updated_at, completed_at, deleted_at, purged_at
        FROM moved, json_to_recordset(%(rows)s::json) AS t(
            id uuid, version integer, position bigint, title text, description text, status text,
            category text, priority text, start_at timestamptz, due_at timestamptz, due_on date, due_zone text,
            overdue_since timestamptz, assignee json, project_id uuid, key text,
            parent_id uuid, subtasks jsonb, links jsonb, tags text[], estimate_minutes integer,
            series_id uuid, occurrence timestamptz, followed_by uuid, created_by uuid,
            created_at timestamptz, updated_at timestamptz,
            completed_at timestamptz, deleted_at timestamptz, purged_at timestamptz)
        ON CONFLICT (workspace_id, build, task_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, title = excluded.title,
            description = excluded.description, status = excluded.status, category = excluded.category,
            priority = excluded.priority, start_at = excluded.start_at, due_at = excluded.due_at,
            due_on = excluded.due_on, due_zone = excluded.due_zone, overdue_since = excluded.overdue_since,
            assignee_type = excluded.assignee_type,
            assignee_id = excluded.assignee_id, project_id = excluded.project_id,
            key = excluded.key, parent_id = excluded.parent_id, subtasks = excluded.subtasks, links = excluded.links,
            tags = excluded.tags, estimate_minutes = excluded.estimate_minutes,
            series_id = excluded.series_id, occurrence = excluded.occurrence,
            followed_by = excluded.followed_by, created_by = excluded.created_by,
            created_at = excluded.created_at, updated_at = excluded.updated_at,
            completed_at = excluded.completed_at, deleted_at = excluded.deleted_at,
            purged_at = excluded.purged_at
        RETURNING search)
        {writing(NAME)}
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(tasks),
    )


def weigh(task: Any) -> int:
    """About how many bytes of text a task has that may be long."""
    return len(task.description) + 60 * (len(task.subtasks) + len(task.links))


TASKS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh,
    columns=(
        *(
            "version",
            "position",
            "title",
            "description",
            "status",
            "category",
            "priority",
            "start_at",
            "due_at",
            "due_on",
        ),
        *("due_zone", "overdue_since", "assignee_type"),
        *("assignee_id", "project_id", "key", "parent_id", "subtasks", "links", "tags", "estimate_minutes"),
        *("series_id", "occurrence", "followed_by"),
        *("created_by", "created_at", "updated_at", "completed_at", "deleted_at", "purged_at"),
    ),
    wakes=frozenset({"task", "user"}),
    publishes=True,
)


async def get(connection: Connection, workspace_id: str, task_id: str) -> tuple[Task | None, int]:
    """A task as it is now, and the position of that "now".

    The row of the read table, and on top of it what its stream holds beyond: so one's own write is seen at once.
    """
    cursor = await connection.execute(
        """
        WITH row AS (SELECT t.version, task_document(t) AS document
                     FROM checkpoints c JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
                     WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
                       AND t.task_id = %(task)s)
        SELECT l.position, row.document::text, tail.events
        FROM logs l LEFT JOIN row ON true
        CROSS JOIN LATERAL (
            SELECT json_agg(json_build_array(
                       e.position, e.stream_id, e.version, instant(e.recorded_at), e.name, e.schema_version,
                       e.meta::text, e.data::text) ORDER BY e.version)::text AS events
            FROM events e
            WHERE e.workspace_id = %(workspace)s AND e.stream_id = %(task)s
              AND e.version > coalesce(row.version, 0)
              AND NOT EXISTS (SELECT FROM passed_over p
                              WHERE p.workspace_id = e.workspace_id AND p.projection = 'tasks'
                                AND p.position = e.position)) tail
        WHERE l.workspace_id = %(workspace)s
        """,
        {"workspace": workspace_id, "task": task_id},
    )
    found = await cursor.fetchone()
    if found is None:
        return None, 0
    position, document, tail = found
    return _with_tail(None if document is None else decode(document), tail), position


def _with_tail(task: Task | None, tail: str | None) -> Task | None:
    for row in [] if tail is None else msgspec.json.decode(tail):
        if not row[4].startswith("task."):
            return None  # the id belongs to a stream of another kind
        task = evolve(task, recorded(tuple(row)))
    return task
