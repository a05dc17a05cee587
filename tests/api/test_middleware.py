"""The outermost layer: ids, limits, one log line a request, and an answer also to what nobody expected."""

from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.logs import FLUSH_LINES, AccessLog
from api.middleware import Outermost
from tests.house import until


async def _serve(app: Any, scope: Scope, *incoming: Message, access_log: AccessLog | None = None) -> list[Message]:
    """What an app answers behind the middleware."""
    waiting, sent = list(incoming), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await Outermost(app, 10, access_log)(scope, receive, send)
    return sent


def _scope(**headers: str) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "scheme": "http",
        "query_string": b"",
        "server": ("localhost", 80),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


async def _failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("no such thing")


async def test_a_failure_that_nobody_expected_is_a_problem_with_the_request_id() -> None:
    start, body = await _serve(_failing, _scope(x_request_id="mine"))
    assert (start["status"], (b"x-request-id", b"mine") in start["headers"]) == (500, True)
    problem = orjson.loads(body["body"])
    assert (problem["code"], problem["request_id"]) == ("server.failure", "mine")
    assert "no such thing" not in str(problem)


async def _half(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise KeyError("no such thing")


async def test_a_failure_in_the_middle_of_an_answer_cuts_it() -> None:
    with pytest.raises(KeyError):
        await _serve(_half, _scope())


async def _reading(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})


@pytest.mark.parametrize(
    ("length", "pieces", "status"),
    [
        (None, [b"x" * 10], 204),
        (None, [b"x" * 5, b"x" * 5], 204),
        (None, [b"x" * 5, b"x" * 6], 413),
        ("10", [b"x" * 10], 204),
        ("11", [], 413),
        ("1", [b"x" * 11], 413),
        ("ten", [b"x"], 204),
        ("-1", [b"x"], 204),
    ],
)
async def test_a_body_is_refused_as_soon_as_it_is_known_to_be_too_large(
    length: str | None, pieces: list[bytes], status: int
) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": n < len(pieces)} for n, piece in enumerate(pieces, 1)
    ]
    sent = await _serve(_reading, _scope(**({} if length is None else {"content_length": length})), *messages)
    assert sent[0]["status"] == status


async def test_other_connections_pass_untouched() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    assert await _serve(app, scope) == []
    assert seen == [{"type": "lifespan"}]


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_every_request_is_one_log_line_also_one_that_fails(log_format: str) -> None:
    written: list[str] = []
    log = AccessLog(log_format, written.append)
    await _serve(_failing, _scope(x_request_id="r1"), access_log=log)
    with pytest.raises(KeyError):
        await _serve(_half, _scope(x_request_id="r2", authorization="Bearer secret"), access_log=log)
    log.flush()
    log.flush()  # nothing more to say
    (text,) = written
    first, second = text.splitlines()
    if log_format == "json":
        line = orjson.loads(first)
        assert (line["request_id"], line["method"], line["path"], line["status"]) == ("r1", "GET", "/x", 500)
        assert (line["ms"] > 0, line["logger"]) == (True, "taskfold.access")
        assert orjson.loads(second)["status"] == 200
    else:
        assert "GET '/x' 500 " in first
        assert first.endswith("request_id=r1")
    assert "secret" not in text


async def test_access_lines_that_are_many_do_not_wait() -> None:
    written: list[str] = []
    log = AccessLog("json", written.append)
    for n in range(FLUSH_LINES + 1):
        log.note(f"r{n}", "GET", "/x", 200, 0.001)
    (text,) = written
    assert len(text.splitlines()) == FLUSH_LINES
    await until(lambda: len(written) == 2)
    assert orjson.loads(written[1])["request_id"] == f"r{FLUSH_LINES}"


async def test_access_lines_are_written_without_being_asked_for() -> None:
    written: list[str] = []
    AccessLog("json", written.append).note("r", "GET", "/\udcff", 200, 0.001)
    await until(lambda: bool(written))
    assert orjson.loads(written[0])["path"] == "/\\udcff"
