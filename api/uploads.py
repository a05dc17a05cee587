"""Files on their way in: the bytes of a request into the store as they come, never whole in memory.

`curl -F file=@report.pdf …` sends a form with one file; `curl -T report.pdf -X POST …?name=report.pdf` the bare bytes.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from api.problems import BodyTooLarge
from commands.blobs import Incoming, TooLarge
from domain.errors import Invalid, Malformed

FORM: Final = b"multipart/form-data"


class FileForm:
    """A form with one file, read piece by piece. `name` is what the file is called, once its part has begun."""

    def __init__(self, boundary: bytes) -> None:
        self.name: str | None = None
        self.ended = False
        self._pieces: list[bytes] = []
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """Read on; the bytes of the file in it. Raises `Malformed`, `Invalid` for anything but one file."""
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Malformed("request.malformed", f"the form cannot be read: {error}") from error
        return self._pieces

    def _on_part(self) -> None:
        if self.name is not None:
            raise _one_file()
        self._disposition = b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_headers(self) -> None:
        options: Mapping[bytes, bytes] = parse_options_header(self._disposition)[1]
        if b"filename" not in options:
            raise _one_file()
        # RFC 7578 §4.2 and the WHATWG's form encoding: UTF-8, and of the marks that would end the name, an escape.
        self.name = options[b"filename"].decode("utf-8", "replace").replace("%22", '"')

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _on_end(self) -> None:
        self.ended = True


async def receive(request: Request, incoming: Incoming, name: str | None) -> str:
    """Let the file of a request come in. Answers what it is called.

    Raises 413, `Malformed` for what breaks off or cannot be read, `Invalid` for anything but one file with a name.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    form = None
    if kind == FORM:
        if not options.get(b"boundary"):
            raise Malformed("request.malformed", "the form names no boundary")
        form = _form(options[b"boundary"])
    try:
        async for chunk in request.stream():
            for piece in [chunk] if form is None else form.feed(chunk):
                await incoming.write(piece)
    except ClientDisconnect as error:
        raise Malformed("request.incomplete", "the body ended before it was whole") from error
    except TooLarge as error:
        raise BodyTooLarge(error.most) from error
    if form is not None and not form.ended:
        raise Malformed("request.malformed", "the form does not end") if form.name is not None else _one_file()
    found = name or (None if form is None else form.name)
    if not found:
        raise Invalid("attachment.name", "/query/name", "must say what the file is called", name)
    return found


def _form(boundary: bytes) -> FileForm:
    try:
        return FileForm(boundary)
    except FormParserError as error:
        raise Malformed("request.malformed", f"the form cannot be read: {error}") from error


def _one_file() -> Invalid:
    return Invalid("request.invalid", "/file", "the form must have one part, which is a file")
