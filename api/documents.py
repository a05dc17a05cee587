"""The bodies of requests and answers, as OpenAPI shows them. The rules themselves are the domain's."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from api.contract.patterns import LINE, TEXT
from api.dates import DueOn, Zone
from domain.instant import EARLIEST, LATEST, instant
from domain.task_fields import ESTIMATE_MAX, Assignee, Priority
from domain.task_links import LinkType
from domain.text import DESCRIPTION_MAX, REASON_MAX, TAG_MAX, TAGS_MAX, TITLE_MAX
from domain.workflow import Category


class Body(BaseModel):
    """A request body: unknown fields are refused, and no value is bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")


def _written_out(value: object) -> object:
    # Left alone, pydantic reads numbers, and text of digits, as seconds since 1970.
    if not isinstance(value, str) or _DATE_AND_TIME.match(value) is None:
        raise ValueError("must be a date and time of RFC 3339, such as 2027-01-31T17:00:00Z")
    return value


def whole(value: object) -> object:
    """30 for 30.0: JSON has one kind of number, and JSON Schema calls this an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(whole)


# A day within the years 1 to 9999 at either end, so that it has a local time everywhere.
OUT_OF_RANGE = f"must be from {EARLIEST.date()} to {LATEST.date()}, in UTC"


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(OUT_OF_RANGE)
    return moment


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_out), AfterValidator(_in_range)]
Id = Annotated[UUID, Field(strict=False)]
Line = Annotated[str, Field(json_schema_extra={"pattern": LINE})]
Text = Annotated[str, Field(json_schema_extra={"pattern": TEXT})]
Title = Annotated[Line, StringConstraints(min_length=1, max_length=TITLE_MAX)]
Description = Annotated[Text, StringConstraints(max_length=DESCRIPTION_MAX)]
Tag = Annotated[Line, StringConstraints(min_length=1, max_length=TAG_MAX)]
Tags = Annotated[list[Tag], Field(max_length=TAGS_MAX)]
Estimate = Annotated[int, Field(ge=1, le=ESTIMATE_MAX), WHOLE]
PriorityValue = Annotated[Priority, Field(strict=False)]


Version = Annotated[int, Field(ge=1)]  # of a stream: dense from 1
Position = Annotated[int, Field(ge=0)]  # of a log


class AssigneeDocument(BaseModel):
    """Whom a task is given to."""

    type: Literal["user", "team"]
    id: UUID


class AssigneeBody(Body):
    """A member or a team to give the task to."""

    type: Literal["user", "team"] = "user"
    id: Id


class NewSubtask(Body):
    """What is to be done, as a part of the task in the path."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"title": "Write the report", "priority": "high", "due_at": "2027-01-31T17:00:00Z", "tags": ["q4"]}
            ]
        }
    )

    title: Title
    description: Description = ""
    priority: PriorityValue = Priority.NORMAL
    start_at: Moment | None = None
    due_at: Moment | None = None
    due_on: DueOn = None
    due_zone: Zone | None = None
    assignee: AssigneeBody | None = None
    tags: Tags = []
    estimate_minutes: Estimate | None = None


class NewTask(NewSubtask):
    """What is to be done."""

    project_id: Id | None = None
    parent_id: Annotated[Id | None, Field(description="It is a part of this one, and in the same project.")] = None


class TaskPatch(Body):
    """A merge patch (RFC 7396): fields that are absent stay, null empties those that can be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Write the long report", "due_at": None}]})

    title: Title = ""
    description: Description | None = None
    priority: PriorityValue | None = None
    start_at: Moment | None = None
    due_at: Moment | None = None
    due_on: DueOn = None
    due_zone: Zone | None = None
    assignee: AssigneeBody | None = None
    project_id: Id | None = None
    parent_id: Id | None = None
    tags: Tags | None = None
    estimate_minutes: Estimate | None = None


def _only(name: str, other: str) -> dict[str, Any]:
    """A body that has one of two members. The other one may be there as null."""
    return {"required": [name], "properties": {name: {"type": "string"}, other: {"type": "null"}}}


class AssignBody(Body):
    """Who gets the task: a member, or a team."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "019c2f3e-0000-7000-8000-000000000001"}],
            "oneOf": [_only("user_id", "team_id"), _only("team_id", "user_id")],
        }
    )

    user_id: Id | None = None
    team_id: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.user_id is None) is (self.team_id is None):
            raise ValueError("must have either user_id or team_id")
        return self

    @property
    def assignee(self) -> Assignee:
        """It, in the domain's terms."""
        if self.team_id is not None:
            return Assignee(type="team", id=str(self.team_id))
        return Assignee(type="user", id=str(self.user_id))


class ReasonBody(Body):
    """Why, for the history."""

    reason: Annotated[Text, StringConstraints(max_length=REASON_MAX)] | None = None


class EmptyBody(Body):
    """Nothing more to say; the body may be absent."""


class HowBody(ReasonBody):
    """Why, and how a move is to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "shipped", "close_subtasks": True}]})

    close_subtasks: Annotated[bool, Field(description="Closing the task closes all that is open below it.")] = False
    override: Annotated[bool, Field(description="Start or complete it in spite of open blockers; say a `reason`.")] = (
        False
    )


class MoveBody(HowBody):
    """A move of the task's workflow."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"move": "start"}]})

    move: Annotated[str, StringConstraints(min_length=1, max_length=50)]


class SubtaskDocument(BaseModel):
    """A task below this one; `closed`: done, or cancelled."""

    id: UUID
    closed: bool


class LinkDocument(BaseModel):
    """What this task is to another one; `closed`, of one that blocks it: it does so no longer."""

    type: LinkType
    task_id: UUID
    closed: bool


class TaskDocument(BaseModel):
    """A task as it is at `position`."""

    id: UUID
    version: Version
    position: Position
    title: Title
    description: Description
    status: str
    category: Category
    priority: Priority
    start_at: datetime | None
    due_at: datetime | None
    due_on: date | None
    due_zone: str | None
    overdue_since: Annotated[
        datetime | None,
        Field(description="The due date that passed while it was open; null again once it has another."),
    ]
    assignee: AssigneeDocument | None
    project_id: UUID | None
    key: str | None = Field(description="In its project: `APP-17`.")
    parent_id: UUID | None
    subtasks: list[SubtaskDocument]
    links: list[LinkDocument]
    tags: Tags
    estimate_minutes: int | None
    series_id: UUID | None = Field(description="The series that it is an occurrence of.")
    occurrence: datetime | None = Field(description="Which one of its series it is; its own dates may be others.")
    followed_by: UUID | None = Field(description="The next one of its series, once that is made.")
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None
    purged_at: datetime | None


class TaskPage(BaseModel):
    """A page of tasks; `next_cursor` is null on the last one. Another one may be short, or empty."""

    items: list[TaskDocument]
    next_cursor: str | None


class FieldChange(BaseModel):
    """A field before and after."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Annotated[Any, Field(alias="from")]
    to: Any


class HistoryEntry(BaseModel):
    """One event of a task's stream."""

    position: Position
    version: Version
    type: Annotated[str, Field(pattern=r"^(task|comment|series)\.[a-z_]+$")]
    data: dict[str, Any]
    actor: UUID
    recorded_at: datetime
    correlation_id: str
    causation_id: str
    changes: dict[str, FieldChange]
    passed_over: bool = Field(description="It cannot be read, and an operator decided to leave it out.")


class HistoryPage(BaseModel):
    """A page of a task's history, oldest first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class UpsertDocument(BaseModel):
    """The task as it was at this position."""

    op: Literal["upsert"]
    position: Position
    task_id: UUID
    task: TaskDocument


class RemovedDocument(BaseModel):
    """The task went into the trash, or out of the reader's sight."""

    op: Literal["removed"]
    position: Position
    task_id: UUID


ChangeDocument = Annotated[UpsertDocument | RemovedDocument, Field(discriminator="op")]


class ChangePage(BaseModel):
    """A page of the change feed. `position` is what it is complete up to: the next `after`."""

    items: list[ChangeDocument]
    next_cursor: str | None
    position: Position


class FieldError(BaseModel):
    """One value that was refused."""

    pointer: str
    detail: str
    value: Any


class Problem(BaseModel):
    """Why a request was refused (RFC 9457). `code` is stable; more members may follow it."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(pattern=r"^urn:taskfold:problem:[a-z_]+\.[a-z_]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(min_length=1)]
    instance: str
    code: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$")]
    request_id: str
    errors: list[FieldError] = []


def text(moment: datetime | None) -> str | None:
    """A moment as the domain keeps it."""
    return None if moment is None else instant(moment)
