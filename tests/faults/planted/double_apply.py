"""The committer takes an unknown outcome for a failure: it reads again where the streams are, and sends new ids."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from msgspec import structs

from commands import event_store
from commands.appending import Append, Verdict
from commands.ids import new_id


def plant() -> None:
    """What was sent once without an answer is another command when it is sent again."""
    append = event_store.append
    unanswered: set[str] = set()

    async def doubling(connection: Any, batch: Sequence[Append]) -> list[Verdict]:
        again = [await _anew(connection, each) if each.command_id in unanswered else each for each in batch]
        try:
            return await append(connection, again)
        except psycopg.OperationalError:
            unanswered.update(each.command_id for each in batch)
            raise

    event_store.append = doubling


async def _anew(connection: Any, append: Append) -> Append:
    """The same facts, as another command, on top of whatever is there. (Not for a creation: that cannot be read.)"""
    if append.reads.get(append.stream_id, 0) == 0:
        return append
    cursor = await connection.execute(
        """
        SELECT stream_id::text, max(version) FROM events
        WHERE workspace_id = %s AND stream_id = ANY (%s::uuid[]) GROUP BY stream_id
        """,
        (append.workspace_id, list(append.reads)),
    )
    versions = dict(await cursor.fetchall())
    command_id = new_id()
    return replace(
        append,
        command_id=command_id,
        key=None,
        reads={stream_id: versions.get(stream_id, 0) for stream_id in append.reads},
        meta=structs.replace(append.meta, causation_id=command_id),
    )
