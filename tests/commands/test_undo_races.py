"""Taking back over the whole write side, while others are at it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from commands.appending import Fact
from commands.deciding import Command, Context
from commands.execute import Call
from commands.ids import new_id
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask
from commands.undoing import Undoing
from commands.user import DeactivateUser, ReactivateUser
from domain.errors import Rejection
from domain.task import TaskEdited
from tests.commands.desk import Connection, Desk, Team, as_task, events_of, log_of, states
from tests.house import Database

AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Several:
    """Several commands written as one."""

    commands: tuple[Command, ...]

    @property
    def stream_id(self) -> str:
        return self.commands[0].stream_id

    def decide(self, context: Context) -> Sequence[Fact]:
        return [fact for command in self.commands for fact in command.decide(context)]


def undoing(desk: Desk) -> Undoing:
    return Undoing(desk.pool, desk.store, desk.streams, desk.executor)


async def undo(desk: Desk, team: Team, position: int) -> str:
    """How it ended."""
    call, part = Call(team.workspace_id, team.admin, "a request"), undoing(desk)
    try:
        await part.undo(call, await part.find(call, position))
    except Rejection as refusal:
        return refusal.code
    return "undone"


async def test_of_many_who_take_the_same_back_one_does(database: Database, owner: Connection, team: Team) -> None:
    async with Desk.open(database) as one, Desk.open(database) as two:
        task_id = await one.task(team)
        edited = await one.do(team, team.admin, EditTask(task_id, title="x"))
        ends = await asyncio.gather(*(undo(desk, team, edited.position) for desk in (one, two) for _ in range(AT_ONCE)))
    assert Counter(ends) == {"undone": 1, "undo.changed_since": 2 * AT_ONCE - 1}
    log = await log_of(owner, team.workspace_id)
    assert events_of(log, task_id)[1:] == [TaskEdited(title="x"), TaskEdited(title="write")]


async def test_nothing_that_somebody_did_meanwhile_is_overwritten(
    database: Database, owner: Connection, team: Team
) -> None:
    """Whoever comes first: an edit that is taken back has not been edited over, and an edit after it stays."""
    async with Desk.open(database) as one, Desk.open(database) as two:
        for n in range(10):
            task_id = await one.task(team)
            edited = await one.do(team, team.admin, EditTask(task_id, title="x"))
            end, _ = await asyncio.gather(
                undo(one, team, edited.position), two.do(team, team.manager, EditTask(task_id, title=f"his {n}"))
            )
            assert end in ("undone", "undo.changed_since")
            log = await log_of(owner, team.workspace_id)
            last = max(version for id_, version in states(log) if id_ == task_id)
            assert as_task(states(log)[task_id, last]).title == f"his {n}"


async def test_a_closed_parent_and_an_opened_part_never_meet(database: Database, owner: Connection, team: Team) -> None:
    async with Desk.open(database) as one, Desk.open(database) as two:
        for _ in range(10):
            root, part = await one.task(team), new_id()
            await one.do(team, team.admin, CreateTask(part, "part", parent_id=root))
            done = await one.do(team, team.admin, MoveTask(part, "complete"))
            ends = await asyncio.gather(
                undo(one, team, done.position),
                two.do(team, team.manager, MoveTask(root, "complete")),
                return_exceptions=True,
            )
            log = await log_of(owner, team.workspace_id)
            found = states(log)
            now = {id_: found[id_, max(v for each, v in found if each == id_)] for id_ in (root, part)}
            assert not (as_task(now[root]).is_closed and not as_task(now[part]).is_closed), ends


async def test_a_large_tree_is_found_and_taken_back_whole(database: Database, owner: Connection, team: Team) -> None:
    """More events than are read at once on either side of the one that is named."""
    async with Desk.open(database) as desk:
        root = await desk.task(team)
        for _ in range(60):
            await desk.do(team, team.admin, CreateTask(new_id(), "part", parent_id=root))
        before = len(await log_of(owner, team.workspace_id))
        await desk.do(team, team.admin, DeleteTask(root, subtasks=True))
        after = len(await log_of(owner, team.workspace_id))
        assert after - before == 61
        found = [
            await undoing(desk).find(Call(team.workspace_id, team.admin, ""), at)
            for at in (before + 1, before + 30, after)
        ]
        assert {(each.wrote.events[0].position, len(each.wrote.events)) for each in found} == {(before + 1, 61)}
        assert await undo(desk, team, after) == "undone"
    log = await log_of(owner, team.workspace_id)
    now = {id_: state for (id_, _), state in states(log).items() if id_ == root or getattr(state, "parent_id", None)}
    assert not any(as_task(state).deleted_at for state in now.values())
    assert len(as_task(now[root]).subtasks) == 60


async def test_what_commits_more_than_facts_is_taken_back_one_by_one(desk: Desk, team: Team) -> None:
    """Else the sessions of one of two who are shut out again would go on."""
    shut_out = (team.member, team.other)
    for user_id in shut_out:
        await desk.do(team, team.admin, DeactivateUser(user_id))
    both = await desk.do(team, team.admin, Several(tuple(ReactivateUser(user_id) for user_id in shut_out)))
    assert await undo(desk, team, both.position) == "undo.impossible"


async def test_what_wrote_more_events_than_one_command_takes_back_stays(
    desk: Desk, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.undoing.EVENTS_MAX", 60)
    tasks = tuple(CreateTask(new_id(), "one of many") for _ in range(61))
    many = await desk.do(team, team.admin, Several(tasks))
    assert await undo(desk, team, many.position) == "undo.too_large"
    few = await desk.do(team, team.admin, Several(tuple(CreateTask(new_id(), "few") for _ in range(3))))
    assert await undo(desk, team, few.position - 1) == "undone"
