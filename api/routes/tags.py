"""The tags of a workspace."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from api.commanding import Answer, CommandCall, CommandRoute
from api.contract.patterns import LINE
from api.openapi import problems_of
from api.policies import guarded
from api.reading import Read, next_link
from api.tagging import CountedTag, TagDocument, TagPage, TagPatch, book_of, settle
from commands.tagging import ChangeTag, RemoveTag
from domain.errors import NotFound
from domain.policy import Action, eyes
from domain.tagbook import PLAIN, Tagbook
from domain.text import TAG_MAX, check_line
from projections import cursors, tags
from projections.cursors import Cursor

commands = APIRouter(prefix="/tags", tags=["tags"], route_class=CommandRoute)
reads = APIRouter(prefix="/tags", tags=["tags"])

Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=TAG_MAX,
        openapi_examples={"a tag": {"value": "q4"}},
        json_schema_extra={"pattern": LINE},
    ),
]
_SORT = ("name",)
_COMMAND: Any = {"response_model": TagDocument, "responses": problems_of(409)}


@reads.get("", operation_id="listTags", summary="List tags", response_model=TagPage)
@guarded(Action.TASK_READ)
async def list_tags(
    request: Request,
    read: Read,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=4_000)] = None,
) -> Response:
    """All that are in the book or on tasks that you see, by name, with the number of these tasks."""
    after = None if cursor is None else cursors.values_of(cursor, _SORT, 1, None)[0]
    book = await book_of(read)  # before there is a connection: who holds one and wants another may wait for ever
    async with read.of("tasks") as connection:
        found, position = await tags.counts(
            connection, read.workspace_id, eyes(read.user), {} if book is None else book.aside
        )
    names = sorted({*found, *(() if book is None else book.looks)})
    names = [name for name in names if after is None or name > after]
    more = len(names) > limit
    next_cursor = cursors.encode(Cursor(list(_SORT), [names[limit - 1]], None)) if more else None
    items = [_document(book, name) | {"tasks": found.get(name, 0)} for name in names[:limit]]
    body = msgspec.json.encode({"items": items, "next_cursor": next_cursor})
    return read.answer(body, position, headers=next_link(request, next_cursor))


@reads.get(
    "/{name:path}", operation_id="getTag", summary="Get a tag", response_model=CountedTag, responses=problems_of(404)
)
@guarded(Action.TASK_READ)
async def get_tag(read: Read, name: Name) -> Response:
    """A tag that is in the book, or on a task that you see; by an old name what it is today."""
    check_line(name, "/path/name", most=TAG_MAX)
    book = await book_of(read)
    async with read.of("tasks") as connection:
        now = name if book is None else book.now(name)
        found, position = await tags.counts(
            connection, read.workspace_id, eyes(read.user), {} if book is None else book.aside, now
        )
    if now is None or (now not in found and (book is None or now not in book.looks)):
        raise NotFound("tag.not_found", "no tag has this name")
    body = msgspec.json.encode(_document(book, now) | {"tasks": found.get(now, 0)})
    return read.answer(body, position, 0 if book is None else book.version)


@commands.patch("/{name:path}", operation_id="changeTag", summary="Rename a tag, or say how it looks", **_COMMAND)
@guarded(Action.TAG_CHANGE)
async def change_tag(call: CommandCall, name: Name, body: TagPatch) -> Answer:
    """For managers and admins. A new name is written on all tasks before the answer comes.

    503 says that the renaming stands and tasks are still to be rewritten: the same request goes on with that.
    """
    given = body.model_fields_set
    command = ChangeTag(
        call.call.workspace_id,
        name,
        to=body.name if "name" in given else UNSET,
        colour=body.colour if "colour" in given else UNSET,
        description=(body.description or "") if "description" in given else UNSET,
    )
    return await _answer(call, command, body.name if "name" in given else name)


@commands.delete("/{name:path}", operation_id="removeTag", summary="Take a tag from all tasks", **_COMMAND)
@guarded(Action.TAG_CHANGE)
async def remove_tag(call: CommandCall, name: Name) -> Answer:
    """For managers and admins. Afterwards the name is free. 503 as for a renaming."""
    return await _answer(call, RemoveTag(call.call.workspace_id, name), name)


async def _answer(call: CommandCall, command: ChangeTag | RemoveTag, name: str) -> Answer:
    """The tag as the command left it, and the version that the book has once all tasks are rewritten."""
    receipt = (await call.execute(command)).receipt
    book = receipt.state
    assert isinstance(book, Tagbook)
    version = await settle(call.services, call.call, command.name)
    return Answer(receipt._replace(version=version), _document(book, name))


def _document(book: Tagbook | None, name: str) -> dict[str, Any]:
    look = PLAIN if book is None else book.looks.get(name, PLAIN)
    return {"name": name, "colour": look.colour, "description": look.description}
