"""Who asks, on routes about what they log in with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request, Response

from api.commanding import bearer
from api.scopes import needed
from api.services import Services
from api.tokens import Identity


@dataclass(frozen=True, slots=True)
class Asking:
    """The parts of the process, and a member of the workspace who asks."""

    services: Services
    identity: Identity


async def _asking(request: Request, _bearer: Annotated[Any, Depends(bearer)]) -> Asking:
    services: Services = request.app.state.services
    scope = needed(request.method, request.scope["route"].path)
    identity = await services.authenticate(request.headers.get("authorization"), scope)
    await services.member(identity)
    return Asking(services, identity)


Asker = Annotated[Asking, Depends(_asking)]


def document(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document, its instants as the database wrote them."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")
