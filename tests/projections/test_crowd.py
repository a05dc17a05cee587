"""Many workspaces over many workers: all come to the end, nobody waits for another one, and the dead are replaced."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from redis.asyncio import Redis

from domain.events import UnknownEvent
from projections import builds, checkpoints
from projections.database import Pool
from projections.pacing import Lane, pause_after
from projections.registry import TABLES
from tests.commands.desk import Connection, Desk, Team, blocked, found, log_of
from tests.house import SECRET, Database, Servers, until
from tests.projections.histories import History
from tests.projections.reading import (
    checkpoint_of,
    dies,
    eventually,
    fold_of,
    listening,
    reaches,
    rows_of,
    tiles,
    worker,
)
from tests.projections.test_poison import poison


async def test_thirty_workspaces_over_three_workers_all_come_to_the_end(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis
) -> None:
    teams = [await found(owner) for _ in range(30)]
    for n, team in enumerate(teams):
        await History(desk, team, n).go_on(5)
    workers = [worker(pool, redis, poll_seconds=0.05, most=4) for _ in range(3)]
    async with listening(redis, teams[0].workspace_id) as heard:
        for each in workers:
            await each.start()
        for team in teams:
            await reaches(owner, team.workspace_id, len(await log_of(owner, team.workspace_id)))
        head = len(await log_of(owner, teams[0].workspace_id))
        await until(lambda: heard.reached("tasks") == head)
        for each in workers:
            await each.stop()
    assert tiles(sorted(heard.of("tasks"), key=lambda message: message.after))  # no position was written twice
    assert all(each.counts.by_name["tasks"].positions for each in workers)
    done = sum(each.counts.by_name["tasks"].positions for each in workers)
    assert done == sum([len(await log_of(owner, team.workspace_id)) for team in teams])
    for team in teams[::7]:
        assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_others_take_over_from_a_worker_that_died_without_a_word(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis
) -> None:
    teams = [await found(owner) for _ in range(4)]
    first = worker(pool, redis, poll_seconds=0.05, lease_seconds=1.0)
    await first.start()
    for team in teams:
        await reaches(owner, team.workspace_id, 6)
    await dies(first)
    for team in teams:
        await desk.task(team)
    others = [worker(pool, redis, poll_seconds=0.05) for _ in range(2)]
    for each in others:
        await each.start()
    for team in teams:
        await reaches(owner, team.workspace_id, 7)
        assert (await checkpoint_of(owner, team.workspace_id)).lease != first._lease
        assert await first.run_once(team.workspace_id, "tasks") == 0  # it was not dead, only away
    for each in others:
        await each.stop()


async def test_a_long_catch_up_lets_the_others_have_their_turn(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis
) -> None:
    """One lane, and a workspace that needs it for many batches: those that come later are done long before it."""
    long, *short = [await found(owner) for _ in range(4)]
    await History(desk, long, 1).go_on(150)
    head = len(await log_of(owner, long.workspace_id))
    projector = worker(pool, redis, poll_seconds=0.02, lanes=1, turn=2, most=1)
    await projector.start()
    await until(lambda: projector._progress.get(Lane(long.workspace_id, "tasks"), None) is not None)
    for team in short:
        await reaches(owner, team.workspace_id, 6)
    assert (await checkpoint_of(owner, long.workspace_id)).position < head
    await reaches(owner, long.workspace_id, head)
    await projector.stop()


async def test_neither_slow_nor_stopped_workspaces_hold_up_another(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis, database: Database
) -> None:
    slow, healthy, *stopped = [await found(owner) for _ in range(5)]
    for team in stopped:
        await poison(owner, team, "task.unheard_of")
    projector = worker(pool, redis, poll_seconds=0.02, lanes=3, retry_seconds=0.01)
    async with await psycopg.AsyncConnection.connect(database.owner_url) as holding:
        await projector.run_once(slow.workspace_id, "tasks")
        await projector.run_once(slow.workspace_id, "users")
        await holding.execute("SELECT FROM checkpoints WHERE workspace_id = %s FOR UPDATE", (slow.workspace_id,))
        await desk.task(slow)
        await projector.start()
        await blocked(owner, 2)  # both of its lanes
        for n in range(5):
            await desk.task(healthy)
            await reaches(owner, healthy.workspace_id, 7 + n, "tasks")
        await holding.rollback()
    await reaches(owner, slow.workspace_id, 7)

    async def all_failing() -> bool:
        failures = await checkpoints.failures(owner, ["tasks"], 10)
        return [(each.failed_at, each.error.partition(":")[0]) for each in failures] == [(7, UnknownEvent.__name__)] * 3

    await eventually(all_failing)
    await projector.stop()


async def test_a_build_that_is_not_live_waits_until_the_live_ones_have_room(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, database: Database
) -> None:
    slow = await found(owner)
    projector = worker(pool, redis, poll_seconds=0.02, lanes=1)
    for workspace_id in (slow.workspace_id, team.workspace_id):
        for name in TABLES:
            await projector.run_once(workspace_id, name)
    await builds.begin(owner, team.workspace_id, "tasks", 1.0)
    filled = Lane(team.workspace_id, "tasks", 2)
    async with await psycopg.AsyncConnection.connect(database.owner_url) as holding:
        await holding.execute("SELECT FROM checkpoints WHERE workspace_id = %s FOR UPDATE", (slow.workspace_id,))
        await desk.task(slow)
        live = asyncio.create_task(projector._catch_up(Lane(slow.workspace_id, "tasks")))
        await blocked(owner)
        await projector._fill_up(filled)
        assert filled not in projector._progress  # it did not even ask
        await holding.rollback()
    await live
    await projector._fill_up(filled)
    assert projector._progress[filled].position == 6
    await projector.stop()


@pytest.mark.parametrize(("share", "rest"), [(1.0, 0.0), (0.5, 0.1), (0.25, 0.3)])
def test_pauses_are_in_proportion_to_the_work(share: float, rest: float) -> None:
    assert pause_after(0.1, share) == pytest.approx(rest)


@asynccontextmanager
async def process(database: Database, servers: Servers) -> AsyncIterator[asyncio.subprocess.Process]:
    """`taskfold work`, killed in the end if it still is there."""
    settings = {"DATABASE_URL": database.serving_url, "REDIS_URL": servers.redis_url, "SECRET_KEY": SECRET}
    environment = {**os.environ, **{f"TASKFOLD_{name}": value for name, value in settings.items()}}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", "work", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def test_a_worker_process_takes_over_from_one_that_was_killed(
    desk: Desk, owner: Connection, team: Team, database: Database, servers: Servers
) -> None:
    async with process(database, servers) as first:
        await reaches(owner, team.workspace_id, 6)
        held = await checkpoint_of(owner, team.workspace_id)
        async with process(database, servers):
            os.kill(first.pid, signal.SIGKILL)
            await first.wait()
            await desk.task(team)
            await reaches(owner, team.workspace_id, 7)
            assert (await checkpoint_of(owner, team.workspace_id)).lease != held.lease
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
