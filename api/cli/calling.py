"""Commands that are clients: calls of the API with a token, by the standard library alone."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final
from urllib.parse import urlencode, urlsplit

from api.defence.front import BASE

ANSWER_SECONDS: Final = 60.0

Query = Mapping[str, str | Sequence[str]]


class RefusedError(RuntimeError):
    """The API refused a call; the text is the code and the detail of the problem."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status

    @property
    def passes(self) -> bool:
        """Whether it may be otherwise the next time: that the API is not there, or has too much to do."""
        return self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR or self.status == http.HTTPStatus.TOO_MANY_REQUESTS


class UnreachableError(OSError):
    """Nobody answers at the URL."""


class Api:
    """The API at a URL, for the owner of a token. Raises `OSError`, `http.client.HTTPException` where it is away."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"--url must begin with http:// or https://, got {url!r}")
        if not (token.isascii() and token.isprintable()):
            raise ValueError("the token must be characters of ASCII that can be printed")
        self._url = url
        self._secure = parts.scheme == "https"
        self._place = (parts.hostname, parts.port)
        self._path = parts.path.rstrip("/") + BASE
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """What a GET answers. Raises `RefusedError`."""
        with self.open("GET", path, query) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def send(
        self, path: str, query: Query, file: IO[bytes], size: int, media_type: str, seconds: float
    ) -> dict[str, Any]:
        """What a POST of a file answers. Raises `RefusedError`."""
        headers = {"Content-Type": media_type, "Content-Length": str(size)}
        with self.open("POST", path, query, file, headers, seconds) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer, to be read piece by piece. Raises `RefusedError`, `UnreachableError`."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._place[0], self._place[1], timeout=seconds)
        target = f"{self._path}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        try:
            self._connect(connection)
            connection.request(method, target, body, {**self._headers, **(headers or {})})
            answer = connection.getresponse()
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                raise RefusedError(_problem(answer), answer.status)
            yield answer
        finally:
            connection.close()

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError(f"{self._url} cannot be reached: {error.strerror or error}") from error


def _problem(answer: http.client.HTTPResponse) -> str:
    try:
        problem = json.load(answer)
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status} {answer.reason}"
