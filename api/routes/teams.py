"""Teams and their members."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.openapi import problems_of
from api.people import MemberBody, NewTeam, TeamDocument, TeamPage, TeamPatch
from api.policies import guarded
from api.reading import Read, next_link
from commands.deciding import Command
from commands.ids import new_id
from commands.team import AddMember, CreateTeam, DeleteTeam, EditTeam, RemoveMember
from domain.errors import NotFound
from domain.policy import Action
from domain.team import Team
from projections import teams

commands = APIRouter(prefix="/teams", tags=["teams"], route_class=CommandRoute)
reads = APIRouter(prefix="/teams", tags=["teams"])

_TEAM: Any = {
    "response_model": TeamDocument,
    "responses": problems_of(404),
}


@reads.get("", operation_id="listTeams", summary="List teams", response_model=TeamPage)
@guarded(Action.TEAM_READ)
async def list_teams(
    request: Request,
    read: Read,
    member: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """The teams of the workspace, in the order of their making; with `member`, those of one user."""
    async with read.of("teams") as connection:
        found, position = await teams.page(
            connection,
            read.workspace_id,
            None if cursor is None else str(cursor),
            limit + 1,
            None if member is None else str(member),
        )
    next_cursor = found[limit - 1].id if len(found) > limit else None
    body = msgspec.json.encode({"items": [_document(team) for team in found[:limit]], "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get("/{team_id}", operation_id="getTeam", summary="Get a team", **_TEAM)
@guarded(Action.TEAM_READ)
async def get_team(read: Read, team_id: UUID) -> Response:
    """A team with its members."""
    async with read.of("teams") as connection:
        team, position = await teams.get(connection, read.workspace_id, str(team_id))
    if team is None:
        raise NotFound("team.not_found", "no team of this workspace has this id")
    return read.answer(msgspec.json.encode(_document(team)), position, team.version)


@commands.post("", status_code=201, operation_id="createTeam", summary="Make a team", response_model=TeamDocument)
@guarded(Action.TEAM_CREATE)
async def create_team(call: CommandCall, body: NewTeam) -> Answer:
    """For managers and admins. Nobody is in it yet."""
    return await _answer(call, CreateTeam(team_id=new_id(), name=body.name, description=body.description))


@commands.patch("/{team_id}", operation_id="editTeam", summary="Edit a team", **_TEAM)
@guarded(Action.TEAM_EDIT)
async def edit_team(call: CommandCall, team_id: UUID, body: TeamPatch) -> Answer:
    """For its leads, managers and admins. A merge patch (RFC 7396)."""
    given = body.model_fields_set
    return await _answer(
        call,
        EditTeam(
            team_id=str(team_id),
            name=body.name if "name" in given else UNSET,
            description=(body.description or "") if "description" in given else UNSET,
        ),
    )


@commands.delete("/{team_id}", operation_id="deleteTeam", summary="Delete a team", **_TEAM)
@guarded(Action.TEAM_DELETE)
async def delete_team(call: CommandCall, team_id: UUID) -> Answer:
    """For managers and admins. Its tasks stay, and nobody sees them any more for having been in the team."""
    return await _answer(call, DeleteTeam(team_id=str(team_id)))


@commands.put(
    "/{team_id}/members/{user_id}",
    operation_id="addTeamMember",
    summary="Add a member, or change the role",
    response_model=TeamDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.TEAM_ADD_MEMBER)
async def add_member(call: CommandCall, team_id: UUID, user_id: UUID, body: MemberBody = MemberBody()) -> Answer:  # noqa: B008
    """For the team's leads, managers and admins. A new member sees the team's tasks from then on."""
    return await _answer(call, AddMember(team_id=str(team_id), user_id=str(user_id), role=body.role))


@commands.delete(
    "/{team_id}/members/{user_id}", operation_id="removeTeamMember", summary="Take a member out, or leave", **_TEAM
)
@guarded(Action.TEAM_REMOVE_MEMBER)
async def remove_member(call: CommandCall, team_id: UUID, user_id: UUID) -> Answer:
    """For the team's leads, managers and admins, and for the member."""
    return await _answer(call, RemoveMember(team_id=str(team_id), user_id=str(user_id)))


async def _answer(call: CommandCall, command: Command) -> Answer:
    answer = await call.execute(command)
    team = answer.body
    assert isinstance(team, Team)
    return Answer(answer.receipt, _document(team))


def _document(team: Team) -> dict[str, Any]:
    members = [{"user_id": user_id, "role": role} for user_id, role in sorted(team.members.items())]
    return {**msgspec.structs.asdict(team), "members": members}
