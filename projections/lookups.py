"""Reading a part of a large table at the price of the part, whatever PostgreSQL believes of the table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from projections.database import Connection

FIRST: Final = "00000000-0000-0000-0000-000000000000"  # before every id: where pages in the order of ids begin
LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"  # and where those in the other order do


@asynccontextmanager
async def by_index(connection: Connection, isolation: str = "READ COMMITTED") -> AsyncIterator[None]:
    """A transaction that only reads, and in which rows are looked up in the order of an index, never scanned or sorted.

    On a table without statistics, such as one that was just filled, a page would else be cut from the whole, sorted
    anew for each page: replaying a million events took seven times as long.
    """
    async with connection.transaction():
        await connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}, READ ONLY".encode())
        await connection.execute(
            """
            SELECT set_config(name, 'off', true) FROM unnest(ARRAY[
                'enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_hashjoin', 'enable_mergejoin']) AS name
            """
        )
        yield
