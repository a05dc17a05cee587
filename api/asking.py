"""Who asks, on routes about what they log in with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

import msgspec
from fastapi import Depends, Query, Request, Response

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


L = TypeVar("L", bound=Listed)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list, the newest first: of those `before` an id so many at `most`, one more than fits."""

    request: Request
    before: str | None
    most: int

    def answer(self, found: Sequence[L], shown: Callable[[L], object] = lambda one: one) -> Response:
        """The page of those that were found, each as it is `shown`."""
        fits = found[: self.most - 1]
        next_cursor = fits[-1].id if len(found) == self.most else None
        body = {"items": [shown(one) for one in fits], "next_cursor": next_cursor}
        return document(body, headers=next_link(self.request, next_cursor))


def _paging(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: UUID | None = None) -> Paging:
    return Paging(request, None if cursor is None else str(cursor), limit + 1)


Paged = Annotated[Paging, Depends(_paging)]


def document(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document, its instants as the database wrote them."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")
