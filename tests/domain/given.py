"""Given events, when a command is decided, then events or a rejection: without a database.

given = Given().member(ADA, Role.ADMIN).task(TASK, by=ADA)
assert given.when(MoveTask(TASK, "start"), by=ADA) == [TaskStarted(...)]
with rejected("task.illegal_move"):
    given.when(MoveTask(TASK, "reopen"), by=ADA)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Self

import pytest

from commands.appending import Fact
from commands.deciding import Command, Context
from commands.streams import Folded
from domain.custom_workflow import WorkflowAdopted, WorkflowCreated
from domain.errors import Rejection
from domain.events import Event, Meta, Recorded
from domain.instant import Instant, instant
from domain.project import (
    Blocking,
    Project,
    ProjectCreated,
    ProjectMemberAdded,
    ProjectRole,
    ProjectWorkflowChanged,
    key_id,
)
from domain.project_key import ProjectKeyTaken
from domain.streams import State, evolve, fold
from domain.task import Task, TaskCreated
from domain.task_fields import Assignee
from domain.team import TeamCreated, TeamMemberAdded, TeamRole
from domain.user import Role, UserJoined, UserProjectJoined, UserTeamJoined
from domain.workflow import STANDARD, Workflow

WORKSPACE = "00000000-0000-7000-8000-000000000000"
ADA, BOB, EVE, ZOE, MAX = (f"00000000-0000-7000-8000-00000000000{n}" for n in range(1, 6))
TASK, OTHER = (f"00000000-0000-7000-8000-00000000010{n}" for n in range(1, 3))
PROJECT, VENTURE = (f"00000000-0000-7000-8000-00000000030{n}" for n in range(1, 3))
FLOW, STREAM = (f"00000000-0000-7000-8000-00000000040{n}" for n in range(1, 3))
TEAM, CREW = (f"00000000-0000-7000-8000-00000000020{n}" for n in range(1, 3))
NOBODY = "00000000-0000-7000-8000-0000000000ff"

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Given:
    """A log in memory, its streams folded as the write side folds them."""

    def __init__(self) -> None:
        self.log: list[Recorded] = []
        self.folded: dict[str, Folded] = {}
        self.reads: dict[str, int] = {}

    def happened(self, stream_id: str, *events: Event, by: str = ADA) -> Self:
        """These events came next in a stream."""
        for event in events:
            before = self.folded.get(stream_id, Folded(0, None, 0))
            logged = Recorded(
                len(self.log) + 1, stream_id, before.version + 1, event, Meta(**_meta(by)), at(len(self.log) + 1)
            )
            self.log.append(logged)
            self.folded[stream_id] = Folded(logged.version, evolve(before.state, logged), 0)
        return self

    def member(self, user_id: str, role: Role = Role.MEMBER) -> Self:
        """Somebody joined, with a role."""
        return self.happened(user_id, UserJoined(role=role), by=user_id)

    def team(self, team_id: str, members: Mapping[str, TeamRole]) -> Self:
        """A team was made, and these became its members."""
        self.happened(team_id, TeamCreated(name="Operations"))
        for user_id, role in members.items():
            self.happened(team_id, TeamMemberAdded(user_id=user_id, role=role))
            self.happened(user_id, UserTeamJoined(team_id=team_id, role=role))
        return self

    def project(
        self, project_id: str, members: Mapping[str, ProjectRole], key: str = "APP", blocking: str = "hard"
    ) -> Self:
        """A project was begun, and these became its members."""
        self.happened(project_id, ProjectCreated(name="Application", key=key, blocking=Blocking(blocking)))
        self.happened(key_id(WORKSPACE, key), ProjectKeyTaken(project_id=project_id))
        for user_id, role in members.items():
            self.happened(project_id, ProjectMemberAdded(user_id=user_id, role=role))
            self.happened(user_id, UserProjectJoined(project_id=project_id, role=role))
        return self

    def workflow(self, workflow_id: str, definition: Workflow, *projects: str) -> Self:
        """A workflow was made, and these projects live by it."""
        self.happened(workflow_id, WorkflowCreated(name="Reviewed", definition=definition))
        for project_id in projects:
            self.happened(project_id, ProjectWorkflowChanged(workflow_id=workflow_id))
            self.happened(workflow_id, WorkflowAdopted(project_id=project_id))
        return self

    def task(self, task_id: str, *events: Event, by: str = ADA) -> Self:
        """A task was created, and then this happened to it."""
        return self.happened(task_id, created(), *events, by=by)

    def context(self, by: str) -> Context:
        """What a decision of somebody sees."""
        return Context(WORKSPACE, by, lambda stream_id: self.folded.get(stream_id, Folded(0, None, 0)))

    def facts(self, command: Command, by: str) -> list[Fact]:
        """What a command yields, with the streams that it goes to; `reads` holds what it read."""
        context = self.context(by)
        try:
            return list(command.decide(context))
        finally:
            self.reads = context.reads

    def when(self, command: Command, by: str = ADA) -> list[Event]:
        """The events that a command yields."""
        return [fact.event for fact in self.facts(command, by)]

    def does(self, command: Command, by: str = ADA) -> Self:
        """Decide a command and log what it yields."""
        for stream_id, event in self.facts(command, by):
            self.happened(stream_id, event, by=by)
        return self

    def state(self, stream_id: str) -> State | None:
        """The pure fold of a stream."""
        return fold(logged for logged in self.log if logged.stream_id == stream_id)

    def the_project(self, project_id: str = PROJECT) -> Project:
        """A project that exists."""
        project = self.state(project_id)
        assert isinstance(project, Project)
        return project

    def the_task(self, task_id: str = TASK) -> Task:
        """A task that exists."""
        task = self.state(task_id)
        assert isinstance(task, Task)
        return task


def person(user_id: str) -> Assignee:
    """A member, to give a task to."""
    return Assignee(type="user", id=user_id)


def created(title: str = "write") -> TaskCreated:
    """A creation as the command makes it."""
    return TaskCreated(title=title, status=STANDARD.initial, category=STANDARD.categories[STANDARD.initial])


def at(position: int) -> Instant:
    """When the event at a position was recorded: one a second."""
    return instant(_FIRST + timedelta(seconds=position))


@contextmanager
def rejected(code: str, kind: type[Rejection] = Rejection) -> Iterator[SimpleNamespace]:
    """The block is refused with this code; the rejection itself is in `.value` afterwards."""
    caught = SimpleNamespace(value=None)
    with pytest.raises(kind) as raised:
        yield caught
    caught.value = raised.value
    assert raised.value.code == code


def _meta(by: str) -> dict[str, str]:
    return {"actor": by, "correlation_id": "a request", "causation_id": NOBODY}
