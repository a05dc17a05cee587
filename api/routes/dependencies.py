"""What a task is to others."""

from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.policies import guarded
from api.reading import Read
from api.relations import DependencyList, NewDependency
from api.routes.tasks import COMMAND, READ
from api.seeing import see_task
from commands.dependencies import LinkTasks, UnlinkTasks
from domain.policy import Action, eyes
from domain.task_links import LinkType
from projections import trees

commands = APIRouter(prefix="/tasks", tags=["tasks"], route_class=CommandRoute)
reads = APIRouter(prefix="/tasks", tags=["tasks"])


@reads.get(
    "/{task_id}/dependencies",
    operation_id="listDependencies",
    summary="What it is to others",
    response_model=DependencyList,
    **READ,
)
@guarded(Action.TASK_READ)
async def list_dependencies(read: Read, task_id: UUID) -> Response:
    """All of them, as they came, each with the other task where you see it."""
    async with read.of("tasks") as connection:
        task, position = await see_task(read, connection, str(task_id))
        others = [link.task_id for link in task.links]
        known, _ = await trees.brief(connection, read.workspace_id, eyes(read.user), others)
    items = [{**msgspec.structs.asdict(link), "task": known.get(link.task_id)} for link in task.links]
    return read.answer(msgspec.json.encode({"items": items}), position, task.version)


@commands.post(
    "/{task_id}/dependencies", operation_id="addDependency", summary="Say what it is to another task", **COMMAND
)
@guarded(Action.TASK_EDIT)
async def add_dependency(call: CommandCall, task_id: UUID, body: NewDependency) -> Answer:
    """You must be able to edit the task, and to see the other one.

    409 `task.cycle` names the path of tasks that would have to be closed each before the next.
    """
    command = LinkTasks(str(task_id), LinkType(body.type), str(body.task_id), body.reason)
    return await call.execute(command)


@commands.delete(
    "/{task_id}/dependencies/{type}/{other_id}",
    operation_id="removeDependency",
    summary="Say that it is that no longer",
    **COMMAND,
)
@guarded(Action.TASK_EDIT)
async def remove_dependency(call: CommandCall, task_id: UUID, type: LinkType, other_id: UUID) -> Answer:  # noqa: A002
    """From either side: where one task blocks, the other is blocked by it."""
    return await call.execute(UnlinkTasks(str(task_id), type, str(other_id)))
