"""Commands a second into the log: ours beside a library, beside one INSERT each, and COPY as the limit."""

import asyncio
from functools import partial
from itertools import count

import uvloop

from api.database import connector
from api.services import Services
from bench import names
from bench.copying import copy
from bench.library import Library
from bench.measuring import OURS, Effort, Figure, Measure, Values, closed_loop, interleaved
from bench.servers import Database, Servers
from bench.subject import CREATED
from commands import event_store
from commands.appending import Append, Fact, Outcome
from commands.ids import new_id
from domain.events import Meta, encode
from domain.user import Role, UserJoined

MOST_CONNECTIONS = 64  # more of them make PostgreSQL slower on any small machine, not faster

INSERT = """
    INSERT INTO plain (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                       digest, salt, meta, data)
    VALUES (%s, %s, %s, 1, 1, clock_timestamp(), 'task.created', %s, %s, %s, %s)
"""


def run(servers: Servers, effort: Effort) -> Values:
    """All contenders at all numbers of callers."""
    database = servers.database("append")
    actor_id = uvloop.run(_join(database))
    with database.owner() as connection:
        for table in ("plain", "copied"):  # like events, with its keys and checks, without its triggers
            connection.execute(f"CREATE TABLE {table} (LIKE events INCLUDING ALL)")
            connection.execute(f"GRANT INSERT ON {table} TO taskfold_serving")
    library = Library(servers.empty_database("library"))
    positions = count(1)
    contenders: list[Measure] = [lambda: {names.COPIED: copy(database, effort.copied_rows)}]
    for callers in effort.callers:
        contenders += [
            partial(_ours, servers, database, actor_id, callers, effort),
            partial(_library, library, callers, effort),
            partial(_inserts, database, positions, callers, effort),
        ]
    contenders.append(partial(_library_functions, library, 32, effort))
    return interleaved(contenders, effort.rounds)


def _ours(servers: Servers, database: Database, actor_id: str, callers: int, effort: Effort) -> dict[Figure, float]:
    rate = uvloop.run(append_through_committer(servers, database, actor_id, callers, effort))
    return {names.append(OURS, callers): rate}


def _library(library: Library, callers: int, effort: Effort) -> dict[Figure, float]:
    return {names.append(names.LIBRARY, callers): library.save(callers, min(callers, MOST_CONNECTIONS), effort)}


def _library_functions(library: Library, callers: int, effort: Effort) -> dict[Figure, float]:
    rate = library.save(callers, callers, effort, database_functions=True)
    return {names.append(names.LIBRARY_FUNCTIONS, callers): rate}


def _inserts(database: Database, positions: "count[int]", callers: int, effort: Effort) -> dict[Figure, float]:
    return {names.append(names.INSERT, callers): uvloop.run(insert_each(database, positions, callers, effort))}


async def append_through_committer(
    servers: Servers, database: Database, actor_id: str, callers: int, effort: Effort
) -> float:
    """The whole write path below the decision: queue, batch, one call, verdicts, and the hint on Redis."""
    services = Services.wire(servers.settings(database))
    committer = services.committer
    committer.start()
    services.sender.start()

    async def once(_: int) -> None:
        verdict = await committer.append(create(database.workspace_id, actor_id))
        if verdict.outcome != Outcome.COMMITTED:
            raise RuntimeError(f"not committed: {verdict}")

    try:
        return await closed_loop(callers, effort, once)
    finally:
        await committer.stop()
        await services.sender.stop()
        await services.redis.aclose()


def create(workspace_id: str, actor_id: str) -> Append:
    """A new stream with one event. As a real command does, it also expects that its actor has not changed."""
    stream_id, command_id = new_id(), new_id()
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=actor_id,
        key=f"id:{command_id}",
        keep=False,
        fingerprint="",
        stream_id=stream_id,
        reads={stream_id: 0, actor_id: 1},
        facts=[Fact(stream_id, CREATED)],
        meta=Meta(actor=actor_id, correlation_id=command_id, causation_id=command_id),
    )


async def insert_each(database: Database, positions: "count[int]", callers: int, effort: Effort) -> float:
    """The same rows, one statement and one commit each; callers share the connections evenly."""
    connections = [await connector(database.serving_url)() for _ in range(min(callers, MOST_CONNECTIONS))]
    workspace_id, data = database.workspace_id, encode(CREATED).decode()
    meta = encode(Meta(actor=workspace_id, correlation_id=workspace_id, causation_id=workspace_id)).decode()

    async def once(number: int) -> None:
        values = (workspace_id, next(positions), new_id(), b"d" * 32, b"s" * 16, meta, data)
        await connections[number % len(connections)].execute(INSERT, values)

    try:
        return await closed_loop(callers, effort, once)
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))


async def _join(database: Database) -> str:
    """An actor with a stream of their own."""
    actor_id, command_id = new_id(), new_id()
    joined = Append(
        workspace_id=database.workspace_id,
        command_id=command_id,
        principal=actor_id,
        key=f"id:{command_id}",
        keep=False,
        fingerprint="",
        stream_id=actor_id,
        reads={actor_id: 0},
        facts=[Fact(actor_id, UserJoined(role=Role.MEMBER))],
        meta=Meta(actor=actor_id, correlation_id=command_id, causation_id=command_id),
    )
    connection = await connector(database.serving_url)()
    await event_store.append(connection, [joined])
    await connection.close()
    return actor_id
