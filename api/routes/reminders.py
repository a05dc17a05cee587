"""Reminders at a task, each of one member for themselves."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import text
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read
from api.reminders import NewReminder, ReminderDocument, ReminderList, RemindersDocument
from api.seeing import see_part
from api.services import ROLE_AGE_SECONDS
from commands.ids import new_id
from commands.reminder import AddReminder, RemoveReminder, reminder_not_found
from domain.dates import NONE, Dates
from domain.policy import Action
from domain.reminder import Reminder, Reminders
from domain.talk import Part
from domain.task import Task

_PATH = "/tasks/{task_id}/reminders"

commands = APIRouter(prefix=_PATH, tags=["reminders"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["reminders"])

_PROBLEMS: Any = problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503)


@reads.get(
    "",
    operation_id="listReminders",
    summary="List your reminders at a task",
    response_model=ReminderList,
    responses=problems_of(400, 401, 404, 422, 503),
)
@guarded(Action.REMINDER_CHANGE)
async def list_reminders(read: Read, task_id: UUID) -> Response:
    """Your own, in the order in which you added them. Always current."""
    task, reminders, position = await see_part(read, str(task_id), Part.REMINDERS, Reminders)
    own = [] if reminders is None else reminders.of(read.user.id)
    items = [_document(task.id, each, task.dates) for each in own]
    version = 0 if reminders is None else reminders.version
    return read.answer(msgspec.json.encode({"items": items, "next_cursor": None}), position, version)


@commands.post(
    "",
    status_code=201,
    operation_id="addReminder",
    summary="Be reminded of a task",
    response_model=ReminderDocument,
    responses=_PROBLEMS,
)
@guarded(Action.REMINDER_CHANGE)
async def add_reminder(call: CommandCall, task_id: UUID, body: NewReminder) -> Answer:
    """You alone are told, once, by a notification with the reason `reminded`, if the task is open then.

    What is due in the past is told at once. The `ETag` is the version of the reminders at the task.
    """
    command = AddReminder(str(task_id), new_id(), text(body.at), body.relative_to, body.minutes_before)
    receipt, reminders = await call.change(command, Reminders)
    added = next((each for each in reminders.reminders if each.added == receipt.version), None)
    if added is None:  # a retry, and what was done then was erased meanwhile
        raise reminder_not_found()
    task = await call.services.streams.current(call.call.workspace_id, command.task_id, ROLE_AGE_SECONDS)
    dates = task.dates if isinstance(task, Task) else NONE
    return Answer(receipt, _document(command.task_id, added, dates), made=added.id)


@commands.delete(
    "/{reminder_id}",
    operation_id="removeReminder",
    summary="Be reminded no more",
    response_model=RemindersDocument,
    responses=_PROBLEMS,
)
@guarded(Action.REMINDER_CHANGE)
async def remove_reminder(call: CommandCall, task_id: UUID, reminder_id: UUID) -> Answer:
    """Your own; of anybody else's you are told that there is none."""
    receipt, reminders = await call.change(RemoveReminder(str(task_id), str(reminder_id)), Reminders)
    own = len(reminders.of(call.call.actor_id))
    return Answer(receipt, {"task_id": str(task_id), "version": reminders.version, "own": own})


def _document(task_id: str, reminder: Reminder, dates: Dates) -> dict[str, Any]:
    return {
        "id": reminder.id,
        "task_id": task_id,
        "at": reminder.at,
        "relative_to": reminder.relative_to,
        "minutes_before": reminder.minutes_before,
        "fires_at": reminder.fires_at(dates),
        "fired_for": reminder.fired_for,
    }
