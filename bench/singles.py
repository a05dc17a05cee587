"""Those who write each event by itself, one call and one commit: a bare row, message-db's function, emmett's.

All of them through psycopg's asynchronous connections from this process: one for each caller, and no more than 64,
because more of them make PostgreSQL slower on any small machine, not faster.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

from psycopg import AsyncClientCursor, AsyncConnection

from api.database import connector
from bench.measuring import Effort, closed_loop
from bench.servers import Database
from bench.subject import CREATED
from commands.ids import new_id
from domain.events import Meta, encode

MOST_CONNECTIONS: Final = 64
DATA: Final = encode(CREATED).decode()

INSERT: Final = """
    INSERT INTO plain (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                       digest, salt, meta, data)
    VALUES (%s, %s, %s, 1, 1, clock_timestamp(), 'task.created', %s, %s, %s, %s)
"""
# As its clients for Ruby and Python call it. -1: the stream must be new.
MESSAGE_DB: Final = (
    "SELECT message_store.write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb, %s::bigint)"
)
# As its client calls it: values stand in the text. It also sends NULL for a stream that must be new.
EMMETT: Final = """
    SELECT * FROM emt_append_to_stream(
      ARRAY[%s]::text[], ARRAY[%s]::jsonb[], ARRAY[%s]::jsonb[], ARRAY['1']::text[], ARRAY['task.created']::text[],
      ARRAY['E']::text[], %s::text, 'task'::text, NULL::bigint, 'emt:default'::text)
"""

Connection = AsyncConnection[Any]
Write = Callable[[Connection], Awaitable[object]]


async def rows(database: Database, positions: "count[int]", callers: int, effort: Effort) -> float:
    """The same rows as ours, with nothing promised; commands a second."""
    meta = _meta(database.workspace_id)

    async def write(connection: Connection) -> None:
        values = (database.workspace_id, next(positions), new_id(), b"d" * 32, b"s" * 16, meta, DATA)
        await connection.execute(INSERT, values)

    return await _measured(connector(database.serving_url), write, callers, effort)


async def message_db(database: Database, callers: int, effort: Effort) -> float:
    """`write_message`: one call, which is one transaction; commands a second."""
    meta, connect = _meta(new_id()), connector(database.owner_url)

    async def connected() -> Connection:
        connection = await connect()
        await connection.execute("SET search_path = message_store, public")  # its functions find each other so
        return connection

    async def write(connection: Connection) -> None:
        cursor = await connection.execute(MESSAGE_DB, (new_id(), f"task-{new_id()}", "task.created", DATA, meta, -1))
        if await cursor.fetchone() != (0,):
            raise RuntimeError("message-db did not write the first message of a stream")

    return await _measured(connected, write, callers, effort)


async def emmett(database: Database, callers: int, effort: Effort) -> float:
    """`emt_append_to_stream`, in the three round trips of its client: BEGIN, the call, COMMIT; commands a second."""
    meta = _meta(new_id())

    async def connected() -> Connection:
        return await AsyncConnection.connect(database.owner_url, autocommit=True, cursor_factory=AsyncClientCursor)

    async def write(connection: Connection) -> None:
        await connection.execute("BEGIN")
        cursor = await connection.execute(EMMETT, (new_id(), DATA, meta, f"task-{new_id()}"))
        answer = await cursor.fetchone()
        await connection.execute("COMMIT")
        if answer is None or answer[:2] != (True, 1):
            raise RuntimeError(f"emmett did not append: {answer}")

    return await _measured(connected, write, callers, effort)


async def _measured(connect: Callable[[], Awaitable[Connection]], write: Write, callers: int, effort: Effort) -> float:
    """Callers share the connections evenly, and wait for each other at one."""
    connections = [(asyncio.Lock(), await connect()) for _ in range(min(callers, MOST_CONNECTIONS))]

    async def once(number: int) -> None:
        lock, connection = connections[number % len(connections)]
        async with lock:
            await write(connection)

    try:
        return await closed_loop(callers, effort, once)
    finally:
        await asyncio.gather(*(connection.close() for _, connection in connections))


def _meta(actor: str) -> str:
    return encode(Meta(actor=actor, correlation_id=actor, causation_id=actor)).decode()
