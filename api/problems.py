"""Refusals and failures as `application/problem+json` (RFC 9457). The only place where codes become HTTP statuses."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import security_log
from api.contract.methods import allowed, is_fixed
from api.defence import secrets
from api.defence.headers import DATA
from commands.ids import new_id
from domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Rejection,
    Stale,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

log: Final = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

STATUSES: Final[Mapping[type[Rejection], HTTPStatus]] = {
    Malformed: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Unsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Throttled: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# Codes for what the framework refuses before any of our code runs.
_HTTP_CODES: Final[Mapping[int, str]] = {
    400: "request.malformed",
    404: "route.not_found",
    405: "route.method_not_allowed",
    408: "request.too_slow",
    413: "request.too_large",
    414: "request.target_too_long",
    415: "request.media_type",
    416: "request.range",
    431: "request.head_too_large",
}

HEAD_LIMITS: Final = "a request has at most 8,192 bytes of path and query, 100 header fields, and 32,768 bytes of them"


class BodyTooLarge(HTTPException):
    """The body exceeds the limit of the installation."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body must be at most {limit} bytes")


def install(app: FastAPI) -> None:
    """Let every error of the app answer in this one shape."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer(request: Request, error: Exception) -> Response:
    """The answer to any error."""
    handler = next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)
    return await handler(request, error)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document."""
    body = _document(status, code, detail, request.url.path, request.scope.get("request_id"), extra)
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def raw(status: int, code: str, detail: str, path: str) -> bytes:
    """The whole answer to what never became a request; its connection ends with it."""
    request_id = new_id()
    body = _document(status, code, detail, path, request_id)
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "connection: close",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + DATA + b"\r\n" + body


def _document(
    status: int, code: str, detail: str, path: str, request_id: str | None, extra: Mapping[str, Any] | None = None
) -> bytes:
    content = {
        **(extra or {}),
        "type": f"urn:taskfold:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": request_id,
    }
    # Whatever was refused may be quoted: also what is no valid text.
    return orjson.dumps(_printable(content), default=str)


def rejected(request: Request, rejection: Rejection) -> Response:
    """The answer to a request that the rules refuse."""
    security_log.refused(request.scope, rejection)
    headers = {}
    if isinstance(rejection, Unavailable | Throttled):
        headers["Retry-After"] = str(rejection.retry_after)
    if isinstance(rejection, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    # A rejection of no kind is about us: the log holds what this program does not know.
    kinds = (status for kind, status in STATUSES.items() if isinstance(rejection, kind))
    status = next(kinds, HTTPStatus.INTERNAL_SERVER_ERROR)
    extra = rejection.extra
    if "errors" in extra:
        extra = {**extra, "errors": _hidden(request, extra["errors"])}
    return problem(request, status, rejection.code, rejection.detail, extra, headers)


def of_body(error: ValidationError) -> list[dict[str, Any]]:
    """What is wrong with a body, at places as those of a whole request: a field may be called `body` too."""
    return [{**part, "loc": ("body", *part["loc"])} for part in error.errors()]


def invalid(request: Request, errors: list[dict[str, Any]]) -> Response:
    """The answer to a request of the wrong form: 400 when it cannot be read, else 422."""
    if any(error["type"] == "json_invalid" for error in errors):
        return problem(request, 400, "request.malformed", f"the body is not JSON: {_reason(errors[0])}")
    listed = [{"pointer": _pointer(error["loc"]), "detail": error["msg"], "value": _shown(error)} for error in errors]
    detail = "; ".join(f"{item['pointer'] or '/'}: {item['detail']}" for item in listed[:5])
    return problem(request, 422, "request.invalid", detail, {"errors": _hidden(request, listed)})


def _hidden(request: Request, errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without values, where one of them may be a secret, or a secret may have slipped into its neighbour."""
    if any(secrets.is_private(name) for name in (request.url.path, *(item["pointer"] for item in errors))):
        return [item | {"value": None} for item in errors]
    return errors


async def _on_rejection(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejection)
    return rejected(request, error)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | ValidationError)
    if isinstance(error, RequestValidationError) and any(part["loc"][:1] == ("path",) for part in error.errors()):
        if is_fixed(request.app, request.scope["path"]):  # it looks like an id there, and stands for itself
            return await _on_http(request, HTTPException(405))
        return invalid(request, [*error.errors()])
    return invalid(request, of_body(error) if isinstance(error, ValidationError) else [*error.errors()])


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, headers = _HTTP_CODES.get(error.status_code, "request.refused"), error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(allowed(request.app, request.url.path))}
    return problem(request, error.status_code, code, str(error.detail), headers=headers)


async def _on_database_away(request: Request, error: Exception) -> Response:
    log.warning("the store is away", extra={"error": f"{type(error).__name__}: {error}"})
    detail = "the store does not answer now; send the request again, commands with the same Idempotency-Key"
    return problem(request, 503, "store.unavailable", detail, headers={"Retry-After": "1"})


async def _on_failure(request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return problem(request, 500, "server.failure", "something is wrong here; it was logged under this request id")


_HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    Rejection: _on_rejection,
    RequestValidationError: _on_validation,
    ValidationError: _on_validation,
    HTTPException: _on_http,
    psycopg.OperationalError: _on_database_away,
    PoolTimeout: _on_database_away,
    TimeoutError: _on_database_away,
    Exception: _on_failure,
}


def _pointer(location: tuple[Any, ...]) -> str:
    """A JSON pointer into the body; other places are named first: `/query/limit`."""
    parts = location[1:] if location and location[0] == "body" else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _reason(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    return str(context.get("error", error["msg"]))


def _shown(error: Mapping[str, Any]) -> Any:
    """The refused value. Where a field is missing that is the whole around it; an unknown one may hold anything."""
    return None if error["type"] in ("missing", "extra_forbidden") else _short(secrets.without(error.get("input")))


def _short(value: Any) -> Any:
    """The refused value, cut to what a person can read; never the whole body."""
    if isinstance(value, str):
        return value if len(value) <= 200 else value[:200] + "…"
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "…"


def _printable(value: Any) -> Any:
    """The same with text that UTF-8 cannot carry, and numbers that JSON parsers refuse, written out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_printable(item) for item in value]
    return value
