"""64 concurrent writers on 10 tasks, over two processes: nothing is lost, nothing has a hole, every answer is true."""

import asyncio
import contextlib
from itertools import count

from commands.execute import Receipt
from commands.task import EditTask, MoveTask
from domain.errors import Conflict, Stale
from domain.task import TaskEdited
from tests.commands.desk import Connection, Desk, Team, as_task, log_of, states
from tests.house import Database

WRITERS = 64
TASKS = 10
ROUNDS = 5


async def add_tag(desk: Desk, team: Team, task_id: str, tag: str) -> Receipt:
    """Read, change, write back under If-Match, and again when somebody was faster."""
    while True:
        task = as_task(await desk.streams.current(team.workspace_id, task_id, 0))
        try:
            command = EditTask(task_id, tags=(*task.tags, tag))
            return await desk.do(team, team.admin, command, if_match=frozenset({task.version}))
        except Stale:
            continue


async def write(desk: Desk, team: Team, task_id: str, name: str) -> list[Receipt]:
    receipts = []
    for n in range(ROUNDS):
        receipts.append(await desk.do(team, team.manager, EditTask(task_id, title=f"{name}.{n}")))
        receipts.append(await add_tag(desk, team, task_id, f"{name}.{n}"))
        with contextlib.suppress(Conflict):  # somebody else has made the move: a verdict as good as any
            receipts.append(await desk.do(team, team.manager, MoveTask(task_id, "start" if n % 2 else "pause")))
    return receipts


async def test_64_writers_on_10_tasks_lose_nothing(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    async with Desk.open(database) as other:
        task_ids = [await desk.task(team) for _ in range(TASKS)]
        writers = [write((desk, other)[n % 2], team, task_ids[n // 2 % TASKS], f"w{n}") for n in range(WRITERS)]
        receipts = [receipt for done in await asyncio.gather(*writers) for receipt in done]
    log = await log_of(owner, team.workspace_id)  # positions, versions and times are dense and in order
    known = states(log)

    tags: dict[str, set[str]] = {task_id: set() for task_id in task_ids}
    titles = {event.event.title for event in log if isinstance(event.event, TaskEdited)}
    for n in range(WRITERS):
        tags[task_ids[n // 2 % TASKS]] |= {f"w{n}.{i}" for i in range(ROUNDS)}
        assert {f"w{n}.{i}" for i in range(ROUNDS)} <= titles
    for task_id in task_ids:
        last = max(version for id_, version in known if id_ == task_id)
        assert set(as_task(known[task_id, last]).tags) == tags[task_id]

    for receipt in receipts:
        assert receipt.state == known[receipt.stream_id, receipt.version]
        assert (log[receipt.position - 1].stream_id, log[receipt.position - 1].version) == (
            receipt.stream_id,
            receipt.version,
        )
    effects = [(receipt.stream_id, receipt.version) for receipt in receipts]
    assert len(set(effects)) == len(effects)
    assert len(effects) == len(log) - 6 - TASKS


async def test_processes_that_meet_on_one_task_all_have_their_turns(
    database: Database, desk: Desk, owner: Connection, team: Team
) -> None:
    """30 callers in one, two in the other: neither keeps the task to itself, and nobody is sent away."""
    task_id = await desk.task(team)
    done = {"many": 0, "few": 0}
    numbers = count()

    async def edit(at: Desk, who: str) -> None:
        while sum(done.values()) < 400:
            await at.do(team, team.admin, EditTask(task_id, title=f"number {next(numbers)}"))
            done[who] += 1

    async with Desk.open(database) as other:
        await asyncio.gather(*(edit(desk, "many") for _ in range(30)), *(edit(other, "few") for _ in range(2)))
    assert min(done.values()) >= 60
    assert len(await log_of(owner, team.workspace_id)) == 7 + sum(done.values())
