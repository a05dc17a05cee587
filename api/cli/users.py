"""`taskfold users`: what an operator does about people."""

import asyncio
import os

import click
import psycopg
from psycopg_pool import PoolTimeout

from api import settings
from api.cli import fail
from api.services import Services
from commands.accounts import Registration
from commands.checking import MAIN
from commands.ids import new_id
from domain.errors import Rejection


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


async def _create(registration: Registration) -> str:
    services = Services.wire(settings.load(os.environ))
    await services.pool.open(wait=True, timeout=10.0)
    services.committer.start()
    try:
        return (await services.accounts.found(registration, new_id())).stream_id
    finally:
        await services.stop()
