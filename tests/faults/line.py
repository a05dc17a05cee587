"""A lean client of the API: one keep-alive connection, opened anew after each break."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from bench.wire import Answered, Wire

CONNECT_SECONDS: Final = 5.0


class Line:
    """A connection to one address. One request at a time."""

    def __init__(self, base: str) -> None:
        place = urlsplit(base)
        self._host, self._port = place.hostname or "", place.port or 0
        self._wire: Wire | None = None
        self._waiting: asyncio.Future[Answered | None] | None = None

    async def call(self, request: bytes, patience: float) -> Answered | None:
        """The answer, whole. None when the connection broke or `patience` seconds passed: then nobody knows."""
        try:
            async with asyncio.timeout(patience):
                return await self._ask(request)
        except (TimeoutError, OSError):
            return None
        finally:
            if self._waiting is not None:  # an answer that comes after all must not be taken for the next one's
                self.close()

    def close(self) -> None:
        """Hang up, whatever is under way."""
        if self._wire is not None:
            self._wire.close()
        self._wire = self._waiting = None

    async def _ask(self, request: bytes) -> Answered | None:
        if self._wire is None:
            await self._connect()
        assert self._wire is not None
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Answered | None] = loop.create_future()
        self._waiting = waiting
        self._wire.send(request)
        answered = await waiting
        self._waiting = None
        return answered

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()

        def lost() -> None:  # by the time it is told, there may be another one
            if self._wire is wire:
                self._lose()

        async with asyncio.timeout(CONNECT_SECONDS):
            _, wire = await loop.create_connection(lambda: Wire(self._answer, lost), self._host, self._port)
        self._wire = wire

    def _answer(self, wire: Wire, answered: Answered) -> None:
        if wire is self._wire and self._waiting is not None and not self._waiting.done():  # nobody gave up just now
            self._waiting.set_result(answered)
            if answered.header(b"connection") == b"close":
                self._wire = None
                wire.close()

    def _lose(self) -> None:
        self._wire = None
        if self._waiting is not None:
            with suppress(asyncio.InvalidStateError):
                self._waiting.set_result(None)


def request(
    method: str, path: str, token: str, body: bytes = b"", *, key: str | None = None, if_match: str | None = None
) -> bytes:
    """The bytes of a request to the API."""
    head = [f"{method} /api/v1{path} HTTP/1.1", "Host: taskfold", f"Authorization: Bearer {token}"]
    if body:
        head.append("Content-Type: application/json")
    if body or method != "GET":
        head.append(f"Content-Length: {len(body)}")
    if key is not None:
        head.append(f"Idempotency-Key: {key}")
    if if_match is not None:
        head.append(f"If-Match: {if_match}")
    return "\r\n".join([*head, "", ""]).encode() + body
