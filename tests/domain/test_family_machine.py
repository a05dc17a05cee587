"""Tasks, projects, subtasks and dependencies together against a model, on a log in memory."""

from collections.abc import Sequence

import pytest
from hypothesis.stateful import run_state_machine_as_test

from domain.board import Board
from domain.events import Event
from domain.project import ProjectRole, board_id
from domain.streams import fold
from domain.task import Task
from domain.user import Role
from domain.workspace import WorkspaceFounded
from tests.domain.family import CATEGORIES, KEYS, ROLES
from tests.domain.family_machine import FLOW_OF_REVIEWS, FamilyMachine, scaled
from tests.domain.family_model import Model, Modelled
from tests.domain.given import ADA, FLOW, WORKSPACE, Given


def beginning(model: Model) -> Given:
    """The members and projects that a model begins with."""
    given = Given()
    for user_id, role in ROLES.items():
        given.member(user_id, Role(role))
    for project_id, project in model.projects.items():
        members = {user_id: ProjectRole(role) for user_id, role in project.members.items()}
        given.project(project_id, members, KEYS[project_id], project.blocking)
    return given.workflow(FLOW, FLOW_OF_REVIEWS, *(id_ for id_, each in model.projects.items() if each.reviewed))


class PureFamilyMachine(FamilyMachine):
    """Decides and folds; no database."""

    def __init__(self) -> None:
        super().__init__()
        self.given = beginning(self.model).happened(WORKSPACE, WorkspaceFounded(admin_id=ADA))

    def perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        facts = self.given.facts(command, actor)
        for stream_id, event in facts:
            assert stream_id in self.given.reads, "what is written was read"
            self.given.happened(stream_id, event, by=actor)
        return facts

    def look(self) -> None:
        for task_id in self.model.tasks:
            task = self.given.folded[task_id].state
            assert isinstance(task, Task)
            self.model.check(task_id, task)

    def teardown(self) -> None:
        for stream_id, folded in self.given.folded.items():
            assert folded.state == fold(logged for logged in self.given.log if logged.stream_id == stream_id)
        for project_id in self.model.projects:
            for status in CATEGORIES:
                board = self.given.state(board_id(project_id, status))
                assert board is None or isinstance(board, Board)
                assert (0 if board is None else board.count) == self.model.board(project_id, status)


@pytest.mark.long
def test_whatever_is_done_together_is_refused_exactly_when_the_model_says_and_leads_where_it_says() -> None:
    run_state_machine_as_test(PureFamilyMachine, settings=scaled(2))
