"""What a command costs on a task that is in memory, and on one that has to be read and folded first.

It answers how long a task must be before the reading is what its user waits for, and the same of a project.
"""

from itertools import count
from statistics import median
from time import perf_counter
from typing import Final

import uvloop

from api.database import connector
from api.services import Services
from bench import names, projects
from bench.append import joined
from bench.measuring import Effort, Figure, Measure, Values, interleaved
from bench.servers import Database, Servers
from bench.subject import CREATED, DESCRIPTION
from commands import event_store
from commands.execute import Call
from commands.ids import new_id
from commands.task import EditTask
from domain.events import Event
from domain.task import TaskEdited

LENGTHS: Final = (10, 100, 1_000, 10_000)
TASKS: Final = 16  # of each length
FACTS: Final = 1_000  # in one append

Tasks = dict[int, list[str]]


def run(servers: Servers, effort: Effort) -> Values:
    """Make the tasks, then edit each of them twice a round: read first, then remembered. And the projects."""
    database = servers.database("memory")
    actor, tasks, numbers = new_id(), {length: [new_id() for _ in range(TASKS)] for length in LENGTHS}, count(1)
    uvloop.run(_make(database, actor, tasks))
    made = uvloop.run(_make_projects(servers, database, actor))
    with database.owner() as owner:
        owner.execute("VACUUM ANALYZE")
    measures: list[Measure] = [
        lambda: uvloop.run(_edit(servers, database, actor, tasks, numbers)),
        lambda: uvloop.run(projects.measure(servers, database, actor, made)),
    ]
    return interleaved(measures, effort.rounds)


async def _make_projects(servers: Servers, database: Database, actor: str) -> projects.Projects:
    services = Services.wire(servers.settings(database))
    await projects.open_(services)
    try:
        return await projects.make(services, database, actor)
    finally:
        await projects.close(services)


async def _edit(
    servers: Servers, database: Database, actor: str, tasks: Tasks, numbers: "count[int]"
) -> dict[Figure, float]:
    """Milliseconds of a command, one after the other, from the decision to the durable commit."""
    services = Services.wire(servers.settings(database))
    await projects.open_(services)

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
        await projects.close(services)
    return figures


async def _make(database: Database, actor: str, tasks: Tasks) -> None:
    connection = await connector(database.serving_url)()
    await event_store.append(connection, [joined(database.workspace_id, actor)])
    for length, ids in tasks.items():
        for id_ in ids:
            edits = (TaskEdited(title=f"Version {n}", description=f"{n}: {DESCRIPTION * 2}") for n in range(1, length))
            history: list[Event] = [CREATED, *edits]
            for at in range(0, length, FACTS):
                append = projects.append(database.workspace_id, actor, id_, at, history[at : at + FACTS])
                await event_store.append(connection, [append])
    await connection.close()
