"""Comments on tasks, in threads."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import HistoryPage
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from api.seeing import see_task
from api.talk import CommentDocument, CommentPage, CommentPatch, NewComment
from commands.comment import DeleteComment, EditComment, PostComment, comment_not_found
from commands.ids import new_id
from domain.comment import Comment
from domain.policy import Action, may
from projections import comments, history, log
from projections.comments import COMMENTS, Thread

_PATH = "/tasks/{task_id}/comments"

commands = APIRouter(prefix=_PATH, tags=["comments"], route_class=CommandRoute)
reads = APIRouter(prefix=_PATH, tags=["comments"])

_COMMAND: Any = {
    "response_model": CommentDocument,
    "responses": problems_of(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
}
_READ_PROBLEMS: Any = problems_of(400, 401, 404, 422, 503)


@reads.get(
    "", operation_id="listComments", summary="List comments", response_model=CommentPage, responses=_READ_PROBLEMS
)
@guarded(Action.TASK_READ)
async def list_comments(
    request: Request,
    read: Read,
    task_id: UUID,
    thread: Annotated[UUID | None, Query(description="The comment that began it: that one and the answers.")] = None,
    sort: Annotated[
        Literal["created_at", "-created_at"], Query(openapi_examples={"newest first": {"value": "-created_at"}})
    ] = "created_at",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> Response:
    """The comments on a task and the answers to them, oldest first unless `sort` says otherwise."""
    wanted = Thread(
        str(task_id),
        None if thread is None else str(thread),
        None if cursor is None else str(cursor),
        newest_first=sort == "-created_at",
    )
    async with read.of("comments") as connection:
        await see_task(read, connection, wanted.task_id)
        found, position = await comments.page(connection, read.workspace_id, wanted, limit + 1)
    next_cursor = found[limit - 1].id if len(found) > limit else None
    body = msgspec.json.encode({"items": found[:limit], "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{comment_id}",
    operation_id="getComment",
    summary="Get a comment",
    response_model=CommentDocument,
    responses=_READ_PROBLEMS,
)
@guarded(Action.TASK_READ)
async def get_comment(read: Read, task_id: UUID, comment_id: UUID) -> Response:
    """The comment as it is now: also what you have just written is in it."""
    async with read.of("comments") as connection:
        await see_task(read, connection, str(task_id))
        position = await log.head(connection, read.workspace_id)
        events = await history.read(connection, read.workspace_id, str(comment_id), COMMENTS)
        comment = _on(str(task_id), history.state(events, COMMENTS))
        if comment.deleted_at and not await comments.is_answered(connection, read.workspace_id, comment.id):
            raise comment_not_found()
    return read.answer(msgspec.json.encode(comment), position, comment.version)


@reads.get(
    "/{comment_id}/history",
    operation_id="getCommentHistory",
    summary="A comment's history",
    response_model=HistoryPage,
    responses=_READ_PROBLEMS,
)
@guarded(Action.TASK_READ)
async def get_history(
    request: Request,
    read: Read,
    task_id: UUID,
    comment_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,9}$")] = None,
) -> Response:
    """What it said before, oldest first. Of one that is deleted for managers, admins and auditors alone."""
    async with read.of("comments") as connection:
        await see_task(read, connection, str(task_id))
        position = await log.head(connection, read.workspace_id)
        events = await history.read(connection, read.workspace_id, str(comment_id), COMMENTS)
    comment = _on(str(task_id), history.state(events, COMMENTS))
    if comment.deleted_at and not may(read.user.role, Action.COMMENT_RECALL):
        raise comment_not_found()
    items, next_cursor = history.cut(history.entries(events, COMMENTS), int(cursor or 0), limit)
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, comment.version, next_link(request, next_cursor))


@commands.post("", status_code=201, operation_id="postComment", summary="Comment on a task", **_COMMAND)
@guarded(Action.COMMENT_POST)
async def post_comment(call: CommandCall, task_id: UUID, body: NewComment) -> Answer:
    """For all who see the task, auditors excepted. Threads are one level deep."""
    reply_to = None if body.reply_to is None else str(body.reply_to)
    return await call.execute(PostComment(str(task_id), new_id(), body.body, reply_to))


@commands.patch("/{comment_id}", operation_id="editComment", summary="Put it in other words", **_COMMAND)
@guarded(Action.COMMENT_EDIT)
async def edit_comment(call: CommandCall, task_id: UUID, comment_id: UUID, body: CommentPatch) -> Answer:
    """For its author. What it said before stays in its history."""
    return await call.execute(EditComment(str(task_id), str(comment_id), body.body))


@commands.delete("/{comment_id}", operation_id="deleteComment", summary="Delete a comment", **_COMMAND)
@guarded(Action.COMMENT_DELETE)
async def delete_comment(call: CommandCall, task_id: UUID, comment_id: UUID) -> Answer:
    """For its author, leads, managers and admins. While an answer stands its place is shown, without its words."""
    return await call.execute(DeleteComment(str(task_id), str(comment_id)))


def _on(task_id: str, comment: Comment | None) -> Comment:
    """A comment of this task. Raises `NotFound`."""
    if comment is None or comment.task_id != task_id:
        raise comment_not_found()
    return comment
