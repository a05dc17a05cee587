"""A request that takes too long is given up with an answer, and only that one."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.defence.front import Front
from api.middleware import Outermost


class Slow:
    """An app that answers when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.start_first = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.start_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.set()
        await self.go_on.wait()
        if not self.start_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _ask(app: Slow, front: Front) -> tuple[asyncio.Task[None], list[Message]]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/x", "query_string": b"", "headers": [], "scheme": "http",
        "client": ("1.1.1.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    receive: Any = None
    return asyncio.create_task(Outermost(app, 10, None, None, front)(scope, receive, send)), sent


async def test_a_request_that_takes_too_long_is_given_up_and_the_others_are_not() -> None:
    app, front = Slow(), Front.open()
    task, sent = _ask(app, front)
    await app.begun.wait()
    (began,) = front.deadlines.running.values()
    front.deadlines.run_once(began + front.deadlines.seconds)
    assert not task.cancelling()
    front.deadlines.run_once(began + front.deadlines.seconds + 1)
    await task
    start, body = sent
    document = orjson.loads(body["body"])
    assert (start["status"], document["code"]) == (503, "request.out_of_time")
    assert (b"retry-after", b"1") in start["headers"]
    assert front.deadlines.running == {}


async def test_an_answer_that_has_begun_is_not_given_up() -> None:
    app, front = Slow(), Front.open()
    app.start_first = True
    task, sent = _ask(app, front)
    await app.begun.wait()
    assert front.deadlines.running == {}
    app.go_on.set()
    await task
    assert len(sent) == 2


async def test_a_cancellation_by_others_is_one() -> None:
    app, front = Slow(), Front.open()
    task, sent = _ask(app, front)
    await app.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (sent, front.deadlines.running) == ([], {})


async def test_it_looks_by_itself() -> None:
    app, front = Slow(), Front.open()
    object.__setattr__(front.deadlines, "seconds", 0.01)
    front.deadlines.start()
    task, sent = _ask(app, front)
    await asyncio.wait_for(task, 20)
    await front.deadlines.stop()
    assert sent[0]["status"] == 503
