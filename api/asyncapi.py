"""The sockets in AsyncAPI 3: what `/asyncapi.json` answers."""

from typing import Any

from api.documents import TaskDocument
from api.policies import Open, guarded
from api.version import VERSION


def _message(
    name: str, summary: str, properties: dict[str, Any], optional: dict[str, Any] | None = None
) -> dict[str, Any]:
    schema = {"type": "object", "required": list(properties), "properties": {**properties, **(optional or {})}}
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": schema}


_POSITION = {"type": "integer", "minimum": 0}
_ID = {"type": "string", "format": "uuid"}


def _type(name: str) -> dict[str, Any]:
    return {"type": "string", "const": name}


MESSAGES: dict[str, Any] = {
    "hello": _message(
        "hello",
        "The first frame: the epoch of the log and the position from which on changes are live.",
        {"type": _type("hello"), "epoch": {"type": "string"}, "position": _POSITION},
    ),
    "upsert": _message(
        "upsert",
        "The task as it is at this position: it changed there, or your role or teams did and you see it from there "
        "on. Ordered by position and task id; upsert by task.",
        {
            "type": _type("change"),
            "op": _type("upsert"),
            "position": _POSITION,
            "task_id": _ID,
            "task": {"$ref": "#/components/schemas/Task"},
        },
    ),
    "removed": _message(
        "removed",
        "The task is in the trash, or no longer visible to you.",
        {"type": _type("change"), "op": _type("removed"), "position": _POSITION, "task_id": _ID},
    ),
    "through": _message(
        "through",
        "All up to this position has been sent: resume with `after` = this one. Comes after a catch-up and at most "
        "once a second. `conflated`, for a slow client: so many changes since the last `through` were not sent, "
        "because a later one of the same task was.",
        {"type": _type("through"), "position": _POSITION},
        optional={"conflated": {"type": "integer", "minimum": 1}},
    ),
    "resync": _message(
        "resync",
        "What you hold is no base to go on from: read the lists again. The reason is role_changed or teams_changed "
        "(more than 200 tasks came or went at once), "
        "too_far_behind, epoch_changed or after_beyond_head. With `epoch` and `position`, these take the place of "
        "those of `hello`.",
        {"type": _type("resync"), "reason": {"type": "string"}},
        optional={"epoch": {"type": "string"}, "position": _POSITION},
    ),
    "ping": _message("ping", "Answer with pong.", {"type": _type("ping")}),
    "pong": _message("pong", "The answer to a ping.", {"type": _type("pong")}),
}


@guarded(Open.PUBLIC)
def document() -> dict[str, Any]:
    """The sockets, described in AsyncAPI 3."""
    task = TaskDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = {"Task": {key: value for key, value in task.items() if key != "$defs"}, **task.get("$defs", {})}
    refs = {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES}
    sent = [name for name in MESSAGES if name != "pong"]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Taskfold sockets", "version": VERSION},
        "channels": {
            "tasks": {
                "address": "/ws/tasks",
                "description": "Authorization: Bearer, or ?ticket= from POST /auth/ws-ticket. "
                "Close codes: 4401 not authenticated or expired, 4403 not allowed, 4408 no pong, "
                "4413 too slow (resume with after), 1012 server restarting (resume).",
                "messages": refs,
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {
                                "after": _POSITION,
                                "epoch": {"type": "string"},
                                "ticket": {"type": "string"},
                            },
                        }
                    }
                },
            }
        },
        "operations": {
            "pushTasks": {
                "action": "send",
                "channel": {"$ref": "#/channels/tasks"},
                "messages": [{"$ref": f"#/channels/tasks/messages/{name}"} for name in sent],
            },
            "hearPong": {
                "action": "receive",
                "channel": {"$ref": "#/channels/tasks"},
                "messages": [{"$ref": "#/channels/tasks/messages/pong"}],
            },
        },
        "components": {"messages": MESSAGES, "schemas": schemas},
    }
