"""Connections to PostgreSQL: what is known of those that wait for work."""

import psycopg

from api.database import Pool
from tests.house import Database

PID = "SELECT pg_backend_pid()"


async def pid_of(pool: Pool) -> int:
    async with pool.connection() as connection:
        return int((await (await connection.execute(PID)).fetchone() or [0])[0])


async def test_a_connection_that_works_is_kept(pool: Pool) -> None:
    assert len({await pid_of(pool) for _ in range(5)}) == 1


async def test_who_borrows_a_connection_that_the_server_has_ended_gets_another(pool: Pool, database: Database) -> None:
    ended = await pid_of(pool)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        assert owner.execute("SELECT pg_terminate_backend(%s, 5000)", (ended,)).fetchone() == (True,)
    assert await pid_of(pool) != ended
