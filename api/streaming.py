"""Long answers, made while they are sent: a piece at a time, no faster than the client takes them.

What breaks in the middle must not look whole, so such an answer is left without its last chunk (RFC 9112 §8): clients
tell that from an end.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, NamedTuple

import psycopg
from psycopg_pool import PoolTimeout
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.errors import Rejection
from projections.ending import end

log: Final = logging.getLogger(__name__)

STALL_SECONDS: Final = 60.0  # in which a client takes something
_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 1  # more costs several times as much, and saves a fifth


class Cut(Exception):  # noqa: N818  (it is no error of the program)
    """The answer ends here, before its end; the text says why."""


class Opened(NamedTuple):
    """An answer that has begun: its header fields, and its text."""

    headers: dict[str, str]
    pieces: AsyncIterator[str]


Opening = Callable[[], AbstractAsyncContextManager[Opened]]


class Streamed(Response):
    """The answer that sends text as it is made. What refuses it before its beginning is answered as a problem."""

    def __init__(self, opening: Opening, media_type: str, *, zipped: bool) -> None:
        """`zipped`: the client takes it packed."""
        self.status_code = 200
        self.body = b""
        self.background = None
        self.media_type = media_type
        self._opening = opening
        self._zipped = zipped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Ends without an end where the client is gone, reads nothing, or the rest cannot be had."""
        async with self._opening() as (headers, pieces):
            more = {"content-encoding": "gzip"} if self._zipped else {}
            self.init_headers({**headers, **more, "content-type": self.media_type or "", "vary": "Accept-Encoding"})
            self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
            gone = asyncio.create_task(_gone(receive))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async with aclosing(self._packed(pieces)) as chunks:
                    async for chunk in chunks:
                        if gone.done():
                            return
                        await _send(send, chunk)
                await _send(send, b"")
            except (Cut, TimeoutError, Rejection, psycopg.OperationalError, PoolTimeout) as reason:
                detail = f"{type(reason).__name__}: {reason}"
                log.warning("answer cut", extra={"request_id": scope.get("request_id"), "reason": detail})
            finally:
                await end(gone)

    async def _packed(self, pieces: AsyncIterator[str]) -> AsyncGenerator[bytes, None]:
        if not self._zipped:
            async for piece in pieces:
                if piece:  # an empty chunk would be the end
                    yield piece.encode()
            return
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        async for piece in pieces:
            if chunk := await asyncio.to_thread(packer.compress, piece.encode()):
                yield chunk
        yield packer.flush()


async def _send(send: Send, chunk: bytes) -> None:
    """Hand a chunk over, once there is room for it; an empty one is the end. Raises `TimeoutError`."""
    async with asyncio.timeout(STALL_SECONDS):
        await send({"type": "http.response.body", "body": chunk, "more_body": bool(chunk)})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip, by its Accept-Encoding (RFC 9110 §12.5.3)."""
    named = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (text.strip() for text in part.split(";"))
        named[coding] = not any(text.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for text in parameters)
    return named.get("gzip", named.get("*", False))
