"""A way to PostgreSQL on which an answer can be held back: the commit is done, and nobody learns of it."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65_536


class Proxy:
    """Hands on every byte in both directions, until `lose_answers_to` says otherwise."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._marker = b""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The same database by this way."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        credentials = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{credentials}@127.0.0.1:{port}"))

    def lose_answers_to(self, marker: bytes) -> None:
        """From here on, a connection on which such a request is made hears nothing any more. Empty: no such request."""
        self._marker = marker

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        deaf = asyncio.Event()
        try:
            back, forth = await asyncio.open_connection(self._target.hostname, self._target.port)
            await asyncio.gather(self._ask(reader, forth, deaf), self._answer(back, writer, deaf))
        except OSError:
            pass  # nobody listens there now
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if self._marker and self._marker in data:
                    deaf.set()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        """When the server dies, the client sees a broken connection."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if not deaf.is_set():
                    writer.write(data)
                    await writer.drain()
        writer.close()
