"""Templates: trees of tasks to be made again and again."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, Commanding, CommandRoute
from api.defence.front import BASE
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from api.template_documents import (
    InstantiationDocument,
    MakingDocument,
    TemplateDocument,
    TemplatePage,
    VersionDocument,
    VersionPage,
)
from api.templates import InstantiateBody, NewTemplate, TaskTemplate, TemplatePatch, tasks_of, variables_of
from commands.deciding import Command
from commands.execute import Receipt
from commands.ids import named_ids, new_id
from commands.instantiating import Instantiate
from commands.template import (
    ChangeTemplate,
    CreateTemplate,
    DeleteTemplate,
    template_not_found,
    version_not_found,
)
from commands.templating import MakeTemplate
from domain.instant import instant
from domain.instantiation import Instantiation
from domain.policy import Action
from domain.template import Definition, Template
from domain.zones import check_zone, to_local
from projections import log, past, templates

commands = APIRouter(prefix="/templates", tags=["templates"], route_class=CommandRoute)
of_task = APIRouter(prefix="/tasks/{task_id}/template", tags=["templates"], route_class=CommandRoute)
reads = APIRouter(prefix="/templates", tags=["templates"])

_COMMAND: Any = {"response_model": TemplateDocument, "responses": problems_of(404)}
_READ: Any = {"responses": problems_of(404)}
_VERSION_MAX = 2**31 - 1


@reads.get("", operation_id="listTemplates", summary="List templates", response_model=TemplatePage)
@guarded(Action.TEMPLATE_READ)
async def list_templates(
    request: Request,
    read: Read,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """All templates of the workspace, in the order of their making; of their tasks the number."""
    async with read.of(templates.NAME) as connection:
        after = None if cursor is None else str(cursor)
        found, position = await templates.page(connection, read.workspace_id, after, limit + 1)
    next_cursor = found[limit - 1].id if len(found) > limit else None
    items = [brief._asdict() for brief in found[:limit]]
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{template_id}", operation_id="getTemplate", summary="Get a template", response_model=TemplateDocument, **_READ
)
@guarded(Action.TEMPLATE_READ)
async def get_template(read: Read, template_id: UUID) -> Response:
    """A template, as its last version says."""
    async with read.of(templates.NAME) as connection:
        template, position = await templates.get(connection, read.workspace_id, str(template_id))
    if template is None:
        raise template_not_found()
    return read.answer(msgspec.json.encode(_document(template)), position, template.version)


@reads.get(
    "/{template_id}/versions",
    operation_id="listTemplateVersions",
    summary="List the versions of a template",
    response_model=VersionPage,
    **_READ,
)
@guarded(Action.TEMPLATE_READ)
async def list_versions(
    request: Request,
    read: Read,
    template_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=1, le=_VERSION_MAX)] = _VERSION_MAX,
) -> Response:
    """All that it ever said, newest first: each can be read, and tasks be made of it."""
    async with read.of(templates.NAME) as connection:
        template, position = await templates.get(connection, read.workspace_id, str(template_id))
        if template is None:
            raise template_not_found()
        before = min(cursor, template.version + 1)  # no more than the position that is answered shows
        found = await templates.versions(connection, read.workspace_id, template.id, before, limit + 1)
    next_cursor = str(found[limit - 1].version) if len(found) > limit else None
    items = [version._asdict() for version in found[:limit]]
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{template_id}/versions/{version}",
    operation_id="getTemplateVersion",
    summary="Get a version of a template",
    response_model=VersionDocument,
    **_READ,
)
@guarded(Action.TEMPLATE_READ)
async def get_version(read: Read, template_id: UUID, version: Annotated[int, Path(ge=1, le=_VERSION_MAX)]) -> Response:
    """What it said then."""
    async with read.of(templates.NAME) as connection:
        template, position = await templates.get(connection, read.workspace_id, str(template_id))
        if template is None:
            raise template_not_found()
        saved = await templates.saved(connection, read.workspace_id, template.id, version)
    if saved is None or version > template.version:
        raise version_not_found()
    document = {
        "id": template.id,
        "version": version,
        "position": saved.position,
        "saved_by": saved.saved_by,
        "saved_at": saved.saved_at,
        **_said(saved.definition),
    }
    return read.answer(msgspec.json.encode(document), position, version)


@commands.post("", status_code=201, operation_id="createTemplate", summary="Write a template down", **_COMMAND)
@guarded(Action.TEMPLATE_CREATE)
async def create_template(call: CommandCall, body: NewTemplate) -> Answer:
    """For managers, admins and leads of teams. 422 `template.invalid` points at all that does not fit together."""
    return await _answer(call, CreateTemplate(new_id(), body.definition))


@of_task.post(
    "",
    status_code=201,
    operation_id="makeTemplate",
    summary="Make a template of a task",
    response_model=TemplateDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.TEMPLATE_CREATE)
async def make_template(call: CommandCall, task_id: UUID, body: TaskTemplate) -> Answer:
    """Of it and all below it that you see: texts, tags, checklists, dependencies among them, and days as distances."""
    zone = body.zone or await _zone(call)
    command = MakeTemplate(
        new_id(), str(task_id), body.name, body.description, start=body.start, zone=zone, assignees=body.assignees
    )
    return (await _answer(call, command))._replace(within=f"{BASE}/templates")


@commands.put("/{template_id}", operation_id="replaceTemplate", summary="Replace a template", **_COMMAND)
@guarded(Action.TEMPLATE_CHANGE)
async def replace_template(call: CommandCall, template_id: UUID, body: NewTemplate) -> Answer:
    """Saves a version, unless nothing differs. Those before it stay."""
    return await _answer(call, ChangeTemplate(str(template_id), **msgspec.structs.asdict(body.definition)))


@commands.patch("/{template_id}", operation_id="editTemplate", summary="Change a part of a template", **_COMMAND)
@guarded(Action.TEMPLATE_CHANGE)
async def edit_template(call: CommandCall, template_id: UUID, body: TemplatePatch) -> Answer:
    """A merge patch (RFC 7396): what is absent stays. Variables, and tasks, are replaced as a whole."""
    given = body.model_fields_set
    return await _answer(
        call,
        ChangeTemplate(
            str(template_id),
            name=body.name if "name" in given else UNSET,
            description=(body.description or "") if "description" in given else UNSET,
            variables=variables_of(body.variables or []) if "variables" in given else UNSET,
            tasks=tasks_of(body.tasks) if "tasks" in given else UNSET,
        ),
    )


@commands.delete("/{template_id}", operation_id="deleteTemplate", summary="Delete a template", **_COMMAND)
@guarded(Action.TEMPLATE_CHANGE)
async def delete_template(call: CommandCall, template_id: UUID) -> Answer:
    """It makes no more tasks. Those that it made stay what they are."""
    return await _answer(call, DeleteTemplate(str(template_id)))


@commands.post(
    "/{template_id}/instantiate",
    status_code=201,
    operation_id="instantiateTemplate",
    summary="Make the tasks of a template",
    response_model=InstantiationDocument,
    responses=problems_of(404, 409) | {200: {"model": MakingDocument, "description": "With `dry_run`."}},
)
@guarded(Action.TASK_CREATE)
async def instantiate_template(call: CommandCall, template_id: UUID, body: InstantiateBody) -> Answer:
    """All of them or none. `Location` names the first. With `dry_run` 200 shows them as they would be."""
    zone = check_zone(body.zone or await _zone(call), "/zone")
    command = Instantiate(
        instantiation_id=new_id(),
        template_id=str(template_id),
        ids=named_ids(),
        start=_start(body.start, zone),
        zone=zone,
        version=body.version,
        older=None if body.version is None else await _older(call, str(template_id), body.version),
        variables=body.variables,
        roles=body.people,
        project_id=None if body.project_id is None else str(body.project_id),
        parent_id=None if body.parent_id is None else str(body.parent_id),
    )
    return await (_preview(call, command) if body.dry_run else _made(call, command))


async def _made(call: Commanding, command: Instantiate) -> Answer:
    receipt, made = (await call.execute(command))[:2]
    assert isinstance(made, Instantiation)
    async with call.services.pool.connection() as connection:
        roots = await past.states_at(connection, call.call.workspace_id, made.roots, receipt.position)
    document = {
        "id": made.id,
        "version": made.version,
        "position": receipt.position,
        "template_id": made.template_id,
        "template_version": made.template_version,
        "tasks": made.tasks,
        "roots": [roots[task_id] for task_id in made.roots],
    }
    return Answer(receipt, document, made=next(iter(made.roots)), within=f"{BASE}/tasks")


async def _preview(call: Commanding, command: Instantiate) -> Answer:
    async with call.services.pool.connection() as connection:
        position = await log.head(connection, call.call.workspace_id)
    found, template = await call.services.executor.ask(command.preview, call.call.workspace_id, call.call.actor_id)
    return Answer(Receipt(template.id, template.version, position, template), found, status=200)


async def _older(call: Commanding, template_id: str, version: int) -> Definition | None:
    """What a version says: it is in the log for ever, so it needs no expectation."""
    async with call.services.pool.connection() as connection:
        saved = await templates.saved(connection, call.call.workspace_id, template_id, version)
    return None if saved is None else saved.definition


async def _zone(call: Commanding) -> str:
    profile = await call.services.accounts.profile(call.call.workspace_id, call.call.actor_id)
    return str(profile["time_zone"])


def _start(said: date | None, zone: str) -> date:
    """The day from which all is counted; of an instant, that which it is in the zone."""
    if isinstance(said, datetime) or said is None:
        return to_local(instant(said or datetime.now(UTC)), zone).date()
    return said


async def _answer(call: Commanding, command: Command) -> Answer:
    answer = await call.execute(command)
    template = answer.body
    assert isinstance(template, Template)
    return answer._replace(body=_document(template))


def _document(template: Template) -> dict[str, Any]:
    return {**msgspec.structs.asdict(template), "roles": template.definition.roles}


def _said(definition: Definition) -> dict[str, Any]:
    return {**msgspec.structs.asdict(definition), "roles": definition.roles}
