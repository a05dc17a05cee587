"""The tasks below a task."""

from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.defence.front import BASE
from api.documents import NewSubtask
from api.policies import guarded
from api.reading import Read
from api.relations import SubtaskTree
from api.routes.tasks import COMMAND, READ, fields_of
from api.seeing import see_task
from commands.ids import new_id
from commands.task import CreateSubtask
from domain.policy import Action, eyes
from projections import trees

commands = APIRouter(prefix="/tasks", tags=["tasks"], route_class=CommandRoute)
reads = APIRouter(prefix="/tasks", tags=["tasks"])


@reads.get(
    "/{task_id}/subtasks",
    operation_id="listSubtasks",
    summary="What is below it",
    response_model=SubtaskTree,
    **READ,
)
@guarded(Action.TASK_READ)
async def list_subtasks(read: Read, task_id: UUID) -> Response:
    """The whole tree below the task, as far as you see it, level by level, each with the progress of what is below it.

    At most 1,000 tasks.
    """
    async with read.of("tasks") as connection:
        await see_task(read, connection, str(task_id))
        tree = await trees.below(connection, read.workspace_id, eyes(read.user), str(task_id))
    body = {"progress": tree.progress, "truncated": tree.truncated, "items": tree.items}
    return read.answer(msgspec.json.encode(body), tree.position)


@commands.post(
    "/{task_id}/subtasks", status_code=201, operation_id="createSubtask", summary="Create a task below it", **COMMAND
)
@guarded(Action.TASK_CREATE)
async def create_subtask(call: CommandCall, task_id: UUID, body: NewSubtask) -> Answer:
    """As `createTask` with this task as the parent: the new one is in the same project."""
    answer = await call.execute(CreateSubtask(task_id=new_id(), parent_id=str(task_id), **fields_of(body)))
    return answer._replace(within=f"{BASE}/tasks")
