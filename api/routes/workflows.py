"""Workflows: how tasks move in the projects that live by them."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.defence.body import sound_body
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from api.workflows import PreviewDocument, WorkflowBody, WorkflowChange, WorkflowDocument, WorkflowPage
from commands.deciding import Command, workflow_not_found
from commands.ids import new_id
from commands.workflow import ChangeWorkflow, CreateWorkflow
from domain.custom_workflow import CustomWorkflow
from domain.policy import Action, Eyes, eyes
from domain.user import Role
from domain.workflow import STANDARD
from projections import log, workflows

commands = APIRouter(prefix="/workflows", tags=["workflows"], route_class=CommandRoute)
reads = APIRouter(prefix="/workflows", tags=["workflows"], dependencies=[Depends(sound_body)])

_COMMAND: Any = {
    "response_model": WorkflowDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}
_READ_PROBLEMS: Any = problems_of(401, 404, 422, 503)


@reads.get(
    "", operation_id="listWorkflows", summary="List workflows", response_model=WorkflowPage, responses=_READ_PROBLEMS
)
@guarded(Action.WORKFLOW_READ)
async def list_workflows(
    request: Request,
    read: Read,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """All workflows of the workspace, in the order of their making, and the standard one beside them."""
    async with read.of("workflows") as connection:
        found, position = await workflows.page(
            connection, read.workspace_id, None if cursor is None else str(cursor), limit + 1
        )
    next_cursor = found[limit - 1].id if len(found) > limit else None
    items = [_document(workflow, eyes(read.user)) for workflow in found[:limit]]
    body = msgspec.json.encode({"standard": STANDARD, "items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{workflow_id}",
    operation_id="getWorkflow",
    summary="Get a workflow",
    response_model=WorkflowDocument,
    responses=_READ_PROBLEMS,
)
@guarded(Action.WORKFLOW_READ)
async def get_workflow(read: Read, workflow_id: UUID) -> Response:
    """A workflow, with those of its projects that you see."""
    async with read.of("workflows") as connection:
        workflow, position = await workflows.get(connection, read.workspace_id, str(workflow_id))
    if workflow is None:
        raise workflow_not_found()
    return read.answer(msgspec.json.encode(_document(workflow, eyes(read.user))), position, workflow.version)


@reads.post(
    "/{workflow_id}/preview",
    operation_id="previewWorkflow",
    summary="What a change would do",
    response_model=PreviewDocument,
    responses=problems_of(400, 401, 403, 404, 413, 415, 422, 503),
)
@guarded(Action.WORKFLOW_CHANGE)
async def preview_workflow(read: Read, workflow_id: UUID, body: WorkflowChange) -> Response:
    """For managers and admins: the tasks that the change would map now, and the limits that would be exceeded."""
    change = ChangeWorkflow(str(workflow_id), body.name, body.definition, body.mapping)
    async with read.of("workflows") as connection:
        position = await log.head(connection, read.workspace_id)
    found = await read.services.executor.ask(change.preview, read.workspace_id, read.user.id)
    return read.answer(msgspec.json.encode(found), position)


@commands.post("", status_code=201, operation_id="createWorkflow", summary="Make a workflow", **_COMMAND)
@guarded(Action.WORKFLOW_CREATE)
async def create_workflow(call: CommandCall, body: WorkflowBody) -> Answer:
    """For managers and admins. Projects choose it with `PUT /projects/{id}/workflow`."""
    return await _answer(call, CreateWorkflow(new_id(), body.name, body.definition))


@commands.put("/{workflow_id}", operation_id="changeWorkflow", summary="Change a workflow", **_COMMAND)
@guarded(Action.WORKFLOW_CHANGE)
async def change_workflow(call: CommandCall, workflow_id: UUID, body: WorkflowChange) -> Answer:
    """For managers and admins. Tasks whose status is lost get the one that `mapping` names, in the same moment."""
    return await _answer(call, ChangeWorkflow(str(workflow_id), body.name, body.definition, body.mapping))


_ALL = Eyes(Role.MANAGER, frozenset())  # those who may make workflows see every project


async def _answer(call: CommandCall, command: Command) -> Answer:
    answer = await call.execute(command)
    workflow = answer.body
    assert isinstance(workflow, CustomWorkflow)
    return Answer(answer.receipt, _document(workflow, _ALL))


def _document(workflow: CustomWorkflow, reader: Eyes) -> dict[str, Any]:
    document = {**msgspec.structs.asdict(workflow), **msgspec.structs.asdict(workflow.definition)}
    del document["definition"], document["mapped"], document["deleted_at"]
    seen = [project_id for project_id in workflow.projects if reader.see(frozenset((project_id,)))]
    return {**document, "projects": seen}
