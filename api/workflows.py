"""The bodies about workflows. The rules are those of the domain."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.documents import WHOLE, Body, Id, Line
from domain import custom_workflow
from domain.workflow import Category, Move, Mover, Required, Status, Workflow
from domain.workflow_check import LIMIT_MAX, MOVES_MAX, NAME_MAX, STATUSES_MAX

Name = Annotated[Line, StringConstraints(min_length=1, max_length=NAME_MAX)]
Names = Annotated[list[Name], Field(min_length=1, max_length=STATUSES_MAX)]
WorkflowName = Annotated[Line, StringConstraints(min_length=1, max_length=custom_workflow.NAME_MAX)]
# Without the pattern of a line: a schema of patterns for names says nothing of names that break it.
Lost = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)]
StatusMapping = Annotated[dict[Lost, Name], Field(max_length=STATUSES_MAX, default_factory=dict)]

REVIEWED: Final[dict[str, Any]] = {
    "name": "Reviewed",
    "statuses": [
        {"name": "todo", "category": "open"},
        {"name": "doing", "category": "active", "limit": 5},
        {"name": "review", "category": "active"},
        {"name": "done", "category": "done"},
        {"name": "dropped", "category": "cancelled"},
    ],
    "initial": "todo",
    "moves": [
        {"name": "start", "from": ["todo"], "to": "doing", "requires": ["assignee"]},
        {"name": "submit", "from": ["doing"], "to": "review", "who": ["assignee"]},
        {"name": "reject", "from": ["review"], "to": "doing", "requires": ["reason"]},
        {"name": "complete", "from": ["review"], "to": "done", "who": ["lead"]},
        {"name": "cancel", "from": ["todo", "doing", "review"], "to": "dropped"},
        {"name": "reopen", "from": ["done", "dropped"], "to": "todo"},
    ],
}

WITHOUT_REVIEW: Final[dict[str, Any]] = {
    "name": "Plain",
    "statuses": [status for status in REVIEWED["statuses"] if status["name"] != "review"],
    "initial": "todo",
    "moves": [
        {"name": "start", "from": ["todo"], "to": "doing", "requires": ["assignee"]},
        {"name": "complete", "from": ["doing"], "to": "done"},
        {"name": "cancel", "from": ["todo", "doing"], "to": "dropped"},
        {"name": "reopen", "from": ["done", "dropped"], "to": "todo"},
    ],
    "mapping": {"review": "doing"},
}

CHOICE: Final[dict[str, Any]] = {
    "workflow_id": "019c2f3e-0000-7000-8000-000000000001",
    "mapping": {"in_progress": "doing", "cancelled": "dropped"},
}


class StatusBody(Body):
    """A status; at most `limit` tasks of a project come to have it."""

    name: Name
    category: Annotated[Category, Field(strict=False)]
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX), WHOLE] | None = None


class MoveRule(Body):
    """A named move. Without `who`, whoever may change the task makes it."""

    name: Name
    from_: Annotated[Names, Field(alias="from")]
    to: Name
    who: Annotated[list[Annotated[Mover, Field(strict=False)]], Field(max_length=len(Mover), default_factory=list)]
    requires: Annotated[
        list[Annotated[Required, Field(strict=False)]], Field(max_length=len(Required), default_factory=list)
    ]


class WorkflowBody(Body):
    """A workflow: statuses, the one of new tasks, and the moves between them."""

    model_config = ConfigDict(json_schema_extra={"examples": [REVIEWED]})

    name: WorkflowName
    statuses: Annotated[list[StatusBody], Field(min_length=1, max_length=STATUSES_MAX)]
    initial: Name
    moves: Annotated[list[MoveRule], Field(max_length=MOVES_MAX)]

    @property
    def definition(self) -> Workflow:
        """It, in the domain's terms."""
        return Workflow(
            statuses=tuple(Status(status.name, status.category, status.limit) for status in self.statuses),
            initial=self.initial,
            moves=tuple(
                Move(move.name, _once(move.from_), move.to, _once(move.who), _once(move.requires))
                for move in self.moves
            ),
        )


def _once(values: list[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


class WorkflowChange(WorkflowBody):
    """The whole workflow as it is to be. `mapping` leads from statuses that it loses to those that tasks get."""

    model_config = ConfigDict(json_schema_extra={"examples": [WITHOUT_REVIEW]})

    mapping: StatusMapping


class WorkflowChoice(Body):
    """Which workflow a project is to live by; null is the standard one. `mapping` is as in a change of workflow."""

    model_config = ConfigDict(json_schema_extra={"examples": [CHOICE]})

    workflow_id: Id | None
    mapping: StatusMapping


class StatusDocument(BaseModel):
    """A status; at most `limit` tasks of a project come to have it."""

    name: str
    category: Category
    limit: int | None


class MoveDocument(BaseModel):
    """A named move, who may make it, and what must be set for it."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str
    from_: Annotated[list[str], Field(alias="from")]
    to: str
    who: list[Mover]
    requires: list[Required]


class TableDocument(BaseModel):
    """Statuses, the one of new tasks, and the moves between them."""

    statuses: list[StatusDocument]
    initial: str
    moves: list[MoveDocument]


class WorkflowDocument(TableDocument):
    """A workflow, with those of its projects that the reader sees."""

    id: UUID
    version: int
    position: int
    name: str
    projects: list[UUID]
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class WorkflowPage(BaseModel):
    """A page of workflows, and the standard one, which all tasks live by that are in no project with another."""

    standard: TableDocument
    items: list[WorkflowDocument]
    next_cursor: str | None


class WhyNot(BaseModel):
    """The refusal that would come: the members that its problem would have besides those of every problem."""

    model_config = ConfigDict(extra="allow")

    code: str
    detail: str


class MovingDocument(BaseModel):
    """Tasks that would get another status, or the same one in another category; null where nobody says which."""

    project_id: UUID
    status: str
    to: str | None
    tasks: int


class CrowdedDocument(BaseModel):
    """A status of a project that would have more tasks than its limit. None of them has to leave."""

    project_id: UUID
    status: str
    limit: int
    count: int


class PreviewDocument(BaseModel):
    """What a change of workflow would do to `tasks` tasks, and why it would be refused, if it would."""

    tasks: int
    moving: list[MovingDocument]
    crowded: list[CrowdedDocument]
    why_not: WhyNot | None


class OptionDocument(BaseModel):
    """A move that leaves the status of a task, and why you cannot make it now, if you cannot."""

    move: str
    to: str
    category: Category
    who: list[Mover]
    requires: list[Required]
    why_not: WhyNot | None


class OptionsDocument(BaseModel):
    """What can be done with a task now."""

    task_id: UUID
    version: int
    status: str
    items: list[OptionDocument]
