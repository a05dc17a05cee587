"""What OpenAPI says of refusals: every status of a route, with the one shape they share."""

from http import HTTPStatus
from typing import Any

from api.documents import Problem


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
        }
        for status in statuses
    }
