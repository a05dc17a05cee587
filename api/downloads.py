"""Files on their way out: chunk by chunk, as something to save and never as something to show."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from commands.blobs import Blob, BlobMissing, Blobs
from domain.attachment import Attachment
from domain.errors import NotFound

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")
_PLAIN: Final = re.compile(r"[^ !#$&+.0-9A-Z^_`a-z{}~()\[\]@=,;-]")

Span = tuple[int, int]  # from the first byte up to the last, which is excluded


class Download(Response):
    """The answer that sends a file, or the part of it that a Range header asks for (RFC 9110 §14).

    Beside the policy of all answers it says `sandbox`: whoever shows it all the same runs nothing of it.
    """

    def __init__(
        self, blobs: Blobs, blob: Blob, file: Attachment, headers: Mapping[str, str], shown: Mapping[str, str]
    ) -> None:
        """`headers` are those of the request; `shown` says at which position the file is there."""
        self._blobs = blobs
        self._blob = blob
        self.background = None
        self.body = b""
        etag = f'"{file.sha256}"'
        span = asked(headers, file.size, etag)
        self.status_code = 200 if span is None else 206
        self._span = (0, file.size) if span is None else span
        more = {
            **shown,
            "content-disposition": disposition(file.name),
            "content-security-policy": "sandbox",
            "accept-ranges": "bytes",
            "etag": etag,
            "content-length": str(self._span[1] - self._span[0]),
        }
        if span is not None:
            more["content-range"] = f"bytes {span[0]}-{span[1] - 1}/{file.size}"
        self.init_headers({**more, "content-type": file.media_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises `NotFound` `attachment.lost` before anything is sent."""
        try:
            async with self._blobs.read(self._blob, *self._span) as chunks:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except BlobMissing as error:
            detail = "the bytes of this file are not in the store: they were erased, or the store was not restored"
            raise NotFound("attachment.lost", detail) from error


def asked(headers: Mapping[str, str], size: int, etag: str) -> Span | None:
    """The part of a file that is asked for; None: all of it, also for what this does not understand.

    `If-Range` with another tag asks for all. Several ranges at once are answered with all of it, as RFC 9110 §14.2
    allows. Raises 416.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", etag) != etag or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:  # the last so many
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(size, int(last) + 1)
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        detail = f"the file has {size} bytes, and the range has none of them"
        raise HTTPException(416, detail, {"Content-Range": f"bytes */{size}"})
    return start, end


def disposition(name: str) -> str:
    """A name to save a file under (RFC 6266 §4): plain for old clients, and as it is (RFC 8187) for the others."""
    plain = _PLAIN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
