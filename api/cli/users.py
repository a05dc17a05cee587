"""`taskfold users`: what an operator does about people."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import click
import psycopg
from psycopg_pool import PoolTimeout

from api import settings
from api.cli import fail
from api.cli.connecting import connect, run, workspace_of
from api.services import Services
from commands.accounts import Registration
from commands.checking import MAIN
from commands.execute import Call
from commands.ids import new_id
from commands.user import ReactivateUser
from domain.errors import Rejection
from domain.user import User
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


@users.command()
@click.argument("member")
@click.option("--by", required=True, help="The admin who has decided it: the log says so.")
@click.option("--workspace", default=MAIN, show_default=True)
@click.option("--reason", help="For the history.")
def deactivate(member: str, by: str, workspace: str, reason: str | None) -> None:
    """Shut MEMBER out, an e-mail address or an id: all sessions and tokens end. The last admin stays."""
    email = run(_decide(workspace, member, by, lambda services, call, user: _shut_out(services, call, user, reason)))
    click.echo(f"{email} is deactivated")


@users.command()
@click.argument("member")
@click.option("--by", required=True, help="The admin who has decided it: the log says so.")
@click.option("--workspace", default=MAIN, show_default=True)
@click.option("--reason", help="For the history.")
def reactivate(member: str, by: str, workspace: str, reason: str | None) -> None:
    """Let MEMBER in again, an e-mail address or an id, with the role and the teams of before."""
    email = run(_decide(workspace, member, by, lambda services, call, user: _let_in(services, call, user, reason)))
    click.echo(f"{email} is reactivated")


@users.command(name="reset-second-factor")
@click.argument("member")
@click.option("--workspace", default=MAIN, show_default=True)
def reset_second_factor(member: str, workspace: str) -> None:
    """Let MEMBER log in with the password alone, who has lost everything else. Be sure who is asking."""
    email = run(_decide(workspace, member, member, _reset_factor))
    click.echo(f"{email} has no second factor any more")


async def _reset_factor(services: Services, call: Call, user_id: str) -> None:
    await services.second_factors.remove(call, user_id)


async def _shut_out(services: Services, call: Call, user_id: str, reason: str | None) -> None:
    await services.accounts.deactivate(call, user_id, reason)


async def _let_in(services: Services, call: Call, user_id: str, reason: str | None) -> None:
    await services.executor.execute(ReactivateUser(user_id, reason), call)


async def _decide(
    workspace: str, member: str, by: str, command: Callable[[Services, Call, str], Awaitable[None]]
) -> str:
    """Run a command on a member for an admin. Answers the member's address."""
    async with _services() as services:
        async with services.pool.connection() as connection:
            workspace_id = await workspace_of(connection, workspace)
        admin, user = [await _account(services, workspace, workspace_id, name) for name in (by, member)]
        await command(services, Call(workspace_id, admin, new_id()), user)
        return str((await services.accounts.profile(workspace_id, user))["email"])


async def _account(services: Services, workspace: str, workspace_id: str, name: str) -> str:
    """The id of a member. Raises `LookupError`."""
    try:
        user_id = str(UUID(name))
    except ValueError:
        account = await services.accounts.find(workspace, name)
        user_id = account.user_id if account is not None else ""
    if not user_id or not isinstance(await services.streams.current(workspace_id, user_id, 0), User):
        raise LookupError(f"nobody in the workspace {workspace!r} has the address or the id {name!r}")
    return user_id


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
    async with _services() as services:
        return (await services.accounts.found(registration, new_id())).stream_id


@asynccontextmanager
async def _services() -> AsyncIterator[Services]:
    """As much of the program as commands need."""
    services = Services.wire(settings.load(os.environ))
    await services.pool.open(wait=True, timeout=10.0)
    services.committer.start()
    try:
        yield services
    finally:
        await services.stop()
