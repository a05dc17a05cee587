"""The header fields of answers, and which answers have which."""

from collections.abc import Mapping
from typing import Any, Final


def _field(description: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": schema, "example": example}


_POSITION: Final = {"type": "integer", "minimum": 0}
_SECONDS: Final = {"type": "integer", "minimum": 1}

FIELDS: Final[Mapping[str, dict[str, Any]]] = {
    "X-Request-ID": _field(
        "The id of the request: yours, or a new one.",
        {"type": "string", "pattern": "^[!-~]{1,128}$"},
        "019c2f3e-0000-7000-8000-00000000000f",
    ),
    "RateLimit": _field(
        "The limit that you are nearest to: what is left of it, and for how many seconds"
        " (draft-ietf-httpapi-ratelimit-headers).",
        {"type": "string", "pattern": '^"(token|account|address)";r=\\d+;t=\\d+$'},
        '"token";r=4999;t=10',
    ),
    "RateLimit-Policy": _field(
        "All limits: so many requests in so many seconds.",
        {"type": "string", "pattern": '^"token";q=\\d+;w=\\d+, "account";q=\\d+;w=\\d+, "address";q=\\d+;w=\\d+$'},
        '"token";q=5000;w=10, "account";q=10000;w=10, "address";q=20000;w=10',
    ),
    "Retry-After": _field("Seconds to wait before the next try.", _SECONDS, 1),
    "WWW-Authenticate": _field("How to say who you are (RFC 6750).", {"type": "string", "const": "Bearer"}, "Bearer"),
    "ETag": _field(
        "The version of what is answered, 0 where nothing has happened yet: send it back as `If-Match`.",
        {"type": "string", "pattern": '^"\\d+"$'},
        '"3"',
    ),
    "Taskfold-Position": _field(
        "The position of the log that the answer shows: send it as `min_position` to read your own write.",
        _POSITION,
        42,
    ),
    "Taskfold-Epoch": _field(
        "If it changes, the log was restored to an earlier point: forget positions and versions.",
        {"type": "string", "minLength": 1},
        "7423019238471923847-1-0",
    ),
    "Location": _field(
        "Where what was made is.",
        {"type": "string", "format": "uri-reference", "pattern": "^/api/v1/"},
        "/api/v1/tasks/019c2f3e-0000-7000-8000-000000000002",
    ),
}
OPTIONAL: Final[Mapping[str, dict[str, Any]]] = {
    "Idempotency-Replayed": {
        "description": "The key was used before: this is what was answered then.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Link": {
        "description": 'The next page, where there is one: rel="next" (RFC 8288).',
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
        "example": '</api/v1/tasks?limit=50&cursor=eyJ2IjoxfQ>; rel="next"',
    },
}

_FRONT: Final = ("RateLimit", "RateLimit-Policy")
# Some answers are given before a request is one, and so before it is counted.
_UNCOUNTED: Final = (400, 408, 431)


def components() -> dict[str, Any]:
    """All fields, by name; those of `_FRONT` also as what may be missing."""
    loose = {f"{name}-where-counted": {**FIELDS[name], "required": False} for name in _FRONT}
    return {**FIELDS, **OPTIONAL, **loose}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def of_refusal(status: int) -> dict[str, Any]:
    """The fields of a refusal."""
    counted = "-where-counted" if status in _UNCOUNTED else ""
    found = {"X-Request-ID": _reference("X-Request-ID"), **{name: _reference(name + counted) for name in _FRONT}}
    if status == 401:
        found["WWW-Authenticate"] = _reference("WWW-Authenticate")
    if status in (429, 503):
        found["Retry-After"] = _reference("Retry-After")
    return found


def of_success(
    status: int, name: str, schema: Mapping[str, Any], *, command: bool, read: bool, batch: bool = False
) -> dict[str, Any]:
    """The fields of a success that answers a document of the schema of this name."""
    names = ["X-Request-ID", *_FRONT]
    properties = schema.get("properties", {})
    job = name == "JobDocument" and status == 202
    if command or read or (batch and not job):
        names += ["Taskfold-Position", "Taskfold-Epoch"]
    if command or (read and ("version" in properties or name == "HistoryPage")):
        names.append("ETag")
    if (command and status == 201) or job:
        names.append("Location")
    if command or batch:
        names.append("Idempotency-Replayed")
    if "next_cursor" in properties:
        names.append("Link")
    return {name: _reference(name) for name in names}
