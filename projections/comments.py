"""The projection `comments`: one row a comment, also of those that are deleted; and the queries."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec

from domain.comment import Comment, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lexicon import writing
from projections.lookups import FIRST, LAST
from projections.table import Table

NAME: Final = "comments"
KIND: Final = "comment"

decode: Final = msgspec.json.Decoder(Comment).decode


async def load(connection: Connection, workspace_id: str, build: int, comment_ids: Collection[str]) -> dict[str, Any]:
    """The states of some comments in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT comment_id::text, comment_document(c)::text FROM comments c
        WHERE workspace_id = %s AND build = %s AND comment_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(comment_ids)),
    )
    return {comment_id: decode(document) for comment_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, comments: Collection[Any]) -> None:
    """Write each comment of a build once."""
    await connection.execute(
        f"""
        {MOVED}, saved AS (
        INSERT INTO comments (workspace_id, build, comment_id, version, position, task_id, body, mentions, reply_to,
                              created_by, created_at, updated_at, edited_at, deleted_at, deleted_by)
        SELECT %(workspace_id)s, %(build)s, id, version, position, task_id, body, mentions, reply_to,
               created_by, created_at, updated_at, edited_at, deleted_at, deleted_by
        FROM moved, json_to_recordset(%(rows)s::json) AS c(
            id uuid, version integer, position bigint, task_id uuid, body text, mentions text[], reply_to uuid,
            created_by uuid, created_at timestamptz, updated_at timestamptz, edited_at timestamptz,
            deleted_at timestamptz, deleted_by uuid)
        ON CONFLICT (workspace_id, build, comment_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, body = excluded.body,
            mentions = excluded.mentions, updated_at = excluded.updated_at, edited_at = excluded.edited_at,
            deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by
        RETURNING search)
        {writing(NAME)}
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(comments),
    )


COMMENTS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda comment: len(comment.body or "") + 40 * len(comment.mentions),
    columns=(
        *("version", "position", "task_id", "body", "mentions", "reply_to", "created_by", "created_at", "updated_at"),
        *("edited_at", "deleted_at", "deleted_by"),
    ),
    wakes=frozenset({"comment"}),
)


class Thread(NamedTuple):
    """Which comments of a task: past an id, of one thread or of all, newest first or oldest first."""

    task_id: str
    head: str | None = None
    after: str | None = None
    newest_first: bool = False


# What is deleted is shown only while an answer to it stands.
_PAGE: Final = """
    SELECT k.position, CASE WHEN c.comment_id IS NOT NULL THEN comment_document(c)::text END
    FROM checkpoints k
    LEFT JOIN LATERAL (
        SELECT * FROM comments c
        WHERE c.workspace_id = k.workspace_id AND c.build = k.build AND c.task_id = %(task)s
          AND c.comment_id {beyond} %(after)s
          AND (%(head)s::uuid IS NULL OR c.comment_id = %(head)s OR c.reply_to = %(head)s)
          AND (c.deleted_at IS NULL OR EXISTS (
              SELECT FROM comments r
              WHERE r.workspace_id = c.workspace_id AND r.build = c.build AND r.reply_to = c.comment_id
                AND r.deleted_at IS NULL))
        ORDER BY c.comment_id {order} LIMIT %(limit)s) c ON true
    WHERE k.workspace_id = %(workspace)s AND k.projection = 'comments' AND k.live
    ORDER BY c.comment_id {order}
"""
OLDEST_FIRST: Final = _PAGE.format(beyond=">", order="ASC")
NEWEST_FIRST: Final = _PAGE.format(beyond="<", order="DESC")


async def page(connection: Connection, workspace_id: str, thread: Thread, limit: int) -> tuple[list[Comment], int]:
    """Comments of a task in the order of their making, and the position of the projection."""
    cursor = await connection.execute(
        (NEWEST_FIRST if thread.newest_first else OLDEST_FIRST).encode(),
        {
            "workspace": workspace_id,
            "task": thread.task_id,
            "head": thread.head,
            "after": thread.after or (LAST if thread.newest_first else FIRST),
            "limit": limit,
        },
    )
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [decode(row[1]) for row in rows if row[1] is not None], position


async def is_answered(connection: Connection, workspace_id: str, comment_id: str) -> bool:
    """Whether an answer to a comment stands, as far as the projection has come."""
    cursor = await connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM checkpoints k JOIN comments r ON r.workspace_id = k.workspace_id AND r.build = k.build
            WHERE k.workspace_id = %s AND k.projection = 'comments' AND k.live
              AND r.reply_to = %s AND r.deleted_at IS NULL)
        """,
        (workspace_id, comment_id),
    )
    row = await cursor.fetchone()
    return bool(row and row[0])
