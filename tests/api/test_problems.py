"""Refusals and failures as problem documents."""

from typing import Any

import orjson
import psycopg
import pytest
from fastapi import Request
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from api import problems
from domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Rejection,
    Stale,
    Unauthenticated,
    Unavailable,
)
from domain.events import UnknownEvent


def _request() -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/here",
            "query_string": b"",
            "headers": [],
            "server": ("localhost", 80),
            "request_id": "r",
        }
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Malformed("a.b", "c"), 400, "a.b"),
        (Unauthenticated("a.b", "c"), 401, "a.b"),
        (Forbidden("a.b", "c"), 403, "a.b"),
        (NotFound("a.b", "c"), 404, "a.b"),
        (Conflict("a.b", "c"), 409, "a.b"),
        (Stale("a.b", "c"), 412, "a.b"),
        (Invalid("a.b", "/f", "c"), 422, "a.b"),
        (Unavailable("a.b", "c"), 503, "a.b"),
        (UnknownEvent("task.exploded", 1), 500, "event.unknown"),
        (Rejection("a.b", "c"), 500, "a.b"),
        (HTTPException(404), 404, "route.not_found"),
        (HTTPException(418, "tea"), 418, "request.refused"),
        (problems.BodyTooLarge(5), 413, "request.too_large"),
        (psycopg.OperationalError("gone"), 503, "store.unavailable"),
        (PoolTimeout("gone"), 503, "store.unavailable"),
        (TimeoutError(), 503, "store.unavailable"),
        (ZeroDivisionError(), 500, "server.failure"),
        (psycopg.DataError("odd"), 500, "server.failure"),
    ],
)
async def test_every_error_has_one_status_and_code(error: Exception, status: int, code: str) -> None:
    response = await problems.answer(_request(), error)
    document = orjson.loads(response.body)
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert (document["instance"], document["request_id"]) == ("/here", "r")
    assert response.media_type == "application/problem+json"
    assert ("retry-after" in response.headers) == (status == 503)
    assert ("www-authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\ud800", "\\ud800"),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (True, True),
        ({"\ud800": [1, ("a",)]}, {"\\ud800": [1, ["a"]]}),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_whatever_was_refused_can_be_quoted(value: Any, shown: Any) -> None:
    response = problems.problem(_request(), 409, "a.b", "c", {"quoted": value})
    assert orjson.loads(response.body)["quoted"] == shown


def test_members_of_the_document_itself_cannot_be_replaced() -> None:
    document = orjson.loads(problems.problem(_request(), 409, "a.b", "c", {"status": "todo", "code": "x"}).body)
    assert (document["status"], document["code"]) == (409, "a.b")


@pytest.mark.parametrize("size", [0, 200, 201, 10_000])
def test_long_values_are_shown_shortened(size: int) -> None:
    error = {"type": "x", "loc": ("body", "a"), "msg": "no", "input": "x" * size}
    value = orjson.loads(problems.invalid(_request(), [error]).body)["errors"][0]["value"]
    assert len(str(value)) <= 210
    assert str(value).startswith("x" * min(size, 200))
