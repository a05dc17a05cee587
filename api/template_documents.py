"""What is answered about templates, as OpenAPI shows it."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.documents import AssigneeDocument, Description, Position, Tags, TaskDocument, Title, Version
from api.templates import TemplateName
from domain.task_fields import Priority
from domain.template import VariableKind


class VariableDocument(BaseModel):
    """A variable. Its value is text, a number, or a day such as `2027-01-31`."""

    name: str
    kind: VariableKind
    required: bool
    default: str | int | float | None


class TimingDocument(BaseModel):
    """A day counted from the anchor: a variable that is a date, or null, the day on which all begins."""

    offset: str
    time: str | None
    anchor: str | None


class WhomDocument(BaseModel):
    """Whoever has the role; or a member, or a team."""

    role: str | None = None
    type: Literal["user", "team"] | None = None
    id: UUID | None = None


class TemplateTaskDocument(BaseModel):
    """A task to be made."""

    ref: str
    title: str
    description: Description
    priority: Priority
    tags: list[str]
    estimate_minutes: int | None
    start: TimingDocument | None
    due: TimingDocument | None
    assignee: WhomDocument | None
    checklist: list[str]
    parent: str | None
    depends_on: list[str]


class DefinitionDocument(BaseModel):
    """All that a version of a template says."""

    name: TemplateName
    description: Description
    variables: list[VariableDocument]
    roles: list[str] = Field(description="Those that tasks are given to: say who it is when you make tasks.")
    tasks: list[TemplateTaskDocument]


class TemplateDocument(DefinitionDocument):
    """A template, as its last version says."""

    id: UUID
    version: Version
    position: Position
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class TemplateBrief(BaseModel):
    """A template in a few words: of its tasks the number."""

    id: UUID
    version: Version
    position: Position
    name: TemplateName
    description: Description
    variables: list[VariableDocument]
    tasks: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class TemplatePage(BaseModel):
    """A page of templates."""

    items: list[TemplateBrief]
    next_cursor: str | None


class VersionBrief(BaseModel):
    """A version of a template in a few words. One that was erased has no name."""

    version: Version
    position: Position
    name: str | None
    tasks: int
    saved_by: UUID
    saved_at: datetime


class VersionPage(BaseModel):
    """A page of versions, newest first."""

    items: list[VersionBrief]
    next_cursor: str | None


class VersionDocument(DefinitionDocument):
    """A version of a template."""

    id: UUID
    version: Version
    position: Position
    saved_by: UUID
    saved_at: datetime


class InstantiationDocument(BaseModel):
    """What was made: the ids of all tasks by their refs. `roots` are those below none of the others, as they were."""

    id: UUID
    version: Version
    position: Position
    template_id: UUID
    template_version: Version
    tasks: dict[str, UUID]
    roots: list[TaskDocument]


class MadeDocument(BaseModel):
    """A task as it would be; `key` is the one that it would have if nobody were faster."""

    ref: str
    key: str | None
    title: Title
    description: Description
    status: str
    priority: Priority
    start_at: datetime | None
    due_at: datetime | None
    due_on: date | None
    due_zone: str | None
    assignee: AssigneeDocument | None
    project_id: UUID | None
    parent: str | None
    depends_on: list[str]
    tags: Tags
    estimate_minutes: int | None
    checklist: list[str]


class MakingDocument(BaseModel):
    """What would be made, and in how many events. Nothing was."""

    template_id: UUID
    template_version: Version
    tasks: list[MadeDocument]
    events: int
