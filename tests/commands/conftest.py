"""A desk, a team and a connection of the owner, for the tests of the write side."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.commands.desk import Connection, Desk, Team, found
from tests.house import Database


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def serving(database: Database) -> AsyncIterator[Connection]:
    """As the program connects."""
    async with await psycopg.AsyncConnection.connect(database.serving_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def team(owner: Connection) -> Team:
    return await found(owner)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with Desk.open(database) as desk:
        yield desk
