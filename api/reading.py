"""How a read travels over HTTP: who reads, and from which position on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Query, Request
from pydantic import PlainValidator, TypeAdapter, ValidationError, WithJsonSchema
from starlette.responses import Response

from api.commanding import bearer
from api.documents import Moment
from api.positions import beyond_head
from api.scopes import needed
from api.security_log import WHO
from api.services import Services
from api.tokens import Identity
from domain.errors import Invalid, Unavailable
from domain.instant import instant
from domain.user import User
from projections import cursors, log, past
from projections.cursors import AsOf
from projections.database import Connection
from projections.registry import PROJECTIONS

POSITION_MAX = 2**63 - 1


_moment: Final = TypeAdapter(Moment).validate_python


def _position_or_moment(value: object) -> int | datetime:
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value[:20]) <= POSITION_MAX:
        return int(value)
    try:
        return _moment(value)
    except ValidationError as error:
        raise ValueError("must be a position, or a time of RFC 3339 such as 2027-01-31T17:00:00Z") from error


PositionOrMoment = Annotated[
    int | datetime,
    PlainValidator(_position_or_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": POSITION_MAX},
                {"type": "string", "format": "date-time"},
            ],
        }
    ),
]
AS_OF: Final = Query(
    description="Show the past: as it was at this position of the log, or after what had happened by this time. "
    "Who may see it is decided by the permissions of today.",
    examples=[1, "2026-11-21T09:30:00Z"],
)


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
    async def of(self, *projections: str) -> AsyncIterator[Connection]:
        """A connection, once the projections have reached the position that the reader asks for."""
        if self.min_position is not None:
            for projection in projections:
                await self.services.positions.reach(self.workspace_id, projection, self.min_position)
        async with self.services.pool.connection() as connection:
            yield connection

    async def as_of(self, asked: int | datetime | None, cursor: str | None = None) -> AsOf | None:
        """The moment that is to be shown, None for the present; where there is a cursor, that of the pages before.

        Raises `Invalid` `as_of.future` for a time to come.
        """
        if asked is None:
            return None
        text = str(asked) if isinstance(asked, int) else instant(asked)
        if cursor is not None:
            return AsOf(text, cursors.position_of(cursor, text))
        if isinstance(asked, int):
            return AsOf(text, asked)
        async with self.services.pool.connection() as connection:
            position = await past.position_at(connection, self.workspace_id, asked)
        if position is None:
            raise Invalid("as_of.future", "/query/as_of", "must not be a time to come", text)
        return AsOf(text, position)

    async def check_moment(self, as_of: AsOf) -> None:
        """Raises `Invalid` `position.beyond_head` for a position that is not in the log yet."""
        async with self.services.pool.connection() as connection:
            head = await log.head(connection, self.workspace_id)
        if as_of.position > head:
            raise beyond_head("as_of", head, as_of.position)

    def answer(
        self,
        body: bytes,
        position: int,
        version: int | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        reached: int | None = None,
    ) -> Response:
        """A JSON document with the position that it shows. Never less than was asked for.

        What shows the past is as good as the position that was `reached` to answer it.
        """
        least = max(self.min_position or 0, 0 if reached is None else position)
        reached = position if reached is None else reached
        if reached < least:
            for projection in PROJECTIONS:
                self.services.positions.forget(self.workspace_id, projection)
            raise Unavailable("projection.behind", f"the answer would show {reached}, asked for {least}")
        more = {"Taskfold-Position": str(position), "Taskfold-Epoch": self.services.epoch, **(headers or {})}
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
    identity = request.scope[WHO] = await services.authenticate(request.headers.get("authorization"), scope)
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
