"""Leases and the fence: any number of workers, one writer, and a take-over that loses and doubles nothing."""

import asyncio
from itertools import pairwise

import psycopg
import pytest
from psycopg.errors import ObjectNotInPrerequisiteState
from redis.asyncio import Redis

from projections import checkpoints
from projections.batch import project
from projections.checkpoints import Claim, Move
from projections.database import Pool
from projections.progress import Progress
from projections.projector import Projector
from projections.registry import TABLES
from projections.tasks import TASKS
from tests.commands.desk import Connection, Desk, Team, blocked, log_of
from tests.house import Database, until
from tests.projections.histories import History
from tests.projections.reading import (
    Checkpoint,
    catch_up,
    checkpoint_of,
    fold_of,
    listening,
    reaches,
    rows_of,
    start_over,
    tiles,
    worker,
)


async def run_out(owner: Connection) -> None:
    """As if the lease time had passed without a sign of the holder."""
    await owner.execute("UPDATE checkpoints SET leased_until = clock_timestamp() - interval '1 second'")


async def versions(owner: Connection) -> list[tuple[str, ...]]:
    """Where each row lies and which transaction wrote it: any write at all shows."""
    cursor = await owner.execute("SELECT ctid::text, xmin::text, position::text FROM tasks ORDER BY task_id")
    return await cursor.fetchall()


async def test_who_holds_the_lease_writes_and_the_other_stands_by(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await desk.task(team)
    first, second = worker(pool, redis, most=3), worker(pool, redis)
    assert await first.run_once(team.workspace_id, "tasks") == 3
    before = await checkpoint_of(owner, team.workspace_id)
    assert await second.run_once(team.workspace_id, "tasks") == 0
    assert await checkpoint_of(owner, team.workspace_id) == before
    assert await versions(owner) == []
    assert await second.run_once(team.workspace_id, "users") == 7  # a lease is of one projection
    assert await catch_up(first, team.workspace_id) == 4 + 7 * (len(TABLES) - 2)
    assert len((await rows_of(owner, team.workspace_id)).tasks) == 1


async def test_a_stand_by_takes_over_when_the_lease_has_run_out_and_the_old_one_writes_no_more(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task_id = await desk.task(team)
    first, second = worker(pool, redis), worker(pool, redis)
    await catch_up(first, team.workspace_id)
    await History(desk, team, 1).go_on(20)
    await run_out(owner)
    await catch_up(second, team.workspace_id)
    position, lease, _ = await checkpoint_of(owner, team.workspace_id)
    await desk.task(team)
    written = await versions(owner)
    # The first one comes back, with work to do and states in memory from before.
    assert await first.run_once(team.workspace_id, "tasks") == 0
    assert await first.run_once(team.workspace_id, "tasks") == 0
    assert await versions(owner) == written
    assert await checkpoint_of(owner, team.workspace_id) == Checkpoint(position, lease, None)
    await catch_up(second, team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
    # It begins from the rows again once it is its turn, not from what it remembers.
    await second.stop()
    await desk.task(team)
    assert await first.run_once(team.workspace_id, "tasks") == 1
    assert task_id in (await rows_of(owner, team.workspace_id)).tasks
    assert (await rows_of(owner, team.workspace_id)).tasks == (await fold_of(owner, team.workspace_id)).tasks


async def test_a_holder_that_was_away_goes_on_when_nobody_took_its_place(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    first = worker(pool, redis)
    await catch_up(first, team.workspace_id)
    await run_out(owner)
    await desk.task(team)
    assert await first.run_once(team.workspace_id, "tasks") == 1
    assert await worker(pool, redis).run_once(team.workspace_id, "tasks") == 0  # the lease is good again


async def test_a_stand_by_takes_over_at_once_when_the_holder_stops(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    first, second = worker(pool, redis, most=4), worker(pool, redis)
    await first.run_once(team.workspace_id, "tasks")
    assert await second.run_once(team.workspace_id, "tasks") == 0
    await first.stop()
    assert await second.run_once(team.workspace_id, "tasks") == 2


@pytest.mark.parametrize("wrong", ["lease", "position"])
async def test_a_batch_of_one_who_was_fenced_off_fails_as_a_whole(
    desk: Desk, owner: Connection, team: Team, pool: Pool, wrong: str
) -> None:
    """The fence is the checkpoint itself: its lease and its position, in the transaction of the rows."""
    await desk.task(team)
    mine, others = "0" * 31 + "1", "0" * 31 + "2"
    async with pool.connection() as connection:
        claim = await checkpoints.claim(connection, team.workspace_id, "tasks", mine)
        assert claim == Claim(1, 0, None, 0)
        change = f"lease = '{others}'" if wrong == "lease" else "position = 2"
        await owner.execute(f"UPDATE checkpoints SET {change}".encode())
        before = await checkpoint_of(owner, team.workspace_id)
        with pytest.raises(ObjectNotInPrerequisiteState, match="another writer"):
            await project(connection, team.workspace_id, TASKS, Progress(claim.position), mine, 100)
        assert await versions(owner) == []
        assert await checkpoint_of(owner, team.workspace_id) == before
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_a_checkpoint_that_is_set_back_in_the_middle_of_a_batch_fences_it_off(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, database: Database
) -> None:
    await desk.task(team)
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    await desk.task(team)
    async with await psycopg.AsyncConnection.connect(database.owner_url) as rebuilding:
        await start_over(rebuilding, "tasks")
        batch = asyncio.create_task(projector.run_once(team.workspace_id, "tasks"))
        await blocked(owner)  # the batch has come to the fence
        await rebuilding.commit()
        assert await batch == 0
    assert await rows_of(owner, team.workspace_id) == (await fold_of(owner, team.workspace_id)) | {"tasks": {}}
    await catch_up(projector, team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_who_sets_a_checkpoint_back_waits_for_the_batch_that_is_being_written(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, database: Database
) -> None:
    """Whatever the batch writes is gone with the rest, and read again."""
    await desk.task(team)
    lease = "0" * 31 + "1"
    async with (
        await psycopg.AsyncConnection.connect(database.owner_url) as rebuilding,
        await psycopg.AsyncConnection.connect(database.owner_url) as writing,
    ):
        assert await checkpoints.claim(owner, team.workspace_id, "tasks", lease) is not None
        states = (await fold_of(owner, team.workspace_id)).tasks.values()
        await TASKS.save(writing, Move(team.workspace_id, "tasks", 1, lease, 0, 7), states)
        reset = asyncio.create_task(start_over(rebuilding, "tasks"))
        await blocked(owner)
        await writing.commit()
        assert await reset == 1
        await rebuilding.commit()
    assert (await rows_of(owner, team.workspace_id)).tasks == {}
    await catch_up(worker(pool, redis), team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_of_two_that_run_one_writes_each_position_and_both_can(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Under writes that never pause, the holder goes and the stand-by goes on: publications tile the log."""
    first, second = (worker(pool, redis, poll_seconds=0.01) for _ in range(2))
    history = History(desk, team, 3)
    async with listening(redis, team.workspace_id) as heard:
        await first.start()
        await second.start()
        writing = asyncio.create_task(history.go_on(300))
        await until(lambda: heard.reached("tasks") > 50)
        holder, stand_by = first, second
        if (await checkpoint_of(owner, team.workspace_id)).lease != first._lease:
            holder, stand_by = second, first
        await holder.stop()
        await writing
        head = len(await log_of(owner, team.workspace_id))
        await reaches(owner, team.workspace_id, head)
        assert (await checkpoint_of(owner, team.workspace_id)).lease == stand_by._lease
        await until(lambda: heard.reached("tasks") == head and heard.reached("users") == head)
        await stand_by.stop()
    messages = sorted(heard.of("tasks"), key=lambda message: message.after)
    # The holder drops what it had not sent when it stopped: a hole there may be, a double never.
    assert all(one.to <= next_.after for one, next_ in pairwise(messages))
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_publications_of_one_projector_tile_the_log(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=0.01, most=7)
    async with listening(redis, team.workspace_id) as heard:
        await projector.start()
        await History(desk, team, 4).go_on(100)
        head = len(await log_of(owner, team.workspace_id))
        await until(lambda: heard.reached("tasks") == head and heard.reached("users") == head)
        await projector.stop()
    assert tiles(heard.of("tasks"))
    assert tiles(heard.of("users"))
    assert all(message.to - message.after <= 7 for message in heard.messages)


async def test_commits_that_a_crash_of_the_server_took_back_are_made_again(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Rows need not reach the disk at once, the log does. A worker that lives on must not believe its memory."""
    await History(desk, team, 9).go_on(60)
    head = len(await log_of(owner, team.workspace_id))
    projector = worker(pool, redis, poll_seconds=0.01, most=head - 5)
    await projector.run_once(team.workspace_id, "tasks")
    await owner.execute("CREATE TABLE kept_rows AS SELECT * FROM tasks")
    await owner.execute("CREATE TABLE kept AS SELECT * FROM checkpoints")
    await projector.run_once(team.workspace_id, "tasks")
    assert (await checkpoint_of(owner, team.workspace_id)).position == head
    columns = ", ".join(("workspace_id", "build", "task_id", *TASKS.columns))
    async with owner.transaction():
        await owner.execute("DELETE FROM tasks")
        await owner.execute(f"INSERT INTO tasks ({columns}) SELECT {columns} FROM kept_rows".encode())
        await owner.execute("UPDATE checkpoints c SET position = k.position FROM kept k")
    assert (await checkpoint_of(owner, team.workspace_id)).position == head - 5
    await projector.start()
    await reaches(owner, team.workspace_id, head, "tasks")
    await projector.stop()
    assert (await rows_of(owner, team.workspace_id)).tasks == (await fold_of(owner, team.workspace_id)).tasks


async def test_a_stop_without_a_database_says_that_leases_run_out(
    team: Team, pool: Pool, redis: Redis, said: pytest.LogCaptureFixture
) -> None:
    projector: Projector = worker(pool, redis)
    await projector.run_once(team.workspace_id, "tasks")
    await pool.close()
    await projector.stop()
    assert "leases not given back" in said.text
