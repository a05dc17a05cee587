"""A workflow that managers made: its events, its state, and the fold. Its table is a `domain.workflow.Workflow`."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import Erased, Event, Recorded, stored
from domain.instant import Instant
from domain.workflow import STANDARD, Workflow

NAME_MAX: Final = 100
PROJECTS_MAX: Final = 200  # a change looks at the boards of each of them
ERASED_NAME: Final = "[erased]"


@stored("workflow.created")
class WorkflowCreated(Event, frozen=True, kw_only=True):
    """A workflow came to be."""

    name: str
    definition: Workflow


@stored("workflow.changed")
class WorkflowChanged(Event, frozen=True, kw_only=True):
    """It is this one from now on. `mapping` leads from statuses that it lost to those that took their places."""

    name: str
    definition: Workflow
    mapping: dict[str, str] = msgspec.field(default_factory=dict)


@stored("workflow.adopted")
class WorkflowAdopted(Event, frozen=True, kw_only=True):
    """A project lives by it."""

    project_id: str


@stored("workflow.dropped")
class WorkflowDropped(Event, frozen=True, kw_only=True):
    """A project lives by it no longer."""

    project_id: str


@stored("workflow.deleted")
class WorkflowDeleted(Event, frozen=True, kw_only=True):
    """The making of the workflow, by which no project lives, was taken back."""


@stored("workflow.revived")
class WorkflowRevived(Event, frozen=True, kw_only=True):
    """It is there after all."""


class CustomWorkflow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a workflow: the fold of its stream.

    `mapped` leads from every status that it ever lost to the one that took its place, for tasks that were in the trash.
    """

    id: str
    version: int
    position: int
    name: str
    definition: Workflow
    projects: tuple[str, ...]
    mapped: dict[str, str]
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None = None


def evolve(workflow: CustomWorkflow | None, recorded: Recorded) -> CustomWorkflow:
    """The next state. Total over every logged event of a workflow."""
    if workflow is None:
        return _created(recorded)
    return replace(
        workflow,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **_CHANGES[type(recorded.event)](workflow, recorded),
    )


def _created(recorded: Recorded) -> CustomWorkflow:
    event = recorded.event
    if not isinstance(event, WorkflowCreated):  # the creation was erased
        event = WorkflowCreated(name=ERASED_NAME, definition=STANDARD)
    return CustomWorkflow(
        id=recorded.stream_id,
        version=recorded.version,
        position=recorded.position,
        name=event.name,
        definition=event.definition,
        projects=(),
        mapped={},
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
    )


Changes = dict[str, object]


def _changed(workflow: CustomWorkflow, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, WorkflowChanged)
    mapped = {status: to for status, to in workflow.mapped.items() if status not in event.definition.categories}
    return {"name": event.name, "definition": event.definition, "mapped": mapped | event.mapping}


def _adopted(workflow: CustomWorkflow, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, WorkflowAdopted)
    return {"projects": (*workflow.projects, event.project_id)}


def _dropped(workflow: CustomWorkflow, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, WorkflowDropped)
    return {"projects": tuple(project_id for project_id in workflow.projects if project_id != event.project_id)}


# What is left of these when their data are erased: that they happened.
_PLAIN: Final[dict[str, Callable[[Recorded], Changes]]] = {
    "workflow.deleted": lambda recorded: {"deleted_at": recorded.recorded_at},
    "workflow.revived": lambda _: {"deleted_at": None},
}


def _erased(recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, Erased)
    change = _PLAIN.get(recorded.event.name)
    return {} if change is None else change(recorded)


_CHANGES: Final[dict[type[Event], Callable[[CustomWorkflow, Recorded], Changes]]] = {
    WorkflowChanged: _changed,
    WorkflowAdopted: _adopted,
    WorkflowDropped: _dropped,
    WorkflowDeleted: lambda _, recorded: _PLAIN["workflow.deleted"](recorded),
    WorkflowRevived: lambda _, recorded: _PLAIN["workflow.revived"](recorded),
    Erased: lambda _, recorded: _erased(recorded),
}
