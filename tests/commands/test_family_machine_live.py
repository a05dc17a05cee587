"""Tasks, projects, subtasks and dependencies together against a model, into PostgreSQL and on into the read table."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis.stateful import run_state_machine_as_test

from commands.appending import Fact
from domain.events import Event
from domain.task import Task
from tests.commands.desk import log_of, states
from tests.commands.test_task_machine_live import Workshop
from tests.domain.family_machine import FamilyMachine, scaled
from tests.domain.family_model import Modelled
from tests.domain.test_family_machine import beginning
from tests.house import Database, Servers


class LiveFamilyMachine(FamilyMachine):
    """Commands go to two processes in turn, and the projector reads every other time."""

    workshop: Workshop

    def __init__(self) -> None:
        super().__init__()
        facts = [Fact(logged.stream_id, logged.event) for logged in beginning(self.model).log]
        self.team = self.workshop.run.run(self.workshop.found(facts))
        self.sent = 0

    def perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        self.sent += 1
        return self.workshop.run.run(self._perform(command, actor))

    async def _perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        before = await self._head()
        await self.workshop.desks[self.sent % 2].do(self.team, actor, command)
        if self.sent % 2 == 0:
            await self.workshop.projector.run_once(self.team.workspace_id, "tasks")
        log = await log_of(self.workshop.owner, self.team.workspace_id)
        return [(logged.stream_id, logged.event) for logged in log if logged.position > before]

    async def _head(self) -> int:
        query = "SELECT position FROM logs WHERE workspace_id = %s"
        row = await (await self.workshop.owner.execute(query, (self.team.workspace_id,))).fetchone()
        return int(row[0]) if row else 0

    def look(self) -> None:
        """Only in the end: until then the answers are compared."""

    def teardown(self) -> None:
        self.workshop.run.run(self._check())

    async def _check(self) -> None:
        log = await log_of(self.workshop.owner, self.team.workspace_id)  # dense and in order
        folded = {stream_id: state for (stream_id, _), state in states(log).items() if isinstance(state, Task)}
        assert folded.keys() == self.model.tasks.keys()
        for task_id, task in folded.items():
            self.model.check(task_id, task)
        assert await self.workshop.rows(self.team) == folded


@pytest.mark.long
def test_whatever_is_done_together_is_decided_by_the_log_and_projects_as_it_folds(
    database: Database, servers: Servers
) -> None:
    with asyncio.Runner() as run:
        opened = Workshop.open(run, database, servers)
        LiveFamilyMachine.workshop = run.run(opened.__aenter__())
        try:
            run_state_machine_as_test(LiveFamilyMachine, settings=scaled(0.1))
        finally:
            run.run(opened.__aexit__(None, None, None))
