"""A connection to PostgreSQL that goes silent: nobody waits for ever."""

import asyncio

import psycopg
import pytest

from api.database import connector
from tests.faults.proxy import Mode, Proxy
from tests.house import Database


async def test_who_hears_nothing_for_longer_than_any_statement_may_take_hangs_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.ANSWER_SECONDS", 0.2)
    async with Proxy(database.serving_url) as proxy:
        connection, idle = await connector(proxy.url)(), await connector(proxy.url)()
        await idle.execute("SELECT 1")
        await connection.execute("SELECT 1")
        proxy.set(Mode.HALF_OPEN)
        async with asyncio.timeout(10):
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 2")
            with pytest.raises(psycopg.OperationalError):
                await idle.execute("SELECT 2")  # found out without another wait
        assert connection.closed
        assert idle.closed


async def test_a_statement_that_takes_its_time_is_answered(database: Database) -> None:
    async with await connector(database.serving_url)() as connection:
        cursor = await connection.execute("SELECT count(*) FROM generate_series(1, 300000)")
        assert await cursor.fetchone() == (300_000,)
        assert connection.closed is False
