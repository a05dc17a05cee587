"""The projection `timers`: its rows are the pure fold of the log, whatever the batches; and what it says is due."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from commands.deciding import Command
from commands.ids import new_id
from commands.project import ArchiveProject, CreateProject, RestoreProject
from commands.reminder import AddReminder, RemoveReminder
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.errors import Rejection
from domain.reminder import Date
from projections import drift, timers
from projections.database import Pool
from projections.registry import PROJECTIONS
from projections.timing import TIMERS
from tests.commands.desk import Connection, Desk, Team, found, log_of
from tests.projections.histories import History
from tests.projections.reading import catch_up, checkpoint_of, start_over, worker

DUES = ("2027-01-01T00:00:00.000000Z", "2027-02-01T12:30:00.000001Z", None)
LATE = datetime(2027, 6, 1, tzinfo=UTC)


async def change(desk: Desk, team: Team, tasks: list[str], dice: random.Random) -> None:
    """Something that may move a timer, by the admin."""
    task, reminder = dice.choice(tasks), new_id()
    commands: list[Command] = [
        EditTask(task, due_at=dice.choice(DUES)),
        EditTask(task, start_at="2026-12-01T00:00:00.000000Z"),
        EditTask(task, title=f"t{dice.random()}"),
        MoveTask(task, dice.choice(["complete", "reopen", "start"])),
        DeleteTask(task),
        RestoreTask(task),
        AddReminder(task, reminder, at="2026-12-24T18:00:00.000000Z"),
        AddReminder(task, reminder, relative_to=dice.choice(list(Date)), minutes_before=dice.choice([0, 60])),
    ]
    command = dice.choice(commands)
    try:
        await desk.do(team, team.admin, command)
        if isinstance(command, AddReminder) and dice.random() < 0.3:
            await desk.do(team, team.admin, RemoveReminder(task, reminder))
    except Rejection:
        pass


@pytest.mark.parametrize("seed", range(3))
async def test_rows_are_the_fold_of_the_streams_whatever_the_batches(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis, seed: int
) -> None:
    dice = random.Random(seed)
    team = await found(owner)
    tasks = [new_id() for _ in range(6)]
    for task in tasks:
        await desk.do(team, team.admin, CreateTask(task, "t", due_at=dice.choice(DUES)))
    history = History(desk, team, seed)
    for _ in range(12):
        for _ in range(8):
            await change(desk, team, tasks, dice)
        await history.go_on(5)
        projector = worker(pool, redis, most=dice.choice([1, 7, 10_000]))
        for _ in range(dice.randrange(4)):
            await projector.run_once(team.workspace_id, timers.NAME)
        await projector.stop()
    projector = worker(pool, redis)
    while await projector.run_once(team.workspace_id, timers.NAME):
        pass
    head = len(await log_of(owner, team.workspace_id))
    assert (await checkpoint_of(owner, team.workspace_id, timers.NAME)).position == head
    begins = [str(begin) for begin in range(0, head, drift.WINDOW)]
    async with pool.connection() as connection:
        checked = await drift.check(connection, team.workspace_id, TIMERS, begins)
    assert (checked.differences, checked.position) == ([], head)
    cursor = await owner.execute("SELECT count(*), count(fires_at), count(emptied_from) FROM timers")
    assert min(await cursor.fetchone() or (0,)) > 0
    await start_over(owner, timers.NAME)
    once = worker(pool, redis)
    before = await owner.execute("SELECT * FROM timers ORDER BY timer_id")
    assert await before.fetchall() == []
    while await once.run_once(team.workspace_id, timers.NAME):
        pass
    async with pool.connection() as connection:
        assert (await drift.check(connection, team.workspace_id, TIMERS, begins)).differences == []


async def test_drift_of_a_timer_is_found(desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    task = await desk.task(team, due_at=DUES[0])
    projector = worker(pool, redis)
    while await projector.run_once(team.workspace_id, timers.NAME):
        pass
    for harm in (
        f"rests_with = '{task}'",
        "fires_at = fires_at + interval '1 microsecond'",
        "emptied_from = now()",
        "state = '{}'",
    ):
        await owner.execute(f"UPDATE timers SET {harm}".encode())
        async with pool.connection() as connection:
            (difference,) = (await drift.check(connection, team.workspace_id, TIMERS, ["0"])).differences
        assert (difference.stream_id, difference.field) == (task, harm.split()[0])
        await start_over(owner, timers.NAME)
        projector = worker(pool, redis)
        while await projector.run_once(team.workspace_id, timers.NAME):
            pass


async def test_a_look_shows_moments_of_all_workspaces_in_order_page_by_page(
    desk: Desk, owner: Connection, pool: Pool, redis: Redis
) -> None:
    expected = []
    teams = [await found(owner) for _ in range(3)]
    for n, team in enumerate([*teams, *teams]):
        due = datetime(2027, 1, 6 - n, tzinfo=UTC)
        expected.append((due, await desk.task(team, due_at=due.strftime("%Y-%m-%dT%H:%M:%S.000000Z")), False))
    trashed = await desk.task(teams[0])
    deleted = await desk.do(teams[0], teams[0].admin, DeleteTask(trashed))
    at = datetime.fromisoformat(getattr(deleted.state, "deleted_at", ""))
    expected.append((at + timedelta(days=30), trashed, True))
    for team in teams:
        projector = worker(pool, redis)
        while await projector.run_once(team.workspace_id, timers.NAME):
            pass
    expected.sort()
    async with pool.connection() as connection:
        found_all = []
        last = None
        while moments := (
            await timers.look(connection, now=LATE, most=2, trash=timedelta(days=30), after=last)
        ).moments:
            found_all += moments
            last = moments[-1]
        assert [(each.at, each.id, each.empties) for each in found_all] == expected
        never = await timers.look(connection, now=LATE, most=100, trash=None)
        assert (never.now, [each.id for each in never.moments]) == (
            LATE,
            [id_ for _, id_, empties in expected if not empties],
        )
        clock = (await timers.look(connection, now=None, most=1, trash=None)).now
        assert abs(clock - datetime.now(UTC)) < timedelta(minutes=1)
    assert timers.NAME in PROJECTIONS
    await catch_up(worker(pool, redis), teams[0].workspace_id)


async def test_a_look_reads_what_comes_next_and_not_all_there_is(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis)
    while await projector.run_once(team.workspace_id, timers.NAME):
        pass
    await owner.execute(
        """
        INSERT INTO timers (workspace_id, build, timer_id, kind, position, fires_at, emptied_from, state)
        SELECT c.workspace_id, c.build, gen_random_uuid(), 'task', n, now() + n * interval '1 minute',
               CASE WHEN n % 10 = 0 THEN now() + n * interval '1 minute' END, '{}'
        FROM checkpoints c, generate_series(1, 20000) n WHERE c.projection = 'timers' AND c.live
        """
    )
    await owner.execute("ANALYZE timers")
    async with pool.connection() as connection:
        before = await scanned(connection)
        last = None
        for _ in range(3):
            found_now = await timers.look(connection, now=None, most=50, trash=timedelta(days=30), after=last)
            last = found_now.moments[-1]
        assert await timers.late(connection) == 0.0
        scans, rows = [now - then for now, then in zip(await scanned(connection), before, strict=True)]
    assert (scans, rows < 1_000) == (0, True), rows


async def scanned(connection: Connection) -> tuple[int, int]:
    """How often all timers were read one after another, and how many were read by an index."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    cursor = await connection.execute(
        "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'timers'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def test_a_look_passes_by_what_is_in_archived_projects_until_they_go_on(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projects = [new_id(), new_id()]
    tasks = []
    for n, project in enumerate(projects):
        await desk.do(team, team.admin, CreateProject(project, f"Project {n}", f"PR{n}"))
        tasks.append(await desk.task(team, due_at=DUES[0], project_id=project))

    async def seen() -> set[str]:
        projector = worker(pool, redis)
        for name in (timers.NAME, "projects"):
            while await projector.run_once(team.workspace_id, name):
                pass
        await projector.stop()
        async with pool.connection() as connection:
            found = await timers.look(connection, now=LATE, most=10, trash=None)
        return {each.id for each in found.moments}

    assert await seen() == set(tasks)
    await desk.do(team, team.admin, ArchiveProject(projects[0]))
    assert await seen() == {tasks[1]}
    await desk.do(team, team.admin, RestoreProject(projects[0]))
    assert await seen() == set(tasks)
