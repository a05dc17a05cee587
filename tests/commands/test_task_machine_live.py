"""Every command on tasks against a model, through the executor into PostgreSQL and on into the read table."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import psycopg
import pytest
from hypothesis.stateful import run_state_machine_as_test

from api.services import make_redis
from commands import event_store
from commands.appending import Fact
from commands.ids import new_id
from domain.streams import State
from domain.task import Task
from domain.user import UserJoined
from domain.workspace import WorkspaceFounded
from projections.projector import Projector
from tests.commands.desk import Connection, Desk, Team, log_of, states, wish
from tests.domain.given import ADA
from tests.domain.task_machine import TaskMachine, scaled
from tests.domain.task_model import MEMBERS, Modelled
from tests.house import Database, Servers


@dataclass
class Workshop:
    """What all examples share: two desks, a projector, and the event loop that they run on."""

    run: asyncio.Runner
    owner: Connection
    desks: list[Desk]
    projector: Projector

    @classmethod
    @asynccontextmanager
    async def open(cls, run: asyncio.Runner, database: Database, servers: Servers) -> AsyncIterator["Workshop"]:
        redis = make_redis(servers.redis_url)
        async with (
            Desk.open(database) as one,
            Desk.open(database) as two,
            await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as owner,
        ):
            yield cls(run, owner, [one, two], Projector(one.pool, redis, new_id()))
        await redis.aclose()

    async def found(self, more: Sequence[Fact] | None = None) -> Team:
        """A workspace of its own for an example, with the members of the model, or with these facts."""
        workspace_id = new_id()
        team = Team(workspace_id, ADA, *list(MEMBERS)[1:])
        await self.owner.execute(
            """
            WITH w AS (INSERT INTO workspaces (workspace_id, slug) VALUES (%s, %s) RETURNING workspace_id)
            INSERT INTO logs (workspace_id) SELECT workspace_id FROM w
            """,
            (workspace_id, workspace_id),
        )
        facts = [Fact(workspace_id, WorkspaceFounded(admin_id=ADA))]
        facts += [Fact(id_, UserJoined(role=role)) for id_, role in MEMBERS.items()] if more is None else more
        await event_store.append(self.owner, [wish(team, facts, {fact.stream_id: 0 for fact in facts})])
        return team

    async def rows(self, team: Team) -> dict[str, Task]:
        """The read table after the projector has read the log."""
        while await self.projector.run_once(team.workspace_id, "tasks"):
            pass
        cursor = await self.owner.execute(
            "SELECT task_document(t)::text FROM tasks t WHERE workspace_id = %s", (team.workspace_id,)
        )
        tasks = [msgspec.json.decode(document, type=Task) for (document,) in await cursor.fetchall()]
        return {task.id: task for task in tasks}


class LiveTaskMachine(TaskMachine):
    """Commands go to two processes in turn; every third one is sent twice, and the projector reads every other time."""

    workshop: Workshop

    def __init__(self) -> None:
        super().__init__()
        self.team = self.workshop.run.run(self.workshop.found())
        self.sent = 0

    def perform(self, command: Modelled, actor: str) -> State | None:
        self.sent += 1
        return self.workshop.run.run(self._perform(command, actor))

    async def _perform(self, command: Modelled, actor: str) -> State:
        desks, key = self.workshop.desks, f"key {self.sent}"
        receipt = await desks[self.sent % 2].do(self.team, actor, command, key=key)
        assert not receipt.replayed
        if self.sent % 3 == 0:
            again = await desks[self.sent // 3 % 2].do(self.team, actor, command, key=key)
            assert again.replayed
            assert (again.state, again.position) == (receipt.state, receipt.position)
        if self.sent % 2 == 0:
            await self.workshop.projector.run_once(self.team.workspace_id, "tasks")
        return receipt.state

    def teardown(self) -> None:
        self.workshop.run.run(self._check())

    async def _check(self) -> None:
        log = await log_of(self.workshop.owner, self.team.workspace_id)  # dense and in order
        folded = {stream_id: state for (stream_id, _), state in states(log).items() if isinstance(state, Task)}
        assert folded.keys() == self.model.tasks.keys()
        for task_id, expected in self.model.tasks.items():
            expected.matches(folded[task_id])
        assert await self.workshop.rows(self.team) == folded


@pytest.mark.long
def test_commands_are_refused_exactly_when_the_model_says_and_project_as_they_fold(
    database: Database, servers: Servers
) -> None:
    with asyncio.Runner() as run:
        opened = Workshop.open(run, database, servers)
        LiveTaskMachine.workshop = run.run(opened.__aenter__())
        try:
            run_state_machine_as_test(LiveTaskMachine, settings=scaled())
        finally:
            run.run(opened.__aexit__(None, None, None))
