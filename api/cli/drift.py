"""`taskfold projections drift`: rows beside the fold of their streams."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import click

from api.cli.connecting import connect, run, workspace_of
from projections.database import Connection
from projections.drift import Difference, Sort, check
from projections.drift_sample import every, sample
from projections.registry import PROJECTIONS
from projections.table import Table

SAMPLE: Final = 100
IDS_AT_ONCE: Final = 100
SHOWN: Final = 200  # characters of a value


@click.command()
@click.option("--workspace", help="The slug of the only workspace to look at; all by default.")
@click.option(
    "--sample", "most", type=click.IntRange(1), help=f"So many streams of each projection; {SAMPLE} by default."
)
@click.option("--all", "whole", is_flag=True, help="Every stream and every row.")
def drift(workspace: str | None, most: int | None, whole: bool) -> None:
    """Compare rows with the fold of the log at the same position, print every difference, and fail when there is one.

    Nothing is changed. The log is what is right: `taskfold projections rebuild` makes the rows anew.
    """
    if whole and most is not None:
        raise click.UsageError("--sample and --all exclude each other")
    if run(_look(workspace, None if whole else most or SAMPLE)):
        sys.exit(1)


async def _look(slug: str | None, most: int | None) -> int:
    """Look, and print. The number of differences."""
    differences = 0
    async with await connect() as connection:
        async for workspace_id, name in _workspaces(connection, slug):
            for table in PROJECTIONS.values():
                differences += await _compare(connection, workspace_id, name, table, most)
    return differences


async def _workspaces(connection: Connection, slug: str | None) -> AsyncIterator[tuple[str, str]]:
    """One workspace, or all of them, one at a time in the order of their slugs."""
    if slug is not None:
        yield await workspace_of(connection, slug), slug
        return
    row: tuple[str, str] | None = ("", "")
    while row is not None:
        cursor = await connection.execute(
            "SELECT workspace_id::text, slug FROM workspaces WHERE slug > %s ORDER BY slug LIMIT 1", (row[1],)
        )
        row = await cursor.fetchone()
        if row is not None:
            yield row


async def _compare(connection: Connection, workspace_id: str, slug: str, table: Table, most: int | None) -> int:
    """Compare one projection of one workspace. Says what it looked at, and every difference."""
    position = streams = events = differences = 0
    async for ids in _ids(connection, workspace_id, table, most):
        checked = await check(connection, workspace_id, table, ids)
        for difference in checked.differences:
            click.echo(line_of(slug, difference))
        position = checked.position
        streams += checked.streams
        events += checked.events
        differences += len(checked.differences)
    click.echo(
        f"{slug} {table.name}: {differences:,} differences in {streams:,} streams of {events:,} events,"
        f" up to position {position}"
    )
    return differences


async def _ids(connection: Connection, workspace_id: str, table: Table, most: int | None) -> AsyncIterator[list[str]]:
    """What is to be looked at, some at a time."""
    if most is not None:
        ids = await sample(connection, workspace_id, table, most)
        for at in range(0, len(ids), IDS_AT_ONCE):
            yield ids[at : at + IDS_AT_ONCE]
        return
    async for page in every(connection, workspace_id, table):
        yield page


def line_of(slug: str, difference: Difference) -> str:
    """A difference in one line: whose it is, and both values."""
    place = f"{slug} {difference.projection} {difference.stream_id} at position {difference.position}"
    if difference.sort is Sort.UNFOLDED:
        return f"{place}: {difference.sort}: {' '.join(difference.folded.split())}"
    if difference.field is None:
        return f"{place}: {difference.sort}"
    values = f"row {_shown(difference.row)}, log {_shown(difference.folded)}"
    return f"{place}: {difference.field} {difference.sort}: {values}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
