"""The projection `attachments`: one row a task that has or had files, for those who look for tasks with some."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.attachment import Attachments, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.table import Table

NAME: Final = "attachments"
KIND: Final = "attachment"

decode: Final = msgspec.json.Decoder(Attachments).decode


async def load(connection: Connection, workspace_id: str, build: int, stream_ids: Collection[str]) -> dict[str, Any]:
    """The files of some tasks in a build, by their streams, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT attachment_id::text, attachments_document(a)::text FROM attachments a
        WHERE workspace_id = %s AND build = %s AND attachment_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(stream_ids)),
    )
    return {stream_id: decode(document) for stream_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, lists: Collection[Any]) -> None:
    """Write the files of each task of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO attachments (workspace_id, build, attachment_id, version, position, task_id, items)
        SELECT %(workspace_id)s, %(build)s, id, version, position, nullif(task_id, '')::uuid, items
        FROM moved, json_to_recordset(%(rows)s::json) AS a(
            id uuid, version integer, position bigint, task_id text, items jsonb)
        ON CONFLICT (workspace_id, build, attachment_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, task_id = excluded.task_id, items = excluded.items
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(lists),
    )


ATTACHMENTS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda files: 400 * len(files.items),
    columns=("version", "position", "task_id", "items"),
    wakes=frozenset({"attachment"}),
)
