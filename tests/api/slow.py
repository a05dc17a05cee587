"""Clients that read slowly, and what fills the buffers between them and the server."""

import asyncio
import socket as socketlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from tests.house import Client, House, Socket

LARGE = "word " * 18_000  # fifty such frames fill every buffer between server and client

NUMBERS = count()


@asynccontextmanager
async def deaf(house: House, client: Client, **query: Any) -> AsyncIterator[Socket]:
    """A socket whose client does not read until `listen`. No keep-alive of its own can end it: only the server does."""
    url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks"
    url += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    with socketlib.socket() as narrow:
        narrow.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4_096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", urlsplit(url).port))
        connection = await connect(
            url, sock=narrow, additional_headers=client.headers, compression=None, ping_interval=None, max_queue=None
        )
        connection.transport.pause_reading()
        try:
            yield Socket(connection)
        finally:
            connection.transport.abort()


def listen(socket: Socket) -> None:
    """Read again."""
    socket.connection.transport.resume_reading()


async def rewrite(client: Client, task: dict[str, Any], times: int) -> int:
    """Give a task a long description, again and again. Answers the last position."""
    for _ in range(times):
        answer = await client.call("PATCH", f"/tasks/{task['id']}", {"description": f"{next(NUMBERS)} {LARGE}"})
        assert answer.status_code == 200
    return int(answer.json()["position"])
