"""One's own notifications."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, Commanding, CommandRoute
from api.inbox import InboxDocument, NotificationPage, ReadBody, UnreadBody, reader_of
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from commands.deciding import Command
from commands.inbox import MarkRead, MarkReadThrough, MarkUnread
from domain.errors import Invalid
from domain.inbox import Inbox
from domain.policy import Action
from projections import log, notifications, tasks

_PATH = "/notifications"

commands = APIRouter(prefix=_PATH, tags=["notifications"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["notifications"])

_COMMAND: Any = {
    "response_model": InboxDocument,
    "responses": problems_of(400, 401, 403, 409, 412, 413, 415, 422, 503),
}


@reads.get(
    "",
    operation_id="listNotifications",
    summary="List one's notifications",
    response_model=NotificationPage,
    responses=problems_of(400, 401, 422, 503),
)
@guarded(Action.NOTIFICATION_READ)
async def list_notifications(
    request: Request,
    read: Read,
    unread: Annotated[bool, Query(description="Only what is unread.")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=18, pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """What you were told, newest first: of tasks that you may see now, for the reasons that you do not have switched
    off. What is marked is always current.
    """
    reader = await reader_of(read.services, read.identity, read.user)
    before = log.LAST if cursor is None else int(cursor)
    async with read.of(notifications.NAME, tasks.NAME) as connection:
        page = await notifications.page(connection, read.workspace_id, reader, limit, before, only_unread=unread)
    next_cursor = str(page.items[-1]["position"]) if page.more else None
    body = {"items": page.items, "next_cursor": next_cursor, "unread": page.unread}
    version = 0 if reader.inbox is None else reader.inbox.version
    return read.answer(msgspec.json.encode(body), page.position, version, next_link(request, next_cursor))


@commands.post("/read", operation_id="markRead", summary="Mark as read", **_COMMAND)
@guarded(Action.NOTIFICATION_MARK)
async def mark_read(call: CommandCall, body: ReadBody) -> Answer:
    """Some, or all up to a position: for all that you were shown, take the `Taskfold-Position` of that list."""
    user_id = call.call.actor_id
    if body.positions:
        return await _mark(call, MarkRead(user_id, tuple(body.positions)), max(body.positions), "positions")
    return await _mark(call, MarkReadThrough(user_id, body.through), body.through, "through")


@commands.post("/unread", operation_id="markUnread", summary="Mark as unread", **_COMMAND)
@guarded(Action.NOTIFICATION_MARK)
async def mark_unread(call: CommandCall, body: UnreadBody) -> Answer:
    """Some, whether they were marked one by one or all at once."""
    command = MarkUnread(call.call.actor_id, tuple(body.positions))
    return await _mark(call, command, max(body.positions), "positions")


async def _mark(call: Commanding, command: Command, last: int, pointer: str) -> Answer:
    """What has not happened yet cannot be read."""
    async with call.services.pool.connection() as connection:
        head = await log.head(connection, call.call.workspace_id)
    if last > head:
        detail = f"must be at most {head}, the end of the log, got {last}"
        raise Invalid("position.beyond_head", f"/{pointer}", detail, last)
    answer = await call.execute(command)
    inbox = answer.body
    assert isinstance(inbox, Inbox)
    return Answer(answer.receipt, {"version": inbox.version, "position": inbox.position, "through": inbox.through})
