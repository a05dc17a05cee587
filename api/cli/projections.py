"""`taskfold projections`: look at the projections, rebuild one."""

import asyncio
import os

import click
import psycopg

from api import settings
from api.cli import fail
from api.database import connector
from projections import checkpoints
from projections.projector import TABLES


@click.group()
def projections() -> None:
    """Look at the projections, rebuild one."""


@projections.command(name="list")
def list_() -> None:
    """Every projection of every workspace: where it stands, how far it is behind, and why it stopped if it did."""
    lags = asyncio.run(_lags())
    click.echo(f"{'workspace':<36}  {'projection':<10} {'position':>12} {'lag':>8}  state")
    for lag in lags:
        state = lag.error or ("behind" if lag.head > lag.position else "ok")
        behind = lag.head - lag.position
        click.echo(f"{lag.workspace_id}  {lag.projection:<10} {lag.position:>12} {behind:>8}  {state}")


@projections.command()
@click.argument("name", type=click.Choice(list(TABLES)))
def rebuild(name: str) -> None:
    """Empty a projection and let the workers build it again from the log."""
    workspaces = asyncio.run(_rebuild(name))
    click.echo(f"{name}: starting over in {workspaces} workspaces; see `taskfold projections list`")


async def _connect() -> psycopg.AsyncConnection:
    try:
        return await connector(settings.load(os.environ).database_url)()
    except (settings.SettingsError, psycopg.Error) as error:
        fail(error)
        raise


async def _lags() -> list[checkpoints.Lag]:
    async with await _connect() as connection:
        return await checkpoints.lags(connection, list(TABLES))


async def _rebuild(name: str) -> int:
    async with await _connect() as connection, connection.transaction():
        return await checkpoints.reset(connection, name)
