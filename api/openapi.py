"""The whole of `/openapi.json`: what FastAPI reads off the routes, and what `api.contract` adds to it."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.contract import (
    examples,
    headers,
    links,
    many_examples,
    refusals,
    talk_examples,
    template_examples,
    time_examples,
)
from api.documents import Problem
from api.policies import policy_of

_ABOUT: Final = (examples, talk_examples, time_examples, many_examples, template_examples)
ANSWERS: Final = {name: answer for about in _ABOUT for name, answer in about.ANSWERS.items()}
PARAMETERS: Final = {**examples.PARAMETERS, **template_examples.PARAMETERS}
_REF: Final = "#/components/schemas/{model}"


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that are a route's own, by its rules. What follows from its form is added to all in one place."""
    return {status: {"description": "as the route says"} for status in statuses}


def install(app: FastAPI) -> None:
    """Complete the document, once."""
    generate = app.openapi
    made: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not made:
            made.append(_complete(generate(), app))
        return made[0]

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any], app: FastAPI) -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template=_REF)
    components = document["components"]
    components["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
    components["responses"] = refusals.components()
    components["headers"] = headers.components()
    for operation, policy in _operations(document, app):
        if policy is not None:
            operation["x-policy"] = str(policy)
        _refuse(operation, policy)
        _answer(operation, components["schemas"])
        _ask(operation, components["schemas"])
    for unused in ("HTTPValidationError", "ValidationError"):  # of FastAPI, whose 422 is replaced
        components["schemas"].pop(unused, None)
    links.join({one["operationId"]: one for item in document["paths"].values() for one in item.values()})
    return document


def _operations(document: dict[str, Any], app: FastAPI) -> Iterator[tuple[dict[str, Any], object]]:
    """Each operation with the row of the table of permissions that guards it."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                yield operation, policy_of(route.endpoint)


def _refuse(operation: dict[str, Any], policy: object) -> None:
    """Every refusal, in the order of the statuses."""
    answers, tag = operation["responses"], operation["tags"][0]
    named = {int(status) for status in answers if status.startswith(("4", "5"))}
    for status in sorted(named | refusals.statuses(operation, policy)):
        before = answers.pop(str(status), {})
        answers[str(status)] = refusals.reference(status, tag)
        if status != 422 and "content" in before:  # the status also means something else there; 422 is FastAPI's own
            problem = refusals.components()[refusals.place(status, tag)]
            answers[str(status)] = {**before, "content": {**before["content"], **problem["content"]}}


def _answer(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Header fields and an example of what is answered."""
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            continue
        content = answer.get("content", {})
        name = _name(content.get("application/json", {}))
        answer["headers"] = (
            headers.of_refusal(int(status))
            if status >= "4"
            else headers.of_success(
                int(status),
                name,
                schemas.get(name, {}),
                command=refusals.is_command(operation),
                read="min_position" in names,
                batch="Idempotency-Key" in names,
            )
        )
        if name in ANSWERS:
            content["application/json"].setdefault("example", ANSWERS[name])


def _ask(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Examples of what is sent."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _present(parameter["schema"])
        if parameter["name"] in PARAMETERS and "examples" not in parameter:
            parameter["example"] = PARAMETERS[parameter["name"]]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" not in content:
            name = _name(content)
            content["example"] = examples.BODIES.get(name) or schemas.get(name, {}).get("examples", [{}])[0]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """What a parameter is where it is there: it may be absent, but in a path, a query or a header nothing is null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, **kinds[0]} if len(kinds) == 1 else schema if not kinds else {**rest, "anyOf": kinds}


def _name(content: dict[str, Any]) -> str:
    return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
