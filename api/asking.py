"""Who asks, on routes about what they log in with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import Depends, Request, Response

from api.commanding import bearer
from api.reading import next_link
from api.scopes import needed
from api.security_log import WHO
from api.services import Services
from api.tokens import Identity


@dataclass(frozen=True, slots=True)
class Asking:
    """The parts of the process, and a member of the workspace who asks."""

    services: Services
    identity: Identity

    async def proved(self) -> None:
        """Raises `Forbidden` `auth.proof_needed` where the password was given too long ago (ASVS 5.0, 7.5.2)."""
        await self.services.sessions.check_proved(self.identity.session_id, self.services.settings.proof_seconds)


async def _asking(request: Request, _bearer: Annotated[Any, Depends(bearer)]) -> Asking:
    services: Services = request.app.state.services
    scope = needed(request.method, request.scope["route"].path)
    identity = request.scope[WHO] = await services.authenticate(request.headers.get("authorization"), scope)
    await services.member(identity)
    return Asking(services, identity)


Asker = Annotated[Asking, Depends(_asking)]


class Listed(Protocol):
    """Something that a list shows."""

    @property
    def id(self) -> str:
        """Where the next page begins."""


def page(request: Request, found: Sequence[Listed], limit: int) -> Response:
    """A page of those that were found, of which there may be one more than fits."""
    next_cursor = found[limit - 1].id if len(found) > limit else None
    return document({"items": found[:limit], "next_cursor": next_cursor}, headers=next_link(request, next_cursor))


def document(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document, its instants as the database wrote them."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")
