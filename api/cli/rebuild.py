"""`taskfold projections rebuild`, `swap`, `rollback`: another build beside the live one, and the way to it and back.

The workers do the work; these commands ask for it, show how it goes, compare, and swap. Each may be cut at any moment
and called again: what was done stays done.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar
from uuid import uuid4

import click

from api.cli.connecting import connect, run, workspace_of
from api.cli.progress import Progress, difference_lines
from api.database import Connection
from projections import builds, rebuilding
from projections.builds import MOST_WHILE_HELD, Build
from projections.comparing import Pair
from projections.registry import PROJECTIONS
from projections.table import Table

T = TypeVar("T")

LOOK_SECONDS: Final = 0.2

NAME: Final = click.argument("name", type=click.Choice(list(PROJECTIONS)))
WORKSPACE: Final = click.option("--workspace", help="The slug of one workspace; all of them by default.")
SHOW: Final = click.option(
    "--show", default=20, show_default=True, type=click.IntRange(0, 10_000), help="Rows to print that differ."
)
NO_SWAP: Final = click.option("--no-swap", "keep", is_flag=True, help="Leave it at that; `swap` makes it live later.")
CHECK: Final = click.option("--check", is_flag=True, help="Compare only: status 1 when rows differ, and no swap.")


@click.command()
@NAME
@WORKSPACE
@click.option(
    "--throttle",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    help="The part of its time that a worker may spend on it; a third by default. 1 is as fast as it goes.",
)
@SHOW
@NO_SWAP
@CHECK
def rebuild(name: str, workspace: str | None, throttle: float | None, show: int, keep: bool, check: bool) -> None:
    """Build a projection again from the log beside the live one, compare the two, and swap.

    Readers and sockets go on with the live build until the moment of the swap, and do not notice it. What was live is
    kept for `rollback` until `discard`.
    """
    differing = _run(_rebuild(PROJECTIONS[name], workspace, throttle, show, swapping=not (keep or check)))
    if check and differing:
        sys.exit(1)


@click.command()
@NAME
@WORKSPACE
@SHOW
def swap(name: str, workspace: str | None, show: int) -> None:
    """Make the build live that `rebuild` has left beside the live one with `--no-swap` or `--check`."""
    _run(_swap(PROJECTIONS[name], workspace, show))


@click.command()
@NAME
@WORKSPACE
def rollback(name: str, workspace: str | None) -> None:
    """Make the build live again that was live before. It is brought up to date first."""
    _run(_rollback(PROJECTIONS[name], workspace))


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return run(work)
    except KeyboardInterrupt:
        click.echo("\nstopped here; what is begun stays, and the same command goes on with it", err=True)
        sys.exit(130)


async def _rebuild(table: Table, slug: str | None, share: float | None, show: int, *, swapping: bool) -> int:
    """Answers how many rows differ."""
    async with await connect() as connection:
        begun = [
            build._replace(build=number, position=0)
            for build in await _of(connection, table, slug, "live")
            if (number := await builds.begin(connection, build.workspace_id, table.name, share)) is not None
        ]
        await _fill(connection, table, begun)
        return await _compare_and_swap(connection, table, begun, show, swapping=swapping)


async def _swap(table: Table, slug: str | None, show: int) -> None:
    async with await connect() as connection:
        waiting = await _of(connection, table, slug, "filling")
        if not waiting:
            raise LookupError(f"{table.name} has no build beside the live one; `rebuild` makes one")
        await _fill(connection, table, waiting)
        await _compare_and_swap(connection, table, waiting, show, swapping=True)


async def _rollback(table: Table, slug: str | None) -> None:
    async with await connect() as connection:
        revived = [
            build._replace(build=number)
            for build in await _of(connection, table, slug, "live")
            if (number := await builds.revive(connection, build.workspace_id, table.name)) is not None
        ]
        if not revived:
            raise LookupError(f"{table.name} has no earlier build to go back to")
        await _fill(connection, table, revived)
        for build in revived:
            await rebuilding.swap(connection, table, build.workspace_id, build.build, str(uuid4()))
            click.echo(f"{build.slug}: build {build.build} of {table.name} is live again")


async def _of(connection: Connection, table: Table, slug: str | None, state: str) -> list[Build]:
    workspace_id = None if slug is None else await workspace_of(connection, slug)
    return [build for build in await builds.all_of(connection, [table.name], workspace_id) if build.state == state]


async def _fill(connection: Connection, table: Table, targets: list[Build]) -> None:
    """Show how the workers come on, until each of these builds is past where the live one was, and near where it is.

    Raises `LookupError` for a build that is gone, or stops at an event that the live one has passed.
    """
    progress = Progress(table.name)
    begun: dict[str, int] = {}
    while True:
        found = {(each.workspace_id, each.build): each for each in await builds.all_of(connection, [table.name])}
        live = {each.workspace_id: each for each in found.values() if each.live}
        pairs = [(_found(found, target), live[target.workspace_id]) for target in targets]
        done, all_ = sum(one.position for one, _ in pairs), sum(max(one.position, two.position) for one, two in pairs)
        begun = begun or {two.workspace_id: two.position for _, two in pairs}
        if all(one.position >= max(begun[one.workspace_id], two.position - MOST_WHILE_HELD) for one, two in pairs):
            progress.end(done, all_)
            return
        for one, two in pairs:
            if one.failed_at is not None and one.failed_at <= two.position:
                progress.end(done, all_)
                raise LookupError(f"{one.slug}: build {one.build} stops at position {one.failed_at}: {one.error}")
        progress.show(done, all_)
        await asyncio.sleep(LOOK_SECONDS)


def _found(found: dict[tuple[str, int], Build], target: Build) -> Build:
    build = found.get((target.workspace_id, target.build))
    if build is None or build.state not in ("filling", "live"):
        raise LookupError(f"{target.slug}: build {target.build} is gone: somebody has discarded it")
    return build


async def _compare_and_swap(
    connection: Connection, table: Table, targets: list[Build], show: int, *, swapping: bool
) -> int:
    """Answers how many rows differ, in all workspaces."""
    live = {build.workspace_id: build.build for build in await _of(connection, table, None, "live")}
    lease = str(uuid4())
    differing = 0
    for build in targets:
        pair = Pair(build.workspace_id, live[build.workspace_id], build.build)
        found = await rebuilding.compare(connection, table, pair, lease, show)
        differing += found.differing
        click.echo(f"{build.slug}: {found.differing:,} of {found.rows:,} rows differ")
        for difference in found.first:
            for text in difference_lines(table.kind, difference):
                click.echo(text)
        if found.differing > len(found.first) > 0:
            click.echo(f"  … and {found.differing - len(found.first):,} more")
        if found.ahead:
            click.echo(f"  {found.ahead:,} rows are not compared: the live build has stopped before their last change")
    for build in targets if swapping else ():
        await rebuilding.swap(connection, table, build.workspace_id, build.build, lease)
        click.echo(f"{build.slug}: build {build.build} of {table.name} is live; `rollback` goes back to the one before")
    if not swapping:
        click.echo(f"{table.name}: nothing is swapped; `swap` makes the new build live, `discard` drops it")
    return differing
