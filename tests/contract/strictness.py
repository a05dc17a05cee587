"""What is held against answers beside the checks that schemathesis brings."""

from collections.abc import Iterator
from typing import Any, Final

import schemathesis
from schemathesis import Case, CheckContext, Response
from schemathesis.generation.modes import GenerationMode

from api.documents import OUT_OF_RANGE

# Why a request is refused that the document allows: what it cannot say, because the answer is a matter of what there
# is, or of a list elsewhere. Whatever else is refused as invalid is a fault of the document or of the program.
EXCUSES: Final = {
    "precondition.failed": "the version is another one",
    "idempotency.key_reused": "the key was used for another request",
    "position.beyond_head": "the log ends before",
    "as_of.future": "no document knows what time it is",
    "cursor.invalid": "a cursor is opaque",
    "assignee.not_found": "nobody has this id",
    "parent.not_found": "the asker may change no task of this id",
    "parent.other_project": "where the parent is",
    "project.not_found": "the asker is in no project of this id",
    "workflow.not_found": "no workflow has this id",
    "workflow.invalid": "statuses and moves name each other",
    "workflow.mapping": "which statuses tasks have",
    "dependency.task_not_found": "the asker may change no task of this id",
    "dependency.itself": "a field and the path together",
    "override.no_reason": "two fields together",
    "reply.not_found": "no comment has this id",
    "reply.too_deep": "it is an answer itself",
    "mention.not_visible": "nobody has this id, or they do not see the task",
    "watcher.not_visible": "nobody has this id, or they do not see the task",
    "checklist.after": "no item has this id",
    "recurrence.invalid": "a grammar, and what it gives",
    "recurrence.no_such_occurrence": "what the rule gives",
    "attachment.type": "what it is stands in its bytes",
    "attachment.empty": "a file has no bytes",
    "attachment.name": "a form says it in its head; and a file has no folders in its name",
    "batch.duplicate_id": "no schema can say that members differ",
    "bulk.query": "filters, and what they may be, are in a text",
    "bulk.not_of_tasks": "which commands are about a task",
    "bulk.data": "what data is depends on the type of the command",
    "query.invalid": "a language of its own",
    "query.not_in_past": "what tables of the present alone know",
    "facet.unknown": "the same name twice: no pattern can count names",
    "view.team": "two fields together",
    "sort.unknown": "the same name twice: no pattern can count names",
    "password.common": "a list of 16,000, and the asker's own names",
    "profile.time_zone": "a list of IANA's",
    "value.time_zone": "a list of IANA's",
    "value.day": "a format has no range",
    "dates.start_after_due": "two fields together",
    "dates.zone_needed": "two fields together, or what the task has",
    "dates.zone_without_due": "two fields together, or what the task has",
    "dates.due_twice": "two fields together",
    "template.invalid": "tasks and variables name each other",
    "template.value": "what a variable is for",
    "template.variable_unknown": "what the template says",
    "template.variable_missing": "what the template says",
    "template.role_unknown": "what the template says",
    "template.role_missing": "what the template says",
    "template.too_long": "texts and values together",
    "template.date": "two days together",
    "request.target_too_long": "many parameters make a long target together",
}
# Preferences are a document of the client's own: of its inside the document says only what the program knows.
OWN_DOCUMENT: Final = ("value.length", "value.character", "preferences.value")


@schemathesis.check
def refuses_no_valid_request(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """What is made by the document is not refused as malformed or invalid, but for the excuses."""
    made = case.meta
    if made is None or made.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code not in (400, 412, 413, 414, 415, 422, 431) or _is_probe(case):
        return
    problem = response.json()
    pointers = [error["pointer"] for error in problem.get("errors", [])]
    if problem["code"] in EXCUSES:
        return
    if problem["code"] == "request.invalid" and problem["errors"][0]["detail"].endswith(OUT_OF_RANGE):
        return  # no format can say so
    if problem["code"] in OWN_DOCUMENT and all(pointer.startswith("/preferences") for pointer in pointers):
        return
    raise AssertionError(f"refused although the document allows it: {problem['code']}: {problem['detail']}")


def _is_probe(case: Case[Any]) -> bool:
    """Whether the request is no use of its operation at all, such as one with another method."""
    from schemathesis.specs.openapi.checks import is_unexpected_http_status_case

    return is_unexpected_http_status_case(case)


@schemathesis.check
def problems_are_problems(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Whatever is refused, also by a method that is not there, is a problem document about this request (RFC 9457)."""
    if response.status_code < 400 or (response.status_code == 503 and case.path == "/readyz"):
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    problem = response.json()
    assert problem["status"] == response.status_code
    assert [problem["request_id"]] == response.headers["x-request-id"]
    assert problem["type"] == f"urn:taskfold:problem:{problem['code']}"
    if response.status_code == 405:
        assert response.headers["allow"][0]


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The same document where answers hold nothing that it does not name, unless it says that they may.

    Clients may not count on that; tests do.
    """
    schemas = document["components"]["schemas"]
    sent = {
        name for path in document["paths"].values() for one in path.values() for name in _names(one.get("requestBody"))
    }
    while (more := {name for one in sent for name in _names(schemas[one])}) - sent:
        sent |= more
    for name, schema in schemas.items():
        if name not in sent and not schema.get("additionalProperties") and "properties" in schema:
            schema["additionalProperties"] = False
    return document


def _names(value: Any) -> Iterator[str]:
    """The schemas that a part of the document refers to."""
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str) and "/schemas/" in reference:
            yield reference.rpartition("/")[2]
        for part in value.values():
            yield from _names(part)
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)
