"""Watchers of tasks."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read
from api.seeing import see_part
from api.talk import WatchedDocument, WatcherList
from commands.watching import Unwatch, Watch
from domain.policy import Action
from domain.talk import Part
from domain.watching import Watching, watchers

_PATH = "/tasks/{task_id}/watchers"

commands = APIRouter(prefix=_PATH, tags=["watchers"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["watchers"])

_COMMAND: Any = {
    "response_model": WatchedDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}


@reads.get(
    "",
    operation_id="listWatchers",
    summary="List who watches a task",
    response_model=WatcherList,
    responses=problems_of(400, 401, 404, 422, 503),
)
@guarded(Action.TASK_READ)
async def list_watchers(read: Read, task_id: UUID) -> Response:
    """Creator and assignee, unless they were taken out, and who was added; always current."""
    task, watching, position = await see_part(read, str(task_id), Part.WATCHING, Watching)
    items = [{"user_id": user_id, "why": why} for user_id, why in watchers(task, watching).items()]
    body = msgspec.json.encode({"items": items, "next_cursor": None})
    return read.answer(body, position, 0 if watching is None else watching.version)


@commands.put("/{user_id}", operation_id="addWatcher", summary="Watch it, or let somebody", **_COMMAND)
@guarded(Action.WATCHER_ADD)
async def add_watcher(call: CommandCall, task_id: UUID, user_id: UUID) -> Answer:
    """Oneself; leads, managers and admins also others who see the task."""
    return await _answer(call, Watch(str(task_id), str(user_id)))


@commands.delete("/{user_id}", operation_id="removeWatcher", summary="Watch it no more", **_COMMAND)
@guarded(Action.WATCHER_REMOVE)
async def remove_watcher(call: CommandCall, task_id: UUID, user_id: UUID) -> Answer:
    """Oneself; leads, managers and admins also others. Creator and assignee too, until they are added again."""
    return await _answer(call, Unwatch(str(task_id), str(user_id)))


async def _answer(call: CommandCall, command: Watch | Unwatch) -> Answer:
    receipt, watching = await call.change(command, Watching)
    why = watching.added.get(command.user_id)
    body = {"task_id": command.task_id, "user_id": command.user_id, "watching": why is not None, "why": why}
    return Answer(receipt, body)
