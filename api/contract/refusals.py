"""Which refusals an operation can answer, and how they look. What every operation can answer stands here once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from api.contract.headers import of_refusal
from api.policies import Open

MEDIA_TYPE: Final = "application/problem+json"
_SCHEMA: Final = "#/components/schemas/Problem"

# Malformed or slow HTTP, a long target, too often, large headers, a fault, and a store or a deadline that was missed.
EVERYWHERE: Final = (400, 408, 414, 429, 431, 500, 503)
OF_MEMBERS: Final = (401, 403)  # a personal access token may lack the scope of any of these
OF_BODIES: Final = (413, 415, 422)
OF_COMMANDS: Final = (412, 413, 422)  # the body is read, even where none is asked for; a key may be used twice

# What is refused, and why: the example of each status, and of one status for the operations of one tag.
_EXAMPLES: Final[Mapping[int | tuple[int, str], tuple[str, str]]] = {
    400: ("request.malformed", "the body is not JSON: Expecting value"),
    401: ("auth.token_expired", "the token has expired"),
    403: ("auth.forbidden", "a member may not do this"),
    404: ("task.not_found", "no task that you may see has this id"),
    (404, "users"): ("user.not_found", "no member of this workspace has this id"),
    (404, "teams"): ("team.not_found", "no team of this workspace has this id"),
    (404, "invites"): ("invite.not_found", "no open invite of this workspace has this id"),
    (404, "auth"): ("session.not_found", "you have no session with this id"),
    (404, "feeds"): ("feed.not_found", "there is no such feed"),
    (404, "comments"): ("comment.not_found", "no comment of this task has this id"),
    (404, "watchers"): ("watcher.not_found", "no watcher of this task has this id"),
    (404, "checklists"): ("checklist.item_not_found", "the checklist of this task has no item with this id"),
    (404, "time"): ("timesheet.entry_not_found", "the timesheet of this task has no entry with this id"),
    (404, "reminders"): ("reminder.not_found", "you have no reminder with this id at this task"),
    (404, "attachments"): ("attachment.not_found", "no file at this task has this id"),
    (404, "recurrence"): ("recurrence.not_found", "this task does not recur, or its series is not visible to you"),
    (404, "tags"): ("tag.not_found", "no tag has this name"),
    (404, "templates"): ("template.not_found", "no template of this workspace has this id"),
    (404, "jobs"): ("job.not_found", "no job with this id is visible to you"),
    (404, "undo"): ("undo.not_found", "no event at this position is visible to you"),
    (404, "operating"): ("route.not_found", "Not Found"),
    408: ("request.too_slow", "the body came too slowly"),
    409: ("task.illegal_move", "a task that is 'done' cannot 'start'; allowed: reopen"),
    (409, "users"): ("user.last_admin", "a workspace keeps at least one admin"),
    (409, "teams"): ("team.user_deactivated", "this member is deactivated and joins no team"),
    (409, "invites"): ("invite.exists", "this address has an open invite to this workspace"),
    (409, "auth"): ("account.email_taken", "an account with this e-mail address exists in this workspace"),
    (409, "watchers"): ("watcher.too_many", "a task has at most 500 watchers besides creator and assignee"),
    (409, "checklists"): ("checklist.full", "a checklist has at most 200 items"),
    (409, "time"): ("timesheet.full", "a timesheet has at most 2000 entries"),
    (409, "reminders"): ("reminder.too_many", "a task has at most 20 reminders of one member, and 1000 in all"),
    (409, "attachments"): ("attachment.too_many", "a task has at most 100 files"),
    (409, "notifications"): ("inbox.full", "at most 10000 notifications are marked one by one"),
    (409, "recurrence"): ("recurrence.not_latest", "a later occurrence has been made; change the recurrence there"),
    (409, "views"): ("view.too_many", "a user has at most 200 views; delete some"),
    (409, "feeds"): ("feed.too_many", "a user has at most 20 feeds; withdraw some"),
    (409, "batches"): (
        "batch.too_large",
        "the commands would write 6000 events together, and 5000 at most go in at once",
    ),
    (409, "tags"): ("tag.renamed", "the tag 'q4' is called 'quarter-4' now"),
    (409, "templates"): ("workflow.limit_reached", "5 tasks of the project APP are 'todo', and 5 may be"),
    (409, "jobs"): ("job.ended", "the job is 'done' already"),
    (409, "undo"): ("undo.changed_since", "title changed since task.edited at position 42"),
    412: ("precondition.failed", "the version is 5, not 3"),
    413: ("request.too_large", "the body must be at most 2000000 bytes"),
    414: ("request.target_too_long", "a request has at most 8,192 bytes of path and query"),
    415: ("request.media_type", "the body must be application/json, got 'text/plain'"),
    416: ("request.range", "the file has 12345 bytes, and the range has none of them"),
    422: ("request.invalid", "/title: Field required"),
    429: ("rate.limited", "at most 5000 requests in 10 s are allowed for this token"),
    431: ("request.head_too_large", "a request has at most 100 header fields, and 32,768 bytes of them"),
    500: ("server.failure", "something is wrong here; it was logged under this request id"),
    503: ("store.unavailable", "the store does not answer now; send the request again"),
}
_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "task.illegal_move": {"current_status": "done", "move": "start", "allowed": ["reopen"]},
    "tag.renamed": {"name": "quarter-4"},
    "view.too_many": {"most": 200},
    "workflow.limit_reached": {"to": "todo", "limit": 5, "count": 5, "ref": "laptop"},
    "batch.too_large": {"events": 6000, "most": 5000},
    "undo.changed_since": {
        "event_position": 42,
        "fields": ["title"],
        "changed": [
            {
                "field": "title",
                "by": "019c2f3e-0000-7000-8000-000000000001",
                "at": "2026-11-21T09:30:00.000000Z",
                "version": 4,
                "position": 43,
            }
        ],
    },
    "precondition.failed": {
        "current_version": 5,
        "changed": [
            {
                "field": "title",
                "by": "019c2f3e-0000-7000-8000-000000000001",
                "at": "2026-11-21T09:30:00.000000Z",
                "version": 4,
            }
        ],
    },
    "request.invalid": {"errors": [{"pointer": "/title", "detail": "Field required", "value": None}]},
}


def statuses(operation: Mapping[str, Any], policy: object) -> set[int]:
    """Every status of refusal that an operation can answer by what it is, besides those that its route names."""
    found = set(EVERYWHERE)
    if policy not in (None, Open.PUBLIC, Open.BEARER):
        found |= {*OF_MEMBERS}
    if "requestBody" in operation:
        found |= {*OF_BODIES}
    if is_command(operation):
        found |= {*OF_COMMANDS}
    if operation.get("parameters"):
        found.add(422)
    return found


def is_command(operation: Mapping[str, Any]) -> bool:
    """Whether an operation appends to the log and answers a receipt: these take `If-Match`."""
    return any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ()))


def place(status: int, tag: str) -> str:
    """The name of a response among the components."""
    return f"Problem{status}-{tag}" if (status, tag) in _EXAMPLES else f"Problem{status}"


def components() -> dict[str, Any]:
    """Every refusal that an operation may refer to, by its name."""
    found = {}
    for key in _EXAMPLES:
        status, tag = key if isinstance(key, tuple) else (key, "")
        found[place(status, tag)] = _response(status, *_EXAMPLES[key])
    return found


def reference(status: int, tag: str) -> dict[str, Any]:
    """What an operation says of a refusal."""
    return {"$ref": f"#/components/responses/{place(status, tag)}"}


def _response(status: int, code: str, detail: str) -> dict[str, Any]:
    example = {
        "type": f"urn:taskfold:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": "/api/v1/tasks/019c2f3e-0000-7000-8000-000000000002",
        "code": code,
        "request_id": "019c2f3e-0000-7000-8000-00000000000f",
        **_MORE.get(code, {}),
    }
    schema = {"allOf": [{"$ref": _SCHEMA}, {"properties": {"status": {"const": status}}}]}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": of_refusal(status),
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }
