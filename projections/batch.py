"""One batch of one build: read on part by part, fold in memory, write each touched row once, with the checkpoint.

However long a batch is, what it reads is in memory part by part alone. So it can be long where a build is far behind,
and a row that many of its events touch is written once.
"""

from time import monotonic
from typing import Final, NamedTuple

from domain import failpoints
from domain.messages import AccessChange, TaskChange
from projections import checkpoints, log
from projections.batch_folding import Folding
from projections.checkpoints import LEASE_SECONDS, Move
from projections.database import Connection
from projections.log import MOST_BYTES
from projections.progress import Held, Progress
from projections.stream_folding import StreamFolding
from projections.table import Table

PART: Final = 2_500  # positions that are read at once, fewer when their data come to `PART_BYTES`
PART_BYTES: Final = 4_000_000


class Batch(NamedTuple):
    """What became of the positions in (`after`, `to`]. `tasks` is None when there is too much to publish."""

    after: int
    to: int
    head: int
    tasks: list[TaskChange] | None
    accesses: list[AccessChange]


async def project(
    connection: Connection,
    workspace_id: str,
    table: Table,
    progress: Progress,
    lease: str,
    most: int,
    held: Held | None = None,
    *,
    most_bytes: int = MOST_BYTES,
    lease_seconds: float = LEASE_SECONDS,
) -> Batch:
    """Project at most `most` positions and commit: fewer when their data, or the states that they change, come to
    `most_bytes`. Raises when another worker writes this build.
    """
    folding = (table.folding or StreamFolding)(connection, workspace_id, table, progress, most_bytes)
    after = progress.position
    until = monotonic() + lease_seconds / 3  # so that there is time to write
    to, head = await _fold(connection, workspace_id, table.name, folding, after, most, most_bytes, until)
    if to > after:
        move = Move(workspace_id, table.name, progress.build, lease, after, to, lease_seconds)
        if not await folding.write(move):
            await checkpoints.move(connection, move)
        progress.position = to
        if held is not None:
            held.keep(progress, table, folding.states)
    return Batch(after, to, head, folding.tasks, folding.accesses)


async def _fold(
    connection: Connection,
    workspace_id: str,
    name: str,
    folding: Folding,
    after: int,
    most: int,
    most_bytes: int,
    until: float,
) -> tuple[int, int]:
    """Fold part by part, none past a time. Answers up to which position, and where the log was seen to end."""
    to, reach, size = after, PART, 0
    while True:
        part = await log.read(
            connection,
            workspace_id,
            to,
            min(reach, after + most - to),
            folding.like,
            projection=name,
            most_bytes=min(most_bytes, PART_BYTES),
        )
        if part.to == part.after:
            return to, part.head
        failpoints.reach(failpoints.PROJECTOR_READ)
        size += part.size
        reach = 2 * (part.to - part.after) if part.cut else PART  # where events are large, do not look far ahead
        to = await folding.take(part)
        is_whole = to == min(part.head, after + most) or to < part.to
        if is_whole or size >= most_bytes or folding.is_full() or monotonic() >= until:
            return to, part.head
