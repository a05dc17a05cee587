"""`taskfold keys`: the keys that sign access tokens."""

import os

import click

from api import settings
from api.cli.connecting import connect, run
from api.signing_keys import derive
from commands import signing_keys
from commands.signing_keys import KeyRow


@click.group()
def keys() -> None:
    """List the keys that sign access tokens, or rotate them. Every API process follows within seconds."""


@keys.command(name="list")
def list_() -> None:
    """Every key there ever was, the newest last."""
    rows = run(_read())
    secret = settings.load(os.environ).secret_key
    current = max((row for row in rows if row.signs and not row.retired), key=lambda row: row.key_id, default=None)
    click.echo(f"{'kid':<16}  {'made at':<27}  state")
    for row in rows:
        click.echo(f"{derive(secret, row.salt).kid:<16}  {row.created_at:<27}  {state_of(row, row is current)}")


@keys.command()
@click.option("--at-once", is_flag=True, help="Others may know the old keys: refuse at once whatever they signed.")
def rotate(at_once: bool) -> None:
    """Make a new key. It signs in 5 seconds; older ones are accepted until what they signed has expired."""
    made = run(_rotate(at_once))
    kid = derive(settings.load(os.environ).secret_key, made.salt).kid
    if at_once:
        click.echo(f"{kid} signs now; what older keys have signed is refused")
    else:
        click.echo(f"{kid} signs from {made.signs_from}; older keys are accepted until their tokens have expired")


def state_of(row: KeyRow, current: bool) -> str:
    """What an operator must know of a key, in a few words."""
    if row.retired:
        return f"retired since {row.retired_at}"
    state = "signs" if current else "accepted" if row.signs else f"signs from {row.signs_from}"
    return state if row.retired_at is None else f"{state} until {row.retired_at}"


async def _read() -> list[KeyRow]:
    async with await connect() as connection:
        return await signing_keys.read(connection)


async def _rotate(at_once: bool) -> KeyRow:
    seconds = settings.load(os.environ).access_token_seconds
    async with await connect() as connection:
        made = await signing_keys.rotate(connection, seconds, at_once=at_once)
        return next(row for row in await signing_keys.read(connection) if row.key_id == made)
