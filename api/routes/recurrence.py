"""How a task recurs, and the series that it is of."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import HistoryPage
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, Reading, next_link
from api.recurrence import OccurrenceList, RecurrenceBody, RecurrenceDocument, SkipBody, document, preview, shown
from commands.deciding import Command
from commands.recurrence import SetRecurrence, SkipOccurrence, StopRecurrence, series_seen
from domain.instant import instant
from domain.policy import Action
from domain.recurrence import PREVIEW_MAX
from domain.series import Series, series_of
from domain.task import Task
from projections import history, log
from projections.series import SERIES

_PATH = "/tasks/{task_id}"

commands = APIRouter(prefix=_PATH, tags=["recurrence"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["recurrence"])

_COMMAND: Any = {
    "response_model": RecurrenceDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}
_READ: Any = {"responses": problems_of(400, 401, 404, 422, 503)}


@reads.get(
    "/recurrence", operation_id="getRecurrence", summary="How a task recurs", response_model=RecurrenceDocument, **_READ
)
@guarded(Action.TASK_READ)
async def get_recurrence(read: Read, task_id: UUID) -> Response:
    """The series of the task, for whoever sees its latest one; always current."""
    series, position = await _seen(read, task_id)
    return read.answer(msgspec.json.encode(document(series)), position, series.version)


@reads.get(
    "/recurrence/preview",
    operation_id="previewRecurrence",
    summary="The occurrences to come",
    response_model=OccurrenceList,
    **_READ,
)
@guarded(Action.TASK_READ)
async def preview_recurrence(
    read: Read, task_id: UUID, n: Annotated[int, Query(ge=1, le=PREVIEW_MAX)] = 10
) -> Response:
    """The next `n`, without those that are skipped. These are the ones that are then made."""
    series, position = await _seen(read, task_id)
    return read.answer(msgspec.json.encode(preview(series, n)), position, series.version)


@reads.get("/series", operation_id="getSeriesHistory", summary="A series' history", response_model=HistoryPage, **_READ)
@guarded(Action.TASK_READ)
async def get_series_history(
    request: Request,
    read: Read,
    task_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,9}$")] = None,
) -> Response:
    """Every rule, and every occurrence that was made, skipped or missed, oldest first. Its tasks: `?series_id=`.

    Of what each occurrence is like you see no reminders of others, and of subtasks those that are visible to you.
    """
    series, position = await _seen(read, task_id)
    async with read.of("tasks") as connection:
        events = await history.read(connection, read.workspace_id, series.id, SERIES)
    items, next_cursor = history.cut(history.entries(events, SERIES), int(cursor or 0), limit)
    body = msgspec.json.encode({"items": [shown(item, read.user) for item in items], "next_cursor": next_cursor})
    return read.answer(body, position, events[-1].version, next_link(request, next_cursor))


@commands.put("/recurrence", operation_id="setRecurrence", summary="Let a task recur", **_COMMAND)
@guarded(Action.TASK_EDIT)
async def set_recurrence(call: CommandCall, task_id: UUID, body: RecurrenceBody) -> Answer:
    """The task is the first occurrence, and gets its date. Sent to the latest one of a series: for it and what follows.

    What follows is as the task is now. The `ETag` is the version of the series.
    """
    command = SetRecurrence(
        str(task_id),
        await _series_id(call, task_id),
        body.rule,
        instant(datetime.now(UTC)),
        mode=body.mode,
        zone=body.zone,
        starts=body.starts,
    )
    return await _answer(call, command)


@commands.delete("/recurrence", operation_id="stopRecurrence", summary="Let nothing follow", **_COMMAND)
@guarded(Action.TASK_EDIT)
async def stop_recurrence(call: CommandCall, task_id: UUID) -> Answer:
    """The tasks that were made stay. Setting the recurrence of the latest one goes on with the series."""
    return await _answer(call, StopRecurrence(str(task_id), await _series_id(call, task_id)))


@commands.post("/recurrence/skip", operation_id="skipOccurrence", summary="Leave an occurrence out", **_COMMAND)
@guarded(Action.TASK_EDIT)
async def skip_occurrence(call: CommandCall, task_id: UUID, body: SkipBody) -> Answer:
    """One of the next hundred of the preview. One that is a task already is cancelled instead."""
    occurrence = instant(body.occurrence)
    return await _answer(call, SkipOccurrence(str(task_id), await _series_id(call, task_id), occurrence))


async def _seen(read: Reading, task_id: UUID) -> tuple[Series, int]:
    """The series of a task that the reader sees, and the position that shows it. Raises `NotFound`."""
    async with read.of("tasks") as connection:
        position = await log.head(connection, read.workspace_id)
    series = await read.services.executor.ask(
        lambda context: series_seen(context, str(task_id)), read.workspace_id, read.user.id
    )
    return series, position


async def _series_id(call: CommandCall, task_id: UUID) -> str:
    """The series that a command is about: a task has one for ever. What the caller may do the command decides."""
    task = await call.services.streams.current(call.call.workspace_id, str(task_id), 0)
    known = task.series_id if isinstance(task, Task) else None
    return known or series_of(str(task_id))


async def _answer(call: CommandCall, command: Command) -> Answer:
    answer = await call.execute(command)
    series = answer.body
    assert isinstance(series, Series)
    return Answer(answer.receipt, document(series))
