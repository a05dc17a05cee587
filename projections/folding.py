"""Streams as they were at a position: folded out of the log, some at a time, however many and however long they are."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from domain.events import Recorded
from projections import log
from projections.database import Connection, Pool

AT_ONCE: Final = 200  # events: of the largest ones 20 MB and more

State = TypeVar("State")


class _Piece(NamedTuple):
    """Some versions of a stream: past `after`, up to `to`; the last one that there is or not."""

    stream_id: str
    after: int
    to: int
    is_last: bool


async def folded(
    pool: Pool,
    workspace_id: str,
    stream_ids: Sequence[str],
    position: int,
    evolve: Callable[[State | None, Recorded], State],
    projection: str | None = None,
) -> AsyncIterator[State]:
    """The states of those that were there at a position, in the order of their ids as given.

    What was passed over for `projection` is left out. No connection is held while the caller works on a state.
    """
    if not stream_ids:
        return
    states: dict[str, Any] = {}
    async with pool.connection() as connection:
        heads = await _heads(connection, workspace_id, stream_ids)
    for group in _groups(heads):
        before = {piece.stream_id: piece.to + 1 for piece in group}
        after = {piece.stream_id: piece.after for piece in group}
        async with pool.connection() as connection:
            events = await log.streams(connection, workspace_id, before, after, up_to=position, projection=projection)
        for event in events:
            states[event.stream_id] = evolve(states.get(event.stream_id), event)
        for piece in group:
            if piece.is_last and piece.stream_id in states:
                yield states.pop(piece.stream_id)


async def _heads(connection: Connection, workspace_id: str, stream_ids: Sequence[str]) -> list[tuple[str, int]]:
    """The last versions of those streams that there are."""
    cursor = await connection.execute(
        """
        SELECT wanted.id::text, head.version
        FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted(id, n)
        CROSS JOIN LATERAL (
            SELECT e.version FROM events e WHERE e.workspace_id = %s AND e.stream_id = wanted.id
            ORDER BY e.version DESC LIMIT 1) head
        ORDER BY wanted.n
        """,
        (list(stream_ids), workspace_id),
    )
    return await cursor.fetchall()


def _groups(heads: Iterable[tuple[str, int]]) -> Iterator[list[_Piece]]:
    """All of them, in pieces of which as many as `AT_ONCE` allows are read together."""
    group: list[_Piece] = []
    size = 0
    for stream_id, head in heads:
        for after in range(0, head, AT_ONCE):
            piece = _Piece(stream_id, after, min(head, after + AT_ONCE), after + AT_ONCE >= head)
            if group and size + piece.to - piece.after > AT_ONCE:
                yield group
                group, size = [], 0
            group.append(piece)
            size += piece.to - piece.after
    if group:
        yield group
