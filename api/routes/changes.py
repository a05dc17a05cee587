"""The change feed: what sockets push, as pages, for clients without sockets. It never expires."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.documents import ChangePage
from api.policies import guarded
from api.reading import POSITION_MAX, Read, next_link
from domain.errors import Invalid
from domain.messages import TaskChange
from domain.policy import Action, eyes
from projections import changes
from projections.changes import seen

router = APIRouter(tags=["changes"])

SCANNED = 2_000  # positions folded for one page at the most: a reader who sees little gets short pages


@router.get(
    "/changes",
    operation_id="listChanges",
    summary="Read the change feed",
    response_model=ChangePage,
)
@guarded(Action.TASK_READ)
async def list_changes(
    request: Request,
    read: Read,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=19, pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """Every change that you may see past `after`, in order.

    `position` is what the page is complete up to: the `after` of the next read. `next_cursor` is null at the end.
    """
    start = after if cursor is None else int(cursor)
    async with read.of("tasks") as connection:
        part = await changes.read(connection, read.workspace_id, start, SCANNED)
    if start > part.head:
        raise Invalid("position.beyond_head", "/query/after", f"must be at most {part.head}, the end of the log", start)
    frames = [frame for change in part.tasks if (frame := _document(change, read)) is not None]
    position = part.to
    if len(frames) > limit:
        frames = frames[:limit]
        position = frames[-1][0]
    next_cursor = str(position) if position < part.head else None
    return read.answer(_page(frames, next_cursor, position), part.head, headers=next_link(request, next_cursor))


def _document(change: TaskChange, read: Read) -> tuple[int, str] | None:
    head = f'"position":{change.position},"task_id":"{change.task_id}"'
    match seen(change, eyes(read.user)):
        case "upsert":
            return change.position, f'{{"op":"upsert",{head},"task":{bytes(change.task).decode()}}}'
        case "removed":
            return change.position, f'{{"op":"removed",{head}}}'
        case _:
            return None


def _page(frames: list[tuple[int, str]], next_cursor: str | None, position: int) -> bytes:
    cursor: Any = "null" if next_cursor is None else f'"{next_cursor}"'
    items = ",".join(document for _, document in frames)
    return f'{{"items":[{items}],"next_cursor":{cursor},"position":{position}}}'.encode()
