"""Import: a file of tasks comes in, piece by piece, and a worker does the rest."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api.asking import document
from api.commanding import Key, bearer, described
from api.defence.front import BASE
from api.documents import Line
from api.jobs import FORMATS, JobDocument, shown
from api.openapi import problems_of
from api.policies import guarded
from api.problems import BodyTooLarge
from api.scopes import needed
from api.security_log import WHO
from api.services import Services
from commands.deciding import Context
from commands.jobs import Jobs
from commands.placing import chosen_project
from domain import failpoints
from domain.errors import Invalid, Malformed
from domain.import_file import FileFormat
from domain.import_line import COLUMNS
from domain.job import JobKind, OnError
from domain.policy import Action
from domain.text import check_line

router = APIRouter(prefix="/tasks", tags=["jobs"])

PIECE_BYTES: Final = 262_144
SOURCE_MAX: Final = 200
_COLUMN: Final = re.compile(rf"({'|'.join(sorted(COLUMNS))}):([^\x00-\x1f\x7f]{{1,200}})")
_CSV: Final = "title,priority,tags\r\nWrite the report,high,q4;figures\r\n"
_JSONL: Final = '{"task":{"id":"A-17","title":"Write the report","status":"done","category":"done"}}\n'
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}, "example": _CSV},
            "application/x-ndjson": {
                "schema": {"type": "string", "format": "binary"},
                "example": _JSONL,
            },
        },
    }
}


@router.post(
    "/import",
    status_code=202,
    operation_id="importTasks",
    summary="Import tasks from a file",
    response_model=JobDocument,
    responses=problems_of(400, 401, 403, 408, 409, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
@guarded(Action.TASK_CREATE)
async def import_tasks(
    request: Request,
    _bearer: Annotated[Any, Depends(bearer)],
    format_: Annotated[FileFormat | None, Query(alias="format", description="Else the media type says it.")] = None,
    dry_run: Annotated[bool, Query(description="Only check the file.")] = False,
    on_error: Annotated[OnError, Query(description="`stop`: one wrong line, and nothing is written.")] = OnError.STOP,
    project_id: Annotated[UUID | None, Query(description="All tasks come into this project.")] = None,
    source: Annotated[
        Line | None,
        Query(min_length=1, max_length=SOURCE_MAX, description="Another one, and the same file makes new tasks."),
    ] = None,
    column: Annotated[
        list[Annotated[str, Query(max_length=250, pattern=f"^{_COLUMN.pattern}$")]],
        Query(description="What a column of CSV is called in the file: `title:Summary`.", max_length=40),
    ] = [],  # noqa: B006
    _key: Key = None,
) -> Response:
    """CSV or JSON Lines, as an export has them or written by hand. Answers the job that reads, checks and writes them.

    Each task is made once, however often its file comes. For whoever may create tasks; each line by its own rights.
    """
    services: Services = request.app.state.services
    headers = dict(request.scope["headers"])
    scope = needed("POST", request.scope["route"].path)
    identity = request.scope[WHO] = await services.authenticate(headers.get(b"authorization"), scope)
    form = format_ or _form(headers)
    mapping = _mapping(column)
    if source is not None:
        check_line(source, "/query/source", most=SOURCE_MAX)

    def check(context: Context) -> None:
        context.allowed(Action.TASK_CREATE)
        if project_id is not None:
            chosen_project(context, str(project_id))

    await services.executor.ask(check, identity.workspace_id, identity.user_id)
    call = described(request, headers, identity, b"")  # its key is looked at before anything comes
    jobs = Jobs(services.pool)
    input_ = {
        "format": form.value,
        "dry_run": dry_run,
        "on_error": on_error.value,
        "project_id": None if project_id is None else str(project_id),
        "named": source,
        "source": f"{project_id or ''}:{source or ''}",
        "mapping": mapping,
    }
    job_id = await jobs.begin(identity.workspace_id, identity.user_id, JobKind.IMPORT, input_, call.key)
    try:
        size, sha256 = await _receive(request, services, jobs, identity.workspace_id, job_id)
        failpoints.reach(failpoints.JOB_RECEIVED)
        asked = f"{request.scope['query_string'].decode('latin-1')}\n{form.value}\n{sha256}"
        job, replayed = await jobs.queue(
            identity.workspace_id,
            identity.user_id,
            job_id,
            size=size,
            sha256=sha256,
            key=call.key,
            fingerprint=hashlib.sha256(asked.encode()).hexdigest(),
        )
    except BaseException:
        await jobs.discard(identity.workspace_id, job_id)
        raise
    more = {"Location": f"{BASE}/jobs/{job.id}", **({"Idempotency-Replayed": "true"} if replayed else {})}
    return document(shown(job), 202, more)


async def _receive(request: Request, services: Services, jobs: Jobs, workspace_id: str, job_id: str) -> tuple[int, str]:
    """Keep the bytes as they come. Answers how many there were, and their SHA-256."""
    digest, size, n, parts, waiting = hashlib.sha256(), 0, 0, list[bytes](), 0
    most = services.settings.import_bytes
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise BodyTooLarge(most)
            digest.update(chunk)
            parts.append(chunk)
            waiting += len(chunk)
            if waiting >= PIECE_BYTES:
                n += 1
                await jobs.add_bytes(workspace_id, job_id, n, b"".join(parts))
                parts, waiting = [], 0
    except ClientDisconnect as error:
        raise Malformed("request.incomplete", "the body ended before it was whole") from error
    if parts:
        await jobs.add_bytes(workspace_id, job_id, n + 1, b"".join(parts))
    return size, digest.hexdigest()


def _form(headers: Mapping[bytes, bytes]) -> FileFormat:
    """What a body is by its media type. Raises 415."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    form = FORMATS.get(media_type)
    if form is None:
        detail = f"must be text/csv or application/x-ndjson, or say ?format=, got {media_type or 'nothing'!r}"
        raise HTTPException(415, detail)
    return form


def _mapping(columns: list[str]) -> dict[str, str]:
    """What columns are called in the file: by their names there, ours."""
    found = {}
    for text in columns:
        parts = _COLUMN.fullmatch(text)
        if parts is None:
            detail = f"must be one of {', '.join(sorted(COLUMNS))}, a colon, and its name in the file"
            raise Invalid("import.column", "/query/column", detail, text)
        found[parts[2].strip()] = parts[1]
    return found
