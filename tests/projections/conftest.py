"""A desk to write at, a team, a connection of the owner, and Redis, for the tests of the read side."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from redis.asyncio import Redis

from api.services import make_redis
from tests.commands.desk import Connection, Desk, Team, found
from tests.house import Database, Servers


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(
        database.owner_url, autocommit=True, options="-c timezone=UTC"
    ) as connection:
        yield connection


@pytest.fixture
async def team(owner: Connection) -> Team:
    return await found(owner)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with Desk.open(database) as desk:
        yield desk


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    redis = make_redis(servers.redis_url)
    yield redis
    await redis.aclose()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged, from warnings on, however quiet another test has left the loggers."""
    caplog.set_level("WARNING")
    return caplog
