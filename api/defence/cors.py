"""Which pages of other origins may call from a browser (Fetch Standard, CORS): those that are named, exactly."""

from collections.abc import Mapping
from typing import Final

from domain.errors import Forbidden

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUEST_HEADERS: Final = ("authorization", "content-type", "idempotency-key", "if-match", "x-request-id")
EXPOSED: Final = (
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Taskfold-Epoch",
    "Taskfold-Position",
    "Taskfold-Warning",
    "X-Request-ID",
)
KEPT_SECONDS: Final = 600
_SAFE: Final = frozenset({"accept", "accept-language", "content-language", "range"})

Headers = Mapping[bytes, bytes]


class Cors:
    """The rule for some origins. Credentials are tokens in a header, never cookies, and need no leave of their own."""

    def __init__(self, origins: list[str]) -> None:
        self._origins = {origin.encode(): origin for origin in origins}
        self._exposed = f"access-control-expose-headers: {', '.join(EXPOSED)}\r\n".encode()

    def lines(self, headers: Headers) -> bytes:
        """The header lines of any answer. Caches must keep answers to different origins apart."""
        origin = headers.get(b"origin")
        if origin is None or origin not in self._origins:
            return b"vary: Origin\r\n"
        return b"access-control-allow-origin: " + origin + b"\r\n" + self._exposed + b"vary: Origin\r\n"

    def preflight(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """What a browser that asks beforehand is told. Raises `Forbidden` `cors.refused`."""
        origin = headers[b"origin"].decode("latin-1")
        if origin.encode() not in self._origins:
            raise Forbidden("cors.refused", f"pages of {origin[:200]!r} may not call from a browser")
        method = headers[b"access-control-request-method"].decode("latin-1")
        if method not in METHODS:
            raise Forbidden("cors.refused", f"the method must be one of {', '.join(METHODS)}, got {method[:50]!r}")
        asked = headers.get(b"access-control-request-headers", b"").decode("latin-1").lower().split(",")
        for name in (part.strip() for part in asked):
            if name and name not in REQUEST_HEADERS and name not in _SAFE:
                detail = f"the headers must be among {', '.join(REQUEST_HEADERS)}, got {name[:100]!r}"
                raise Forbidden("cors.refused", detail)
        return [
            (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            (b"access-control-allow-headers", ", ".join(REQUEST_HEADERS).encode()),
            (b"access-control-max-age", str(KEPT_SECONDS).encode()),
            (b"content-length", b"0"),
        ]


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks for leave."""
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers
