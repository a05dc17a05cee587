"""Who reads what is around a task: whoever sees the task, as it is now."""

from typing import TypeVar

from api.reading import Reading
from commands.deciding import task_not_found
from domain.policy import audience, eyes
from domain.streams import State
from domain.talk import Part, stream_of
from domain.task import Task
from projections import log, tasks
from projections.database import Connection

S = TypeVar("S", bound=State)


async def see_task(read: Reading, connection: Connection, task_id: str) -> tuple[Task, int]:
    """The task as it is now, where the reader sees it, and the position of that.

    Raises `NotFound`, also for one in the trash.
    """
    task, position = await tasks.get(connection, read.workspace_id, task_id)
    if task is None or task.deleted_at or not eyes(read.user).see(audience(task)):
        raise task_not_found()
    return task, position


async def see_part(read: Reading, task_id: str, part: Part, kind: type[S]) -> tuple[Task, S | None, int]:
    """The task, a list of it where anything is in it, and the position that both show.

    One list is one stream, so it needs no table: it is folded on reading, and only what memory does not know of it.
    Raises `NotFound`.
    """
    async with read.of("tasks") as connection:
        position = await log.head(connection, read.workspace_id)
        task, _ = await see_task(read, connection, task_id)
    state = await read.services.streams.current(read.workspace_id, stream_of(task_id, part), 0)
    return task, state if isinstance(state, kind) else None, position
