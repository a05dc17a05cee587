"""Files at tasks."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute, Key, Match, bearer, described, respond
from api.documents import Line
from api.downloads import Download
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read
from api.scopes import needed
from api.seeing import see_part
from api.services import Services
from api.talk import AttachmentDocument, AttachmentList
from api.uploads import receive
from commands.attachment import attachment_not_found
from commands.blobs import Blob
from domain.attachment import NAME_MAX, Attachment, Attachments
from domain.policy import Action
from domain.talk import Part

_PATH = "/tasks/{task_id}/attachments"

commands = APIRouter(prefix=_PATH, tags=["attachments"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["attachments"])

_READ_PROBLEMS: Any = problems_of(400, 401, 404, 422, 503)
_BINARY: Any = {"schema": {"type": "string", "format": "binary"}, "example": "the bytes of report.pdf"}
_UPLOAD: Any = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
                "example": {"file": "the bytes of report.pdf"},
            },
            "application/octet-stream": _BINARY,
        },
    }
}


@reads.get(
    "",
    operation_id="listAttachments",
    summary="List the files at a task",
    response_model=AttachmentList,
    responses=_READ_PROBLEMS,
)
@guarded(Action.TASK_READ)
async def list_attachments(read: Read, task_id: UUID) -> Response:
    """In the order in which they were added; always current."""
    task, attachments, position = await see_part(read, str(task_id), Part.ATTACHMENTS, Attachments)
    items = [] if attachments is None else [_document(task.id, item) for item in attachments.items]
    body = msgspec.json.encode({"items": items, "next_cursor": None})
    return read.answer(body, position, 0 if attachments is None else attachments.version)


@reads.get(
    "/{attachment_id}",
    operation_id="getAttachment",
    summary="Get what is known of a file",
    response_model=AttachmentDocument,
    responses=_READ_PROBLEMS,
)
@guarded(Action.TASK_READ)
async def get_attachment(read: Read, task_id: UUID, attachment_id: UUID) -> Response:
    """Its name, size and kind, and the SHA-256 of its bytes."""
    task, attachments, position = await see_part(read, str(task_id), Part.ATTACHMENTS, Attachments)
    attachment = _found(attachments, str(attachment_id))
    assert attachments is not None
    return read.answer(msgspec.json.encode(_document(task.id, attachment)), position, attachments.version)


@reads.get(
    "/{attachment_id}/content",
    operation_id="getAttachmentContent",
    summary="Download a file",
    response_class=Response,
    responses={
        200: {"description": "The bytes, to be saved.", "content": {"*/*": _BINARY}},
        206: {"description": "The part that `Range` asks for.", "content": {"*/*": _BINARY}},
        **problems_of(400, 401, 403, 404, 416, 422, 503),
    },
)
@guarded(Action.TASK_READ)
async def get_content(request: Request, read: Read, task_id: UUID, attachment_id: UUID) -> Response:
    """As something to save, never to show. The `ETag` is the digest of the bytes; one `Range` at a time."""
    _, attachments, position = await see_part(read, str(task_id), Part.ATTACHMENTS, Attachments)
    attachment = _found(attachments, str(attachment_id))
    blob = Blob(read.workspace_id, attachment.sha256)
    shown = {"Taskfold-Position": str(position), "Taskfold-Epoch": read.services.epoch}
    return Download(read.services.attachments.blobs, blob, attachment, request.headers, shown)


@reads.post(
    "",
    status_code=201,
    operation_id="addAttachment",
    summary="Put a file at a task",
    response_model=AttachmentDocument,
    responses=problems_of(400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 503),
    openapi_extra=_UPLOAD,
)
@guarded(Action.ATTACHMENT_ADD)
async def add_attachment(
    request: Request,
    task_id: Annotated[UUID, Path()],
    _bearer: Annotated[Any, Depends(bearer)],
    name: Annotated[
        Line | None,
        Query(min_length=1, max_length=NAME_MAX, description="What it is called; a form says it by itself."),
    ] = None,
    _key: Key = None,
    _match: Match = None,
) -> Response:
    """A form with one file (`curl -F file=@report.pdf`), or the bare bytes with `?name=`.

    What it is is judged by its content. For whoever may change the task.
    """
    services: Services = request.app.state.services
    headers = dict(request.scope["headers"])
    identity = await services.authenticate(headers.get(b"authorization"), needed("POST", request.scope["route"].path))
    files, task = services.attachments, str(task_id)
    await files.check(msgspec.structs.replace(described(request, headers, identity, b""), if_match=None), task)
    async with files.receive(identity.workspace_id) as incoming:
        called = await receive(request, incoming, name)
        files.limits.check(incoming, called)
        blob = await incoming.keep()
        call = described(request, headers, identity, f"{called}\n{blob.sha256}".encode())
        receipt = await files.add(call, task, called, blob, incoming)
    state = receipt.state
    assert isinstance(state, Attachments)
    attachment = next((item for item in state.items if item.added == receipt.version), None)
    if attachment is None:  # a retry, and what was done then was erased meanwhile
        raise attachment_not_found()
    return respond(services, Answer(receipt, _document(task, attachment), made=attachment.id), 201, request)


@commands.delete(
    "/{attachment_id}",
    operation_id="removeAttachment",
    summary="Take a file away",
    response_model=AttachmentList,
    responses=problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
)
@guarded(Action.ATTACHMENT_REMOVE)
async def remove_attachment(call: CommandCall, task_id: UUID, attachment_id: UUID) -> Answer:
    """For who put it there, leads, managers and admins. Answers what is left; the bytes are deleted after 30 days."""
    receipt = await call.services.attachments.remove(call.call, str(task_id), str(attachment_id))
    state = receipt.state
    assert isinstance(state, Attachments)
    items = [_document(str(task_id), item) for item in state.items]
    return Answer(receipt, {"items": items, "next_cursor": None})


def _found(attachments: Attachments | None, attachment_id: str) -> Attachment:
    attachment = None if attachments is None else attachments.attachment(attachment_id)
    if attachment is None:
        raise attachment_not_found()
    return attachment


def _document(task_id: str, attachment: Attachment) -> dict[str, Any]:
    fields = ("id", "name", "size", "media_type", "sha256", "created_by", "created_at")
    return {"task_id": task_id, **{name: getattr(attachment, name) for name in fields}}
