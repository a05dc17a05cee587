"""The hours spent on a task."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from api.seeing import see_part
from api.talk import EntryDocument, EntryPage, EntryPatch, NewEntry, TimesheetDocument
from commands.ids import new_id
from commands.timesheet import AddEntry, EditEntry, RemoveEntry, entry_not_found
from domain.policy import Action
from domain.talk import Part
from domain.timesheet import Entry, Timesheet, minutes_by_user

_PATH = "/tasks/{task_id}/time-entries"

commands = APIRouter(prefix=_PATH, tags=["time"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["time"])

_PROBLEMS: Any = problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503)


@reads.get(
    "",
    operation_id="listTimeEntries",
    summary="List the hours spent on a task",
    response_model=EntryPage,
    responses=problems_of(400, 401, 404, 422, 503),
)
@guarded(Action.TASK_READ)
async def list_entries(
    request: Request,
    read: Read,
    task_id: UUID,
    user_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,9}$")] = None,
) -> Response:
    """In the order in which they were added, of one user or all; the sums are of the whole task. Always current."""
    task, timesheet, position = await see_part(read, str(task_id), Part.TIMESHEET, Timesheet)
    entries = () if timesheet is None else timesheet.entries
    left = [entry for entry in entries if entry.added > int(cursor or 0) and user_id in (None, UUID(entry.user_id))]
    next_cursor = str(left[limit - 1].added) if len(left) > limit else None
    items = [_document(task.id, entry) for entry in left[:limit]]
    body = {"items": items, "next_cursor": next_cursor, **_sums(entries)}
    version = 0 if timesheet is None else timesheet.version
    return read.answer(msgspec.json.encode(body), position, version, next_link(request, next_cursor))


@commands.post(
    "",
    status_code=201,
    operation_id="addTimeEntry",
    summary="Write down work",
    response_model=EntryDocument,
    responses=_PROBLEMS,
)
@guarded(Action.TIME_ADD)
async def add_entry(call: CommandCall, task_id: UUID, body: NewEntry) -> Answer:
    """One's own, on whatever day. The `ETag` is the version of the task's timesheet."""
    command = AddEntry(str(task_id), new_id(), body.minutes, body.on.isoformat(), body.note)
    receipt, timesheet = await call.change(command, Timesheet)
    entry = next((entry for entry in timesheet.entries if entry.added == receipt.version), None)
    return Answer(receipt, _document(command.task_id, entry), made=None if entry is None else entry.id)


@commands.patch(
    "/{entry_id}",
    operation_id="editTimeEntry",
    summary="Correct an entry",
    response_model=EntryDocument,
    responses=_PROBLEMS,
)
@guarded(Action.TIME_CHANGE)
async def edit_entry(call: CommandCall, task_id: UUID, entry_id: UUID, body: EntryPatch) -> Answer:
    """One's own; leads, managers and admins anybody's. A merge patch (RFC 7396): null empties the note."""
    given = body.model_fields_set
    command = EditEntry(
        str(task_id),
        str(entry_id),
        minutes=body.minutes if "minutes" in given else UNSET,
        on=body.on.isoformat() if "on" in given else UNSET,
        note=(body.note or "") if "note" in given else UNSET,
    )
    receipt, timesheet = await call.change(command, Timesheet)
    return Answer(receipt, _document(command.task_id, timesheet.entry(command.entry_id)))


@commands.delete(
    "/{entry_id}",
    operation_id="removeTimeEntry",
    summary="Remove an entry",
    response_model=TimesheetDocument,
    responses=_PROBLEMS,
)
@guarded(Action.TIME_CHANGE)
async def remove_entry(call: CommandCall, task_id: UUID, entry_id: UUID) -> Answer:
    """One's own; leads, managers and admins anybody's. Answers the sums of what is left."""
    receipt, timesheet = await call.change(RemoveEntry(str(task_id), str(entry_id)), Timesheet)
    body = {"task_id": str(task_id), "version": timesheet.version, **_sums(timesheet.entries)}
    return Answer(receipt, body)


def _document(task_id: str, entry: Entry | None) -> dict[str, Any]:
    if entry is None:  # a retry, and what was done then was erased meanwhile
        raise entry_not_found()
    fields = ("id", "user_id", "minutes", "on", "note", "created_at", "updated_at")
    return {"task_id": task_id, **{name: getattr(entry, name) for name in fields}}


def _sums(entries: tuple[Entry, ...]) -> dict[str, Any]:
    by_user = minutes_by_user(entries)
    return {
        "total_minutes": sum(by_user.values()),
        "by_user": [{"user_id": user_id, "minutes": minutes} for user_id, minutes in by_user.items()],
    }
