"""What every answer says to browsers, beside what it is about."""

from typing import Final

# OWASP HTTP Headers Cheat Sheet. Answers are data: they need no script, no frame and no cache.
_ALWAYS: Final = (
    b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\ncross-origin-resource-policy: same-origin\r\n"
)
_DATA: Final = b"content-security-policy: default-src 'none'; base-uri 'none'; frame-ancestors 'none'\r\n"
_REVALIDATED: Final = b"cache-control: private, no-cache\r\n"  # may be kept by who asked, and is asked for again
_PRIVATE: Final = b"cache-control: no-store\r\n"
DATA: Final = _ALWAYS + _DATA + _PRIVATE  # of any answer that is data
HSTS: Final = b"strict-transport-security: max-age=31536000; includeSubDomains\r\n"

# Paths whose answers say by themselves what may be loaded, or that they may be kept.
_OWN_POLICY: Final = ("/docs",)
_FEEDS: Final = ".ics"
_PUBLIC: Final = ("/docs", "/openapi.json", "/asyncapi.json", "/.well-known/")


class Fixed:
    """The header lines that depend on the path alone, as bytes for the head of an answer, each with its end."""

    def __init__(self, policy: bytes, *, hsts: bool) -> None:
        more = b"ratelimit-policy: " + policy + b"\r\n" + (HSTS if hsts else b"")
        self._hsts = hsts
        self._data = DATA + more
        self._public = _ALWAYS + _DATA + more
        self._pages = _ALWAYS + more
        self._feeds = _ALWAYS + _DATA + _REVALIDATED + more

    def of(self, path: str, scheme: str) -> bytes:
        """The lines for an answer to a request for this path."""
        lines = self._data
        if path.startswith(_PUBLIC):
            lines = self._pages if path.startswith(_OWN_POLICY) else self._public
        elif path.endswith(_FEEDS):
            lines = self._feeds
        return lines + HSTS if scheme == "https" and not self._hsts else lines


def parsed(lines: bytes) -> list[tuple[bytes, bytes]]:
    """The same as pairs, for servers that take no bytes."""
    pairs = [line.partition(b": ") for line in lines.split(b"\r\n") if line]
    return [(name, value) for name, _, value in pairs]
