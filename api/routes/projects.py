"""Projects and their members."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import ReasonBody
from api.openapi import problems_of
from api.policies import guarded
from api.projects import NewProject, ProjectDocument, ProjectMemberBody, ProjectPage, ProjectPatch
from api.reading import Read, next_link
from api.workflows import WorkflowChoice
from commands.deciding import Command, project_not_found
from commands.ids import new_id
from commands.project import (
    AddProjectMember,
    ArchiveProject,
    CreateProject,
    DeleteProject,
    EditProject,
    RemoveProjectMember,
    RestoreProject,
)
from commands.workflow import ChooseWorkflow
from domain.policy import Action, eyes
from domain.project import Blocking, Project
from projections import projects

commands = APIRouter(prefix="/projects", tags=["projects"], route_class=CommandRoute)
reads = APIRouter(prefix="/projects", tags=["projects"])

_COMMAND: Any = {
    "response_model": ProjectDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}
_READ_PROBLEMS: Any = problems_of(401, 404, 422, 503)


@reads.get(
    "", operation_id="listProjects", summary="List projects", response_model=ProjectPage, responses=_READ_PROBLEMS
)
@guarded(Action.PROJECT_READ)
async def list_projects(
    request: Request,
    read: Read,
    archived: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """The projects that you are in, or all where your role sees everything, in the order of their making."""
    async with read.of("projects") as connection:
        found, position = await projects.page(
            connection,
            read.workspace_id,
            eyes(read.user),
            None if cursor is None else str(cursor),
            limit + 1,
            archived,
        )
    next_cursor = found[limit - 1].id if len(found) > limit else None
    items = [_document(project) for project in found[:limit]]
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{project_id}",
    operation_id="getProject",
    summary="Get a project",
    response_model=ProjectDocument,
    responses=_READ_PROBLEMS,
)
@guarded(Action.PROJECT_READ)
async def get_project(read: Read, project_id: UUID) -> Response:
    """A project with its members. For its members, and for roles that see everything."""
    async with read.of("projects") as connection:
        project, position = await projects.get(connection, read.workspace_id, eyes(read.user), str(project_id))
    if project is None:
        raise project_not_found()
    return read.answer(msgspec.json.encode(_document(project)), position, project.version)


@commands.post("", status_code=201, operation_id="createProject", summary="Begin a project", **_COMMAND)
@guarded(Action.PROJECT_CREATE)
async def create_project(call: CommandCall, body: NewProject) -> Answer:
    """Whoever begins it leads it."""
    return await _answer(
        call,
        CreateProject(
            project_id=new_id(), name=body.name, key=body.key, description=body.description, blocking=body.blocking
        ),
    )


@commands.patch("/{project_id}", operation_id="editProject", summary="Edit a project", **_COMMAND)
@guarded(Action.PROJECT_EDIT)
async def edit_project(call: CommandCall, project_id: UUID, body: ProjectPatch) -> Answer:
    """For its leads, managers and admins. A merge patch (RFC 7396)."""
    given = body.model_fields_set
    return await _answer(
        call,
        EditProject(
            project_id=str(project_id),
            name=body.name if "name" in given else UNSET,
            description=(body.description or "") if "description" in given else UNSET,
            blocking=(body.blocking or Blocking.HARD) if "blocking" in given else UNSET,
        ),
    )


@commands.delete("/{project_id}", operation_id="deleteProject", summary="Delete an empty project", **_COMMAND)
@guarded(Action.PROJECT_DELETE)
async def delete_project(call: CommandCall, project_id: UUID) -> Answer:
    """For its leads, managers and admins. Its key is never given to another one."""
    return await _answer(call, DeleteProject(project_id=str(project_id)))


@commands.post("/{project_id}/archive", operation_id="archiveProject", summary="Archive a project", **_COMMAND)
@guarded(Action.PROJECT_ARCHIVE)
async def archive_project(call: CommandCall, project_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """For its leads, managers and admins. All of it can be read, and nothing in it changes."""
    return await _answer(call, ArchiveProject(project_id=str(project_id), reason=body.reason))


@commands.post("/{project_id}/restore", operation_id="restoreProject", summary="Let it go on", **_COMMAND)
@guarded(Action.PROJECT_ARCHIVE)
async def restore_project(call: CommandCall, project_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """For its leads, managers and admins. Everything is as it was before it was archived."""
    return await _answer(call, RestoreProject(project_id=str(project_id), reason=body.reason))


@commands.put(
    "/{project_id}/members/{user_id}",
    operation_id="addProjectMember",
    summary="Add a member, or change the role",
    **_COMMAND,
)
@guarded(Action.PROJECT_ADD_MEMBER)
async def add_member(
    call: CommandCall,
    project_id: UUID,
    user_id: UUID,
    body: ProjectMemberBody = ProjectMemberBody(),  # noqa: B008
) -> Answer:
    """For its leads, managers and admins. A new member sees the project's tasks from then on."""
    return await _answer(call, AddProjectMember(project_id=str(project_id), user_id=str(user_id), role=body.role))


@commands.put("/{project_id}/workflow", operation_id="chooseWorkflow", summary="Choose its workflow", **_COMMAND)
@guarded(Action.PROJECT_EDIT)
async def choose_workflow(call: CommandCall, project_id: UUID, body: WorkflowChoice) -> Answer:
    """For its leads, managers and admins. Tasks whose status the new one lacks get the one that `mapping` names."""
    workflow_id = None if body.workflow_id is None else str(body.workflow_id)
    return await _answer(call, ChooseWorkflow(str(project_id), workflow_id, body.mapping))


@commands.delete(
    "/{project_id}/members/{user_id}",
    operation_id="removeProjectMember",
    summary="Take a member out, or leave",
    **_COMMAND,
)
@guarded(Action.PROJECT_REMOVE_MEMBER)
async def remove_member(call: CommandCall, project_id: UUID, user_id: UUID) -> Answer:
    """For its leads, managers and admins, and for the member."""
    return await _answer(call, RemoveProjectMember(project_id=str(project_id), user_id=str(user_id)))


async def _answer(call: CommandCall, command: Command) -> Answer:
    answer = await call.execute(command)
    project = answer.body
    assert isinstance(project, Project)
    return Answer(answer.receipt, _document(project))


def _document(project: Project) -> dict[str, Any]:
    members = [{"user_id": user_id, "role": role} for user_id, role in sorted(project.members.items())]
    document = {**msgspec.structs.asdict(project), "members": members}
    del document["deleted_at"], document["mapped"]
    return document
