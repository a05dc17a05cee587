"""The files at tasks: their bytes, beside the facts in the log, and the end of bytes that nothing names any more."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from commands.attachment import AddAttachment, MayAttach, RemoveAttachment
from commands.beside import beside
from commands.blobs import Blob, Blobs, Incoming, Limits
from commands.event_store import CHANGE_BLOB, Pool
from commands.execute import Call, Executor, Receipt
from commands.ids import new_id
from domain import failpoints
from domain.errors import Forbidden, Unavailable
from domain.media import sniff

KEPT_DAYS: Final = 30  # after a file was taken away, for who did not mean to
DUE_AT_ONCE: Final = 100


class Attachments:
    """Adds, reads and removes files."""

    def __init__(self, pool: Pool, executor: Executor, blobs: Blobs | None, limits: Limits) -> None:
        self._pool = pool
        self._executor = executor
        self._blobs = blobs
        self.limits = limits

    @property
    def blobs(self) -> Blobs:
        """Where the bytes are. Raises `Forbidden` `attachment.off` where the operator has named no place."""
        if self._blobs is None:
            raise Forbidden(
                "attachment.off", "this installation keeps no files; its operator can name a place for them"
            )
        return self._blobs

    async def check(self, call: Call, task_id: str) -> None:
        """Raises what a command would that adds a file there now: before its bytes have come, and not after."""
        await self._executor.foresee(MayAttach(task_id), call)

    @asynccontextmanager
    async def receive(self, workspace_id: str) -> AsyncIterator[Incoming]:
        """Room for the bytes of a file; see `Blobs.receive`. Raises `Unavailable` where there is no room left."""
        try:
            async with self.blobs.receive(workspace_id, self.limits.most_bytes) as incoming:
                yield incoming
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            detail = "there is no room for the file now; its operator has to make some"
            raise Unavailable("attachment.no_room", detail, retry_after=60) from error

    async def add(self, call: Call, task_id: str, name: str, blob: Blob, incoming: Incoming) -> Receipt:
        """Let a file be at a task whose bytes are kept. Raises as `AddAttachment` does."""
        failpoints.reach(failpoints.BLOB_KEPT)
        command = AddAttachment(
            task_id,
            new_id(),
            name=name,
            size=incoming.size,
            media_type=sniff(incoming.head, name),
            sha256=blob.sha256,
        )
        row = {"attachment_id": command.attachment_id, "sha256": blob.sha256}
        return await self._executor.execute(command, call, beside(self._pool, CHANGE_BLOB, row))

    async def remove(self, call: Call, task_id: str, attachment_id: str) -> Receipt:
        """Take a file away; its bytes stay for some days. Raises as `RemoveAttachment` does."""
        row = {"attachment_id": attachment_id, "kept_days": KEPT_DAYS}
        return await self._executor.execute(
            RemoveAttachment(task_id, attachment_id), call, beside(self._pool, CHANGE_BLOB, row)
        )


async def wanted(pool: Pool, blob: Blob) -> bool:
    """Whether a fact names these bytes, and is not due to be forgotten."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT EXISTS (SELECT FROM blobs WHERE workspace_id = %s AND sha256 = decode(%s, 'hex'))",
            (blob.workspace_id, blob.sha256),
        )
        row = await cursor.fetchone()
    return bool(row and row[0])


async def forget_due(pool: Pool) -> list[Blob]:
    """Let no fact name the bytes any more that are due. Answers them: others may still name equal ones."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            DELETE FROM blobs WHERE (workspace_id, attachment_id) IN (
                SELECT workspace_id, attachment_id FROM blobs
                WHERE due_at < clock_timestamp() AND due_at < 'infinity'
                ORDER BY due_at LIMIT %s)
            RETURNING workspace_id::text, encode(sha256, 'hex')
            """,
            (DUE_AT_ONCE,),
        )
        return [Blob(*row) for row in await cursor.fetchall()]
