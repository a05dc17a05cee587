"""Invites: who may join although they could not by themselves."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.defence.throttle import account_name
from api.openapi import problems_of
from api.people import InviteBody, InviteDocument, InviteList
from api.policies import guarded
from api.reading import Read, Reading
from commands.deciding import forbidden
from commands.execute import Receipt
from commands.invites import OpenInvite
from domain.errors import Forbidden, NotFound
from domain.invite import Invite, InviteStatus
from domain.policy import Action, may
from projections import log

commands = APIRouter(prefix="/users/invites", tags=["invites"], route_class=CommandRoute)
reads = APIRouter(prefix="/users/invites", tags=["invites"])


def signup_closed() -> Forbidden:
    """Nobody new comes in, invited or not."""
    return Forbidden("auth.signup_closed", "this installation takes no registrations")


@commands.post(
    "",
    status_code=201,
    operation_id="createInvite",
    summary="Invite somebody",
    response_model=InviteDocument,
    responses=problems_of(409),
)
@guarded(Action.USER_INVITE)
async def create_invite(call: CommandCall, body: InviteBody) -> Answer:
    """A mail brings the link, which can be used once within 7 days. Managers invite members and auditors alone."""
    if call.services.settings.signup == "closed":
        raise signup_closed()
    throttle = call.services.throttle
    who, to = throttle.guards.invite, throttle.guards.invited
    async with throttle.attempt(who, "", call.call.actor_id), throttle.attempt(to, "", account_name("", body.email)):
        receipt = await call.services.invites.create(call.call, body.email, body.role)
    return Answer(receipt, _document(receipt, body.email.strip()))


@commands.delete(
    "/{invite_id}",
    operation_id="withdrawInvite",
    summary="Withdraw an invite",
    response_model=InviteDocument,
    responses=problems_of(404),
)
@guarded(Action.USER_INVITE)
async def withdraw_invite(call: CommandCall, invite_id: UUID) -> Answer:
    """For whoever might have made it. Nobody can join by it any more."""
    receipt = await call.services.invites.withdraw(call.call, str(invite_id))
    return Answer(receipt, _document(receipt, None))


@reads.get(
    "",
    operation_id="listInvites",
    summary="List the open invites",
    response_model=InviteList,
)
@guarded(Action.USER_INVITE)
async def list_invites(read: Read) -> Response:
    """For admins and managers. Those that have run out are not shown; the list is always current."""
    items, position = await _open(read)
    body = msgspec.json.encode({"items": [_open_document(invite) for invite in items], "next_cursor": None})
    return read.answer(body, position)


@reads.get(
    "/{invite_id}",
    operation_id="getInvite",
    summary="Get an open invite",
    response_model=InviteDocument,
    responses=problems_of(404),
)
@guarded(Action.USER_INVITE)
async def get_invite(read: Read, invite_id: UUID) -> Response:
    """For admins and managers."""
    items, position = await _open(read, str(invite_id))
    if not items:
        raise NotFound("invite.not_found", "no open invite of this workspace has this id")
    return read.answer(msgspec.json.encode(_open_document(items[0])), position)


async def _open(read: Reading, invite_id: str | None = None) -> tuple[list[OpenInvite], int]:
    if not may(read.user.role, Action.USER_INVITE):
        raise forbidden(read.user, Action.USER_INVITE)
    async with read.of("users") as connection:
        position = await log.head(connection, read.workspace_id)
    return await read.services.invites.open(read.workspace_id, invite_id), position


def _open_document(invite: OpenInvite) -> dict[str, Any]:
    return {**invite._asdict(), "status": InviteStatus.OPEN}


def _document(receipt: Receipt, email: str | None) -> dict[str, Any]:
    invite = receipt.state
    assert isinstance(invite, Invite)
    document = {"email": email, **msgspec.structs.asdict(invite)}
    return {field: document[field] for field in InviteDocument.model_fields}
