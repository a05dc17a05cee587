"""`taskfold projections`: where they stand, what to do about one that stopped, and how to rebuild one."""

import click

from api.cli import fail
from api.cli.connecting import connect, run, workspace_of
from api.cli.drift import drift
from api.cli.rebuild import NAME, WORKSPACE, rebuild, rollback, swap
from projections import builds, passing, rebuilding
from projections.builds import Build
from projections.passing import Passed
from projections.registry import PROJECTIONS

MOST_PASSED = 20


@click.group()
def projections() -> None:
    """Look at the projections, mend one, rebuild one."""


@projections.command(name="list")
def list_() -> None:
    """Every build of every projection: where it stands, how far it is behind, and why it stopped if it did."""
    found, passed = run(_all())
    click.echo(f"{'workspace':<24} {'projection':<10} {'build':>5} {'position':>12} {'lag':>9}  state")
    for build in found:
        click.echo(
            f"{build.slug:<24} {build.projection:<10} {build.build:>5} {build.position:>12}"
            f" {build.head - build.position:>9}  {state_of(build)}"
        )
    for event in passed:
        click.echo(
            f"passed over: {event.slug} {event.projection} position {event.position} ({event.name})"
            f" by {event.decided_by} at {event.decided_at:%Y-%m-%d %H:%M:%S}: {event.reason}"
        )


def state_of(build: Build) -> str:
    """What an operator must know of a build, in a few words."""
    state = build.state if not build.live else "ok" if build.position == build.head else "behind"
    if build.error is None:
        return state
    where = "" if build.failed_at is None else f" at {build.failed_at}"
    return f"{'failing' if build.live else f'{state}, failing'}{where}: {build.error}"


@projections.command()
@NAME
@WORKSPACE
def retry(name: str, workspace: str | None) -> None:
    """Try again at once where a projection stopped, instead of when its worker would."""
    count = run(_retry(name, workspace))
    click.echo(f"{name}: {count} {'build is' if count == 1 else 'builds are'} tried again")


@projections.command(name="pass-over")
@NAME
@click.option("--workspace", required=True, help="The slug of the workspace.")
@click.option("--position", required=True, type=click.IntRange(1), help="The position that the projection stops at.")
@click.option("--reason", required=True, help="Why; it stays on record.")
def pass_over(name: str, workspace: str, position: int, reason: str) -> None:
    """Leave an event that cannot be read out of a projection, for ever. The decision is on record."""
    if not reason.strip():
        return fail("--reason: must say why")
    run(_pass_over(name, workspace, position, reason.strip()))
    click.echo(f"{name}: position {position} of {workspace} is passed over: {reason.strip()}")
    return None


@projections.command()
@NAME
@WORKSPACE
def discard(name: str, workspace: str | None) -> None:
    """Delete the rows of all builds that are not live: after a rebuild that is good, or one that is given up."""
    gone = run(_discard(name, workspace))
    for build, rows in gone:
        click.echo(f"{build.slug}: build {build.build} of {name} is gone, with {rows} rows")
    if not gone:
        click.echo(f"{name}: there is no build but the live one")


for command in (rebuild, swap, rollback, drift):
    projections.add_command(command)


async def _all() -> tuple[list[Build], list[Passed]]:
    async with await connect() as connection:
        return (
            await builds.all_of(connection, list(PROJECTIONS)),
            await passing.passed(connection, list(PROJECTIONS), MOST_PASSED),
        )


async def _retry(name: str, slug: str | None) -> int:
    async with await connect() as connection:
        return await passing.retry(connection, name, None if slug is None else await workspace_of(connection, slug))


async def _pass_over(name: str, slug: str, position: int, reason: str) -> None:
    async with await connect() as connection:
        await passing.pass_over(connection, await workspace_of(connection, slug), name, position, reason)


async def _discard(name: str, slug: str | None) -> list[tuple[Build, int]]:
    gone = []
    async with await connect() as connection:
        workspace_id = None if slug is None else await workspace_of(connection, slug)
        for build in await builds.all_of(connection, [name], workspace_id):
            if not build.live:
                await builds.give_up(connection, build.workspace_id, name, build.build)
                gone.append(
                    (build, await rebuilding.drop(connection, PROJECTIONS[name], build.workspace_id, build.build))
                )
    return gone
