"""The sockets. Who may connect, from where, and where to go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
from fastapi import APIRouter, WebSocket
from psycopg_pool import PoolTimeout

from api import security_log
from api.inbox import reader_of
from api.policies import guarded
from api.scopes import Scope
from api.services import Services
from api.sockets.connection import MALFORMED, NOT_ALLOWED, NOT_AUTHENTICATED, RESTARTING, Connection, Limits, Start
from api.sockets.feed import Feed
from api.sockets.missed import CatchUp
from api.sockets.protocol import EXTENSION
from api.sockets.told import Told, ears
from api.tokens import Identity
from domain.errors import Forbidden, Malformed, Rejection, Unauthenticated
from domain.policy import Action, Eyes, eyes
from domain.user import User

router = APIRouter()

ENTRY_SECONDS = 10.0


@router.websocket("/ws/tasks")
@guarded(Action.TASK_READ)
async def tasks_socket(socket: WebSocket) -> None:
    """Every change of a task that the user may see. The frames are described in `/asyncapi.json`."""
    await _open(socket, _of_tasks)


@router.websocket("/ws/notifications")
@guarded(Action.NOTIFICATION_READ)
async def notifications_socket(socket: WebSocket) -> None:
    """What the user is told, and what they mark as read. The frames are described in `/asyncapi.json`.

    Preferences are those of the moment in which it was opened.
    """
    await _open(socket, _of_notifications)


class Channel(NamedTuple):
    """What a socket shows: the feed that it follows, as whom, and who reads what it missed."""

    feed: Feed
    user: User
    sees: Eyes
    missed: CatchUp


async def _of_tasks(services: Services, identity: Identity) -> Channel:
    feed = await services.hub.feed(identity.workspace_id)
    # Read after the feed began: a role that changes from now on is handed out by it.
    user = await services.member(identity, max_age=0)
    return Channel(feed, user, eyes(user), services.missed)


async def _of_notifications(services: Services, identity: Identity) -> Channel:
    feed = await services.inboxes.feed(identity.workspace_id)
    user = await services.member(identity, max_age=0)
    reader = await reader_of(services, identity, user)
    return Channel(feed, user, ears(reader), Told(services.pool, reader))


async def _open(socket: WebSocket, channel: Callable[[Services, Identity], Awaitable[Channel]]) -> None:
    services: Services = socket.app.state.services
    await socket.accept()
    if not _allowed_origin(socket, services):
        await socket.close(NOT_ALLOWED, "origin not allowed")
        return
    try:
        await _serve(socket, services, channel)
    except Unauthenticated as error:
        security_log.refused(socket.scope, error)
        await socket.close(NOT_AUTHENTICATED, error.code)
    except Forbidden as error:
        security_log.refused(socket.scope, error)
        await socket.close(NOT_ALLOWED, error.code)
    except Rejection as error:
        await socket.close(MALFORMED, error.detail[:120])
    except (psycopg.Error, PoolTimeout, TimeoutError):
        await socket.close(RESTARTING, "the store is away; resume with after")


async def _serve(
    socket: WebSocket, services: Services, channel: Callable[[Services, Identity], Awaitable[Channel]]
) -> None:
    start = _start(socket)
    async with asyncio.timeout(ENTRY_SECONDS), services.entrance:
        identity = await _identify(socket, services)
        shown = await channel(services, identity)
    settings = services.settings
    connection = Connection(
        socket.scope["extensions"][EXTENSION],
        socket.receive,
        identity,
        shown.user,
        shown.feed,
        limits=Limits(settings.socket_buffer, settings.socket_send_seconds, settings.socket_ping_seconds),
        sees=shown.sees,
    )
    services.ticker.connections[connection] = None
    try:
        await connection.run(shown.missed, services.epoch, start)
    finally:
        del services.ticker.connections[connection]


async def _identify(socket: WebSocket, services: Services) -> Identity:
    ticket = socket.query_params.get("ticket")
    if ticket is None:
        return await services.authenticate(socket.headers.get("authorization"), Scope.READ)
    session = await services.sessions.redeem_ticket(ticket)
    # A ticket has no expiry of its own once it is used: the socket lives as long as an access token would.
    return services.tokens.verify(services.tokens.sign(session))


def _start(socket: WebSocket) -> Start:
    after = socket.query_params.get("after")
    if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Malformed("position.malformed", "after must be a position, a whole number")
    return Start(None if after is None else int(after), socket.query_params.get("epoch"))


def _allowed_origin(socket: WebSocket, services: Services) -> bool:
    """Browsers send an Origin and let any page open a socket: only ours and those that are set may."""
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    try:
        ours = urlsplit(origin).netloc == socket.headers.get("host")
    except ValueError:  # no URL at all
        ours = False
    return ours or origin in services.settings.origins
