"""Events a second of a projection that starts over: ours on a long log, a library's runner on a shorter one."""

import random
from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter

import uvloop

from api.database import connector, make_pool
from api.services import make_redis
from bench import names
from bench.library import Library
from bench.measuring import OURS, Effort, Figure, Measure, Values, interleaved
from bench.servers import Database, Servers
from commands import event_store
from commands.appending import Append, Fact
from commands.ids import new_id
from domain.events import Event, Meta
from domain.task import TaskAssigned, TaskCompleted, TaskCreated, TaskEdited, TaskPaused, TaskStarted
from domain.task_fields import Assignee
from domain.workflow import Category
from projections.projector import Projector

BATCH = 250
TASKS_AT_A_TIME = 1_000
USER_ID = new_id()

# The life of a task, in ten events.
LIFE: Sequence[Event] = (
    TaskCreated(
        title="Write the report",
        description="With the figures of all regions, and what was planned a year ago.",
        status="todo",
        category=Category.OPEN,
        tags=("q4", "board"),
    ),
    TaskAssigned(assignee=Assignee(type="user", id=USER_ID)),
    TaskStarted(status="in_progress", category=Category.ACTIVE),
    TaskEdited(title="Write the long report"),
    TaskPaused(status="todo", category=Category.OPEN, reason="figures are missing"),
    TaskEdited(tags=("q4", "board", "late")),
    TaskAssigned(assignee=Assignee(type="user", id=new_id())),
    TaskStarted(status="in_progress", category=Category.ACTIVE),
    TaskEdited(description="With the figures of all regions."),
    TaskCompleted(status="done", category=Category.DONE),
)


def run(servers: Servers, effort: Effort) -> Values:
    """Fill the logs, then let all read them from the start, round by round."""
    contenders: list[Measure] = []
    for at_a_time in (min(TASKS_AT_A_TIME, effort.tasks // 4), effort.tasks):
        database = servers.database(f"catchup_{at_a_time}")
        uvloop.run(_fill(database, effort.tasks, at_a_time))
        load = names.ALL_AT_A_TIME if at_a_time == effort.tasks else names.FROM_ZERO
        contenders.append(partial(_ours, servers, database, effort, load))
    library = Library(servers.empty_database("library_catchup"))
    events = library.fill(effort.library_tasks)
    contenders.append(partial(_library, library, events))
    return interleaved(contenders, min(effort.rounds, 3))


def _ours(servers: Servers, database: Database, effort: Effort, load: str) -> dict[Figure, float]:
    with database.owner() as connection:
        connection.execute("TRUNCATE tasks, checkpoints")
    rate = uvloop.run(catch_up(database, servers.redis_url))
    with database.owner() as connection:
        row = connection.execute("SELECT count(*), min(version), min(status) FROM tasks").fetchone()
    if row != (effort.tasks, len(LIFE), "done"):
        raise RuntimeError(f"the projection is not what the log says: {row}")
    return {names.catchup(OURS, load): rate}


def _library(library: Library, events: int) -> dict[Figure, float]:
    return {names.catchup(names.LIBRARY_RUNNER): library.catch_up(events)}


async def catch_up(database: Database, redis_url: str) -> float:
    """Events a second of our worker, batch after batch to the end of the log."""
    pool, redis = make_pool(database.serving_url, 2), make_redis(redis_url)
    await pool.open(wait=True)
    projector = Projector(pool, redis, new_id())
    events = 0
    started = perf_counter()
    while read := await projector.run_once(database.workspace_id, "tasks"):
        events += read
    seconds = perf_counter() - started
    await redis.aclose()
    await pool.close()
    return events / seconds


async def _fill(database: Database, tasks: int, at_a_time: int) -> None:
    """Through the append function, as fast as it goes."""
    connection = await connector(database.serving_url)()
    for turn in lives(tasks, at_a_time):
        for at in range(0, len(turn), BATCH):
            batch = [_append(database.workspace_id, id_, done, LIFE[done]) for id_, done in turn[at : at + BATCH]]
            await event_store.append(connection, batch)
    await connection.close()
    with database.owner() as owner:
        owner.execute("VACUUM ANALYZE")


def lives(tasks: int, at_a_time: int) -> Iterator[list[tuple[str, int]]]:
    """Who lives on, turn by turn: each task that is alive with even odds; one that is done makes room for a new one.

    The fewer live at a time, the more events of one task a batch of the projector finds together.
    """
    chance = random.Random(1)
    alive = {new_id(): 0 for _ in range(at_a_time)}
    born = at_a_time
    while alive:
        turn = [(id_, done) for id_, done in alive.items() if chance.random() < 0.5]
        yield turn
        for id_, done in turn:
            if done + 1 < len(LIFE):
                alive[id_] = done + 1
                continue
            del alive[id_]
            if born < tasks:
                alive[new_id()] = 0
                born += 1


def _append(workspace_id: str, stream_id: str, version: int, event: Event) -> Append:
    command_id = new_id()
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=USER_ID,
        key=None,
        keep=False,
        fingerprint="",
        stream_id=stream_id,
        reads={stream_id: version},
        facts=[Fact(stream_id, event)],
        meta=Meta(actor=USER_ID, correlation_id=command_id, causation_id=command_id),
    )
