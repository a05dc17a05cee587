"""Saved views: queries that are kept, and the tasks that they show."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import TaskPage
from api.finding import ListFilters
from api.listing import listed
from api.openapi import problems_of
from api.policies import guarded
from api.questions import ask, parsed
from api.reading import Read, Reading, next_link
from api.views import NewView, ViewDocument, ViewPage, ViewPatch
from commands.deciding import Command
from commands.ids import new_id
from commands.view import CreateView, DeleteView, EditView, view_not_found
from domain.policy import Action, eyes
from domain.view import Sharing, View
from projections import views

commands = APIRouter(prefix="/views", tags=["views"], route_class=CommandRoute)
reads = APIRouter(prefix="/views", tags=["views"])

_VIEW: Any = {"response_model": ViewDocument, "responses": problems_of(404)}
_CREATE: Any = _VIEW | {"responses": problems_of(404, 409)}


@reads.get("", operation_id="listViews", summary="List saved views", response_model=ViewPage)
@guarded(Action.VIEW_READ)
async def list_views(
    request: Request,
    read: Read,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """Your own, and those that are shared with you, in the order of their making."""
    async with read.of(views.NAME) as connection:
        after = None if cursor is None else str(cursor)
        found, position = await views.page(
            connection, read.workspace_id, read.user.id, eyes(read.user), after, limit + 1
        )
    next_cursor = found[limit - 1].id if len(found) > limit else None
    body = msgspec.json.encode({"items": [_document(view) for view in found[:limit]], "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get("/{view_id}", operation_id="getView", summary="Get a saved view", **_VIEW)
@guarded(Action.VIEW_READ)
async def get_view(read: Read, view_id: UUID) -> Response:
    """One that is yours, or shared with you."""
    view, position = await _get(read, view_id)
    return read.answer(msgspec.json.encode(_document(view)), position, view.version)


@reads.get(
    "/{view_id}/tasks",
    operation_id="listTasksOfView",
    summary="The tasks of a view",
    response_model=TaskPage,
    responses=problems_of(404),
)
@guarded(Action.VIEW_READ)
async def list_tasks_of_view(
    request: Request, read: Read, view_id: UUID, filters: Annotated[ListFilters, Query()]
) -> Response:
    """The tasks that its query finds for you now: `me` in it is you. All filters of a list narrow it, `q` as well."""
    view, _ = await _get(read, view_id)
    query = parsed(view.query).also(parsed(filters.q))
    return await listed(request, read, await ask(read, filters, query, filters.sort))


@commands.post("", status_code=201, operation_id="createView", summary="Save a view", **_CREATE)
@guarded(Action.VIEW_CREATE)
async def create_view(call: CommandCall, body: NewView) -> Answer:
    """For yourself, for one of your teams, or for all. 422 `query.invalid` says where its query is wrong.

    One has at most 200: 409 `view.too_many`.
    """
    return await _answer(
        call,
        CreateView(view_id=new_id(), name=body.name, query=body.query, sharing=body.sharing, team_id=_id(body.team_id)),
    )


@commands.patch("/{view_id}", operation_id="editView", summary="Edit a saved view", **_VIEW)
@guarded(Action.VIEW_CHANGE)
async def edit_view(call: CommandCall, view_id: UUID, body: ViewPatch) -> Answer:
    """For its owner, and, of what is shared, for leads of the team, managers and admins. A merge patch (RFC 7396)."""
    given = body.model_fields_set
    return await _answer(
        call,
        EditView(
            view_id=str(view_id),
            name=body.name if "name" in given else UNSET,
            query=body.query if "query" in given else UNSET,
            sharing=(body.sharing or Sharing.PRIVATE) if "sharing" in given else UNSET,
            team_id=_id(body.team_id) if "team_id" in given else UNSET,
        ),
    )


@commands.delete("/{view_id}", operation_id="deleteView", summary="Delete a saved view", **_VIEW)
@guarded(Action.VIEW_CHANGE)
async def delete_view(call: CommandCall, view_id: UUID) -> Answer:
    """For those who may edit it. Answers the view as it was."""
    return await _answer(call, DeleteView(view_id=str(view_id)))


async def _get(read: Reading, view_id: UUID) -> tuple[View, int]:
    async with read.of(views.NAME) as connection:
        view, position = await views.get(connection, read.workspace_id, read.user.id, eyes(read.user), str(view_id))
    if view is None:
        raise view_not_found()
    return view, position


async def _answer(call: CommandCall, command: Command) -> Answer:
    answer = await call.execute(command)
    view = answer.body
    assert isinstance(view, View)
    return Answer(answer.receipt, _document(view))


def _document(view: View) -> dict[str, Any]:
    return {field: value for field, value in msgspec.structs.asdict(view).items() if field != "deleted_at"}


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)
