"""What a command costs on a task that is in memory, and on one that has to be read and folded first.

It answers whether snapshots would pay: how long a task must be before the reading is what its user waits for.
"""

from itertools import count
from statistics import median
from time import perf_counter
from typing import Final

import uvloop

from api.database import connector
from api.services import Services
from bench import names
from bench.append import joined
from bench.measuring import Effort, Figure, Values, interleaved
from bench.servers import Database, Servers
from bench.subject import CREATED, DESCRIPTION
from commands import event_store
from commands.appending import Append, Fact
from commands.execute import Call
from commands.ids import new_id
from commands.task import EditTask
from domain.events import Event, Meta
from domain.task import TaskEdited

LENGTHS: Final = (10, 100, 1_000, 10_000)
TASKS: Final = 16  # of each length
FACTS: Final = 1_000  # in one append

Tasks = dict[int, list[str]]


def run(servers: Servers, effort: Effort) -> Values:
    """Make the tasks, then edit each of them twice a round: read first, then remembered."""
    database = servers.database("memory")
    actor, tasks, numbers = new_id(), {length: [new_id() for _ in range(TASKS)] for length in LENGTHS}, count(1)
    uvloop.run(_make(database, actor, tasks))
    with database.owner() as owner:
        owner.execute("VACUUM ANALYZE")
    return interleaved([lambda: uvloop.run(_edit(servers, database, actor, tasks, numbers))], effort.rounds)


async def _edit(
    servers: Servers, database: Database, actor: str, tasks: Tasks, numbers: "count[int]"
) -> dict[Figure, float]:
    """Milliseconds of a command, one after the other, from the decision to the durable commit."""
    services = Services.wire(servers.settings(database))
    await services.pool.open(wait=True)
    services.committer.start()
    services.sender.start()

    async def edit(task: str) -> float:
        call = Call(database.workspace_id, actor, new_id())
        started = perf_counter()
        await services.executor.execute(EditTask(task, title=f"number {next(numbers)}"), call)
        return (perf_counter() - started) * 1000

    figures: dict[Figure, float] = {}
    try:
        for length, ids in tasks.items():
            for id_ in ids[:3]:  # connections, prepared statements, the actor
                await edit(id_)
            read, remembered = [], []
            for id_ in ids:
                services.streams.forget(database.workspace_id, [id_])
                read.append(await edit(id_))
                remembered.append(await edit(id_))
            figures[names.memory(names.REMEMBERED, length)] = median(remembered)
            figures[names.memory(names.READ, length)] = median(read)
    finally:
        await services.committer.stop()
        await services.sender.stop()
        await services.redis.aclose()
        await services.pool.close()
    return figures


async def _make(database: Database, actor: str, tasks: Tasks) -> None:
    connection = await connector(database.serving_url)()
    await event_store.append(connection, [joined(database.workspace_id, actor)])
    for length, ids in tasks.items():
        for id_ in ids:
            edits = (TaskEdited(title=f"Version {n}", description=f"{n}: {DESCRIPTION * 2}") for n in range(1, length))
            history: list[Event] = [CREATED, *edits]
            for at in range(0, length, FACTS):
                append = _append(database.workspace_id, actor, id_, at, history[at : at + FACTS])
                await event_store.append(connection, [append])
    await connection.close()


def _append(workspace_id: str, actor: str, task: str, version: int, events: list[Event]) -> Append:
    command_id = new_id()
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=actor,
        key=None,
        keep=False,
        fingerprint="",
        stream_id=task,
        reads={task: version},
        facts=[Fact(task, event) for event in events],
        meta=Meta(actor=actor, correlation_id=command_id, causation_id=command_id),
    )
