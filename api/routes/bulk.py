"""One command for many tasks."""

from fastapi import APIRouter
from starlette.responses import Response

from api.batch.bulk import Bulk, BulkBody, BulkDocument
from api.batch.route import BatchCall, BatchRoute
from api.openapi import problems_of
from api.policies import guarded
from domain.policy import Action

router = APIRouter(prefix="/tasks/bulk", tags=["batches"], route_class=BatchRoute)


@router.post(
    "",
    operation_id="editTasks",
    summary="Do one command to many tasks",
    response_model=BulkDocument,
    responses=problems_of(400, 401, 403, 413, 415, 422, 503),
)
@guarded(Action.BATCH_SEND)
async def edit_tasks(call: BatchCall, body: BulkBody) -> Response:
    """To each task that the filter finds and that you see; at most 10,000, in batches of 500.

    Each is done or refused by itself. `dry_run` says how many would be, and shows some of them.
    """
    document, replayed = await Bulk(call, body).run()
    return call.respond(document, document["position"], replayed=replayed)
