"""How a batch travels over HTTP: as a command does, but that it is no single one, and costs as many as it holds."""

import inspect
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.responses import Response

from api.batch.types import Type
from api.commanding import Encoded, Key, bearer, body_of, described
from api.defence.addresses import holder_of
from api.defence.body import check_json, check_media_type
from api.defence.rates import RateLimited
from api.protocol import LINES
from api.scopes import needed
from api.security_log import ADDRESS, WHO
from api.services import Services
from api.tokens import Identity
from commands.deciding import forbidden
from commands.execute import Call
from domain.policy import Action, Relation, may
from domain.user import User

_RATE: Final = re.compile(rb"ratelimit: [^\r]*")
_LINES: Final = b"content-type: application/json\r\ntaskfold-position: %d\r\ntaskfold-epoch: %b\r\n"
_ENCODE: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batching:
    """What the route of a batch works with: the parts of the process, and who asks how."""

    request: Request
    services: Services
    identity: Identity
    user: User
    call: Call

    @property
    def types(self) -> dict[str, Type]:
        """Those of the program."""
        types: dict[str, Type] = self.request.app.state.types
        return types

    def charge(self, more: int, *, at_most: bool = False) -> None:
        """Count so many commands more against the limits of the client. Raises `RateLimited`."""
        scope = self.request.scope
        authorization = dict(scope["headers"]).get(b"authorization", b"")
        try:
            field = self.services.rates.charge(holder_of(scope[ADDRESS]), authorization, more, at_most=at_most)
        except RateLimited as refusal:
            scope[LINES] = _RATE.sub(b"ratelimit: " + refusal.field, scope[LINES])
            raise
        scope[LINES] = _RATE.sub(b"ratelimit: " + field, scope[LINES])

    def respond(self, document: object, position: int, *, replayed: bool) -> Response:
        """The answer as HTTP."""
        body = _ENCODE(document)
        headers = [(b"content-length", b"%d" % len(body))]
        if replayed:
            headers.append((b"idempotency-replayed", b"true"))
        return Encoded(body, 200, headers, _LINES % (position, self.services.epoch.encode()))


def _declared(_bearer: Annotated[Any, Depends(bearer)] = None, idempotency_key: Key = None) -> Batching:
    """For OpenAPI: what a batch takes besides its body. `BatchRoute` reads it itself."""
    raise NotImplementedError((_bearer, idempotency_key))


BatchCall = Annotated[Batching, Depends(_declared)]


class BatchRoute(APIRoute):
    """A route of a batch: `async def endpoint(call: BatchCall, body: Model) -> Response`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that replaces FastAPI's."""
        body = inspect.signature(self.endpoint, eval_str=True).parameters["body"]
        validate = TypeAdapter(body.annotation).validator.validate_json
        endpoint, scope = self.endpoint, needed("POST", self.path)

        async def handle(request: Request) -> Response:
            services: Services = request.app.state.services
            headers = dict(request.scope["headers"])
            identity = await services.authenticate(headers.get(b"authorization"), scope)
            request.scope[WHO] = identity
            raw = await body_of(request)
            call = msgspec.structs.replace(described(request, headers, identity, raw), if_match=None)
            check_media_type(headers)
            check_json(raw)
            user = await services.member(identity)
            if not may(user.role, Action.BATCH_SEND, Relation.SELF):
                raise forbidden(user, Action.BATCH_SEND)
            answer: Response = await endpoint(
                call=Batching(request, services, identity, user, call), body=validate(raw)
            )
            return answer

        return handle
