"""The checklist of a task."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read
from api.seeing import see_part
from api.talk import ChecklistDocument, ItemPatch, NewItem
from commands.checklist import AddItem, ChangeItem, RemoveItem
from commands.deciding import Command
from commands.ids import new_id
from domain.checklist import Checklist
from domain.policy import Action
from domain.talk import Part

_PATH = "/tasks/{task_id}/checklist"

commands = APIRouter(prefix=_PATH, tags=["checklists"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["checklists"])

_COMMAND: Any = {
    "response_model": ChecklistDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}


@reads.get(
    "",
    operation_id="getChecklist",
    summary="Get the checklist of a task",
    response_model=ChecklistDocument,
    responses=problems_of(400, 401, 404, 422, 503),
)
@guarded(Action.TASK_READ)
async def get_checklist(read: Read, task_id: UUID) -> Response:
    """Its items in their order; always current."""
    task, checklist, position = await see_part(read, str(task_id), Part.CHECKLIST, Checklist)
    version = 0 if checklist is None else checklist.version
    return read.answer(msgspec.json.encode(_document(task.id, checklist)), position, version)


@commands.post("", status_code=201, operation_id="addChecklistItem", summary="Add an item", **_COMMAND)
@guarded(Action.CHECKLIST_CHANGE)
async def add_item(call: CommandCall, task_id: UUID, body: NewItem) -> Answer:
    """At the end, unless `after` says otherwise. Answers the whole list; `Location` names the item."""
    after = _after(body)
    answer = await _answer(call, str(task_id), AddItem(str(task_id), new_id(), body.text, after))
    checklist = answer.receipt.state
    assert isinstance(checklist, Checklist)
    made = next((item.id for item in checklist.items if item.added == answer.receipt.version), None)
    return answer._replace(made=made)


@commands.patch("/{item_id}", operation_id="changeChecklistItem", summary="Change, check or move an item", **_COMMAND)
@guarded(Action.CHECKLIST_CHANGE)
async def change_item(call: CommandCall, task_id: UUID, item_id: UUID, body: ItemPatch) -> Answer:
    """A merge patch (RFC 7396): what is absent stays. `after` null makes it the first. Answers the whole list."""
    given = body.model_fields_set
    command = ChangeItem(
        str(task_id),
        str(item_id),
        text=body.text if "text" in given else UNSET,
        checked=body.checked if "checked" in given else UNSET,
        after=_after(body),
    )
    return await _answer(call, str(task_id), command)


@commands.delete("/{item_id}", operation_id="removeChecklistItem", summary="Remove an item", **_COMMAND)
@guarded(Action.CHECKLIST_CHANGE)
async def remove_item(call: CommandCall, task_id: UUID, item_id: UUID) -> Answer:
    """Answers the whole list."""
    return await _answer(call, str(task_id), RemoveItem(str(task_id), str(item_id)))


async def _answer(call: CommandCall, task_id: str, command: Command) -> Answer:
    receipt, checklist = await call.change(command, Checklist)
    return Answer(receipt, _document(task_id, checklist))


def _document(task_id: str, checklist: Checklist | None) -> dict[str, Any]:
    items = () if checklist is None else checklist.items
    return {
        "task_id": task_id,
        "version": 0 if checklist is None else checklist.version,
        "items": [
            {name: getattr(item, name) for name in ("id", "text", "checked", "checked_by", "checked_at")}
            for item in items
        ],
        "total": len(items),
        "checked": sum(item.checked for item in items),
    }


def _after(body: NewItem | ItemPatch) -> Any:
    if "after" not in body.model_fields_set:
        return UNSET
    return None if body.after is None else str(body.after)
