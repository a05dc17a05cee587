"""What the first command of a process costs in a project that has lived long: part of the suite `memory`.

All that comes to a project goes to two streams, its numbering and a board. A process that has not got them
in memory begins with what is kept folded of them, where there is something.
"""

from time import perf_counter
from typing import Final

from api.services import Services
from bench import names
from bench.measuring import Figure
from bench.servers import Database, Servers
from commands import event_store
from commands.appending import Append, Fact
from commands.execute import Call
from commands.ids import new_id
from commands.project import CreateProject
from commands.task import CreateTask
from domain.board import BoardTaskArrived
from domain.events import Event, Meta
from domain.numbering import NumberGiven
from domain.project import board_id, numbering_id
from domain.workflow import STANDARD

SIZES: Final = (1_000, 10_000, 100_000)  # tasks
FACTS: Final = 1_000  # in one append

Projects = dict[int, str]


async def make(services: Services, database: Database, actor: str) -> Projects:
    """Projects of all sizes, as far as their own streams go: the tasks themselves are left out."""
    projects = {size: new_id() for size in SIZES}
    for size, project in projects.items():
        await _execute(services, database, actor, CreateProject(project, f"Of {size}", f"P{size}"))
        tasks = [new_id() for _ in range(size)]
        streams: dict[str, list[Event]] = {
            numbering_id(project): [NumberGiven(task_id=task) for task in tasks],
            board_id(project, STANDARD.initial): [BoardTaskArrived(task_id=task) for task in tasks],
        }
        async with services.pool.connection() as connection:
            for stream_id, events in streams.items():
                for at in range(0, size, FACTS):
                    batch = [append(database.workspace_id, actor, stream_id, at, events[at : at + FACTS])]
                    await event_store.append(connection, batch)
    return projects


async def measure(servers: Servers, database: Database, actor: str, projects: Projects) -> dict[Figure, float]:
    """Milliseconds, from the decision to the durable commit: without snapshots, with them, and of one that knows."""
    figures: dict[Figure, float] = {}
    for size, project in projects.items():
        with database.owner() as owner:
            owner.execute("TRUNCATE snapshots")
        figures[names.project(names.UNKNOWN, size)], _ = await _first(servers, database, actor, project)
        kept, known = await _first(servers, database, actor, project)
        figures[names.project(names.KEPT, size)] = kept
        figures[names.project(names.KNOWN, size)] = known
    return figures


async def _first(servers: Servers, database: Database, actor: str, project: str) -> tuple[float, float]:
    """The first and the second new task of a process. It has worked elsewhere before: it is connected."""
    services = Services.wire(servers.settings(database))
    await open_(services)
    try:
        for _ in range(3):
            await _execute(services, database, actor, CreateTask(new_id(), "elsewhere"))
        times = []
        for _ in range(2):
            started = perf_counter()
            await _execute(services, database, actor, CreateTask(new_id(), "here", project_id=project))
            times.append((perf_counter() - started) * 1000)
        await services.streams.settled()
    finally:
        await close(services)
    return times[0], times[1]


async def open_(services: Services) -> None:
    """As much of a process as commands need."""
    await services.pool.open(wait=True)
    services.committer.start()
    services.sender.start()


async def close(services: Services) -> None:
    """The end of it."""
    await services.committer.stop()
    await services.streams.stop()
    await services.sender.stop()
    await services.redis.aclose()
    await services.pool.close()


async def _execute(services: Services, database: Database, actor: str, command: CreateProject | CreateTask) -> None:
    await services.executor.execute(command, Call(database.workspace_id, actor, new_id()))


def append(workspace_id: str, actor: str, stream_id: str, version: int, events: list[Event]) -> Append:
    """Events of one stream, past a version."""
    command_id = new_id()
    return Append(
        workspace_id=workspace_id,
        command_id=command_id,
        principal=actor,
        key=None,
        keep=False,
        fingerprint="",
        stream_id=stream_id,
        reads={stream_id: version},
        facts=[Fact(stream_id, event) for event in events],
        meta=Meta(actor=actor, correlation_id=command_id, causation_id=command_id),
    )
