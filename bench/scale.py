"""Whether a log that has grown long is as fast as a young one: `make bench-scale`.

Three databases of one server hold logs of different lengths and take turns. What is measured is appending, reading by
position and by stream, and the bytes that an event takes in each table and index.
"""

import random
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Final, NamedTuple
from uuid import uuid4

import uvloop

from api.database import connector, make_pool
from api.services import Services
from bench import names
from bench.append import create, joined
from bench.filling import LIFE, fill, stream_ids
from bench.measuring import Effort, Figure, Measure, Values, closed_loop, interleaved
from bench.servers import Database, Servers
from commands import event_store
from commands.appending import Append, Fact, Outcome
from commands.event_store import EventStore
from commands.ids import new_id
from domain.task import TaskEdited
from projections import log

ACTORS: Final = 200
CALLERS: Final = 64
STREAMS: Final = 100_000  # as many old tasks are edited, from all over the log, in turn
READS: Final = 200
BATCH: Final = 500  # positions read at once
BYTES_AN_EVENT: Final = 1_300  # of disk, with room for the write-ahead log of filling
EDITED: Final = TaskEdited(title="Write the report that the board wants to see", description="With all figures. " * 8)
RELATIONS: Final = """
    SELECT c.relname, pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE coalesce(i.indrelid, c.oid) IN ('events'::regclass, 'keys'::regclass)
    ORDER BY coalesce(i.indrelid, c.oid)::regclass::text, c.relkind DESC, c.relname
"""


class Log(NamedTuple):
    """A log of a length. `tasks` are old ones with their versions, who was edited longest ago first."""

    events: int
    database: Database
    actors: list[str]
    tasks: deque[tuple[str, int]]


def run(servers: Servers, effort: Effort) -> Values:
    """Fill all, then measure them in turn."""
    needed, free = sum(effort.lengths) * BYTES_AN_EVENT, shutil.disk_usage(servers.folder).free
    if free < needed:
        raise RuntimeError(
            f"{needed / 1e9:.0f} GB are needed in {servers.folder}, {free / 1e9:.0f} GB are free; set TMPDIR to another"
        )
    logs = [_log(servers, events) for events in effort.lengths]
    sizes = {figure: [size] for figure, size in _bytes(logs[-1]).items()}
    effort = replace(effort, seconds=2 * effort.seconds)
    measures: list[Measure] = [partial(_measured, servers, each, effort) for each in logs]
    with logs[0].database.owner() as owner:
        owner.execute("CHECKPOINT")
    measured = interleaved(measures, effort.rounds)
    return measured | _kept(measured, effort.lengths) | sizes


def _kept(measured: Values, lengths: tuple[int, ...]) -> Values:
    """Round by round, how much of the rate beside the shortest log is left beside the others."""
    kept = {}
    for load in (names.FRESH, names.MIXED):
        first = measured[names.scale_append(load, lengths[0])]
        for events in lengths[1:]:
            rates = measured[names.scale_append(load, events)]
            kept[names.scale_kept(load, events)] = [late / early for late, early in zip(rates, first, strict=True)]
    return kept


def _log(servers: Servers, events: int) -> Log:
    database = servers.database(f"scale_{events}")
    actors = [new_id() for _ in range(ACTORS)]
    uvloop.run(_join(database, actors))
    fill(database, actors, events)
    tasks = deque((id_, len(LIFE)) for id_ in stream_ids(database, STREAMS))
    return Log(events, database, actors, tasks)


async def _join(database: Database, actors: Iterable[str]) -> None:
    connection = await connector(database.serving_url)()
    await event_store.append(connection, [joined(database.workspace_id, actor) for actor in actors])
    await connection.close()


def _bytes(filled: Log) -> dict[Figure, float]:
    """What an event takes, by table and index: also gigabytes for a billion of them."""
    with filled.database.owner() as owner:
        sizes: list[tuple[str, int]] = owner.execute(RELATIONS).fetchall()
    each = {names.scale_bytes(name, filled.events): size / filled.events for name, size in sizes}
    return each | {names.scale_bytes("all", filled.events): sum(each.values())}


def _measured(servers: Servers, filled: Log, effort: Effort) -> dict[Figure, float]:
    figures = {}
    for load, mixed in ((names.FRESH, False), (names.MIXED, True)):
        position, written = _state(filled.database)
        rate = uvloop.run(_append(servers, filled, effort, mixed=mixed))
        position_then, written_then = _state(filled.database)
        figures[names.scale_append(load, filled.events)] = rate
        figures[names.scale_wal(load, filled.events)] = (written_then - written) / (position_then - position)
    return figures | uvloop.run(_read(filled))


def _state(database: Database) -> tuple[int, int]:
    """The head of the log, and the bytes that the server has written ahead so far."""
    with database.owner() as owner:
        row: tuple[int, int] | None = owner.execute(
            """
            SELECT position, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
            FROM logs WHERE workspace_id = %s
            """,
            (database.workspace_id,),
        ).fetchone()
    assert row is not None
    return row


async def _append(servers: Servers, filled: Log, effort: Effort, *, mixed: bool) -> float:
    """Commands a second through the committer: new tasks.

    `mixed`: half of them edits of old tasks from all over the log, and half with a random key of the client's. So each
    touches pages of indexes that nobody has touched for long; it is the hardest that can be asked.
    """
    services = Services.wire(servers.settings(filled.database))
    committer = services.committer
    committer.start()
    services.sender.start()
    chance = random.Random(1)

    async def once(number: int) -> None:
        actor = chance.choice(filled.actors)
        edits = mixed and number % 2 == 1
        task = filled.tasks.popleft() if edits else None
        append = create(filled.database.workspace_id, actor) if task is None else _edit(filled, actor, *task)
        if mixed and chance.random() < 0.5:
            append.key = f"key:{uuid4()}"
        if (await committer.append(append)).outcome is not Outcome.COMMITTED:
            raise RuntimeError("not committed")
        if task is not None:
            filled.tasks.append((task[0], task[1] + 1))

    try:
        return await closed_loop(CALLERS, effort, once)
    finally:
        await committer.stop()
        await services.sender.stop()
        await services.redis.aclose()


def _edit(filled: Log, actor: str, task: str, version: int) -> Append:
    append = create(filled.database.workspace_id, actor)
    return Append(
        workspace_id=append.workspace_id,
        command_id=append.command_id,
        principal=actor,
        key=append.key,
        keep=False,
        fingerprint="",
        stream_id=task,
        reads={task: version, actor: 1},
        facts=[Fact(task, EDITED)],
        meta=append.meta,
    )


async def _read(filled: Log) -> dict[Figure, float]:
    """Milliseconds of a read, from random places of the log, one after the other."""
    pool = make_pool(filled.database.serving_url, 1)
    await pool.open(wait=True)
    store, workspace_id = EventStore(pool), filled.database.workspace_id
    chance = random.Random()

    async def by_position() -> int:
        async with pool.connection() as connection:
            after = chance.randrange(filled.events - BATCH)
            return len((await log.read(connection, workspace_id, after, BATCH, ["%"])).rows)

    async def by_stream() -> int:
        return len(await store.load(workspace_id, {chance.choice(filled.tasks)[0]: 0}))

    try:
        return {
            names.scale_read(names.BY_POSITION, filled.events): await _mean(by_position, BATCH),
            names.scale_read(names.BY_STREAM, filled.events): await _mean(by_stream, len(LIFE)),
        }
    finally:
        await pool.close()


async def _mean(read: Callable[[], Awaitable[int]], least: int) -> float:
    """Milliseconds. Each must give so many events at least."""
    for _ in range(5):
        await read()  # the statement is prepared after a few
    started = perf_counter()
    for _ in range(READS):
        if (found := await read()) < least:
            raise RuntimeError(f"read {found} events where there are {least}")
    return (perf_counter() - started) * 1000 / READS
