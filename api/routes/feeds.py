"""Feeds: what is due to you, as iCalendar, under a secret address for calendars that cannot log in."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi import Body as Sent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.asking import Asker, Paged, document
from api.calendar import Shape, render, tag
from api.defence.body import sound_body
from api.defence.front import BASE
from api.documents import Body, Line
from api.openapi import problems_of
from api.policies import Open, guarded
from api.services import Services
from commands.feeds import NAME_MAX, feed_not_found
from domain.errors import Unauthenticated
from domain.policy import eyes
from projections import dues

router = APIRouter(prefix="/feeds", tags=["feeds"], dependencies=[Depends(sound_body)])

MEDIA_TYPE: Final = "text/calendar"
_ICS: Any = {
    200: {
        "description": "The calendar.",
        "content": {
            MEDIA_TYPE: {
                "schema": {"type": "string"},
                "example": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Taskfold//Taskfold//EN\r\nEND:VCALENDAR\r\n",
            }
        },
    },
    304: {"description": "The same as the one that `If-None-Match` names."},
}


class NewFeedBody(Body):
    """What a feed is called, also in the calendar."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Due to me"}]})

    name: Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
    teams: Annotated[bool, Field(description="With the tasks of the teams that you are in when it is read.")] = False


class FeedDocument(BaseModel):
    """A feed, without what is secret. `last_used_at` is right to some minutes."""

    id: UUID
    name: str
    teams: bool
    created_at: datetime
    last_used_at: datetime | None


class NewFeed(FeedDocument):
    """A feed that was made just now. `secret`, and `url` with it, are not shown again."""

    secret: str
    url: str


class FeedPage(BaseModel):
    """A page of feeds; `next_cursor` is null on the last one."""

    items: list[FeedDocument]
    next_cursor: str | None


@router.get("", operation_id="listFeeds", summary="List your feeds", response_model=FeedPage)
@guarded(Open.SELF)
async def list_feeds(asker: Asker, paging: Paged) -> Response:
    """The newest first. Their secrets are not shown again."""
    identity, feeds = asker.identity, asker.services.feeds
    return paging.answer(await feeds.page(identity.workspace_id, identity.user_id, paging.before, paging.most))


@router.post(
    "",
    status_code=201,
    operation_id="createFeed",
    summary="Make a feed of what is due to you",
    response_model=NewFeed,
    responses=problems_of(409),
)
@guarded(Open.SELF)
async def create_feed(asker: Asker, body: Annotated[NewFeedBody, Sent()]) -> Response:
    """The answer is the only one that shows its address. Whoever knows that reads what is due to you, and no more.

    The password must have been given lately: a feed outlives the session.
    """
    await asker.proved()
    identity, feeds = asker.identity, asker.services.feeds
    shown, secret = await feeds.create(identity.workspace_id, identity.user_id, body.name, body.teams)
    url = f"{asker.services.settings.public_url.rstrip('/')}{BASE}/feeds/{secret}.ics"
    return document({**asdict(shown), "secret": secret, "url": url}, 201)


@router.delete(
    "/{feed_id:uuid}",  # nothing else, or it would be a method of feeds too
    status_code=204,
    operation_id="withdrawFeed",
    summary="Withdraw a feed",
    responses=problems_of(404),
)
@guarded(Open.SELF)
async def withdraw_feed(asker: Asker, feed_id: UUID) -> Response:
    """Its address opens nothing from then on, at once and everywhere."""
    await asker.services.feeds.withdraw(asker.identity.workspace_id, asker.identity.user_id, str(feed_id))
    return Response(status_code=204)


@router.get(
    "/{secret}.ics",
    operation_id="readFeed",
    summary="Read a feed",
    response_class=Response,
    responses={**_ICS, **problems_of(404)},
)
@guarded(Open.BEARER)
async def read_feed(
    request: Request,
    secret: Annotated[str, Path(max_length=200)],
    as_: Annotated[
        Shape, Query(alias="as", description="As events, which every calendar shows, or as tasks (VTODO).")
    ] = Shape.EVENT,
) -> Response:
    """Open tasks with a due date that you have, or your teams where the feed is so, or that you made and nobody has.

    As far as you see them today: at most 1,000, soonest first, without those that have been due for a year.
    """
    services: Services = request.app.state.services
    held = await services.feeds.find(secret)
    try:
        user = await services.active(held.workspace_id, held.user_id)
    except Unauthenticated as refusal:  # who was shut out is nobody here
        raise feed_not_found() from refusal
    async with services.exports.turn, services.pool.connection() as connection:
        teams = user.teams if held.teams else ()
        found, position = await dues.due(connection, held.workspace_id, held.user_id, teams, eyes(user))
    etag = tag(held.name, as_, found)
    headers = {"ETag": etag, "Taskfold-Position": str(position), "Taskfold-Epoch": services.epoch}
    if _is_known(etag, request.headers.getlist("if-none-match")):
        return Response(status_code=304, headers=headers)
    async with services.exports.turn:
        text = await asyncio.to_thread(render, held.name, as_, found)
    return Response(text, headers=headers, media_type=MEDIA_TYPE)


def _is_known(etag: str, fields: list[str]) -> bool:
    """Whether the calendar has this one already (RFC 9110 §13.1.2)."""
    known = {name.strip().removeprefix("W/") for field in fields for name in field.split(",")}
    return not known.isdisjoint((etag, "*"))
