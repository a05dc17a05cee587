"""Plain ASGI middleware: a request id, a limit on the body, one log line a request, and its place in the metrics."""

import re
from time import perf_counter
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.logs import AccessLog
from api.metrics.requests import Requests
from api.problems import BodyTooLarge
from commands.ids import new_id

_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")


class Outermost:
    """Wraps the app once for all of it, because every layer costs each request."""

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, access_log: AccessLog | None, requests: Requests | None = None
    ) -> None:
        self._app = app
        self._requests = requests
        self._access_log = access_log
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        scope["request_id"] = request_id
        started = perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, limited(receive, headers.get(b"content-length"), self._max_body_bytes), sending)
        except Exception as error:
            if status:  # too late for another answer: the connection is cut
                raise
            response = await problems.answer(Request(scope), error)
            await response(scope, receive, sending)
        finally:
            seconds = perf_counter() - started
            if self._requests is not None:
                self._requests.note(scope, status, seconds)
            if self._access_log is not None:
                self._access_log.note(request_id, scope["method"], scope["path"], status, seconds)


def limited(receive: Receive, content_length: bytes | None, limit: int) -> Receive:
    """The same body, refused as soon as it is known to be larger than the limit."""
    announced = int(content_length) if content_length and content_length.isdigit() else 0
    got = 0

    async def receiving() -> Message:
        nonlocal got
        if announced > limit:
            raise BodyTooLarge(limit)
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            raise BodyTooLarge(limit)
        return message

    return receiving


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_id()
