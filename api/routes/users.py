"""Members of the workspace, their roles, and one's own profile."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import ReasonBody
from api.openapi import problems_of
from api.people import ProfileBody, ProfileDocument, RoleBody, UserDocument, UserPage
from api.policies import guarded
from api.reading import Read, next_link
from api.services import Services
from commands.execute import Receipt
from commands.user import ChangeRole, ReactivateUser
from domain.errors import NotFound
from domain.policy import Action
from domain.user import User
from projections import log, users
from projections.users import Member

commands = APIRouter(prefix="/users", tags=["users"], route_class=CommandRoute)
reads = APIRouter(prefix="/users", tags=["users"])


@reads.get("", operation_id="listUsers", summary="List members", response_model=UserPage)
@guarded(Action.USER_READ)
async def list_users(
    request: Request,
    read: Read,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """Everybody in the workspace, in the order of joining."""
    async with read.of("users") as connection:
        members, position = await users.page(
            connection, read.workspace_id, None if cursor is None else str(cursor), limit + 1
        )
    next_cursor = members[limit - 1].id if len(members) > limit else None
    items = [_document(member) for member in members[:limit]]
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/profile",
    operation_id="getProfile",
    summary="Get your profile",
    response_model=ProfileDocument,
)
@guarded(Action.PROFILE_READ)
async def get_profile(read: Read) -> Response:
    """Who you are here."""
    async with read.of("users") as connection:
        position = await log.head(connection, read.workspace_id)
    document = await profile_document(read.services, read.workspace_id, read.user.id)
    return read.answer(msgspec.json.encode(document), position, document["version"])


@commands.put(
    "/profile",
    operation_id="changeProfile",
    summary="Change your profile",
    response_model=ProfileDocument,
)
@guarded(Action.PROFILE_CHANGE)
async def change_profile(call: CommandCall, body: ProfileBody) -> Answer:
    """What is absent stays as it is."""
    services, values = call.services, body.model_dump(exclude_unset=True)
    receipt = await services.accounts.change_profile(call.call, values)
    document = await profile_document(services, call.call.workspace_id, call.call.actor_id)
    return Answer(receipt, {**document, "version": receipt.version})


@reads.get(
    "/{user_id}",
    operation_id="getUser",
    summary="Get a member",
    response_model=UserDocument,
    responses=problems_of(404),
)
@guarded(Action.USER_READ)
async def get_user(read: Read, user_id: UUID) -> Response:
    """A member of your workspace."""
    async with read.of("users") as connection:
        member, position = await users.get(connection, read.workspace_id, str(user_id))
    if member is None:
        raise NotFound("user.not_found", "no member of this workspace has this id")
    return read.answer(msgspec.json.encode(_document(member)), position, member.version)


@commands.put(
    "/{user_id}/role",
    operation_id="changeRole",
    summary="Change a member's role",
    response_model=UserDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.USER_CHANGE_ROLE)
async def change_role(call: CommandCall, user_id: UUID, body: RoleBody) -> Answer:
    """For admins. It holds from the next request on and ends no session; the last admin stays one."""
    return await answer_user(call, (await call.execute(ChangeRole(user_id=str(user_id), role=body.role))).receipt)


@commands.post(
    "/{user_id}/deactivate",
    operation_id="deactivateUser",
    summary="Shut a member out",
    response_model=UserDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.USER_DEACTIVATE)
async def deactivate(call: CommandCall, user_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """For admins. All sessions end, nothing of what the member did or was given is lost; the last admin stays."""
    return await answer_user(call, await call.services.accounts.deactivate(call.call, str(user_id), body.reason))


@commands.post(
    "/{user_id}/reactivate",
    operation_id="reactivateUser",
    summary="Let a member in again",
    response_model=UserDocument,
    responses=problems_of(404),
)
@guarded(Action.USER_REACTIVATE)
async def reactivate(call: CommandCall, user_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """For admins. The role and the teams are as they were; the sessions that ended stay ended."""
    return await answer_user(call, (await call.execute(ReactivateUser(str(user_id), body.reason))).receipt)


async def profile_document(services: Services, workspace_id: str, user_id: str) -> dict[str, Any]:
    """One's own profile, with the role as the log has it now."""
    user = await services.active(workspace_id, user_id)
    profile = await services.accounts.profile(workspace_id, user_id)
    own = {field: profile[field] for field in ("preferences", "time_zone", "locale")}
    return {**_user_document(user, profile), "projects": list(user.projects), **own}


async def answer_user(call: CommandCall, receipt: Receipt) -> Answer:
    """A member as they are after a command."""
    user = receipt.state
    assert isinstance(user, User)
    profile = await call.services.accounts.profile(call.call.workspace_id, user.id)
    return Answer(receipt, _user_document(user, profile))


def _user_document(user: User, profile: dict[str, Any]) -> dict[str, Any]:
    return _document(
        Member(
            user.id,
            user.version,
            user.role,
            user.active,
            user.teams,
            user.joined_at,
            profile["email"],
            profile["display_name"],
            profile["preferences"],
        )
    )


def _document(member: Member) -> dict[str, Any]:
    document = {**member._asdict(), "teams": list(member.teams)}
    del document["preferences"]
    return document
