"""How a read travels over HTTP: who reads, and from which position on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from starlette.responses import Response

from api.commanding import bearer
from api.scopes import needed
from api.services import Services
from api.tokens import Identity
from domain.errors import Unavailable
from domain.user import User
from projections.database import Connection
from projections.projector import TABLES

POSITION_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read's route works with: the parts of the process, and who reads with which role."""

    services: Services
    identity: Identity
    user: User
    min_position: int | None

    @property
    def workspace_id(self) -> str:
        """Whose tasks are read."""
        return self.identity.workspace_id

    @asynccontextmanager
    async def of(self, projection: str) -> AsyncIterator[Connection]:
        """A connection, once the projection has reached the position that the reader asks for."""
        if self.min_position is not None:
            await self.services.positions.reach(self.workspace_id, projection, self.min_position)
        async with self.services.pool.connection() as connection:
            yield connection

    def shown(self, position: int) -> dict[str, str]:
        """The header fields that say which position an answer shows."""
        return {"Taskfold-Position": str(position), "Taskfold-Epoch": self.services.epoch}

    def answer(
        self, body: bytes, position: int, version: int | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A JSON document with the position that it shows. Never less than was asked for."""
        if self.min_position is not None and position < self.min_position:
            for projection in TABLES:
                self.services.positions.forget(self.workspace_id, projection)
            raise Unavailable("projection.behind", f"the answer would show {position}, asked for {self.min_position}")
        more = {**self.shown(position), **(headers or {})}
        if version is not None:
            more["ETag"] = f'"{version}"'
        return Response(body, 200, more, "application/json")


async def _reading(
    request: Request,
    _bearer: Annotated[Any, Depends(bearer)],
    min_position: Annotated[
        int | None,
        Query(ge=0, le=POSITION_MAX, description="Answer only from a projection that has reached this position."),
    ] = None,
) -> Reading:
    services: Services = request.app.state.services
    scope = needed(request.method, request.scope["route"].path)
    identity = await services.authenticate(request.headers.get("authorization"), scope)
    return Reading(services, identity, await services.member(identity), min_position)


Read = Annotated[Reading, Depends(_reading)]


def page(documents: list[str], next_cursor: str | None) -> bytes:
    """A page of documents that are JSON already."""
    cursor = msgspec.json.encode(next_cursor).decode()
    return f'{{"items":[{",".join(documents)}],"next_cursor":{cursor}}}'.encode()


def next_link(request: Request, next_cursor: str | None) -> dict[str, str]:
    """`Link: …; rel="next"` (RFC 8288) where there is a next page."""
    if next_cursor is None:
        return {}
    url = request.url.include_query_params(cursor=next_cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
