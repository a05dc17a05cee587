"""What OpenAPI says of refusals: every status of a route, with the one shape they share."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.documents import Problem
from api.policies import policy_of

_REF: Final = "#/components/schemas/{model}"


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route. Every one can be asked too often."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
        for status in sorted({*statuses, 429})
    }


def _name_policies(document: dict[str, Any], app: FastAPI) -> None:
    """`x-policy` of each operation: the row of the table of permissions that guards it."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None and (policy := policy_of(route.endpoint)) is not None:
                operation["x-policy"] = str(policy)


def install(app: FastAPI) -> None:
    """Put the shape of refusals beside the others, where the routes refer to it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _name_policies(document, app)
        schema = Problem.model_json_schema(ref_template=_REF)
        document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
