"""Commands a second into the log: ours beside libraries, beside INSERTs that promise nothing, and COPY."""

import sys
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import uuid4

import uvloop

from api.database import connector
from api.services import Services
from bench import foreign, names, singles
from bench.coalesced import Coalesced
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

FINGERPRINT: Final = "5a" * 32  # as that of a request

Foreign = Callable[[Database, int, Effort], Coroutine[Any, Any, float]]


def run(servers: Servers, effort: Effort) -> Values:
    """All contenders at all numbers of callers."""
    database = servers.database("append")
    actor_id = uvloop.run(_join(database))
    with database.owner() as connection:
        for table in ("plain", "copied"):  # like events, with its keys and checks, without its triggers
            connection.execute(f"CREATE TABLE {table} (LIKE events INCLUDING ALL)")
            connection.execute(f"GRANT INSERT ON {table} TO taskfold_serving")
    library = Library(servers.empty_database("library"))
    others = _foreign(servers)
    positions = count(1)
    contenders: list[Measure] = [lambda: {names.COPIED: copy(database, effort.copied_rows)}]
    for callers in effort.callers:
        contenders += [
            partial(_ours, servers, database, actor_id, callers, effort),
            partial(_ours, servers, database, actor_id, callers, effort, keyed=True),
            partial(_library, library, callers, effort),
            partial(_library, library, callers, effort, functions=True),
            *(partial(_other, name, store, write, callers, effort) for name, (store, write) in others.items()),
            partial(_inserts, database, positions, callers, effort),
            partial(_coalesced, database, positions, callers, effort),
        ]
    values = interleaved(contenders, effort.rounds)
    return values | {names.append(names.BEST_LIBRARY, callers): _best(values, callers) for callers in effort.callers}


def _foreign(servers: Servers) -> dict[str, tuple[Database, Foreign]]:
    """The stores that come as npm packages, each in a database of its own. Without npm they are left out."""
    try:
        packages = foreign.install(servers.folder / "contenders")
        stores = {
            names.MESSAGE_DB: (servers.empty_database("message_db"), singles.message_db, foreign.message_db(packages)),
            names.EMMETT: (servers.empty_database("emmett"), singles.emmett, foreign.emmett(packages)),
        }
    except foreign.MissingError as error:
        print(f"  left out: {names.MESSAGE_DB} and {names.EMMETT}: {error}", file=sys.stderr)
        return {}
    for store, _, schema in stores.values():
        with store.owner() as connection:
            connection.execute(schema.encode())
    return {name: (store, write) for name, (store, write, _) in stores.items()}


def _best(values: Values, callers: int) -> list[float]:
    """Round by round, the fastest of the libraries tried."""
    tried = [values.get(names.append(name, callers)) for name in names.LIBRARIES]
    return [max(round_) for round_ in zip(*(rounds for rounds in tried if rounds is not None), strict=True)]


def _ours(
    servers: Servers, database: Database, actor_id: str, callers: int, effort: Effort, *, keyed: bool = False
) -> dict[Figure, float]:
    rate = uvloop.run(append_through_committer(servers, database, actor_id, callers, effort, keyed=keyed))
    return {names.append(names.KEYED if keyed else OURS, callers): rate}


def _library(library: Library, callers: int, effort: Effort, *, functions: bool = False) -> dict[Figure, float]:
    name = names.LIBRARY_FUNCTIONS if functions else names.LIBRARY
    rate = library.save(callers, min(callers, singles.MOST_CONNECTIONS), effort, database_functions=functions)
    return {names.append(name, callers): rate}


def _other(name: str, store: Database, write: Foreign, callers: int, effort: Effort) -> dict[Figure, float]:
    return {names.append(name, callers): uvloop.run(write(store, callers, effort))}


def _inserts(database: Database, positions: "count[int]", callers: int, effort: Effort) -> dict[Figure, float]:
    return {names.append(names.INSERT, callers): uvloop.run(singles.rows(database, positions, callers, effort))}


def _coalesced(database: Database, positions: "count[int]", callers: int, effort: Effort) -> dict[Figure, float]:
    return {names.append(names.COALESCED, callers): uvloop.run(insert_coalesced(database, positions, callers, effort))}


async def append_through_committer(
    servers: Servers, database: Database, actor_id: str, callers: int, effort: Effort, *, keyed: bool
) -> float:
    """The whole write path below the decision: queue, batch, one call, verdicts, and the hint on Redis."""
    services = Services.wire(servers.settings(database))
    committer = services.committer
    committer.start()
    services.sender.start()

    async def once(_: int) -> None:
        verdict = await committer.append(create(database.workspace_id, actor_id, keyed=keyed))
        if verdict.outcome != Outcome.COMMITTED:
            raise RuntimeError(f"not committed: {verdict}")

    try:
        return await closed_loop(callers, effort, once)
    finally:
        await committer.stop()
        await services.sender.stop()
        await services.redis.aclose()


def create(workspace_id: str, actor_id: str, *, keyed: bool = False) -> Append:
    """A new stream with one event. As a real command does, it also expects that its actor has not changed."""
    stream_id, command_id = new_id(), new_id()
    key, fingerprint = (str(uuid4()), FINGERPRINT) if keyed else (None, "")
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=actor_id,
        key=key,
        keep=keyed,
        fingerprint=fingerprint,
        stream_id=stream_id,
        reads={stream_id: 0, actor_id: 1},
        facts=[Fact(stream_id, CREATED)],
        meta=Meta(actor=actor_id, correlation_id=command_id, causation_id=command_id),
    )


async def insert_coalesced(database: Database, positions: "count[int]", callers: int, effort: Effort) -> float:
    """The same rows, written by a group commit without guarantees. Each caller brings an event, as with ours."""
    connection = await connector(database.serving_url)()
    coalesced = Coalesced(database, connection, positions)

    async def once(_: int) -> None:
        stream_id = new_id()
        meta = Meta(actor=stream_id, correlation_id=stream_id, causation_id=stream_id)
        await coalesced.append(stream_id, encode(meta).decode(), encode(CREATED).decode())

    try:
        return await closed_loop(callers, effort, once)
    finally:
        await coalesced.stop()
        await connection.close()


async def _join(database: Database) -> str:
    """An actor with a stream of their own."""
    actor_id = new_id()
    connection = await connector(database.serving_url)()
    await event_store.append(connection, [joined(database.workspace_id, actor_id)])
    await connection.close()
    return actor_id


def joined(workspace_id: str, actor_id: str) -> Append:
    """A new user: a stream with one event."""
    command_id = new_id()
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=actor_id,
        key=None,
        keep=False,
        fingerprint="",
        stream_id=actor_id,
        reads={actor_id: 0},
        facts=[Fact(actor_id, UserJoined(role=Role.MEMBER))],
        meta=Meta(actor=actor_id, correlation_id=command_id, causation_id=command_id),
    )
