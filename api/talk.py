"""The bodies about what is around a task: comments, watchers, checklists, hours, files. The rules are the domain's."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.contract.patterns import SAID
from api.dates import Day
from api.documents import WHOLE, Body, Id, Line, Text
from domain.checklist import TEXT_MAX
from domain.comment import BODY_MAX
from domain.timesheet import MINUTES_MAX, NOTE_MAX
from domain.watching import Why

CommentText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=BODY_MAX),
    Field(
        description="Text of any lines. `@{<user id>}` mentions a member who sees the task.",
        json_schema_extra={"pattern": SAID},
    ),
]


class NewComment(Body):
    """What to say, and in which thread."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "The figures of March are missing.", "reply_to": None}]}
    )

    body: CommentText
    reply_to: Annotated[Id | None, Field(description="The comment that began the thread.")] = None


class CommentPatch(Body):
    """Other words."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "The figures of April are missing."}]})

    body: CommentText


class CommentDocument(BaseModel):
    """A comment. One that is deleted has no `body`; it is shown as long as an answer to it stands."""

    id: UUID
    version: int
    position: int
    task_id: UUID
    body: str | None
    mentions: list[UUID]
    reply_to: UUID | None
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    deleted_by: UUID | None


class CommentPage(BaseModel):
    """A page of comments; `next_cursor` is null on the last one."""

    items: list[CommentDocument]
    next_cursor: str | None


class WatcherDocument(BaseModel):
    """Who watches a task, and why: `creator` and `assignee` do so by themselves."""

    user_id: UUID
    why: Why


class WatcherList(BaseModel):
    """The watchers of a task. They are few: `next_cursor` is always null."""

    items: list[WatcherDocument]
    next_cursor: None


class WatchedDocument(BaseModel):
    """Whether somebody watches a task now; `why` is null where they do not."""

    task_id: UUID
    user_id: UUID
    watching: bool
    why: Why | None


ItemText = Annotated[Line, StringConstraints(min_length=1, max_length=TEXT_MAX)]
After = Annotated[Id | None, Field(description="The item that it follows; null: none, it is the first.")]


class NewItem(Body):
    """What is to be checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Ask for the figures"}]})

    text: ItemText
    after: After = None


class ItemPatch(Body):
    """A merge patch (RFC 7396): what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"checked": True}]})

    text: ItemText = ""
    checked: bool = False
    after: After = None


class ItemDocument(BaseModel):
    """An item of a checklist."""

    id: UUID
    text: str
    checked: bool
    checked_by: UUID | None
    checked_at: datetime | None


class ChecklistDocument(BaseModel):
    """The checklist of a task, in its order; how many items it has, and how many of them are checked."""

    task_id: UUID
    version: int
    items: list[ItemDocument]
    total: int
    checked: int


Minutes = Annotated[int, Field(ge=1, le=MINUTES_MAX), WHOLE]
Note = Annotated[Text, StringConstraints(max_length=NOTE_MAX)]


class NewEntry(Body):
    """How long one worked, on which day, and at what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"minutes": 90, "on": "2027-01-31", "note": "Figures"}]})

    minutes: Minutes
    on: Day
    note: Note = ""


class EntryPatch(Body):
    """A merge patch (RFC 7396): what is absent stays, null empties the note."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"minutes": 120}]})

    minutes: Minutes = 1
    on: Day = date.min
    note: Note | None = None


class EntryDocument(BaseModel):
    """An entry of the timesheet of a task."""

    id: UUID
    task_id: UUID
    user_id: UUID
    minutes: int
    on: date
    note: str
    created_at: datetime
    updated_at: datetime


class UserMinutes(BaseModel):
    """How long somebody worked."""

    user_id: UUID
    minutes: int


class Sums(BaseModel):
    """How long all worked on a task, and each of them."""

    total_minutes: int
    by_user: list[UserMinutes]


class EntryPage(Sums):
    """A page of entries, and the sums of the whole task."""

    items: list[EntryDocument]
    next_cursor: str | None


class TimesheetDocument(Sums):
    """The sums of a task."""

    task_id: UUID
    version: int


class AttachmentDocument(BaseModel):
    """A file at a task. Its bytes are at `…/content`."""

    id: UUID
    task_id: UUID
    name: str
    size: int
    media_type: str
    sha256: str
    created_by: UUID
    created_at: datetime


class AttachmentList(BaseModel):
    """The files at a task. They are few: `next_cursor` is always null."""

    items: list[AttachmentDocument]
    next_cursor: None
