"""The steps of a rebuild that wait for others: compare two builds until nothing is left open, and swap them.

Each step takes hold of the live build for some milliseconds only, and tries again when it is not the moment.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from projections import builds, comparing
from projections.comparing import Difference, Pair, Part
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

ROWS_AT_ONCE: Final = 1_000
FEW: Final = 200  # rows that are compared while the live build is held
TRIES: Final = 300
REST_SECONDS: Final = 0.1
SHARE: Final = 1 / 3  # of its time that a comparison works


class BusyError(RuntimeError):
    """The right moment did not come. Nothing is lost: try again when there is less to do."""


@dataclass(slots=True)
class Comparison:
    """How two builds of a workspace differ: how many rows of how many, and the first of them.

    `ahead` counts the rows that cannot be compared, because the live build has stopped before what changed them last.
    """

    rows: int = 0
    differing: int = 0
    ahead: int = 0
    first: list[Difference] = field(default_factory=list)

    def take(self, part: Part, most: int) -> None:
        """Add what came of a part of the rows; at most so many differences are kept."""
        self.differing += len(part.differing)
        self.first += part.differing[: most - len(self.first)]


async def compare(connection: Connection, table: Table, pair: Pair, lease: str, most: int) -> Comparison:
    """Compare two builds row by row. Rows that move meanwhile are looked at again, until none is left."""
    found = Comparison()
    moved: list[str] = []
    at: str | None = FIRST
    while at is not None:
        began = monotonic()
        part = await comparing.after(connection, table, pair, at, ROWS_AT_ONCE)
        found.take(part, most)
        found.rows += part.rows
        moved += part.moved
        at = part.upto
        await asyncio.sleep((monotonic() - began) * (1 / SHARE - 1))
    for _ in range(TRIES):
        if len(moved) <= FEW or await builds.has_stopped(connection, pair.workspace_id, table.name):
            break
        moved = await _again(connection, table, pair, moved, found, most)
        await asyncio.sleep(REST_SECONDS)
    if moved and await builds.has_stopped(connection, pair.workspace_id, table.name):
        found.ahead = len(await _again(connection, table, pair, moved, found, most))
    elif moved:
        found.take(await _held(connection, table, pair, moved, lease), most)
    return found


async def _again(
    connection: Connection, table: Table, pair: Pair, ids: Sequence[str], found: Comparison, most: int
) -> list[str]:
    """Another pass over rows that had moved; those that have moved again."""
    moved = []
    for n in range(0, len(ids), ROWS_AT_ONCE):
        part = await comparing.these(connection, table, pair, ids[n : n + ROWS_AT_ONCE])
        found.take(part, most)
        moved += part.moved
    return moved


async def _held(connection: Connection, table: Table, pair: Pair, ids: Sequence[str], lease: str) -> Part:
    """The last pass: while both builds stand at the same position, no row is on its way."""
    for _ in range(TRIES):
        async with builds.held(connection, pair.workspace_id, table, pair.other, lease) as ahead:
            if ahead == 0:
                return await comparing.these(connection, table, pair, ids)
        await asyncio.sleep(REST_SECONDS)
    raise BusyError(f"{table.name}: build {pair.other} did not come to the position of the live one")


async def swap(connection: Connection, table: Table, workspace_id: str, build: int, lease: str) -> None:
    """Make a build the live one, in one transaction, at or past the position of the one that was.

    Raises `BusyError` when it does not catch up, `LookupError` when it is not there.
    """
    for _ in range(TRIES):
        async with builds.held(connection, workspace_id, table, build, lease) as ahead:
            if ahead is not None:
                await builds.flip(connection, workspace_id, table.name, build)
                return
        await asyncio.sleep(REST_SECONDS)
    raise BusyError(f"{table.name}: build {build} did not come to the position of the live one")


async def drop(connection: Connection, table: Table, workspace_id: str, build: int) -> int:
    """Delete the rows of a build that is given up, some at a time, and its checkpoint. Answers how many rows."""
    deleted = 0
    while True:
        began = monotonic()
        rows = await builds.drop_some(connection, workspace_id, table, build)
        if not rows:
            return deleted
        deleted += rows
        await asyncio.sleep((monotonic() - began) * (1 / SHARE - 1))
