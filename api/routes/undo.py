"""Taking commands back."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api import inbox, untagging
from api.commanding import Answer, CommandCall, Commanding, CommandRoute
from api.documents import Body, TaskDocument
from api.inbox import Position
from api.openapi import problems_of
from api.policies import guarded
from api.scopes import Scope, check
from api.tokens import Identity
from commands.undo import Undo
from commands.undoing import Undone, Written
from domain.errors import Forbidden
from domain.policy import Action
from domain.task import Task
from domain.undo import DAYS

commands = APIRouter(prefix="/undo", tags=["undo"], route_class=CommandRoute)


class UndoBody(Body):
    """Which command: by the position of any event that it wrote, such as the `Taskfold-Position` of its answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"position": 42}]})

    position: Position
    whole: Annotated[
        bool,
        Field(description="All that its request wrote, as one: of a batch in parts, or of a bulk edit."),
    ] = False
    dry_run: Annotated[bool, Field(description="Do nothing, but say what would be done, or why not.")] = False


class EventDocument(BaseModel):
    """An event: what happened, in which stream; `position` is null where it would only be written."""

    position: int | None
    type: str
    stream_id: UUID


class UndoDocument(BaseModel):
    """What is taken back, and what was written for that; the task that it was about, if it was one."""

    undone: list[EventDocument]
    written: list[EventDocument]
    task: TaskDocument | None


@commands.post(
    "",
    operation_id="undo",
    summary="Take a command back",
    description=f"""
All that one command of the last {DAYS} days wrote, by events that say the opposite; a batch of which all or nothing was
to be done is one. With `whole` it is all that the same request wrote, also by other commands: what has its
`X-Request-Id`, by the same user, near it in the log. For who gave the command, and for managers and admins; what it
means now must be allowed to them as well. Refused where what it set has changed since (409 `undo.changed_since` says
what, by whom and when) or something depends on it. To do it again, take the undo back. A personal token needs the scope
`admin` for what it could do only with that.
""".strip(),
    response_model=UndoDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.UNDO)
async def undo(call: CommandCall, body: UndoBody) -> Answer:
    """See above."""
    undoing = call.services.undoing
    command = await undoing.find(call.call, body.position, whole=body.whole)
    if call.identity is not None and command.is_administrative:
        await _check_scope(call, call.identity, command)
    for looking in (untagging, inbox):
        await looking.look_back(call.services, call.call, command)
    if body.dry_run:
        found = await undoing.preview(call.call, command)
        more = await untagging.foresee(call.services, call.call, command)
    else:
        found = await undoing.undo(call.call, command)
        await untagging.follow(call.services, call.call, command)
        more = await untagging.followed(call.services, call.call, found.written)
    return Answer(found.receipt, _document(found._replace(written=[*found.written, *more])))


async def _check_scope(call: Commanding, identity: Identity, command: Undo) -> None:
    """Raises `Forbidden` `auth.scope`; `NotFound` where the owner of the token does not see what it is about."""
    try:
        check(identity, Scope.ADMIN)
    except Forbidden:
        await call.services.executor.ask(command.check_may, identity.workspace_id, identity.user_id)
        raise


def _document(found: Undone) -> dict[str, Any]:
    state = found.receipt.state
    return {
        "undone": [_event(each) for each in found.undone],
        "written": [_event(each) for each in found.written],
        "task": state if isinstance(state, Task) else None,
    }


def _event(event: Written) -> dict[str, Any]:
    return event._asdict()
