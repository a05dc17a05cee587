"""The trash: what is taken out of it for good."""

from uuid import UUID

from fastapi import APIRouter

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import ReasonBody
from api.policies import guarded
from api.routes.tasks import COMMAND
from commands.purging import PurgeTask
from domain.policy import Action

commands = APIRouter(prefix="/tasks", tags=["tasks"], route_class=CommandRoute)
reads = APIRouter(prefix="/tasks", tags=["tasks"])


@commands.post("/{task_id}/purge", operation_id="purgeTask", summary="Take it out of the trash for good", **COMMAND)
@guarded(Action.TASK_PURGE)
async def purge_task(call: CommandCall, task_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """With all that went there with it, and with the bytes of their files. There is no way back.

    Only its history is left, for who may audit. The same happens by itself after `TASKFOLD_TRASH_DAYS`.
    """
    receipt = await call.services.purging.execute(PurgeTask(str(task_id), body.reason), call.call)
    return Answer(receipt, receipt.state)
