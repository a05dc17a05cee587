"""Large events: a batch holds so many bytes and no more, whatever the number of positions, and loses nothing by it."""

import random
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.task import TaskEdited
from projections import changes, log, progress, stream_folding
from projections.database import Pool
from projections.progress import Held, Progress
from projections.registry import TABLES
from projections.users import USERS
from tests.commands.desk import Connection, Desk, Team, log_of
from tests.house import until
from tests.projections.reading import catch_up, creation, fold_of, listening, log_events, rows_of, worker

EVERYTHING = ["%"]


async def heavy(owner: Connection, team: Team, seed: int, count: int) -> int:
    """Events of very different sizes, some of which are stored compressed, some not, some erased; the largest."""
    dice = random.Random(seed)
    largest = 0
    for n in range(count):
        size = dice.choice([0, 10, 900, 1_100, 5_000, 40_000])
        text = "x" * size if n % 2 else dice.randbytes(size // 2).hex()
        task_id = new_id()
        position = await log_events(owner, team, task_id, creation(description=text))
        if n % 7 == 6:
            await owner.execute("SELECT erase(%s, %s, 'test')", (team.workspace_id, position))
        largest = max(largest, size)
    return largest


@pytest.mark.parametrize("most_bytes", [1, 3_000, 50_000, 10_000_000])
async def test_slices_of_bounded_size_tile_the_log(owner: Connection, team: Team, most_bytes: int) -> None:
    largest = await heavy(owner, team, most_bytes, 40)
    head = len(await log_of(owner, team.workspace_id))
    whole = await log.read(owner, team.workspace_id, 0, head, EVERYTHING)
    assert (whole.to, whole.cut, len(whole.rows)) == (head, False, head)
    assert sum(len(row[7] or "") for row in whole.rows) > 100_000
    at, rows, slices = 0, [], 0
    while at < head:
        part = await log.read(owner, team.workspace_id, at, 25, EVERYTHING, most_bytes=most_bytes)
        assert part.after == at < part.to
        sizes = [len(row[7] or "") for row in part.rows]
        assert sum(sizes[:-1]) < most_bytes or not part.cut
        assert sum(sizes) <= most_bytes + largest + 1_000
        rows += part.rows
        at = part.to
        slices += 1
    assert rows == whole.rows
    assert (slices == 2) == (most_bytes > 1_000_000)


async def test_what_is_large_is_fetched_a_few_at_a_time(
    owner: Connection, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    await heavy(owner, team, 5, 30)
    head = len(await log_of(owner, team.workspace_id))
    whole = await log.read(owner, team.workspace_id, 0, head, EVERYTHING)
    for group, size in ((1, 500_000), (64, 1), (3, 10_000)):
        monkeypatch.setattr(log, "GROUP", group)
        monkeypatch.setattr(log, "GROUP_BYTES", size)
        assert await log.read(owner, team.workspace_id, 0, head, EVERYTHING) == whole


@pytest.mark.parametrize("most_bytes", [1, 5_000, 100_000])
async def test_rows_are_the_fold_however_small_the_batches_must_be(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, most_bytes: int
) -> None:
    """Small events of tasks that are large are a large batch as well: their states must be loaded and written."""
    tasks = [await desk.task(team, description="y" * 2_000) for _ in range(30)]
    first = worker(pool, redis)
    await catch_up(first, team.workspace_id)
    await first.stop()
    for task_id in tasks:
        await log_events(owner, team, task_id, TaskEdited(title="z"), after=1)
    projector = worker(pool, redis, most_bytes=most_bytes)
    assert await catch_up(projector, team.workspace_id) == 30 * len(TABLES)
    assert (projector.counts.by_name["tasks"].seconds.count > 20) == (most_bytes == 1)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_states_are_loaded_in_parts_when_they_are_large(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_folding, "LOADED_AT_ONCE", 4)
    tasks = [await desk.task(team, description="y" * 1_000) for _ in range(30)]
    first = worker(pool, redis)
    await catch_up(first, team.workspace_id)
    await first.stop()
    for task_id in tasks:
        await log_events(owner, team, task_id, TaskEdited(title="z"), after=1)
    projector = worker(pool, redis, most_bytes=4_000)
    assert await projector.run_once(team.workspace_id, "tasks") == 4
    await catch_up(projector, team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_changes_come_in_parts_when_they_are_large(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    for _ in range(6):
        await desk.task(team, description="y" * 1_000)
    at, seen = 0, []
    while True:
        part = await changes.read(owner, team.workspace_id, at, 1_000, most_bytes=2_500)
        assert len(part.tasks) <= 3
        seen += [change.position for change in part.tasks]
        at = part.to
        if at == part.head:
            break
    assert seen == list(range(7, 13))


async def test_changes_that_come_to_too_much_are_not_published(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await desk.task(team, description="y" * 1_000)
    monkeypatch.setattr(stream_folding, "MOST_PUBLISHED_BYTES", 2_000)
    projector = worker(pool, redis, poll_seconds=0.02)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await until(lambda: heard.reached("tasks") == 10)
        await projector.stop()
    assert [message.tasks for message in heard.of("tasks")] == [None]
    await catch_up(worker(pool, redis), team.workspace_id)  # the others may have been on their way when it was stopped
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


def test_what_is_remembered_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weight of a row of a user is nothing, so a table is made whose states weigh what they say."""
    monkeypatch.setattr(progress, "MOST_HELD_BYTES", 10)
    table = replace(USERS, weigh=lambda state: int(state), least=0)
    build, held = Progress(0), Held()
    held.keep(build, table, {"a": 4, "b": 5})
    held.keep(build, table, {"a": 2})
    assert (dict(build.states), held.bytes) == ({"b": 5, "a": 2}, 7)
    held.keep(build, table, {"c": 6})
    assert (dict(build.states), held.bytes) == ({"a": 2, "c": 6}, 8)
    held.keep(build, table, {"d": 11})
    assert (dict(build.states), held.bytes) == ({}, 0)
