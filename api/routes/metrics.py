"""What Prometheus reads. It names no workspace and nobody, but it shows what goes on: do not make it public."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.metrics.page import Page
from api.openapi import problems_of
from api.policies import Open, guarded
from domain.errors import Unauthenticated

router = APIRouter(tags=["operating"])

_EXAMPLE = "# TYPE taskfold_sockets gauge\ntaskfold_sockets 3.0\n"
TEXTS = {
    "text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE},
    "application/openmetrics-text": {"schema": {"type": "string"}, "example": _EXAMPLE + "# EOF\n"},
}


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="What Prometheus asks for",
    response_class=Response,
    responses={
        200: {"description": "The metrics of all processes at this port", "content": TEXTS},
        **problems_of(401, 404),
    },
)
@guarded(Open.PUBLIC)
async def get_metrics(request: Request) -> Response:
    """The text format of Prometheus, or OpenMetrics for those who accept it. docs/metrics.md describes each metric.

    401 where TASKFOLD_METRICS_TOKEN is set and not sent, 404 where TASKFOLD_METRICS is off.
    """
    page: Page | None = request.app.state.metrics
    if page is None:
        raise HTTPException(404)
    if not page.allows(request.headers.get("authorization")):
        raise Unauthenticated("auth.missing", "send the token of the metrics: Authorization: Bearer …")
    rendered = await page.render(request.headers.get("accept"))
    return Response(rendered.body, media_type=None, headers={"content-type": rendered.media_type})
