"""Tasks: commands, lists, search and history."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, Commanding, CommandRoute
from api.dates import day
from api.documents import (
    AssignBody,
    AssigneeBody,
    EmptyBody,
    HistoryPage,
    HowBody,
    MoveBody,
    NewSubtask,
    NewTask,
    ReasonBody,
    TaskDocument,
    TaskPage,
    TaskPatch,
    text,
)
from api.finding import ListFilters
from api.listing import listed
from api.openapi import problems_of
from api.policies import guarded
from api.questions import ask, parsed
from api.reading import AS_OF, PositionOrMoment, Read, Reading, next_link
from api.services import ROLE_AGE_SECONDS
from api.tagging import book_of, respelled
from api.workflows import OptionsDocument
from commands.deciding import task_not_found
from commands.ids import new_id
from commands.options import options
from commands.task import (
    AssignTask,
    CreateTask,
    DeleteTask,
    EditTask,
    MoveTask,
    RestoreTask,
    UnassignTask,
)
from domain.policy import Action, audience, eyes, may
from domain.task import Task
from domain.task_fields import Assignee, Priority
from domain.workflow import Category
from projections import history, log, past, tasks

commands = APIRouter(prefix="/tasks", tags=["tasks"], route_class=CommandRoute)
reads = APIRouter(prefix="/tasks", tags=["tasks"])

COMMAND: Any = {
    "response_model": TaskDocument,
    "responses": problems_of(404, 409),
}
CREATE: Any = COMMAND | {"responses": problems_of(409)}
READ: Any = {"responses": problems_of(404)}


def fields_of(body: NewSubtask) -> dict[str, Any]:
    """Every field that a body can set, in the domain's terms, but where the task belongs."""
    return {
        "title": body.title,
        "description": body.description,
        "priority": body.priority,
        "start_at": text(body.start_at),
        "due_at": text(body.due_at),
        "due_on": day(body.due_on),
        "due_zone": body.due_zone,
        "tags": tuple(body.tags),
        "estimate_minutes": body.estimate_minutes,
        "assignee": _assignee(body.assignee),
    }


def _where(body: NewTask) -> dict[str, Any]:
    return {"project_id": _id(body.project_id), "parent_id": _id(body.parent_id)}


def _assignee(body: AssigneeBody | None) -> Assignee | None:
    return None if body is None else Assignee(type=body.type, id=str(body.id))


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


@commands.post("", status_code=201, operation_id="createTask", summary="Create a task", **CREATE)
@guarded(Action.TASK_CREATE)
async def create_task(call: CommandCall, body: NewTask) -> Answer:
    """Answers 201 with the task and its `Location`."""
    return await call.execute(CreateTask(task_id=new_id(), **fields_of(body), **_where(body)))


@commands.put("/{task_id}", operation_id="replaceTask", summary="Replace what can be edited", **COMMAND)
@guarded(Action.TASK_EDIT)
async def replace_task(call: CommandCall, task_id: UUID, body: NewTask) -> Answer:
    """Takes the same body as a creation; what is absent gets its default. The status changes by moves only."""
    return await call.execute(EditTask(task_id=str(task_id), **fields_of(body), **_where(body)))


@commands.patch("/{task_id}", operation_id="editTask", summary="Edit some fields", **COMMAND)
@guarded(Action.TASK_EDIT)
async def edit_task(call: CommandCall, task_id: UUID, body: TaskPatch) -> Answer:
    """A merge patch (RFC 7396): null gives back the default of a field that has one.

    `parent_id` moves the task, with all below it, below another one or, null, below none.
    """
    given = body.model_fields_set
    return await call.execute(
        EditTask(
            task_id=str(task_id),
            title=body.title if "title" in given else UNSET,
            description=(body.description or "") if "description" in given else UNSET,
            priority=(body.priority or Priority.NORMAL) if "priority" in given else UNSET,
            start_at=text(body.start_at) if "start_at" in given else UNSET,
            due_at=text(body.due_at) if "due_at" in given else UNSET,
            due_on=day(body.due_on) if "due_on" in given else UNSET,
            due_zone=body.due_zone if "due_zone" in given else UNSET,
            tags=tuple(body.tags or ()) if "tags" in given else UNSET,
            estimate_minutes=body.estimate_minutes if "estimate_minutes" in given else UNSET,
            assignee=_assignee(body.assignee) if "assignee" in given else UNSET,
            project_id=_id(body.project_id) if "project_id" in given else UNSET,
            parent_id=_id(body.parent_id) if "parent_id" in given else UNSET,
        )
    )


@commands.delete("/{task_id}", operation_id="deleteTask", summary="Put a task in the trash", **COMMAND)
@guarded(Action.TASK_DELETE)
async def delete_task(call: CommandCall, task_id: UUID, subtasks: bool = False) -> Answer:
    """It answers 404 from then on, except to `restore`, its history and the list of the trash.

    One that has subtasks goes there only with them, by `?subtasks=true`.
    """
    return await call.execute(DeleteTask(task_id=str(task_id), subtasks=subtasks))


@commands.post("/{task_id}/restore", operation_id="restoreTask", summary="Take it out of the trash", **COMMAND)
@guarded(Action.TASK_RESTORE)
async def restore_task(call: CommandCall, task_id: UUID, body: ReasonBody = ReasonBody()) -> Answer:  # noqa: B008
    """Everything is as it was before it was deleted, and what was deleted with it is there again too."""
    return await call.execute(RestoreTask(task_id=str(task_id), reason=body.reason))


@commands.post("/{task_id}/assign", operation_id="assignTask", summary="Assign to a member or a team", **COMMAND)
@guarded(Action.TASK_ASSIGN)
async def assign_task(call: CommandCall, task_id: UUID, body: AssignBody) -> Answer:
    """Assigning twice is one event."""
    return await call.execute(AssignTask(task_id=str(task_id), assignee=body.assignee))


@commands.post("/{task_id}/unassign", operation_id="unassignTask", summary="Take it from its assignee", **COMMAND)
@guarded(Action.TASK_UNASSIGN)
async def unassign_task(call: CommandCall, task_id: UUID, body: EmptyBody = EmptyBody()) -> Answer:  # noqa: B008
    """Nothing changes when nobody has it."""
    return await call.execute(UnassignTask(task_id=str(task_id)))


@commands.post("/{task_id}/moves", operation_id="moveTask", summary="Make any move of its workflow", **COMMAND)
@guarded(Action.TASK_MOVE)
async def move_task(call: CommandCall, task_id: UUID, body: MoveBody) -> Answer:
    """409 `task.illegal_move` names the moves that are allowed.

    `Taskfold-Warning: task.blocked` says that open tasks block what was started or completed.
    """
    return await _move(call, task_id, body.move, body)


async def _move(call: Commanding, task_id: UUID, move: str, body: HowBody) -> Answer:
    answer = await call.execute(
        MoveTask(
            task_id=str(task_id),
            move=move,
            reason=body.reason,
            close_subtasks=body.close_subtasks,
            override=body.override,
        )
    )
    task = answer.body
    assert isinstance(task, Task)
    # Read from the task as it is answered, so that a retry is warned as the first try was.
    if task.links and task.category in (Category.ACTIVE, Category.DONE) and task.open_blockers:
        return answer._replace(warning=b"task.blocked")
    return answer


_MOVE = "A move of the standard workflow. 409 `task.illegal_move` names those that are allowed."


@reads.get(
    "/{task_id}/moves",
    operation_id="listMoves",
    summary="The moves it can make now",
    response_model=OptionsDocument,
    **READ,
)
@guarded(Action.TASK_READ)
async def list_moves(read: Read, task_id: UUID) -> Response:
    """The moves of its workflow that leave its status; `why_not` says why you cannot make one now, if you cannot."""
    async with read.of("tasks") as connection:
        position = await log.head(connection, read.workspace_id)
    found = await read.services.executor.ask(
        lambda context: options(context, str(task_id)), read.workspace_id, read.user.id
    )
    return read.answer(msgspec.json.encode(found), position, found.version)


def _move_route(move: str) -> None:
    """The standard moves have a path each."""

    @guarded(Action.TASK_MOVE)
    async def move_task(call: CommandCall, task_id: UUID, body: HowBody = HowBody()) -> Answer:  # noqa: B008
        return await _move(call, task_id, move, body)

    told: Any = {"operation_id": f"{move}Task", "summary": f"{move.capitalize()} it", "description": _MOVE}
    commands.post(f"/{{task_id}}/{move}", **told, **COMMAND)(move_task)


for _name in ("start", "pause", "complete", "cancel", "reopen"):
    _move_route(_name)


@reads.get("", operation_id="listTasks", summary="List tasks", response_model=TaskPage)
@guarded(Action.TASK_READ)
async def list_tasks(request: Request, read: Read, filters: Annotated[ListFilters, Query()]) -> Response:
    """The tasks you may see, newest first unless `sort` says otherwise, by pages that stay right while rows move."""
    return await listed(request, read, await ask(read, filters, parsed(filters.q), filters.sort))


@reads.get("/{task_id}", operation_id="getTask", summary="Get a task", response_model=TaskDocument, **READ)
@guarded(Action.TASK_READ)
async def get_task(
    read: Read, task_id: Annotated[UUID, Path()], as_of: Annotated[PositionOrMoment | None, AS_OF] = None
) -> Response:
    """The task as it is now, also what you have just written is in it; or as it was, if you may read its history."""
    async with read.of("tasks") as connection:
        task, position = await tasks.get(connection, read.workspace_id, str(task_id))
    if task is not None and (task.purged_at or not _visible(read, audience(task))):
        task = None
    shown, reached = position, position
    if (moment := await read.as_of(as_of)) is not None:
        await read.check_moment(moment)
        shown = moment.position
        task = None if task is None else await _past(read, task.id, shown)
    if task is None or task.deleted_at:
        raise task_not_found()
    document = msgspec.json.encode(task)
    if task.tags and moment is None:
        book = await book_of(read, ROLE_AGE_SECONDS)
        document = respelled(book, [document.decode()])[0].encode()
    return read.answer(document, shown, task.version, reached=reached)


@reads.get(
    "/{task_id}/history",
    operation_id="getTaskHistory",
    summary="A task's history",
    response_model=HistoryPage,
    **READ,
)
@guarded(Action.TASK_READ)
async def get_history(
    request: Request,
    read: Read,
    task_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,9}$")] = None,
) -> Response:
    """Its events, oldest first, with what each one changed; also of a task in the trash.

    Of one that was taken out of there for good, only who may audit reads it.
    """
    async with read.of("tasks") as connection:
        position = await log.head(connection, read.workspace_id)
        events = await history.read(connection, read.workspace_id, str(task_id))
    if not events or not _visible(read, history.owners(events)):
        raise task_not_found()
    if history.purged(events) and not may(read.user.role, Action.TASK_AUDIT):
        raise task_not_found()
    after = int(cursor or 0)
    items = [entry for entry in history.entries(events) if entry["version"] > after]
    next_cursor = str(items[limit - 1]["version"]) if len(items) > limit else None
    body = msgspec.json.encode({"items": items[:limit], "next_cursor": next_cursor})
    return read.answer(body, position, events[-1].version, next_link(request, next_cursor))


async def _past(read: Reading, task_id: str, position: int) -> Task | None:
    async with read.services.pool.connection() as connection:
        states = await past.states_at(connection, read.workspace_id, [task_id], position)
    return states.get(task_id)


def _visible(read: Reading, owners: frozenset[str]) -> bool:
    return eyes(read.user).see(owners)
