"""The sockets in AsyncAPI 3: what `/asyncapi.json` answers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel

from api.contract.examples import NOTIFICATION, TASK, TASK_ID
from api.documents import TaskDocument
from api.inbox import Notification
from api.policies import Open, guarded
from api.sockets.connection import MALFORMED, NO_PONG, NOT_ALLOWED, NOT_AUTHENTICATED, RESTARTING, TOO_SLOW
from api.version import VERSION

# Why the server closes a socket, and what its client does then.
CLOSE_CODES: Final[Mapping[int, tuple[str, str]]] = {
    NOT_AUTHENTICATED: (
        "Not authenticated, or the token, session or ticket has ended. The reason is the code of a problem.",
        "Refresh, then resume.",
    ),
    NOT_ALLOWED: ("The origin is not allowed, or the personal access token lacks the scope `read`.", ""),
    NO_PONG: ("No pong came.", "Resume."),
    TOO_SLOW: ("The client reads too slowly.", "Resume."),
    MALFORMED: ("`after` cannot be read.", ""),
    RESTARTING: ("The server restarts, or its database is away.", "Resume."),
}

# Why what a client holds is no base to go on from.
REASONS: Final[Mapping[str, str]] = {
    "role_changed": "You have another role, and more than 200 tasks came or went for it.",
    "teams_changed": "You are in other teams, and more than 200 tasks came or went for it.",
    "too_far_behind": "`after` lies more than 50,000 positions back; of notifications: you missed more than 1,000.",
    "epoch_changed": "The log was restored to an earlier point.",
    "after_beyond_head": "`after` lies beyond the end of the log: it was restored, or it is another workspace's.",
}

_POSITION: Final = {"type": "integer", "minimum": 0}
_EPOCH: Final = {"type": "string", "minLength": 1}
_ID: Final = {"type": "string", "format": "uuid"}


def _message(
    summary: str, example: dict[str, Any], properties: dict[str, Any], optional: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A message whose fixed members are those of its example that no property describes."""
    fixed = {name: {"const": value} for name, value in example.items() if name not in properties | (optional or {})}
    schema = {
        "type": "object",
        "required": [*fixed, *properties],
        "properties": {**fixed, **properties, **(optional or {})},
        "additionalProperties": False,
    }
    return {
        "summary": summary,
        "contentType": "application/json",
        "payload": schema,
        "examples": [{"payload": example}],
    }


MESSAGES: dict[str, Any] = {
    "hello": _message(
        "The first frame: the epoch of the log and the position from which on changes are live.",
        {"type": "hello", "epoch": "7423019238471923847-1-0", "position": 42},
        {"epoch": _EPOCH, "position": _POSITION},
    ),
    "upsert": _message(
        "The task as it is at this position: it changed there, or your role or teams did and you see it from there on. "
        "Ordered by position and task id; upsert by task.",
        {"type": "change", "op": "upsert", "position": 42, "task_id": TASK_ID, "task": TASK},
        {"position": _POSITION, "task_id": _ID, "task": {"$ref": "#/components/schemas/Task"}},
    ),
    "removed": _message(
        "The task is in the trash, or no longer visible to you.",
        {"type": "change", "op": "removed", "position": 43, "task_id": TASK_ID},
        {"position": _POSITION, "task_id": _ID},
    ),
    "through": _message(
        "All up to this position has been sent: resume with `after` = this one. Comes after a catch-up and at most "
        "once a second. `conflated`, for a slow client: so many changes since the last `through` were not sent, "
        "because a later one of the same task was.",
        {"type": "through", "position": 43},
        {"position": _POSITION},
        optional={"conflated": {"type": "integer", "minimum": 1}},
    ),
    "resync": _message(
        "What you hold is no base to go on from: read the lists again. With `epoch` and `position`, these take the "
        "place of those of `hello`.",
        {"type": "resync", "reason": "role_changed"},
        {
            "reason": {
                "enum": [*REASONS],
                "description": " ".join(f"`{name}`: {meaning}" for name, meaning in REASONS.items()),
            }
        },
        optional={"epoch": _EPOCH, "position": _POSITION},
    ),
    "ping": _message("Answer with pong, or be closed with 4408.", {"type": "ping"}, {}),
    "pong": _message("The answer to a ping. Whatever else a client says counts as one.", {"type": "pong"}, {}),
}

_MARKED: Final = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1}}

# What `/ws/notifications` says instead of `upsert` and `removed`.
INBOX: dict[str, Any] = {
    "notification": _message(
        "You are told of something. Preferences are those that you had when the socket was opened.",
        {"type": "change", "op": "upsert", "position": 42, "notification": NOTIFICATION},
        {"position": _POSITION, "notification": {"$ref": "#/components/schemas/Notification"}},
    ),
    "read": _message(
        "You have read the notifications at these positions.",
        {"type": "change", "op": "read", "position": 43, "positions": [42]},
        {"position": _POSITION, "positions": _MARKED},
    ),
    "read_through": _message(
        "You have read all up to a position.",
        {"type": "change", "op": "read_through", "position": 44, "through": 42},
        {"position": _POSITION, "through": _POSITION},
    ),
    "unread": _message(
        "You want to see those at these positions again.",
        {"type": "change", "op": "unread", "position": 45, "positions": [42]},
        {"position": _POSITION, "positions": _MARKED},
    ),
}
_SHARED: Final = {name: message for name, message in MESSAGES.items() if name not in ("upsert", "removed")}

QUERY: Final[dict[str, Any]] = {
    "after": {
        **_POSITION,
        "maximum": 10**18 - 1,
        "description": "The last finished position that you know; first comes what you missed. Without it: from now.",
    },
    "epoch": {**_EPOCH, "description": "The epoch in which you knew that position; another one now is a resync."},
    "ticket": {"type": "string", "description": "From POST /api/v1/auth/ws-ticket: opens one socket, within 30 s."},
}
_SECURITY: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, or a personal one with the scope `read`.",
    },
    "ticket": {"type": "httpApiKey", "in": "query", "name": "ticket", "description": QUERY["ticket"]["description"]},
}

router = APIRouter(tags=["operating"])


@router.get(
    "/asyncapi.json",
    operation_id="getAsyncApi",
    summary="The sockets",
    responses={200: {"content": {"application/json": {"example": {"asyncapi": "3.0.0"}}}}},
)
@guarded(Open.PUBLIC)
def document() -> dict[str, Any]:
    """The sockets, described in AsyncAPI 3."""
    schemas = {**_schemas("Task", TaskDocument), **_schemas("Notification", Notification)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Taskfold sockets", "version": VERSION},
        "defaultContentType": "application/json",
        "channels": {
            "tasks": _channel("/ws/tasks", "Changes of tasks", "Every change of a task that you may see.", MESSAGES),
            "notifications": _channel(
                "/ws/notifications", "Notifications", "What you are told, and have read.", _SHARED | INBOX
            ),
        },
        "operations": {
            "pushTasks": _operation("send", "tasks", MESSAGES.keys() - {"pong"}),
            "hearPong": _operation("receive", "tasks", {"pong"}),
            "pushNotifications": _operation("send", "notifications", (_SHARED | INBOX).keys() - {"pong"}),
            "hearPongOfNotifications": _operation("receive", "notifications", {"pong"}),
        },
        "components": {
            "messages": {name: {"name": name, **message} for name, message in (MESSAGES | INBOX).items()},
            "schemas": schemas,
            "securitySchemes": _SECURITY,
        },
    }


def _schemas(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model under a name, and those that it refers to."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {name: {key: value for key, value in schema.items() if key != "$defs"}, **schema.get("$defs", {})}


def _channel(address: str, title: str, what: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    codes = " ".join(f"{code}: {why} {what}".strip() for code, (why, what) in CLOSE_CODES.items())
    return {
        "address": address,
        "title": title,
        "description": f"{what} Also below /api/v1. Close codes: {codes}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": QUERY},
                "headers": {
                    "type": "object",
                    "properties": {
                        "Authorization": {"type": "string", "pattern": "^[Bb]earer .+$"},
                        "Origin": {"type": "string", "description": "Of a browser: ours, or one that is allowed."},
                    },
                },
            }
        },
        "x-close-codes": [
            {"code": code, "meaning": why, "then": what} for code, (why, what) in sorted(CLOSE_CODES.items())
        ],
    }


def _operation(action: str, channel: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in sorted(names)],
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY],
    }
