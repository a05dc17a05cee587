"""What our fan-out is compared with: loops over all sockets, with nobody to leave out and nothing to remember.

One message goes to every socket in three ways: as a Starlette application sends it, as an encoded frame straight to
the transport, and as a bare write to the socket, which is the limit.
"""

import asyncio
import os
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.cli.serve import uvicorn_options

LOOP: Final = "loop"
FRAME: Final = "frame"
WRITE: Final = "write"


class Connection(NamedTuple):
    """What uvicorn keeps for itself of a socket."""

    transport: Any
    descriptor: int


sockets: Final[dict[WebSocket, Connection]] = {}


def frame(text: str) -> bytes:
    """A whole message in one frame (RFC 6455 §5.2), as long as changes are."""
    payload = text.encode()
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


async def follow(socket: WebSocket) -> None:
    """A socket that wants every message."""
    await socket.accept()
    await socket.send_text('{"type":"hello"}')
    transport = socket.scope["bench.transport"]
    sockets[socket] = Connection(transport, transport.get_extra_info("socket").fileno())
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        del sockets[socket]


async def burst(request: Request) -> Response:
    """Send the text in the body to all sockets, `count` times."""
    text = (await request.body()).decode()
    how, count = request.query_params["how"], int(request.query_params["count"])
    if how == LOOP:
        await by_loop(text, count)
    else:
        await by_frame(text, count, to_transport if how == FRAME else to_socket)
    return Response("sent")


async def by_loop(text: str, count: int) -> None:
    """As one would write it."""
    for _ in range(count):
        for socket in list(sockets):
            await socket.send_text(text)
        await asyncio.sleep(0)  # the next message is another turn of the event loop


async def by_frame(text: str, count: int, write: Callable[[Connection, bytes], None]) -> None:
    """Encoded once a message."""
    for _ in range(count):
        encoded = frame(text)
        for connection in sockets.values():
            write(connection, encoded)
        await asyncio.sleep(0)


def to_transport(connection: Connection, encoded: bytes) -> None:
    """Let the event loop send it."""
    connection.transport.write(encoded)


def to_socket(connection: Connection, encoded: bytes) -> None:
    """Send it. Raises `BlockingIOError` when the client is too slow to be measured by."""
    if os.write(connection.descriptor, encoded) != len(encoded):
        raise BlockingIOError("a socket took a part only")


def with_transport(app: ASGIApp) -> ASGIApp:
    """Give the application the transport that uvicorn keeps for itself."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["bench.transport"] = send.__self__.transport  # type: ignore[attr-defined]
        await app(scope, receive, send)

    return outer


async def alive(_request: Request) -> Response:
    """Ready."""
    return Response("ok")


@click.command()
@click.option("--port", required=True, type=int)
def main(port: int) -> None:
    """Serve it as ours is served, by uvicorn's own protocols."""
    routes = [WebSocketRoute("/ws", follow), Route("/burst", burst, methods=["POST"]), Route("/healthz", alive)]
    options = {**uvicorn_options("127.0.0.1", port, 1), "http": "httptools", "ws": "websockets-sansio"}
    uvicorn.run(with_transport(Starlette(routes=routes)), **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
