"""Connections to PostgreSQL: made here, handed to both sides."""

import asyncio
import os
import select
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from weakref import WeakSet

import psycopg
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


ANSWER_SECONDS: Final = 12.0  # more than any statement may take


class Bounded(AsyncConnection[Any]):
    """A connection on which nobody waits for ever.

    The server ends a statement after its time and says so. Who hears nothing for longer has a connection that leads
    nowhere, as after a lost route, and hangs up: that is an `OperationalError` like any other broken connection.
    Those that are idle then are not trusted either, or each would have to be found out by another wait.
    """

    _all: ClassVar["WeakSet[Bounded]"] = WeakSet()
    _idle = True

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """As the driver waits, for at most `ANSWER_SECONDS`."""
        self._all.add(self)
        self._idle = False
        giving_up = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._give_up)
        try:
            return await super().wait(*arguments, **options)
        finally:
            giving_up.cancel()
            self._idle = True

    def _give_up(self) -> None:
        self._hang_up()
        for other in self._all:
            if other._idle:
                other._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)


async def check_silence(connection: AsyncConnection[Any]) -> None:
    """Raises `OperationalError` for an idle connection that the server has ended, as a restart of it does.

    Nothing is said on a connection that is idle, but its end. So only one with something to read is asked whether it
    still works; a look costs a microsecond, and a question each time would cost a way there and back.
    """
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def make_pool(url: str, size: int, *, derived: bool = False) -> Pool:
    """A pool that is not open yet. Waiting for a connection ends after 5 s with `PoolTimeout`.

    `derived` is for those who write only what the log can give again: their commits need not wait for the disk.
    Rows and checkpoint commit together, so a crash of the server takes both back to the same earlier position.
    """
    options = f"{OPTIONS} -c synchronous_commit=off" if derived else OPTIONS
    return AsyncConnectionPool(
        url,
        connection_class=Bounded,
        kwargs={**PARAMETERS, "options": options},
        min_size=1,
        max_size=size,
        timeout=5.0,
        open=False,
        reconnect_timeout=60.0,
        check=check_silence,
    )


class DatabaseAwayError(RuntimeError):
    """PostgreSQL does not answer; the text says where."""


def wait_until_it_answers(url: str, seconds: float = 10.0) -> None:
    """Return when PostgreSQL lets us in. Raises `DatabaseAwayError`: a start says so in one line."""
    deadline = monotonic() + seconds
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if monotonic() > deadline:
                place = urlsplit(url).netloc.rpartition("@")[2]
                raise DatabaseAwayError(f"TASKFOLD_DATABASE_URL: PostgreSQL at {place} does not answer") from error
            sleep(0.2)
        else:
            return


def connector(url: str) -> Callable[[], Awaitable[Connection]]:
    """Makes connections outside the pool, for those who keep one."""

    async def connect() -> Connection:
        return await Bounded.connect(url, **PARAMETERS)

    return connect


async def read_epoch(pool: Pool) -> str:
    """The epoch of the logs in this database."""
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT epoch()")
        row = await cursor.fetchone()
    assert row is not None
    return str(row[0])
