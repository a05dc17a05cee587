"""Two commands that each read what the other writes never both commit: in one batch, and across processes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from commands.appending import Fact, Outcome
from commands.deciding import Context
from commands.execute import Receipt
from commands.user import ChangeRole
from domain.errors import Conflict, Rejection
from domain.policy import Action
from domain.task import TaskCompleted, TaskDeleted
from domain.user import Role
from domain.workflow import Category
from domain.workspace import Workspace
from tests.commands.desk import Connection, Desk, Team, blocked, events_of, found, held, log_of, states, wish
from tests.commands.test_committer import send
from tests.house import Database

PAIRS = 12


@dataclass(frozen=True, slots=True)
class CompleteUnless:
    """Complete a task, unless another one is done already: a rule across two streams."""

    task_id: str
    other_id: str

    @property
    def stream_id(self) -> str:
        return self.task_id

    def decide(self, context: Context) -> Sequence[Fact]:
        task, other = (context.task(id_, Action.TASK_MOVE) for id_ in (self.task_id, self.other_id))
        if other.category is Category.DONE:
            raise Conflict("test.other_is_done", "the other task is done")
        return [Fact(task.id, TaskCompleted(status="done", category=Category.DONE))]


async def test_two_appends_that_wait_together_do_not_both_pass(
    database: Database, owner: Connection, team: Team
) -> None:
    async with Desk.open(database, connections=1) as desk:
        one, two = await desk.task(team), await desk.task(team)
        reads = {one: 1, two: 1}
        async with held(database, team):
            first = send(desk, wish(team, [Fact(team.auditor, TaskDeleted())], {team.auditor: 1}))
            await blocked(owner)
            sent = send(desk, *(wish(team, [Fact(id_, TaskDeleted())], reads) for id_ in (one, two)))
            await asyncio.sleep(0)
        outcomes = [(await verdict).outcome for verdict in [*first, *sent]]
    assert outcomes == [Outcome.COMMITTED, Outcome.COMMITTED, Outcome.CONFLICT]
    log = await log_of(owner, team.workspace_id)
    assert [len(events_of(log, id_)) for id_ in (one, two)] == [2, 1]


async def test_two_processes_that_wait_for_the_same_log_do_not_both_pass(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    one, two = await desk.task(team), await desk.task(team)
    reads = {one: 1, two: 1}
    async with Desk.open(database) as other:
        async with held(database, team):
            sent = send(desk, wish(team, [Fact(one, TaskDeleted())], reads))
            await blocked(owner)
            sent += send(other, wish(team, [Fact(two, TaskDeleted())], reads))
            await blocked(owner, 2)
        outcomes = [(await verdict).outcome for verdict in sent]
    assert sorted(outcomes) == [Outcome.COMMITTED, Outcome.CONFLICT]
    log = await log_of(owner, team.workspace_id)
    assert sorted(len(events_of(log, id_)) for id_ in (one, two)) == [1, 2]


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_two_commands_that_exclude_each_other_one_is_done(
    database: Database, desk: Desk, owner: Connection, team: Team, processes: int
) -> None:
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        pairs = [(await desk.task(team), await desk.task(team)) for _ in range(PAIRS)]
        results = await asyncio.gather(
            *(
                desks[n % processes].do(team, team.admin, CompleteUnless(*pair))
                for one, two in pairs
                for n, pair in enumerate([(one, two), (two, one)])
            ),
            return_exceptions=True,
        )
    assert [_code(result) for result in results].count("done") == PAIRS
    assert {_code(result) for result in results} == {"done", "test.other_is_done"}
    log = await log_of(owner, team.workspace_id)
    for pair in pairs:
        assert sorted(len(events_of(log, task_id)) for task_id in pair) == [1, 2]


@pytest.mark.parametrize("processes", [1, 2])
async def test_two_admins_who_demote_each_other_leave_one(
    database: Database, desk: Desk, owner: Connection, processes: int
) -> None:
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        for _ in range(PAIRS // 2):
            team = await found(owner)
            await desk.do(team, team.admin, ChangeRole(team.manager, Role.ADMIN))
            results = await asyncio.gather(
                desks[0].do(team, team.admin, ChangeRole(team.manager, Role.MEMBER)),
                desks[-1].do(team, team.manager, ChangeRole(team.admin, Role.MEMBER)),
                return_exceptions=True,
            )
            assert sorted(_code(result) for result in results) == ["auth.forbidden", "done"]
            log = await log_of(owner, team.workspace_id)
            workspace = [state for state in states(log).values() if isinstance(state, Workspace)][-1]
            assert len(workspace.admins) == 1


@pytest.mark.parametrize("processes", [1, 2])
async def test_two_admins_who_step_down_at_once_leave_one(
    database: Database, desk: Desk, owner: Connection, processes: int
) -> None:
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        for _ in range(PAIRS // 2):
            team = await found(owner)
            await desk.do(team, team.admin, ChangeRole(team.manager, Role.ADMIN))
            results = await asyncio.gather(
                *(
                    desks[n].do(team, id_, ChangeRole(id_, Role.MEMBER))
                    for n, id_ in ((0, team.admin), (-1, team.manager))
                ),
                return_exceptions=True,
            )
            assert sorted(_code(result) for result in results) == ["done", "user.last_admin"]


def _code(result: Receipt | BaseException) -> str:
    if isinstance(result, Receipt):
        return "done"
    assert isinstance(result, Rejection), result
    return result.code
