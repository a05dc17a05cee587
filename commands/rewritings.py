"""Which tasks were rewritten for what became of a tag: read from the log, which alone knows what they had before."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from commands.event_store import EventStore, Pool
from commands.retagging import Due, Rewritten
from commands.rewriting import Rewriting, due, rewriting, spans
from domain.events import Recorded
from domain.tagbook import Tagbook, book_id

_TAGS: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class Rewritings:
    """Reads what was rewritten."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    async def of(self, workspace_id: str, position: int) -> Rewriting:
        """What followed from the event of the book at a position."""
        return await self._of(workspace_id, await self._book(workspace_id), position)

    async def due(self, workspace_id: str, book: Tagbook, position: int) -> list[Due]:
        """The tasks that are still to get back what they had before the event at a position, by the names of today."""
        history = await self._book(workspace_id)
        tasks = (await self._of(workspace_id, history, position)).tasks
        since = await self._edits_of(workspace_id, [each.task_id for each in tasks], position)
        return await asyncio.to_thread(due, book, history, tasks, since)

    async def had(self, workspace_id: str, task_ids: Sequence[str], names: Sequence[str], position: int) -> bool:
        """Whether any of these tasks had one of these names among its tags right before a position."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT EXISTS (
                    SELECT FROM unnest(%s::uuid[]) AS t(task_id)
                    CROSS JOIN LATERAL (
                        SELECT e.data -> 'tags' AS tags FROM events e
                        WHERE e.workspace_id = %s AND e.stream_id = t.task_id AND e.position < %s
                          AND e.name IN ('task.created', 'task.edited') AND e.data -> 'tags' IS NOT NULL
                        ORDER BY e.version DESC LIMIT 1) last
                    WHERE last.tags::jsonb ?| %s::text[])
                """,
                (list(task_ids), workspace_id, position, list(names)),
            )
            row = await cursor.fetchone()
            return row is not None and bool(row[0])

    async def _book(self, workspace_id: str) -> list[Recorded]:
        return await self._store.load(workspace_id, {book_id(workspace_id): 0})

    async def _of(self, workspace_id: str, history: Sequence[Recorded], position: int) -> Rewriting:
        found = spans(history, position)
        edits = {span.after: await self._edits(workspace_id, span.after, span.to) for span in found}
        return await asyncio.to_thread(rewriting, history, edits, position)

    async def _edits(self, workspace_id: str, after: int, to: int | None) -> list[Rewritten]:
        """All edits of tags in a part of the log."""
        return await self._read(
            """
            SELECT e.position, e.stream_id::text, before.tags::text, (e.data -> 'tags')::text
            FROM events e
            CROSS JOIN LATERAL (
                SELECT b.data -> 'tags' AS tags FROM events b
                WHERE b.workspace_id = e.workspace_id AND b.stream_id = e.stream_id AND b.version < e.version
                  AND b.name IN ('task.created', 'task.edited') AND b.data -> 'tags' IS NOT NULL
                ORDER BY b.version DESC LIMIT 1) before
            WHERE e.workspace_id = %(workspace)s AND e.position > %(after)s AND e.position <= %(to)s
              AND e.name = 'task.edited' AND e.data -> 'tags' IS NOT NULL
            ORDER BY e.position
            """,
            {"workspace": workspace_id, "after": after, "to": 2**63 - 1 if to is None else to},
        )

    async def _edits_of(self, workspace_id: str, task_ids: Sequence[str], after: int) -> list[Rewritten]:
        """All edits of the tags of some tasks from a position on."""
        return await self._read(
            """
            SELECT s.position, s.stream_id::text, s.before::text, s.tags::text
            FROM (
                SELECT e.position, e.stream_id, e.data -> 'tags' AS tags,
                       lag(e.data -> 'tags') OVER (PARTITION BY e.stream_id ORDER BY e.version) AS before
                FROM unnest(%(tasks)s::uuid[]) AS t(task_id)
                JOIN events e ON e.workspace_id = %(workspace)s AND e.stream_id = t.task_id
                WHERE e.name IN ('task.created', 'task.edited') AND e.data -> 'tags' IS NOT NULL) s
            WHERE s.position > %(after)s AND s.before IS NOT NULL
            ORDER BY s.position
            """,
            {"workspace": workspace_id, "tasks": list(task_ids), "after": after},
        )

    async def _read(self, query: str, parameters: Mapping[str, Any]) -> list[Rewritten]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.encode(), parameters)
            rows = await cursor.fetchall()
            return [Rewritten(int(row[0]), str(row[1]), _TAGS(row[2]), _TAGS(row[3])) for row in rows]
