"""Connections to PostgreSQL: made here, handed to both sides."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

# Whatever hangs is cut: a statement after 10 s, a transaction that its client left open after 3 s.
OPTIONS: Final = (
    "-c timezone=UTC -c statement_timeout=10s -c idle_in_transaction_session_timeout=3s -c jit=off"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
PARAMETERS: Final[dict[str, Any]] = {
    "options": OPTIONS,
    "autocommit": True,
    "prepare_threshold": 2,
    "connect_timeout": 5,
    "application_name": "taskfold",
}


def make_pool(url: str, size: int, *, derived: bool = False) -> Pool:
    """A pool that is not open yet. Waiting for a connection ends after 5 s with `PoolTimeout`.

    `derived` is for those who write only what the log can give again: their commits need not wait for the disk.
    Rows and checkpoint commit together, so a crash of the server takes both back to the same earlier position.
    """
    options = f"{OPTIONS} -c synchronous_commit=off" if derived else OPTIONS
    return AsyncConnectionPool(
        url,
        connection_class=AsyncConnection,
        kwargs={**PARAMETERS, "options": options},
        min_size=1,
        max_size=size,
        timeout=5.0,
        open=False,
        reconnect_timeout=60.0,
        check=None,
    )


def connector(url: str) -> Callable[[], Awaitable[Connection]]:
    """Makes connections outside the pool, for those who keep one."""

    async def connect() -> Connection:
        return await AsyncConnection.connect(url, **PARAMETERS)

    return connect


async def read_epoch(pool: Pool) -> str:
    """The epoch of the logs in this database."""
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT epoch()")
        row = await cursor.fetchone()
    assert row is not None
    return str(row[0])
