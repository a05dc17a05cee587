"""The bodies about what tasks are to each other."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.documents import AssigneeDocument, Id, ReasonBody
from domain.task_fields import Priority
from domain.task_links import LinkType
from domain.workflow import Category

Linkable = Literal["blocks", "blocked_by", "relates", "duplicates"]


class NewDependency(ReasonBody):
    """What the task is to another one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "blocks", "task_id": "019c2f3e-0000-7000-8000-000000000012"}]}
    )

    type: Linkable
    task_id: Id


class BriefTask(BaseModel):
    """A task, in a few words."""

    id: UUID
    key: str | None
    title: str
    status: str
    category: Category
    priority: Priority
    assignee: AssigneeDocument | None
    project_id: UUID | None
    parent_id: UUID | None


class DependencyDocument(BaseModel):
    """What the task is to another one; `closed`, of one that blocks it: it does so no longer."""

    type: LinkType
    task_id: UUID
    closed: bool
    task: BriefTask | None = Field(description="Null where it is in the trash, or not visible to you.")


class DependencyList(BaseModel):
    """All dependencies of a task: there are at most 100."""

    items: list[DependencyDocument]


class Progress(BaseModel):
    """How far the tasks below a task are: all of them, those that are closed, and those of them that are done."""

    total: int
    closed: int
    done: int


class SubtaskEntry(BriefTask):
    """A task of a tree. `depth`: 1 is right below the root."""

    depth: int
    progress: Progress


class SubtaskTree(BaseModel):
    """What is below a task and visible to the reader, level by level.

    `truncated`: there are more than the 1,000 that are here, and the progress is that of these.
    """

    progress: Progress
    truncated: bool
    items: list[SubtaskEntry]
