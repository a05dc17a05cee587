"""Many commands at once."""

from fastapi import APIRouter
from starlette.responses import Response

from api.batch import verdicts
from api.batch.bodies import BatchBody, BatchDocument
from api.batch.route import BatchCall, BatchRoute
from api.batch.running import Run
from api.openapi import problems_of
from api.policies import guarded
from domain.policy import Action

router = APIRouter(prefix="/commands", tags=["batches"], route_class=BatchRoute)


@router.post(
    "",
    operation_id="runCommands",
    summary="Do many commands",
    response_model=BatchDocument,
    response_model_exclude_unset=True,
    responses=problems_of(400, 401, 403, 409, 413, 415, 422, 503),
)
@guarded(Action.BATCH_SEND)
async def run_commands(call: BatchCall, body: BatchBody) -> Response:
    """Up to 500, in their order, each as its own route does it; the answer has a verdict for each.

    200 says that each was judged, not that each was done. With `atomic` all are done or none is.
    """
    body.check_ids()
    call.charge(len(body.commands) - 1)
    ran = await Run(call, body.commands, atomic=body.atomic, dry_run=body.dry_run).run()
    return call.respond(verdicts.document(ran, call.request.scope), ran.position, replayed=ran.replayed)
