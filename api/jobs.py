"""The documents of jobs and of imports."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.documents import Position
from commands.import_rows import ReportLine
from commands.jobs import Job
from domain.exchange import escape
from domain.import_file import FileFormat
from domain.job import JobKind, JobState, LineVerdict, OnError

FORMATS = {
    "text/csv": FileFormat.CSV,
    "application/csv": FileFormat.CSV,
    "application/x-ndjson": FileFormat.JSONL,
    "application/jsonl": FileFormat.JSONL,
    "application/x-jsonlines": FileFormat.JSONL,
}
Count = Annotated[int, Field(ge=0)]
REPORT_HEADER = ("line", "verdict", "task_id", "code", "pointer", "detail")


class JobProgress(BaseModel):
    """How far it is: `done` of `total`, bytes while it is `reading`, lines in every other phase."""

    phase: str
    done: Count
    total: Count


class ImportInput(BaseModel):
    """How the import was asked for."""

    format: FileFormat
    size: Annotated[int, Field(ge=0, description="Bytes of the file.")]
    sha256: str
    dry_run: bool
    on_error: OnError
    project_id: UUID | None
    source: str | None
    columns: dict[str, str]


class JobProblem(BaseModel):
    """Why something was not done: a code of [docs/problems.md], and in words."""

    code: str
    detail: str
    pointer: str | None = None
    value: Any = None


class JobDocument(BaseModel):
    """A job as it stands. `counts` is there once it has ended; `position` is where the log stood when it last wrote."""

    id: UUID
    kind: JobKind
    state: JobState
    input: ImportInput
    progress: JobProgress
    counts: dict[str, Count]
    problem: JobProblem | None
    position: Position
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class JobPage(BaseModel):
    """A page of jobs, the newest first."""

    items: list[JobDocument]
    next_cursor: str | None


class ReportLineDocument(BaseModel):
    """What became of a line of the file, by its number, and what is wrong with it."""

    line: Annotated[int, Field(ge=1)]
    verdict: LineVerdict
    task_id: UUID | None
    problems: list[JobProblem]


class ReportPage(BaseModel):
    """A page of the report, in the order of the lines."""

    items: list[ReportLineDocument]
    next_cursor: str | None


def shown(job: Job) -> dict[str, Any]:
    """A job as a document."""
    input_ = {name: job.input.get(name) for name in ("format", "size", "sha256", "dry_run", "on_error", "project_id")}
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "input": {**input_, "source": job.input.get("named"), "columns": job.input["mapping"]},
        "progress": {"phase": job.phase, "done": job.done, "total": job.total},
        "counts": {} if job.finished_at is None else job.counts,
        "problem": job.problem,
        "position": job.position,
        "created_by": job.owner_id,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "finished_at": job.finished_at,
    }


def report_rows(line: ReportLine) -> Iterator[list[object]]:
    """A line of the report as records of CSV, one a problem, or one where there is none: no text begins a formula."""
    nothing: list[dict[str, Any]] = [{}]
    for told in line.problems or nothing:
        texts = [escape(str(told.get(name) or "")) for name in ("code", "pointer", "detail")]
        yield [line.line, line.verdict, line.task_id, *texts]
