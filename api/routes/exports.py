"""Exports of tasks: all of a list at once, as CSV or JSON Lines, at one position."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from api.exported import Csv, Jsonl
from api.exporting import Export
from api.finding import Narrowing, Sort, Word, sort_of, values_of
from api.policies import guarded
from api.reading import Read
from api.services import ROLE_AGE_SECONDS
from api.streaming import Streamed, takes_gzip
from api.tagging import book_of
from api.tagging import filters as tag_filters
from domain.exchange import Format, Include
from domain.policy import Action, eyes
from projections.task_list import TaskQuery

reads = APIRouter(prefix="/tasks", tags=["tasks"])

OLDEST_FIRST: Final = "created_at"


class ExportFilters(Narrowing):
    """Those of a list without its pages, and as what it is written."""

    format: Annotated[Format, Field(description="Tables for spreadsheets, or lines that can be imported.")]
    include: Annotated[list[Include], Field(description="JSON Lines may hold this too, about each task.")] = []  # noqa: RUF012
    bom: Annotated[bool, Field(description="Begin CSV with a byte order mark.")] = False
    q: Word | None = None
    sort: Sort | None = None


_WRITERS: Final[Mapping[Format, type[Csv] | type[Jsonl]]] = {Format.CSV: Csv, Format.JSONL: Jsonl}
_ANSWER: Any = {
    200: {
        "description": "All of them, in chunks; `Taskfold-Tasks` says how many, if that is known. What breaks off has"
        " no last chunk, and as JSON Lines no line `end`.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": '"id","title"\r\n"019c2f3e-0000-7000-8000-000000000002","Write the report"\r\n',
            },
            "application/jsonl": {
                "schema": {"type": "string"},
                "example": '{"export":{"format":1,"position":42,"tasks":0}}\n{"end":{"tasks":0,"position":42}}\n',
            },
        },
    }
}


@reads.get(
    "/export",
    operation_id="exportTasks",
    summary="Export tasks",
    response_class=Response,
    responses=_ANSWER,
)
@guarded(Action.TASK_READ)
async def export_tasks(request: Request, read: Read, filters: Annotated[ExportFilters, Query()]) -> Response:
    """All tasks of the list that the filters make, oldest first unless `sort` says otherwise, at one position.

    Text that a spreadsheet would take for a formula has apostrophes in CSV, which an import takes away.
    """
    values = values_of(filters, filters.q, read.user.id)
    book = None
    if filters.as_of is None:  # the past is shown with the names of then
        book = await book_of(read, 0 if filters.tag else ROLE_AGE_SECONDS)
        if filters.tag:
            del values["tag"]
            values |= tag_filters(book, filters.tag)
    query = TaskQuery(
        workspace_id=read.workspace_id,
        eyes=eyes(read.user),
        filters=values,
        sort=sort_of(filters.sort or OLDEST_FIRST),
        trashed=filters.trashed,
        as_of=await read.as_of(filters.as_of),
    )
    writer = _WRITERS[filters.format]
    export = Export(read, query, book, writer, frozenset(filters.include), filters.bom)
    zipped = takes_gzip(request.headers.get("accept-encoding", ""))
    return Streamed(export.opened, writer.media_type, zipped=zipped)
