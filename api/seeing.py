"""Who reads what is around a task: whoever sees the task, as it is now."""

from api.reading import Reading
from commands.deciding import task_not_found
from domain.policy import audience, eyes
from domain.task import Task
from projections import tasks
from projections.database import Connection


async def see_task(read: Reading, connection: Connection, task_id: str) -> Task:
    """The task, where the reader sees it. Raises `NotFound`, also for one in the trash."""
    task, _ = await tasks.get(connection, read.workspace_id, task_id)
    if task is None or task.deleted_at or not eyes(read.user).see(audience(task)):
        raise task_not_found()
    return task
