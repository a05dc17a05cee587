"""What OpenAPI says of refusals: every status of a route, with the one shape they share."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from api.documents import Problem

_REF: Final = "#/components/schemas/{model}"


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Put the shape of refusals beside the others, where the routes refer to it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schema = Problem.model_json_schema(ref_template=_REF)
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
