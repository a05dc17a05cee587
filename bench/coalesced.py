"""A group commit as one would write it by hand, without any of our guarantees: the limit of what ours may cost.

Callers queue, and one task writes what has gathered with one INSERT … SELECT a batch, in a transaction of its own. No
expectation is checked, no key recorded, no digest computed, no position promised to anybody but this process.
"""

import asyncio
from collections import deque
from itertools import count
from typing import Final, NamedTuple

from bench.servers import Database
from commands.event_store import Connection

MOST: Final = 256  # as many as ours takes into a batch

# Text that the server parses once into arrays: beside a JSON document and beside offsets into bytes it was never the
# slowest, and it is the simplest.
INSERT: Final = """
    INSERT INTO plain (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                       digest, salt, meta, data)
    SELECT %s, %s + f.n, f.stream_id, 1, 1, clock_timestamp(), 'task.created', %b, %b, f.meta, f.data
    FROM unnest(%s::uuid[], %s::json[], %s::json[]) WITH ORDINALITY AS f(stream_id, meta, data, n)
"""


class Row(NamedTuple):
    """An event that waits to be written, and the promise that it will be."""

    stream_id: str
    meta: str
    data: str
    written: asyncio.Future[None]


class Coalesced:
    """Queues rows and writes them in batches."""

    def __init__(self, database: Database, connection: Connection, positions: "count[int]") -> None:
        self._workspace_id = database.workspace_id
        self._connection = connection
        self._positions = positions
        self._waiting: deque[Row] = deque()
        self._anything = asyncio.Event()
        self._worker = asyncio.create_task(self._work())

    async def append(self, stream_id: str, meta: str, data: str) -> None:
        """Wait until an event is durable."""
        row = Row(stream_id, meta, data, asyncio.get_running_loop().create_future())
        self._waiting.append(row)
        self._anything.set()
        await row.written

    async def stop(self) -> None:
        """End. Nobody waits any more."""
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._anything.wait()
            rows = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            if not self._waiting:
                self._anything.clear()
            try:
                await self._write(rows)
            except Exception as error:
                for row in rows:
                    row.written.set_exception(error)
                return
            for row in rows:
                row.written.set_result(None)

    async def _write(self, rows: list[Row]) -> None:
        positions = [next(self._positions) for _ in rows]  # no other contender of this table runs meanwhile
        await self._connection.execute(
            INSERT,
            (
                self._workspace_id,
                positions[0] - 1,
                b"d" * 32,
                b"s" * 16,
                "{" + ",".join([row.stream_id for row in rows]) + "}",
                "{" + ",".join([_quoted(row.meta) for row in rows]) + "}",
                "{" + ",".join([_quoted(row.data) for row in rows]) + "}",
            ),
        )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
