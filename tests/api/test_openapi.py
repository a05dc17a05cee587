"""The OpenAPI document is complete, and what it shows is true of itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.app import create_app
from api.contract import refusals
from api.contract.headers import FIELDS, OPTIONAL
from api.settings import Settings
from tests.api import references
from tests.house import SECRET

Operation = dict[str, Any]
DOCUMENT: dict[str, Any] = create_app(
    Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", secret_key=SECRET)
).openapi()
OPERATIONS: dict[str, tuple[str, Operation]] = {
    operation["operationId"]: (path, operation)
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
}
PROBLEMS = "application/problem+json"


def resolved(value: Any) -> Any:
    """What a reference refers to."""
    return references.resolved(DOCUMENT, value)


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """Why a value is not of a schema of the document."""
    validator = Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def examples(part: dict[str, Any]) -> list[Any]:
    """Those of a parameter, a header field, or a media type."""
    return [part["example"]] if "example" in part else [one["value"] for one in part.get("examples", {}).values()]


def contents(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that an operation takes or answers, and what it is."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {media_type}", content
    for status, answer in operation["responses"].items():
        for media_type, content in resolved(answer).get("content", {}).items():
            yield f"{status} {media_type}", content


def incomplete(path: str, operation: Operation) -> list[str]:
    """What an operation lacks."""
    lacking = [name for name in ("operationId", "summary", "description") if not operation.get(name)]
    for what, content in contents(operation):
        if "schema" not in content or not examples(content):
            lacking.append(f"schema or example of {what}")
    # A cursor is opaque: none can be made up.
    given = [one for one in operation.get("parameters", []) if one["name"] != "cursor"]
    lacking += [f"example of {one['name']}" for one in given if not examples(one)]
    refused = {int(status): resolved(answer) for status, answer in operation["responses"].items() if status >= "4"}
    lacking += [f"{status}" for status in refusals.EVERYWHERE if status not in refused]
    lacking += [f"{status} as {PROBLEMS}" for status, answer in refused.items() if PROBLEMS not in answer["content"]]
    named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
    if named != set(re.findall(r"{(\w+)}", path)):
        lacking.append("parameters of the path")
    return lacking


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described_in_full(name: str) -> None:
    assert incomplete(*OPERATIONS[name]) == []


@pytest.mark.parametrize("part", ["operationId", "summary", "responses", "example"])
def test_what_lacks_a_part_is_noticed(part: str) -> None:
    path, operation = OPERATIONS["createTask"]
    spoilt = {**operation, part: {} if part == "responses" else None}
    if part == "example":
        (content,) = operation["requestBody"]["content"].values()
        spoilt = {**operation, "requestBody": {"content": {"application/json": {"schema": content["schema"]}}}}
    assert incomplete(path, spoilt) != []


def test_operation_ids_are_words_and_each_is_one_operation() -> None:
    count = sum(len(item) for item in DOCUMENT["paths"].values())
    assert len(OPERATIONS) == count > 50
    assert [name for name in OPERATIONS if not (name.isascii() and name.isalpha() and name[0].islower())] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_are_valid_by_the_schemas_beside_them(name: str) -> None:
    operation = OPERATIONS[name][1]
    wrong = []
    for what, content in contents(operation):
        wrong += [f"{what}: {error}" for one in examples(content) for error in errors(content["schema"], one)]
    for parameter in operation.get("parameters", []):
        wrong += [error for one in examples(parameter) for error in errors(parameter["schema"], one)]
    assert wrong == []


def test_examples_of_header_fields_are_valid() -> None:
    for name, field in {**FIELDS, **OPTIONAL}.items():
        assert errors(field["schema"], field["example"]) == [], name


def test_every_reference_leads_somewhere_and_every_response_is_referred_to() -> None:
    found = set(references.references(DOCUMENT))
    for reference in found:
        assert resolved({"$ref": reference})
    unused = {f"#/components/responses/{name}" for name in DOCUMENT["components"]["responses"]} - found
    assert unused == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_bodies_of_requests_refuse_what_they_do_not_name(name: str) -> None:
    for media_type, content in OPERATIONS[name][1].get("requestBody", {}).get("content", {}).items():
        schema = resolved(content["schema"])
        assert media_type != "application/json" or schema["additionalProperties"] is False


def test_links_name_operations_and_their_parameters() -> None:
    count = 0
    for _, operation in OPERATIONS.values():
        for answer in operation["responses"].values():
            for link in resolved(answer).get("links", {}).values():
                count += 1
                _, target = OPERATIONS[link["operationId"]]
                names = {parameter["name"] for parameter in target.get("parameters", [])}
                assert {name.removeprefix("header.") for name in link.get("parameters", {})} <= names
    assert count > 30


def test_commands_and_reads_name_the_header_fields_that_they_answer() -> None:
    for name, (_, operation) in OPERATIONS.items():
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        for status, answer in operation["responses"].items():
            given = set(resolved(answer)["headers"])
            assert {"X-Request-ID", "RateLimit", "RateLimit-Policy"} <= given, name
            if status < "3" and names & {"If-Match", "min_position"}:
                assert {"Taskfold-Position", "Taskfold-Epoch"} <= given, name
            if status < "3" and "If-Match" in names:
                assert {"ETag", "Idempotency-Replayed"} <= given, name
            if status in ("429", "503"):
                assert "Retry-After" in given, name
            if status == "401":
                assert "WWW-Authenticate" in given, name
