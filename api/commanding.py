"""How a command travels over HTTP: the route class, what comes with a request, and the answer.

An ordinary route costs most of a request's time in solving dependencies and in validating twice. Routes of this class
declare everything in their signature, so that OpenAPI is whole, and are then called directly: path parameters are
parsed, the body is validated in one pass over its bytes, and the receipt is written as it is.
"""

import hashlib
import inspect
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args
from uuid import UUID

import msgspec
from fastapi import Depends, Header, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.contract.methods import is_fixed
from api.defence.body import check_json, check_media_type
from api.protocol import LINES
from api.scopes import needed
from api.security_log import WHO
from api.services import Services
from api.tokens import Identity
from commands.deciding import Command
from commands.execute import Call, Receipt
from domain.errors import Invalid, Malformed
from domain.streams import State

Headers = Mapping[bytes, bytes]

_KEY: Final = re.compile(r"[!-~]{1,255}")
_ETAG: Final = re.compile(r'\s*"(\d{1,10})"\s*')
_LINES: Final = b'content-type: application/json\r\netag: "%d"\r\ntaskfold-position: %d\r\ntaskfold-epoch: %b\r\n'
_ENCODE: Final = msgspec.json.Encoder().encode

bearer = HTTPBearer(
    auto_error=False,
    description="An access token from /auth/login or /auth/register, or a personal one from /auth/tokens.",
)


S = TypeVar("S", bound=State)


class Answer(NamedTuple):
    """A receipt, and the document that goes with it.

    `warning` names a rule that was not kept. Of what was created, `made` is the id, if it is no stream, and `within`
    the collection, where that is not the path of the request. `status` is given where it is not the route's own.
    """

    receipt: Receipt
    body: object
    warning: bytes | None = None
    made: str | None = None
    within: str | None = None
    status: int | None = None


@dataclass(slots=True)
class Commanding:
    """What a command's route works with: the parts of the process, and who asks how."""

    services: Services
    call: Call
    identity: Identity | None = None

    async def execute(self, command: Command) -> Answer:
        """Run a command."""
        receipt = await self.services.executor.execute(command, self.call)
        return Answer(receipt, receipt.state)

    async def change(self, command: Command, kind: type[S]) -> tuple[Receipt, S]:
        """Run a command on what is of this kind: the receipt, and the state that is answered in other words."""
        receipt, state, *_ = await self.execute(command)
        assert isinstance(state, kind)
        return receipt, state


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="A retry with the same key answers what the first one answered.",
    ),
]
Match = Annotated[
    str | None,
    Header(
        alias="If-Match",
        json_schema_extra={"format": "entity-tag"},
        pattern=r'^(\*|"\d{1,10}"( *, *"\d{1,10}")*)$',
        description='The version that the stream must have, as its ETag: `"3"`; several, or `*` for any.',
    ),
]


def _declared(
    _bearer: Annotated[Any, Depends(bearer)] = None, idempotency_key: Key = None, if_match: Match = None
) -> Commanding:
    """For OpenAPI: what every command takes besides its path and body. `CommandRoute` reads it itself."""
    raise NotImplementedError((_bearer, idempotency_key, if_match))


CommandCall = Annotated[Commanding, Depends(_declared)]


class CommandRoute(APIRoute):
    """A route of a command: `async def endpoint(call: CommandCall, [id: UUID], [body: Model]) -> Answer`.

    Text in a path is `Annotated[str, …]`; its rules are the domain's.."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that replaces FastAPI's."""
        signature = inspect.signature(self.endpoint, eval_str=True)
        kinds = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        parsers = {name: parser for name, kind in kinds.items() if (parser := _parser(name, kind)) is not None}
        asked = any(kind is bool for kind in kinds.values())
        body = signature.parameters.get("body")
        # Its own validator: each call through the adapter hands on six options that nobody set.
        validate = None if body is None else TypeAdapter(body.annotation).validator.validate_json
        optional = body is not None and body.default is not inspect.Parameter.empty
        endpoint, status = self.endpoint, self.status_code or 200
        scope = needed(next(iter(self.methods or ("POST",))), self.path)

        async def handle(request: Request) -> Response:
            services: Services = request.app.state.services
            headers = dict(request.scope["headers"])
            identity = await services.authenticate(headers.get(b"authorization"), scope)
            request.scope[WHO] = identity
            raw = await body_of(request)
            arguments: dict[str, Any] = {name: parser(request) for name, parser in parsers.items()}
            call = Commanding(services, described(request, headers, identity, raw, asked=asked), identity)
            if validate is not None and (raw or not optional):
                check_media_type(headers)
                check_json(raw)
                arguments["body"] = validate(raw)
            return respond(services, await endpoint(call=call, **arguments), status, request)

        return handle


def _parser(name: str, kind: Any) -> Callable[[Request], Any] | None:
    """What reads a parameter from the path, or a flag from the query; None of what comes another way."""
    if kind is UUID:
        return lambda request: path_id(request, name)
    if kind is bool:
        return lambda request: _flag(request, name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda request: _choice(request, name, kind)
    if get_args(kind)[:1] == (str,):
        return lambda request: request.path_params[name]
    return None


def described(request: Request, headers: Headers, identity: Identity, raw: bytes, *, asked: bool = False) -> Call:
    """Who asks, and what came with it; `asked`: the query is part of that. Raises `Malformed`."""
    key = _text(headers, b"idempotency-key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise Malformed("idempotency.key_malformed", f"Idempotency-Key must be 1 to 255 visible ASCII, got {key!r}")
    return Call(
        workspace_id=identity.workspace_id,
        actor_id=identity.user_id,
        correlation_id=request.scope["request_id"],
        key=key,
        fingerprint=_fingerprint(request, raw, asked) if key is not None else "",
        if_match=versions(_text(headers, b"if-match")),
    )


class Encoded(Response):
    """A response whose headers are bytes already, and which nothing is to follow.

    `lines` are headers that the middleware puts into the head as they are; the server looks at each of the others.
    """

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]], lines: bytes = b"") -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = headers
        self._lines = lines

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        scope[LINES] += self._lines
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def respond(services: Services, answered: Answer, status: int, request: Request) -> Response:
    """The answer as HTTP. For a creation, `Location` names what was made."""
    receipt, status = answered.receipt, answered.status or status
    body = _ENCODE(answered.body)
    lines = _LINES % (receipt.version, receipt.position, services.epoch.encode())
    headers = [(b"content-length", b"%d" % len(body))]
    if status == 201:
        place = answered.within or request.scope["path"]
        headers.append((b"location", f"{place}/{answered.made or receipt.stream_id}".encode()))
    if answered.warning is not None:
        headers.append((b"taskfold-warning", answered.warning))
    if receipt.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return Encoded(body, status, headers, lines)


def versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that an If-Match header names; None where any will do (RFC 9110 §13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = [_ETAG.fullmatch(part) for part in if_match.split(",")]
    if not all(found):
        raise Malformed("precondition.malformed", f'If-Match must be a quoted version such as "3", got {if_match!r}')
    return frozenset(int(match[1]) for match in found if match)


def _fingerprint(request: Request, raw: bytes, asked: bool) -> str:
    """What makes a request the same one: method, path and body, and the query where that says what is wanted."""
    query = f"?{request.scope['query_string'].decode('latin-1')}" if asked and request.scope["query_string"] else ""
    head = f"{request.method} {request.scope['path']}{query}\n".encode()
    return hashlib.sha256(head + raw).hexdigest()


def path_id(request: Request, name: str) -> str:
    """An id in the path, in canonical form."""
    text = str(request.path_params[name])
    try:
        return str(UUID(text))
    except ValueError as error:
        if is_fixed(request.app, request.scope["path"]):
            raise HTTPException(405) from error
        raise Invalid("request.invalid", f"/path/{name}", "must be a UUID", text[:200]) from error


def _choice(request: Request, name: str, kind: type[Enum]) -> Enum:
    """One of a few names in the path."""
    text = str(request.path_params[name])
    try:
        return kind(text)
    except ValueError as error:
        allowed = ", ".join(str(member.value) for member in kind)
        raise Invalid("request.invalid", f"/path/{name}", f"must be one of {allowed}", text[:200]) from error


def _flag(request: Request, name: str) -> bool:
    """What the query asks for besides: `?name=true`. Nothing but `true` and `false` is either."""
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise Invalid("request.invalid", f"/query/{name}", "must be true or false", text[:200])
    return text == "true"


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def body_of(request: Request) -> bytes:
    """The whole body. Most come in one message, which needs no joining."""
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return bytes(message.get("body", b""))
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await request.receive()
    raise Malformed("request.incomplete", "the body ended before it was whole")
