"""What commands of operators have in common: a connection, and errors in one line."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

import psycopg

from api import settings
from api.cli import fail
from api.database import Connection, connector
from domain.errors import Rejection
from projections.rebuilding import BusyError

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do it, and say in one line what is wrong if it fails."""
    try:
        return asyncio.run(work)
    except (settings.SettingsError, psycopg.Error, Rejection, BusyError, LookupError, ValueError, OSError) as error:
        fail(" ".join(str(error).split()))
        raise


async def connect() -> Connection:
    """A connection as the settings say."""
    return await connector(settings.load(os.environ).database_url)()


async def workspace_of(connection: Connection, slug: str) -> str:
    """The id of a workspace. Raises `LookupError` for a slug that nobody has."""
    cursor = await connection.execute("SELECT workspace_id::text FROM workspaces WHERE slug = %s", (slug,))
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"no workspace has the slug {slug!r}")
    return str(row[0])
