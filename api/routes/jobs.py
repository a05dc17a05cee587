"""Jobs: what was asked for and takes longer than a request. One sees one's own; admins see all."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from api.asking import Asker, Asking, Paged, document
from api.defence.body import sound_body
from api.jobs import REPORT_HEADER, JobDocument, JobPage, ReportPage, report_rows, shown
from api.openapi import problems_of
from api.policies import guarded
from api.reading import next_link
from commands.deciding import forbidden
from commands.import_rows import Only, ReportLine, report
from commands.jobs import Job, Jobs, job_not_found
from domain.exchange import records
from domain.job import LineVerdict
from domain.policy import Action, Relation, may

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(sound_body)])

ROWS_AT_ONCE = 1_000


class ReportFormat(StrEnum):
    """As pages, or the whole as it is read."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


@router.get("", operation_id="listJobs", summary="List your jobs", response_model=JobPage, responses=problems_of(401))
@guarded(Action.JOB_READ)
async def list_jobs(asker: Asker, paging: Paged) -> Response:
    """The newest first. What ended is kept for 30 days."""
    identity = asker.identity
    jobs = Jobs(asker.services.pool)
    found = await jobs.page(identity.workspace_id, identity.user_id, paging.before, paging.most)
    return paging.answer(found, shown)


@router.get(
    "/{job_id}",
    operation_id="getJob",
    summary="See how a job stands",
    response_model=JobDocument,
    responses=problems_of(401, 404),
)
@guarded(Action.JOB_READ)
async def get_job(asker: Asker, job_id: UUID) -> Response:
    """Its state, how far it is, and what came of it. To read what it wrote, ask with `min_position=` its `position`."""
    return document(shown(await _visible(asker, job_id)))


@router.get(
    "/{job_id}/report",
    operation_id="getJobReport",
    summary="See what became of each line",
    response_model=ReportPage,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": '"line","verdict","task_id"\r\n'},
                "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"line":2,"verdict":"created"}\n'},
            }
        },
        **problems_of(401, 404),
    },
)
@guarded(Action.JOB_READ)
async def get_job_report(
    request: Request,
    asker: Asker,
    job_id: UUID,
    verdict: Annotated[list[LineVerdict], Query(description="Only lines of these.")] = [],  # noqa: B006
    problems: Annotated[bool, Query(description="Only lines with problems.")] = False,
    format_: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.JSON,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=9, pattern="^[0-9]{1,9}$")] = None,
) -> Response:
    """In the order of the lines: a page, or all of it with `format` `csv` or `jsonl`. It grows as lines are read."""
    job = await _visible(asker, job_id)
    only = Only([each.value for each in verdict], problems)
    if format_ is not ReportFormat.JSON:
        return _whole(asker, job, only, format_)
    async with asker.services.pool.connection() as connection:
        after = int(cursor or 0)
        found = await report(connection, asker.identity.workspace_id, job.id, only, after, limit + 1)
    next_cursor = str(found[limit - 1].line) if len(found) > limit else None
    return document({"items": found[:limit], "next_cursor": next_cursor}, headers=next_link(request, next_cursor))


@router.post(
    "/{job_id}/cancel",
    operation_id="cancelJob",
    summary="Cancel a job",
    response_model=JobDocument,
    responses=problems_of(401, 403, 404, 409),
)
@guarded(Action.JOB_CANCEL)
async def cancel_job(asker: Asker, job_id: UUID) -> Response:
    """It writes nothing more but the part that is under way. What is there stays; the same file goes on from there."""
    await _visible(asker, job_id, Action.JOB_CANCEL)
    return document(shown(await Jobs(asker.services.pool).cancel(asker.identity.workspace_id, str(job_id))))


async def _visible(asker: Asking, job_id: UUID, action: Action = Action.JOB_READ) -> Job:
    """A job to which who asks may do this. Raises `NotFound`, also for what they may not see; `Forbidden`."""
    job = await Jobs(asker.services.pool).get(asker.identity.workspace_id, str(job_id))
    user = await asker.services.member(asker.identity)
    relations = Relation.UNRELATED | (Relation.SELF if job.owner_id == user.id else 0)
    if not may(user.role, Action.JOB_READ, relations):
        raise job_not_found()
    if not may(user.role, action, relations):
        raise forbidden(user, action)
    return job


def _whole(asker: Asking, job: Job, only: Only, form: ReportFormat) -> Response:
    """All of it, read as it is sent."""
    csv = form is ReportFormat.CSV

    async def rows() -> AsyncIterator[bytes]:
        if csv:
            yield records([REPORT_HEADER]).encode()
        after = 0
        while True:
            async with asker.services.pool.connection() as connection:
                found = await report(connection, asker.identity.workspace_id, job.id, only, after, ROWS_AT_ONCE)
            if not found:
                return
            yield _records(found) if csv else _lines(found)
            after = found[-1].line

    name = f"report-{job.id}.{form.value}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(rows(), 200, headers, "text/csv" if csv else "application/x-ndjson")


def _records(found: list[ReportLine]) -> bytes:
    return records(row for line in found for row in report_rows(line)).encode()


def _lines(found: list[ReportLine]) -> bytes:
    return b"".join(msgspec.json.encode(asdict(line)) + b"\n" for line in found)
