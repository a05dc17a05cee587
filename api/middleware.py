"""Plain ASGI middleware, the front of all: a request id, limits, headers, one log line a request, and its metrics."""

import asyncio
import re
from time import perf_counter
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems, security_log
from api.defence.addresses import holder_of
from api.defence.cors import is_preflight
from api.defence.front import Front
from api.defence.headers import parsed
from api.defence.rates import RateLimited
from api.defence.secrets import logged
from api.logs import AccessLog
from api.metrics.requests import Requests
from api.problems import BodyTooLarge
from api.protocol import HEAD, LATE, LINES, REFUSED
from api.security_log import ADDRESS, WHO
from commands.ids import new_id
from domain.errors import Rejection

_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")


class Outermost:
    """Wraps the app once for all of it, because every layer costs each request."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        access_log: AccessLog | None,
        requests: Requests | None = None,
        front: Front | None = None,
    ) -> None:
        self._app = app
        self._requests = requests
        self._access_log = access_log
        self._max_body_bytes = max_body_bytes
        self._front = front or Front.open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = scope["request_id"] = _request_id(headers.get(b"x-request-id"))
        address = scope[ADDRESS] = self._front.addresses.of(scope)
        deadlines = self._front.deadlines
        # A request is a task of its own. To look for the running loop asks the kernel for the process's id each time.
        running, task = deadlines.running, cast("asyncio.Task[None]", asyncio.current_task(deadlines.loop))
        running[task] = started = perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                running.pop(task, None)  # from now on it is the client who takes the time
                _add(scope, message)
            await send(message)

        try:
            await self._serve(scope, receive, sending, headers, address)
        except (Exception, asyncio.CancelledError) as error:
            reason = deadlines.reason(task, error)
            if status or isinstance(reason, asyncio.CancelledError):  # too late for another answer: it is cut off
                raise
            response = await problems.answer(Request(scope), reason)
            await response(scope, receive, sending)
        finally:
            running.pop(task, None)
            seconds = perf_counter() - started
            if scope["method"] != "GET":
                security_log.told(scope, status)
            if self._requests is not None:
                self._requests.note(scope, status, seconds)
            if self._access_log is not None:
                user = None if (who := scope.get(WHO)) is None else who.user_id
                path = logged(scope["path"])
                self._access_log.note(request_id, scope["method"], path, status, seconds, address, user)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], address: str
    ) -> None:
        front = self._front
        lines = front.fixed.of(scope["path"], scope["scheme"])
        if front.cors is not None:
            lines += front.cors.lines(headers)
        scope[LINES] = lines
        try:
            rate = front.rates.admit(holder_of(address), headers.get(b"authorization"))
        except RateLimited as refusal:
            scope[LINES] = lines + b"ratelimit: " + refusal.field + b"\r\n"
            raise
        scope[LINES] = lines + b"ratelimit: " + rate + b"\r\n"
        if REFUSED in scope:
            raise HTTPException(scope[REFUSED], problems.HEAD_LIMITS)
        if front.cors is not None and is_preflight(scope["method"], headers):
            await _granted(front.cors.preflight(headers), scope, receive, send)
        else:
            limit = self._max_body_bytes
            if (upload := front.upload(scope["method"], scope["path"])) is not None:
                limit = upload.most_bytes
                running, task = front.deadlines.running, asyncio.current_task()
                if task in running:
                    running[task] += upload.more_seconds
            await self._app(scope, limited(receive, scope, headers, limit), send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket, whose opening counts as a request, or the life of the program."""
        if scope["type"] == "websocket":
            scope["request_id"] = new_id()
            address = scope[ADDRESS] = self._front.addresses.of(scope)
            try:
                self._front.rates.admit(holder_of(address), None)
            except Rejection as rejection:
                as_http = Request({**scope, "type": "http"})
                await problems.rejected(as_http, rejection)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _add(scope: Scope, message: Message) -> None:
    """Put our lines into the head: as they are, where the server takes them so, which is a third of the work."""
    lines = scope[LINES] + b"x-request-id: " + scope["request_id"].encode() + b"\r\n"
    if (head := scope.get(HEAD)) is not None:
        head.lines = lines
    else:
        message["headers"] = [*message["headers"], *parsed(lines)]


async def _granted(headers: list[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send) -> None:
    response = Response(status_code=204)
    response.raw_headers = headers
    await response(scope, receive, send)


def limited(receive: Receive, scope: Scope, headers: dict[bytes, bytes], limit: int) -> Receive:
    """The same body, refused as soon as it is known to be larger than the limit, or to come too slowly."""
    content_length = headers.get(b"content-length")
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
        if LATE in scope:
            raise HTTPException(408, "the body came too slowly")
        return message

    return receiving


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_id()
