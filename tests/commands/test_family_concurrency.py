"""Fifty writers on two processes try to break each rule between tasks at once: it holds, and each loser is told why.

Whether it held is read from the log, command by command, from what happened to each task itself: what tasks were told
of each other is compared with that.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import groupby, pairwise, permutations
from random import Random

import pytest

from commands.deciding import Command
from commands.dependencies import LinkTasks
from commands.execute import MOST_ATTEMPTS
from commands.ids import new_id
from commands.project import CreateProject
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.errors import Conflict, NotFound, Rejection
from domain.events import Recorded
from domain.streams import evolve
from domain.task import Task, TaskMoved
from domain.task_links import LinkType
from tests.commands.desk import Connection, Desk, Team, log_of
from tests.house import Database

WRITERS = 50
Tasks = dict[str, Task]


@pytest.fixture
async def desks(database: Database, desk: Desk) -> AsyncIterator[list[Desk]]:
    async with Desk.open(database) as other:
        yield [desk, other]


def histories(log: Iterable[Recorded]) -> Iterator[tuple[Tasks, Tasks, list[Recorded]]]:
    """All tasks before and after each command, and what it did."""
    now: Tasks = {}
    for _, group in groupby(log, lambda logged: logged.meta.causation_id):
        before, events = dict(now), list(group)
        for logged in events:
            state = evolve(now.get(logged.stream_id), logged) if _of_a_task(logged, now) else None
            if isinstance(state, Task):
                now[logged.stream_id] = state
        yield before, dict(now), events


def _of_a_task(logged: Recorded, known: Tasks) -> bool:
    return logged.stream_id in known or type(logged.event).__name__ == "TaskCreated"


def check(log: Iterable[Recorded]) -> None:
    """No command broke a rule."""
    for before, after, events in histories(log):
        for task in after.values():
            _check_told(task, after)
            parent = after.get(task.parent_id or "")
            if parent is not None and not task.deleted_at and not task.is_closed:
                assert not parent.is_closed, "open below what is closed"
        for logged in events:
            if isinstance(logged.event, TaskMoved) and logged.event.category in ("active", "done"):
                task, leaving = before[logged.stream_id], {each.stream_id for each in events}
                assert logged.event.category is task.category or set(task.open_blockers) <= leaving
    assert not _circles(after)


def _check_told(task: Task, tasks: Tasks) -> None:
    """What a task shows of others is what they are."""
    for link in task.links:
        other = tasks[link.task_id]
        away = other.is_closed or other.deleted_at is not None
        assert link.closed is (link.type is LinkType.BLOCKED_BY and away)
    parts = {other.id: other.is_closed for other in tasks.values() if other.parent_id == task.id}
    assert {part.id: part.closed for part in task.subtasks} == parts, "none of them goes to the trash here"


def _after(task: Task) -> set[str]:
    blocked = {link.task_id for link in task.links if link.type is LinkType.BLOCKS}
    return blocked | ({task.parent_id} if task.parent_id else set())


def _circles(tasks: Tasks) -> set[str]:
    """What is left when all that nothing waits behind is taken away, again and again."""
    left = {id_: _after(task) for id_, task in tasks.items()}
    while ends := {id_ for id_, after in left.items() if not after & left.keys()}:
        for id_ in ends:
            del left[id_]
    return set(left)


async def rush(desks: Sequence[Desk], team: Team, plans: Sequence[Sequence[Command]]) -> list[Rejection]:
    """Each writer gives its commands one after another, all at the same time. Answers the refusals."""
    refusals: list[Rejection] = []

    async def write(desk: Desk, commands: Sequence[Command]) -> None:
        for command in commands:
            try:
                await desk.do(team, team.admin, command)
            except Rejection as rejection:
                refusals.append(rejection)

    async with asyncio.timeout(120):
        await asyncio.gather(*(write(desks[n % len(desks)], plan) for n, plan in enumerate(plans)))
    return refusals


def codes(refusals: Iterable[Rejection]) -> set[str]:
    assert all(isinstance(refusal, Conflict | NotFound) for refusal in refusals), Counter(map(repr, refusals))
    return {refusal.code for refusal in refusals}


async def tasks_of(owner: Connection, team: Team) -> Tasks:
    """All tasks in the end, after a look at every step of the log."""
    log = await log_of(owner, team.workspace_id)
    check(log)
    return list(histories(log))[-1][1]


async def test_no_cycle_is_closed_from_all_sides_at_once(desks: list[Desk], owner: Connection, team: Team) -> None:
    ids = [await desks[0].task(team) for _ in range(8)]
    edges: list[Command] = [LinkTasks(a, LinkType.BLOCKS, b) for a, b in permutations(ids, 2)]
    edges[:8] = [EditTask(a, parent_id=b) for a, b in pairwise([*ids, ids[0]])]
    Random(7).shuffle(edges)
    refusals = await rush(desks, team, [[edge] for edge in edges[:WRITERS]])
    after = await tasks_of(owner, team)
    assert codes(refusals) <= {"task.cycle", "task.too_deep"}
    assert sum(refusal.code == "task.cycle" for refusal in refusals) >= 10
    for refusal in refusals:
        path = refusal.extra.get("path", [])
        assert all(b in _after(after[a]) for a, b in list(pairwise(path))[1:]), "no edge goes away again"
    assert len([task for task in after.values() if task.links]) >= 7


async def test_a_parent_is_not_completed_while_a_subtask_reopens(
    desks: list[Desk], owner: Connection, team: Team
) -> None:
    root = await desks[0].task(team)
    parts = [await desks[0].task(team, parent_id=root) for _ in range(5)]
    for part in parts:
        await desks[0].do(team, team.admin, MoveTask(part, "complete"))
    of_root = [MoveTask(root, "complete"), MoveTask(root, "reopen")]
    plans: list[list[Command]] = [list(of_root) for _ in range(WRITERS // 2 - 5)]
    plans += [[MoveTask(root, "cancel", close_subtasks=True), MoveTask(root, "reopen")] for _ in range(5)]
    for n in range(WRITERS // 2):
        plans.append([MoveTask(parts[n % 5], "reopen"), MoveTask(parts[n % 5], "complete")])
    refusals = await rush(desks, team, plans)
    await tasks_of(owner, team)
    assert codes(refusals) <= {"task.open_subtasks", "task.parent_closed", "task.illegal_move"}
    assert {"task.open_subtasks", "task.parent_closed"} & codes(refusals)


async def test_no_task_starts_while_its_blocker_reopens(desks: list[Desk], owner: Connection, team: Team) -> None:
    task = await desks[0].task(team)
    blockers = [await desks[0].task(team) for _ in range(3)]
    for blocker in blockers:
        await desks[0].do(team, team.admin, LinkTasks(blocker, LinkType.BLOCKS, task))
        await desks[0].do(team, team.admin, MoveTask(blocker, "complete"))
    plans: list[list[Command]] = [[MoveTask(task, "start"), MoveTask(task, "pause")] for _ in range(WRITERS // 2)]
    for n in range(WRITERS // 2):
        again = blockers[n % 3]
        away = DeleteTask(again) if n % 5 == 4 else MoveTask(again, "complete")
        plans.append([MoveTask(again, "reopen"), away, RestoreTask(again)])
    refusals = await rush(desks, team, plans)
    await tasks_of(owner, team)
    assert codes(refusals) <= {"task.blocked", "task.illegal_move", "task.not_found"}
    assert "task.blocked" in codes(refusals)


async def test_those_who_write_the_same_stream_take_turns_and_do_not_all_decide_anew_each_time(
    desks: list[Desk], owner: Connection, team: Team
) -> None:
    """More of them than a decision has attempts: each new task takes a number, and arrives on the same board."""
    project = new_id()
    await desks[0].do(team, team.admin, CreateProject(project, "Application", "APP"))
    count = MOST_ATTEMPTS + 22
    plans: list[list[Command]] = [[CreateTask(_id(n), "write", project_id=project)] for n in range(count)]
    assert await rush(desks, team, plans) == []
    after = await tasks_of(owner, team)
    assert {task.key for task in after.values()} == {f"APP-{n}" for n in range(1, count + 1)}
    assert sum(desk.executor.counts.retries for desk in desks) < 5 * count


async def test_fifty_subtasks_that_close_at_once_free_the_one_that_waits_for_their_parent(
    desks: list[Desk], owner: Connection, team: Team
) -> None:
    root, waiting = await desks[0].task(team), await desks[0].task(team)
    await desks[0].do(team, team.admin, LinkTasks(root, LinkType.BLOCKS, waiting))
    plans: list[list[Command]] = [[CreateTask(_id(n), "part", parent_id=root)] for n in range(WRITERS)]
    assert await rush(desks, team, plans) == []
    assert await rush(desks, team, [[MoveTask(_id(n), "complete")] for n in range(WRITERS)]) == []
    await desks[1].do(team, team.admin, MoveTask(root, "complete"))
    after = await tasks_of(owner, team)
    assert (len(after[root].subtasks), after[root].is_closed, after[waiting].open_blockers) == (WRITERS, True, [])


def _id(number: int) -> str:
    return f"00000000-0000-7000-8002-{number:012x}"
