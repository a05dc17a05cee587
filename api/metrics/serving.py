"""A port for the metrics of a process that serves nothing else."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from starlette.types import Receive, Scope, Send

from api.metrics.page import Page

Headers = list[tuple[bytes, bytes]]

TEXT: Final = b"text/plain; charset=utf-8"


class CannotListenError(RuntimeError):
    """The port for the metrics is taken, or the address is none of this machine; the text says which."""


class _Server(uvicorn.Server):
    """One that leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(page: Page, host: str, port: int) -> AsyncIterator[str]:
    """`GET /metrics` on a port of its own, while the body runs. Answers its URL.

    Raises `CannotListenError`.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(_App(page), lifespan="off", access_log=False, log_config=None, server_header=False)
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/metrics"
    finally:
        server.should_exit = True
        await serving
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise CannotListenError(f"cannot serve metrics on {host} port {port}: {error.strerror}") from error
    except OSError as error:
        raise CannotListenError(
            f"cannot serve metrics on {host} port {port}: {os.strerror(error.errno or 0)}"
        ) from error


class _App:
    """The whole application: one path."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] != "/metrics":
            await _answer(send, 404, b"only /metrics is here\n")
        elif scope["method"] != "GET":
            await _answer(send, 405, b"only GET is allowed\n", [(b"allow", b"GET")])
        elif not self._page.allows(headers.get(b"authorization")):
            await _answer(send, 401, b"send the token of the metrics\n", [(b"www-authenticate", b"Bearer")])
        else:
            rendered = await self._page.render(headers.get(b"accept"))
            await _answer(send, 200, rendered.body, media_type=rendered.media_type.encode())


async def _answer(
    send: Send, status: int, body: bytes, headers: Headers | None = None, media_type: bytes = TEXT
) -> None:
    named = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
