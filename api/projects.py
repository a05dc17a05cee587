"""The bodies about projects. The rules are those of the domain."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.documents import Body, Line, Text
from domain.project import DESCRIPTION_MAX, NAME_MAX, Blocking, ProjectRole

ProjectName = Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
ProjectDescription = Annotated[Text, StringConstraints(max_length=DESCRIPTION_MAX)]
ProjectKeyText = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{1,9}$")]
BlockingValue = Annotated[Blocking, Field(strict=False)]


class NewProject(Body):
    """A project to begin. `key` begins the keys of its tasks and never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Application", "key": "APP"}]})

    name: ProjectName
    key: ProjectKeyText
    description: ProjectDescription = ""
    blocking: BlockingValue = Blocking.HARD


class ProjectPatch(Body):
    """A merge patch (RFC 7396): fields that are absent stay, null gives back the default of one that has one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "The application", "blocking": "soft"}]})

    name: ProjectName = ""
    description: ProjectDescription | None = None
    blocking: BlockingValue | None = None


class ProjectMemberBody(Body):
    """What a member is in the project."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    role: Annotated[ProjectRole, Field(strict=False)] = ProjectRole.EDITOR


class ProjectMemberDocument(BaseModel):
    """A member of a project."""

    user_id: UUID
    role: ProjectRole


class ProjectDocument(BaseModel):
    """A project, with its members in the order of their ids."""

    id: UUID
    version: int
    position: int
    name: str
    key: str
    description: str
    blocking: Blocking = Field(description="What an open blocker does: `hard` refuses, `soft` warns.")
    members: list[ProjectMemberDocument]
    workflow_id: UUID | None = Field(description="How its tasks move; null: the standard workflow.")
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class ProjectPage(BaseModel):
    """A page of projects."""

    items: list[ProjectDocument]
    next_cursor: str | None
