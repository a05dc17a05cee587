"""Tags: their bodies, what names mean to who reads, and the end of a renaming: tasks are rewritten, part by part."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.documents import Body, Tag, Text
from api.reading import Reading
from api.services import Services
from commands.deciding import Command
from commands.execute import Call
from commands.ids import new_id
from commands.staging import Stage, Staged
from commands.tagging import AT_ONCE, ChangeTag, RemoveTag, RetagTasks, SettleTag
from domain.tagbook import DESCRIPTION_MAX, Tagbook, book_id
from domain.task import Task
from projections import log, tags, tasks
from projections.wording import tagged

Colour = Annotated[str, Field(json_schema_extra={"pattern": "^#[0-9a-fA-F]{6}$"})]


class TagPatch(Body):
    """A merge patch (RFC 7396). `name` renames the tag; where that is a tag already, the two become one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "quarter-4", "colour": "#1f6feb", "description": "For the report"}]}
    )

    name: Tag = ""
    colour: Colour | None = None
    description: Annotated[Text, StringConstraints(max_length=DESCRIPTION_MAX)] | None = None


class TagDocument(BaseModel):
    """A tag: what it is called, and how it looks."""

    name: str
    colour: str | None
    description: str


class CountedTag(TagDocument):
    """A tag, and how many tasks have it that you see."""

    tasks: int


class TagPage(BaseModel):
    """A page of tags; `next_cursor` is null on the last one."""

    items: list[CountedTag]
    next_cursor: str | None


async def book_of(read: Reading, max_age: float = 0) -> Tagbook | None:
    """The tags of the reader's workspace, at most `max_age` seconds old."""
    book = await read.services.streams.current(read.workspace_id, book_id(read.workspace_id), max_age)
    return book if isinstance(book, Tagbook) else None


def spellings(book: Tagbook | None) -> Callable[[str], Sequence[str]]:
    """What tasks have where they have a tag: an old name stands for today's."""
    return (lambda name: [name]) if book is None else book.spellings


def filters(book: Tagbook | None, names: Sequence[str]) -> dict[str, Any]:
    """The filter for tasks that have all of these tags."""
    spelt = spellings(book)
    return {"tagged": " & ".join(f"({tagged(spelt(name))})" for name in names)}


def respelled(book: Tagbook | None, documents: list[str]) -> list[str]:
    """Documents of tasks with today's names, while tasks still have others."""
    if book is None or not book.unfinished:
        return documents
    found = [msgspec.json.decode(document) for document in documents]
    return [msgspec.json.encode({**task, "tags": book.written(task["tags"])}).decode() for task in found]


async def settle(services: Services, call: Call, name: str) -> int:
    """Rewrite all tasks that have a name that is no tag's any more. Answers the version of the book after it.

    The renaming stands already, and nobody writes the old name since; so the tasks that have it are those of a
    projection that has taken the renaming in. Whatever cuts this off, the same request goes on with it.
    Raises `Unavailable` `projection.behind`.
    """
    workspace_id = call.workspace_id
    book = await services.streams.current(workspace_id, book_id(workspace_id), 0)
    assert isinstance(book, Tagbook)
    if name not in book.unfinished:
        return book.version
    await services.positions.reach(workspace_id, tasks.NAME, book.position)
    async with services.pool.connection() as connection:
        found = await tags.holders(connection, workspace_id, name)
    for start in range(0, len(found), AT_ONCE):
        part = RetagTasks(workspace_id, tuple(found[start : start + AT_ONCE]))
        await services.executor.execute(part, further(call))
    settled = await services.executor.execute(SettleTag(workspace_id, name), further(call))
    return settled.version


async def foresee(services: Services, stage: Stage, call: Call, command: Command) -> list[Staged]:
    """What `settle` would do after a command that is on a stage: nothing, unless a name has become no tag's by it."""
    if not isinstance(command, ChangeTag | RemoveTag):
        return []
    workspace_id = call.workspace_id
    book = stage.now(book_id(workspace_id), Tagbook)
    if book is None or command.name not in book.unfinished:
        return []
    return await foresee_rewriting(services, stage, call, command.name)


async def foresee_rewriting(services: Services, stage: Stage, call: Call, name: str) -> list[Staged]:
    """What `settle` would do for a name that is no tag's any more on a stage."""
    workspace_id = call.workspace_id
    held = await holders(services, workspace_id, [name])
    found = sorted({*held, *(task.id for task in stage.changed(Task) if name in task.tags)})
    parts = [found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE)]
    follow: list[Command] = [RetagTasks(workspace_id, tuple(part)) for part in parts]
    return [await stage.take(each, further(call)) for each in (*follow, SettleTag(workspace_id, name))]


async def holders(services: Services, workspace_id: str, names: Sequence[str]) -> list[str]:
    """All tasks that have one of these names now. Raises `Unavailable` `projection.behind`."""
    async with services.pool.connection() as connection:
        head = await log.head(connection, workspace_id)
    await services.positions.reach(workspace_id, tasks.NAME, head)
    async with services.pool.connection() as connection:
        found = [await tags.holders(connection, workspace_id, name) for name in names]
    return list(dict.fromkeys(task_id for held in found for task_id in held))


def further(call: Call) -> Call:
    """The same request, for a command that follows from its own."""
    return replace(call, key=None, fingerprint="", if_match=None, command_id=new_id())
