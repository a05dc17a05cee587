"""What a JSON body must be besides JSON: UTF-8, not too deep, and no name twice in an object.

RFC 8259 §4 leaves open which of two members of one name holds, so two programs on one way may read two requests. The
parsers that fill our types keep the last one and say nothing; the scanner of the standard library, in C, says what it
finds, and adds about a microsecond to an ordinary body.
"""

import re
from collections.abc import Mapping
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from domain.errors import Malformed

DEPTH: Final = 64
CONTAINERS: Final = 20_000

_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{\]}]', re.DOTALL)
_BLANK: Final = " \t\n\r"


class _DoubledError(ValueError):
    pass


def _look(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DoubledError(next(name for name in names if names.count(name) > 1))


# Numbers are not read: some of them are too long for it.
_scan: Final = JSONDecoder(object_pairs_hook=_look, parse_int=len, parse_float=len, parse_constant=len).scan_once  # type: ignore[attr-defined]


def check_json(raw: bytes) -> None:
    """Raises `Malformed` `request.malformed` for a body that is not sound. What follows the value, the parser sees."""
    containers = raw.count(b"{") + raw.count(b"[")
    if containers > DEPTH:
        _check_depth(raw, containers)
    try:
        text = raw.decode()
        _scan(text, len(text) - len(text.lstrip(_BLANK)) if text[:1] in _BLANK else 0)
    except UnicodeDecodeError as error:
        raise Malformed("request.malformed", f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except _DoubledError as error:
        name = str(error)[:100]
        raise Malformed("request.malformed", f"the body has two members of the name {name!r} in one object") from error
    except (JSONDecodeError, StopIteration) as error:
        reason = error.msg if isinstance(error, JSONDecodeError) else "no value where one must be"
        raise Malformed("request.malformed", f"the body is not JSON: {reason}") from error


async def sound_body(connection: HTTPConnection) -> None:
    """A dependency of routes whose bodies FastAPI reads; commands and logins look for themselves. Raises 415 too."""
    if isinstance(connection, Request) and connection.method not in ("GET", "HEAD"):
        raw = await connection.body()
        if raw:
            check_media_type(dict(connection.scope["headers"]))
            check_json(raw)


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """Raises 415 for a body that does not say that it is JSON."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise HTTPException(415, f"the body must be application/json, got {media_type or 'nothing'!r}")


def _check_depth(raw: bytes, containers: int) -> None:
    if containers > CONTAINERS:
        raise Malformed("request.malformed", f"the body has more than {CONTAINERS} objects and arrays")
    depth = 0
    for match in _TOKENS.finditer(raw):
        token = raw[match.start()]
        if token in b"{[":
            depth += 1
            if depth > DEPTH:
                raise Malformed("request.malformed", f"the body is nested deeper than {DEPTH} levels")
        elif token in b"}]":
            depth -= 1
