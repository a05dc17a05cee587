"""`taskfold users`: what an operator does about people."""

import asyncio
import os
from typing import Final

import click
import psycopg
from psycopg_pool import PoolTimeout

from api import settings
from api.cli import fail
from api.cli.connecting import connect, run, workspace_of
from api.services import Services
from commands.accounts import Registration
from commands.checking import MAIN
from commands.ids import new_id
from domain.errors import Rejection
from projections.users import page

PAGE: Final = 200


@click.group()
def users() -> None:
    """What an operator does about people."""


@users.command(name="create-admin")
@click.option("--email", required=True)
@click.option("--display-name", default="Administrator", show_default=True)
@click.option("--workspace", default=MAIN, show_default=True, help="A new workspace, or one that nobody has joined.")
@click.password_option(envvar="TASKFOLD_ADMIN_PASSWORD", help="Asked for, unless TASKFOLD_ADMIN_PASSWORD is set.")
def create_admin(email: str, display_name: str, workspace: str, password: str) -> None:
    """Make the first user of a workspace, who is its admin, whatever TASKFOLD_SIGNUP says."""
    try:
        user_id = asyncio.run(_create(Registration(email, password, display_name, workspace)))
    except (settings.SettingsError, Rejection, psycopg.Error, PoolTimeout) as error:
        return fail(error)
    click.echo(f"{email} is the admin of {workspace}: {user_id}")
    return None


@users.command(name="list")
@click.option("--workspace", default=MAIN, show_default=True)
def list_users(workspace: str) -> None:
    """Show the members of a workspace, in the order of joining."""
    run(_list(workspace))


async def _list(workspace: str) -> None:
    connection = await connect()
    try:
        workspace_id, after = await workspace_of(connection, workspace), None
        click.echo(f"{'Id':36}  {'Role':7}  {'State':11}  E-mail")
        while True:
            members, _ = await page(connection, workspace_id, after, PAGE)
            for member in members:
                state = "active" if member.active else "deactivated"
                click.echo(f"{member.id}  {member.role:7}  {state:11}  {member.email}")
            if len(members) < PAGE:
                return
            after = members[-1].id
    finally:
        await connection.close()


async def _create(registration: Registration) -> str:
    services = Services.wire(settings.load(os.environ))
    await services.pool.open(wait=True, timeout=10.0)
    services.committer.start()
    try:
        return (await services.accounts.found(registration, new_id())).stream_id
    finally:
        await services.stop()
