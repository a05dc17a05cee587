"""Every command on tasks against a model, on a log in memory."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from domain.streams import State
from domain.user import UserJoined
from domain.workspace import WorkspaceFounded
from tests.domain.given import ADA, WORKSPACE, Given
from tests.domain.task_machine import TaskMachine, scaled
from tests.domain.task_model import MEMBERS, Modelled


class PureTaskMachine(TaskMachine):
    """Decides and folds; no database."""

    def __init__(self) -> None:
        super().__init__()
        self.given = Given().happened(WORKSPACE, WorkspaceFounded(admin_id=ADA))
        for user_id, role in MEMBERS.items():
            self.given.happened(user_id, UserJoined(role=role), by=user_id)

    def perform(self, command: Modelled, actor: str) -> State | None:
        return self.given.does(command, by=actor).folded[command.stream_id].state

    def teardown(self) -> None:
        for task_id, expected in self.model.tasks.items():
            task = self.given.the_task(task_id)
            expected.matches(task)
            assert task == self.given.folded[task_id].state


@pytest.mark.long
def test_commands_are_refused_exactly_when_the_model_says_and_lead_where_it_says() -> None:
    run_state_machine_as_test(PureTaskMachine, settings=scaled())
