"""Batches: whatever their borders, the rows are the pure fold of the log; a restart goes on from the checkpoint."""

import random
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.messages import decode_projected
from domain.task import ERASED_TITLE, TaskAssigned, TaskEdited
from domain.task_fields import Assignee
from projections import batch, progress
from projections.database import Pool
from projections.progress import Held, Progress
from projections.registry import TABLES
from projections.users import USERS
from tests.commands.desk import Connection, Desk, Team, found, log_of
from tests.projections.histories import History
from tests.projections.reading import (
    Checkpoint,
    Rows,
    catch_up,
    checkpoint_of,
    creation,
    fold_of,
    log_events,
    reaches,
    rows_of,
    start_over,
    worker,
)


@pytest.mark.parametrize("seed", range(4))
async def test_rows_are_the_pure_fold_whatever_the_batches(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    teams = [await found(owner) for _ in range(3)]
    histories = [History(desk, team, seed * 10 + n) for n, team in enumerate(teams)]
    dice = random.Random(seed)
    for _ in range(12):
        await dice.choice(histories).go_on(dice.randrange(40))
        monkeypatch.setattr(batch, "PART", dice.choice([1, 2, 5, 2_500]))
        projector = worker(pool, redis, most=dice.choice([1, 3, 17, 10_000]))
        for _ in range(dice.randrange(2 * len(TABLES))):
            await projector.run_once(dice.choice(teams).workspace_id, dice.choice(list(TABLES)))
        await projector.stop()  # gives back its leases, so that any other one goes on
    for team in teams:
        await catch_up(worker(pool, redis), team.workspace_id)
        rows = await rows_of(owner, team.workspace_id)
        assert rows == await fold_of(owner, team.workspace_id)
        assert len(rows.users) == 5
        head = len(await log_of(owner, team.workspace_id))
        for name in TABLES:
            assert (await checkpoint_of(owner, team.workspace_id, name)).position == head
    assert sum([len((await rows_of(owner, team.workspace_id)).tasks) for team in teams]) > 5


async def test_a_batch_reads_as_many_positions_as_it_may(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await History(desk, team, 5).go_on(40)
    head = len(await log_of(owner, team.workspace_id))
    projector = worker(pool, redis, most=head - 2)
    assert [await projector.run_once(team.workspace_id, "tasks") for _ in range(3)] == [head - 2, 2, 0]


async def test_a_batch_is_read_in_parts_and_writes_each_row_once(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PART", 3)
    task_id = await desk.task(team)
    for n in range(10):
        await log_events(owner, team, task_id, TaskEdited(title=f"title {n}"), after=n + 1)
    head = len(await log_of(owner, team.workspace_id))
    projector = worker(pool, redis)
    assert await projector.run_once(team.workspace_id, "tasks") == head
    cursor = await owner.execute("SELECT version, xmin::text = ANY (SELECT xmin::text FROM checkpoints) FROM tasks")
    assert await cursor.fetchall() == [(11, True)]
    (message,) = [decode_projected(sent) for _, sent in projector._sender._buffer if decode_projected(sent).tasks]
    assert [change.position for change in message.tasks or ()] == list(range(head - 10, head + 1))


async def test_a_restart_goes_on_from_the_checkpoint(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Nothing is read twice, and what a batch needs of earlier ones is in the rows."""
    history = History(desk, team, 6)
    await history.go_on(60)
    head = len(await log_of(owner, team.workspace_id))
    before = worker(pool, redis, most=head - 5)
    assert await before.run_once(team.workspace_id, "tasks") == head - 5
    await before.stop()
    assert await checkpoint_of(owner, team.workspace_id) == Checkpoint(head - 5, None, None)
    await history.go_on(60)
    now = len(await log_of(owner, team.workspace_id))
    after = worker(pool, redis)
    assert await after.run_once(team.workspace_id, "tasks") == now - (head - 5)
    assert (await rows_of(owner, team.workspace_id)).tasks == (await fold_of(owner, team.workspace_id)).tasks


async def test_states_that_fell_out_of_memory_are_read_from_their_rows(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MOST_HELD_BYTES", 2_000)
    history, projector = History(desk, team, 7), worker(pool, redis, most=4)
    for _ in range(5):
        await history.go_on(20)
        await catch_up(projector, team.workspace_id)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


def test_the_states_that_were_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_HELD_BYTES", 2)
    table = replace(USERS, weigh=lambda _: 1, least=0)
    build, held = Progress(0), Held()
    held.keep(build, table, {"a": 1, "b": 2})
    held.keep(build, table, {"a": 3})
    held.keep(build, table, {"c": 4})
    assert (dict(build.states), held.bytes) == ({"a": 3, "c": 4}, 2)


def test_builds_share_the_memory_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build that was used least recently gives way, all of it before the next one."""
    monkeypatch.setattr(progress, "MOST_HELD_BYTES", 4)
    table = replace(USERS, weigh=lambda _: 1, least=0)
    builds, held = [Progress(0) for _ in range(3)], Held()
    held.keep(builds[0], table, {"a": 1})
    held.keep(builds[1], table, {"b": 1, "c": 1})
    held.keep(builds[0], table, {"d": 1})
    held.keep(builds[2], table, {"e": 1})
    assert [list(build.states) for build in builds] == [["a", "d"], ["c"], ["e"]]
    held.keep(builds[2], table, {"f": 1, "g": 1})
    assert [list(build.states) for build in builds] == [["d"], [], ["e", "f", "g"]]
    held.forget(builds[2])
    held.forget(builds[2])
    assert ([list(build.states) for build in builds], held.bytes) == ([["d"], [], []], 1)


async def test_what_was_erased_projects_as_what_is_left(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task_id = await desk.task(team, title="a secret", description="a secret", tags=("a secret",))
    created = len(await log_of(owner, team.workspace_id))
    await log_events(owner, team, task_id, TaskEdited(description="another secret"), after=1)
    await log_events(owner, team, task_id, TaskEdited(tags=("left",)), after=2)
    for position in (created, created + 1):
        await owner.execute("SELECT erase(%s, %s, 'asked to')", (team.workspace_id, position))
    await catch_up(worker(pool, redis), team.workspace_id)
    rows = await rows_of(owner, team.workspace_id)
    assert rows == await fold_of(owner, team.workspace_id)
    task = rows.tasks[task_id]
    assert (task["title"], task["description"], task["tags"]) == (ERASED_TITLE, "", ["left"])
    cursor = await owner.execute("SELECT count(*) FROM tasks WHERE search @@ to_tsquery('simple', 'secret')")
    assert await cursor.fetchone() == (0,)


async def test_an_erasure_after_the_fact_reaches_the_rows_when_they_are_made_again(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task_id = await desk.task(team, title="a secret")
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    await owner.execute("SELECT erase(%s, 7, 'asked to')", (team.workspace_id,))
    async with pool.connection() as connection, connection.transaction():
        await start_over(connection, "tasks")
    await catch_up(worker(pool, redis), team.workspace_id)
    assert (await rows_of(owner, team.workspace_id)).tasks[task_id]["title"] == ERASED_TITLE


async def test_a_worker_that_has_nothing_else_to_do_starts_over_at_once(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Nobody writes, so only the checkpoint tells it that what it remembers is void."""
    await desk.task(team)
    projector = worker(pool, redis, poll_seconds=0.01)
    await projector.start()
    await reaches(owner, team.workspace_id, 7)
    before = await rows_of(owner, team.workspace_id)
    for name in TABLES:
        async with pool.connection() as connection, connection.transaction():
            await start_over(connection, name)
    await reaches(owner, team.workspace_id, 7)
    await projector.stop()
    assert await rows_of(owner, team.workspace_id) == before


async def test_starting_over_arrives_at_the_same_rows(desk: Desk, owner: Connection, pool: Pool, redis: Redis) -> None:
    teams = [await found(owner) for _ in range(2)]
    before, projector = [], worker(pool, redis, most=11)
    for team in teams:
        await History(desk, team, 3).go_on(200)
        await catch_up(projector, team.workspace_id)
        before.append(await rows_of(owner, team.workspace_id))
    for name in TABLES:
        async with pool.connection() as connection, connection.transaction():
            assert await start_over(connection, name) == 2
        for team, rows in zip(teams, before, strict=True):
            emptied = await rows_of(owner, team.workspace_id)
            assert not emptied[name]
            assert rows[name], name
            assert await checkpoint_of(owner, team.workspace_id, name) == Checkpoint(0, None, None)
    successor = worker(pool, redis)
    for team, rows in zip(teams, before, strict=True):
        await catch_up(successor, team.workspace_id)
        assert await rows_of(owner, team.workspace_id) == rows


async def test_an_empty_log_has_nothing_to_project(owner: Connection, pool: Pool, redis: Redis) -> None:
    projector = worker(pool, redis)
    await owner.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (gen_random_uuid(), 'empty')")
    cursor = await owner.execute(
        "INSERT INTO logs SELECT workspace_id FROM workspaces WHERE slug = 'empty' RETURNING workspace_id::text"
    )
    (empty,) = await cursor.fetchone() or ("",)
    assert await projector.run_once(empty, "tasks") == 0
    assert await rows_of(owner, empty) == Rows({name: {} for name in TABLES})


async def test_a_task_of_a_team_projects(owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    """A fact that the log may hold before there is a command for it."""
    task_id, assignee = new_id(), Assignee(type="team", id=new_id())
    await log_events(owner, team, task_id, creation(), TaskAssigned(assignee=assignee))
    await catch_up(worker(pool, redis), team.workspace_id)
    assert (await rows_of(owner, team.workspace_id)).tasks[task_id]["assignee"] == {"type": "team", "id": assignee.id}
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
