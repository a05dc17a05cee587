"""The drift check: every sort of planted difference is found and named, and a projector at work raises no alarm."""

import asyncio
import logging
import random
from uuid import UUID

import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from commands.task import EditTask, MoveTask
from commands.user import ChangeProfile
from domain.task import TaskEdited
from projections import drift_sample
from projections.database import Pool
from projections.drift import Difference, Sort, check
from projections.drift_sample import every, sample
from projections.drift_worker import DriftSettings, DriftWatch
from projections.registry import TABLES
from projections.tasks import TASKS
from projections.users import USERS
from tests.commands.desk import Connection, Desk, Team, found
from tests.house import until
from tests.projections.histories import History
from tests.projections.reading import catch_up, checkpoint_of, creation, log_events, reaches, worker

NONE = dict.fromkeys(TABLES, 0)
Named = tuple[str, str, Sort, str | None]

NONE = dict.fromkeys(TABLES, 0)


async def differences(pool: Pool, workspace_id: str) -> list[Difference]:
    """All that differs in a workspace."""
    found: list[Difference] = []
    async with pool.connection() as connection:
        for table in TABLES.values():
            async for ids in every(connection, workspace_id, table):
                found += (await check(connection, workspace_id, table, ids)).differences
    return found


async def named(pool: Pool, team: Team) -> set[Named]:
    """The same without the values; each one named once."""
    found = await differences(pool, team.workspace_id)
    names = {(one.projection, one.stream_id, one.sort, one.field) for one in found}
    assert len(names) == len(found)
    assert {one.workspace_id for one in found} <= {team.workspace_id}
    return names


@pytest.fixture
async def projected(desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis) -> list[str]:
    """Three tasks with something happened to them, all of it projected."""
    tasks = [await desk.task(team, title=title) for title in ("one", "two", "three")]
    for task in tasks:
        await desk.do(team, team.admin, MoveTask(task, "start"))
    await catch_up(worker(pool, redis), team.workspace_id)
    assert await differences(pool, team.workspace_id) == []
    return tasks


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ("title = 'altered'", {"title"}),
        ("status = 'done', category = 'done'", {"status", "category"}),
        ("priority = 3", {"priority"}),
        ("priority = 9", {"priority"}),
        ("due_at = '2027-06-30 12:00:00.000001+02'", {"due_at"}),
        ("tags = '{a}'", {"tags"}),
        ("assignee_type = 'user', assignee_id = created_by", {"assignee"}),
        ("assignee_type = 'nobody', assignee_id = created_by", {"assignee"}),
        ("created_by = task_id, deleted_at = now()", {"created_by", "deleted_at"}),
        ("updated_at = updated_at + interval '1 microsecond'", {"updated_at"}),
        ("position = position - 1", {"position"}),
    ],
)
async def test_a_changed_field_is_named(
    owner: Connection, team: Team, pool: Pool, projected: list[str], change: str, fields: set[str]
) -> None:
    await owner.execute(f"UPDATE tasks SET {change} WHERE task_id = %s".encode(), (projected[1],))
    assert await named(pool, team) == {("tasks", projected[1], Sort.FIELD, field) for field in fields}


async def test_a_difference_has_both_values_and_the_position(
    owner: Connection, team: Team, pool: Pool, projected: list[str]
) -> None:
    await owner.execute("UPDATE tasks SET title = 'altered' WHERE task_id = %s", (projected[0],))
    [difference] = await differences(pool, team.workspace_id)
    assert difference == (team.workspace_id, "tasks", projected[0], Sort.FIELD, "title", "altered", "one", 12)


@pytest.mark.parametrize("role", ["admin", "emperor"])
async def test_a_wrong_role_is_named(
    owner: Connection, team: Team, pool: Pool, projected: list[str], role: str
) -> None:
    """Also one that no program knows."""
    await owner.execute("UPDATE users SET role = %s WHERE user_id = %s", (role, team.member))
    [difference] = await differences(pool, team.workspace_id)
    assert difference == (team.workspace_id, "users", team.member, Sort.FIELD, "role", role, "member", 12)


async def test_a_missing_row_is_named(owner: Connection, team: Team, pool: Pool, projected: list[str]) -> None:
    await owner.execute("DELETE FROM tasks WHERE task_id = %s", (projected[2],))
    await owner.execute("DELETE FROM users WHERE user_id = %s", (team.auditor,))
    assert await named(pool, team) == {
        ("tasks", projected[2], Sort.MISSING, None),
        ("users", team.auditor, Sort.MISSING, None),
    }


async def test_an_extra_row_is_named(owner: Connection, team: Team, pool: Pool, projected: list[str]) -> None:
    """One of no stream at all, and one of a stream of another kind."""
    stray = new_id()
    await owner.execute("UPDATE tasks SET task_id = %s WHERE task_id = %s", (stray, projected[0]))
    await owner.execute("UPDATE users SET user_id = %s WHERE user_id = %s", (projected[1], team.other))
    assert await named(pool, team) == {
        ("tasks", stray, Sort.EXTRA, None),
        ("tasks", projected[0], Sort.MISSING, None),
        ("users", projected[1], Sort.EXTRA, None),
        ("users", team.other, Sort.MISSING, None),
    }


async def test_a_row_behind_its_checkpoint_is_named(
    owner: Connection, team: Team, pool: Pool, projected: list[str]
) -> None:
    """The checkpoint says that an event was taken in, and it was not."""
    position = await log_events(owner, team, projected[0], TaskEdited(title="two of it"), after=2)
    await owner.execute("UPDATE checkpoints SET position = %s", (position,))
    assert await named(pool, team) == {
        ("tasks", projected[0], Sort.BEHIND, "version"),
        *(("tasks", projected[0], Sort.FIELD, field) for field in ("position", "title", "updated_at")),
    }


async def test_a_row_ahead_of_its_checkpoint_is_named(
    owner: Connection, team: Team, pool: Pool, projected: list[str]
) -> None:
    """Positions 10 to 12 are the starts. A row whose stream begins beyond the checkpoint is of no stream yet."""
    await owner.execute("UPDATE checkpoints SET position = 11 WHERE projection = 'tasks'")
    fields = ("position", "status", "category", "updated_at")
    assert await named(pool, team) == {
        ("tasks", projected[2], Sort.AHEAD, "version"),
        *(("tasks", projected[2], Sort.FIELD, field) for field in fields),
    }
    await owner.execute("UPDATE checkpoints SET position = 8 WHERE projection = 'tasks'")
    assert ("tasks", projected[2], Sort.EXTRA, None) in await named(pool, team)


async def test_a_projection_that_is_behind_the_log_has_not_drifted(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, projected: list[str]
) -> None:
    await desk.do(team, team.admin, EditTask(projected[0], title="later"))
    await desk.task(team)
    assert await differences(pool, team.workspace_id) == []
    assert await differences(pool, (await found(owner)).workspace_id) == []  # not begun at all


async def test_what_was_passed_over_is_no_difference_and_what_was_not_is_one(
    owner: Connection, team: Team, pool: Pool, projected: list[str]
) -> None:
    position = await log_events(owner, team, projected[0], TaskEdited(title="nobody can read this"), after=2)
    await owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
    await owner.execute("UPDATE events SET name = 'task.unheard_of' WHERE position = %s", (position,))
    await owner.execute("UPDATE checkpoints SET position = %s", (position,))
    [difference] = await differences(pool, team.workspace_id)
    assert difference[1:5] == ("tasks", projected[0], Sort.UNFOLDED, None)
    assert difference.folded.startswith(f"position {position}, task.unheard_of: UnknownEvent: ")
    await owner.execute(
        "INSERT INTO passed_over (workspace_id, projection, position, reason) VALUES (%s, 'tasks', %s, 'decided')",
        (team.workspace_id, position),
    )
    assert await differences(pool, team.workspace_id) == []


async def test_an_erased_title_that_a_row_still_shows_is_found(
    owner: Connection, team: Team, pool: Pool, projected: list[str]
) -> None:
    """Erasing changes what a stream folds to. The row shows it until it is made anew."""
    await owner.execute("SELECT erase(%s, 7, 'asked')", (team.workspace_id,))
    assert await named(pool, team) == {("tasks", projected[0], Sort.FIELD, "title")}


async def test_only_the_live_build_is_compared(owner: Connection, team: Team, pool: Pool, projected: list[str]) -> None:
    await owner.execute(
        """
        INSERT INTO checkpoints (workspace_id, projection, build, state, position)
        SELECT workspace_id, projection, 2, 'filling', 3 FROM checkpoints
        """
    )
    await owner.execute(
        "INSERT INTO users SELECT workspace_id, 2, user_id, 1, 1, 'admin', active, teams, projects, joined_at, "
        "updated_at FROM users"
    )
    assert await differences(pool, team.workspace_id) == []
    await owner.execute("UPDATE checkpoints SET state = 'kept' WHERE build = 1")
    await owner.execute("UPDATE checkpoints SET state = 'live' WHERE build = 2")
    assert {name[:3] for name in await named(pool, team)} > {("users", team.auditor, Sort.EXTRA)}


async def test_pages_do_not_show(
    desk: Desk, team: Team, pool: Pool, redis: Redis, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await History(desk, team, 5).go_on(300)
    await catch_up(worker(pool, redis), team.workspace_id)
    await owner.execute("UPDATE tasks SET title = 'x' || title")
    await owner.execute("UPDATE users SET user_id = gen_random_uuid() WHERE role = 'auditor'")
    whole = await named(pool, team)
    monkeypatch.setattr(drift_sample, "IDS_A_PAGE", 2)
    assert await named(pool, team) == whole
    assert len(whole) > 6


async def test_a_sample_finds_what_it_meets_and_stays_small(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    tasks = [await desk.task(team, title=f"{n}") for n in range(60)]
    for _ in range(3):
        for move in ("start", "pause"):
            await desk.do(team, team.admin, MoveTask(tasks[0], move))
    await catch_up(worker(pool, redis), team.workspace_id)
    await owner.execute("DELETE FROM tasks WHERE task_id = %s", (tasks[7],))
    await owner.execute("UPDATE tasks SET task_id = %s WHERE task_id = %s", (stray := new_id(), tasks[30]))
    seen: set[str] = set()
    met: set[tuple[str, Sort]] = set()
    async with pool.connection() as connection:
        for _ in range(400):
            ids = await sample(connection, team.workspace_id, TASKS, 9)
            assert 0 < len(ids) <= 9
            assert len(set(ids)) == len(ids)
            seen |= set(ids)
            checked = await check(connection, team.workspace_id, TASKS, ids)
            assert checked.streams == len(ids)
            met |= {(one.stream_id, one.sort) for one in checked.differences}
        assert seen == {*tasks, stray}, "whoever looks long enough sees every stream and every row"
        assert met == {(tasks[7], Sort.MISSING), (stray, Sort.EXTRA), (tasks[30], Sort.MISSING)}
        assert set(await sample(connection, team.workspace_id, USERS, 90)) == set(team[1:])
        for _ in range(20):
            assert tasks[0] not in await sample(connection, team.workspace_id, TASKS, 60, longest=6)
        assert await sample(connection, (await found(owner)).workspace_id, TASKS, 9) == []


async def test_a_stream_with_a_thousand_events_does_not_hide_those_with_one(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Without rows only positions lead to streams; of these, a third of the sample is by where streams begin."""
    busy = await desk.task(team)
    await log_events(owner, team, busy, *[TaskEdited(title=f"{n}") for n in range(1_000)], after=1)
    quiet = [await desk.task(team) for _ in range(30)]
    await catch_up(worker(pool, redis), team.workspace_id)
    await owner.execute("DELETE FROM tasks")
    met = set()
    async with pool.connection() as connection:
        for _ in range(80):
            met |= set(await sample(connection, team.workspace_id, TASKS, 30))
    assert met == {busy, *quiet}


async def test_the_watch_says_each_difference_once_and_counts_it_every_time(
    owner: Connection, team: Team, pool: Pool, projected: list[str], said: pytest.LogCaptureFixture
) -> None:
    watch = DriftWatch(pool, TABLES)
    assert (watch.samples, watch.differences, watch.last_run) == (NONE, NONE, None)
    assert await watch.run_once() == []
    assert watch.last_run is not None
    assert watch.samples == NONE | {"tasks": 3, "users": 5}
    await owner.execute("UPDATE tasks SET title = 'altered', status = 'done' WHERE task_id = %s", (projected[0],))
    for _ in range(3):
        assert {one.field for one in await watch.run_once()} == {"title", "status"}
    assert watch.differences == NONE | {"tasks": 6}
    lines = [record for record in said.records if record.message == "a row is not the fold of its stream"]
    assert {(record.stream, record.field, record.levelno) for record in lines} == {  # type: ignore[attr-defined]
        (projected[0], "title", logging.ERROR),
        (projected[0], "status", logging.ERROR),
    }
    assert len(lines) == 2
    assert "altered" not in said.text, "what people write is not for the log of the program"


async def test_the_watch_goes_round_all_workspaces(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    others = [await found(owner) for _ in range(4)]
    for each in (team, *others):
        await catch_up(worker(pool, redis), each.workspace_id)
        await owner.execute("UPDATE users SET role = 'x' WHERE user_id = %s", (each.admin,))
    watch = DriftWatch(pool, TABLES)
    met = [[one.workspace_id for one in await watch.run_once()] for _ in range(10)]
    assert sorted(met) == sorted([[each.workspace_id] for each in (team, *others)] * 2)


async def test_the_watch_survives_what_happens_to_its_connections(
    owner: Connection, team: Team, pool: Pool, projected: list[str], said: pytest.LogCaptureFixture
) -> None:
    watch = DriftWatch(pool, TABLES, DriftSettings(seconds=0.001))
    await owner.execute("ALTER TABLE tasks RENAME TO hidden")
    await watch.start()
    try:
        await until(lambda: watch.failed > 0)
        assert watch.last_run is None
        await owner.execute("ALTER TABLE hidden RENAME TO tasks")
        await until(lambda: watch.last_run is not None)
    finally:
        await watch.stop()
    assert "rows were not compared with the log" in said.text


def test_wrong_settings_are_refused() -> None:
    for settings in ({"seconds": -1}, {"streams": 0}, {"longest": 0}):
        with pytest.raises(ValueError, match="at least"):
            DriftSettings(**settings)


async def test_a_watch_that_is_not_wanted_never_looks(pool: Pool) -> None:
    tasks = len(asyncio.all_tasks())
    watch = DriftWatch(pool, TABLES, DriftSettings(seconds=0))
    await watch.start()
    assert len(asyncio.all_tasks()) == tasks
    await watch.stop()
    assert watch.last_run is None


async def test_writers_and_a_projector_at_work_raise_no_alarm(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Hundreds of commands and their projection, until all was compared at many positions on the way."""
    projector = worker(pool, redis, poll_seconds=0.01, most=7)
    watch = DriftWatch(pool, TABLES, DriftSettings(seconds=0.001, streams=30))
    positions: set[int] = set()
    writing = True

    async def write() -> None:
        histories = [History(desk, team, seed) for seed in (11, 12, 13)]
        await asyncio.gather(*[history.go_on(150) for history in histories])
        while not comparing.done() and (len(positions) < 20 or watch.samples["tasks"] < 100):
            await asyncio.gather(*[history.go_on(10) for history in histories])
        await desk.do(team, team.admin, ChangeProfile(team.admin, ("display_name",)))

    async def compare() -> None:
        async with pool.connection() as connection:
            while writing:
                for table in TABLES.values():
                    async for ids in every(connection, team.workspace_id, table):
                        checked = await check(connection, team.workspace_id, table, ids)
                        assert checked.differences == []
                        positions.add(checked.position)

    await projector.start()
    await watch.start()
    comparing = asyncio.create_task(compare())
    try:
        await write()
        cursor = await owner.execute("SELECT position FROM logs WHERE workspace_id = %s", (team.workspace_id,))
        (head,) = await cursor.fetchone() or (0,)
        await reaches(owner, team.workspace_id, head)
    finally:
        writing = False
        await comparing
        await watch.stop()
        await projector.stop()
    assert len(positions) >= 20, "it was compared while the projection moved"
    assert watch.samples["tasks"] >= 100
    assert (watch.differences, watch.failed) == (NONE, 0)
    assert (await checkpoint_of(owner, team.workspace_id)).position == head
    assert await differences(pool, team.workspace_id) == []


class Reads:
    """How many rows PostgreSQL looks up and scans for a connection."""

    def __init__(self, owner: Connection, connection: Connection) -> None:
        self._owner = owner
        self._connection = connection

    async def so_far(self) -> tuple[int, int]:
        """Rows found by indexes, and rows scanned."""
        for connection in (self._connection, self._owner):
            await connection.execute("SELECT pg_stat_force_next_flush()")
            await connection.execute("SELECT 1")
        cursor = await self._owner.execute(
            """
            SELECT sum(idx_tup_fetch)::bigint, sum(seq_tup_read)::bigint FROM pg_stat_user_tables
            WHERE relname IN ('events', 'tasks', 'users')
            """
        )
        return await cursor.fetchone() or (0, 0)


async def test_the_work_grows_with_the_log_and_not_with_its_pages(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a log of which PostgreSQL knows nothing, as after an import, a page may read no more than the page."""
    for _ in range(300):
        await log_events(owner, team, new_id(), creation())
    await catch_up(worker(pool, redis), team.workspace_id)
    await owner.execute("ANALYZE tasks")
    monkeypatch.setattr(drift_sample, "IDS_A_PAGE", 5)
    async with pool.connection() as connection:
        reads = Reads(owner, connection)
        before = await reads.so_far()
        async for ids in every(connection, team.workspace_id, TASKS):
            assert (await check(connection, team.workspace_id, TASKS, ids)).differences == []
        after = await reads.so_far()
    assert after[1] == before[1], "nothing was scanned"
    assert 300 <= after[0] - before[0] < 12 * 300


async def test_a_sample_costs_the_same_on_a_log_that_has_just_grown(
    owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the statistics are still those of the short log that it was. What is drawn is the same each time: some draw
    would find fewer streams than it asks for.
    """
    monkeypatch.setattr(drift_sample, "_chance", random.Random(1))
    await owner.execute("ANALYZE")
    for n in range(40):
        task = str(UUID(int=(n + 1) << 120))  # far apart: of ids of one millisecond some are drawn again and again
        await log_events(owner, team, task, creation(), *[TaskEdited(title=f"{n}") for n in range(49)])
    await catch_up(worker(pool, redis), team.workspace_id)
    async with pool.connection() as connection:
        reads = Reads(owner, connection)
        before = await reads.so_far()
        ids = await sample(connection, team.workspace_id, TASKS, 6, longest=100)
        after = await reads.so_far()
        assert len(ids) >= 4
        assert after[1] == before[1], "nothing was scanned"
        assert after[0] - before[0] < 200
        assert (await check(connection, team.workspace_id, TASKS, ids)).differences == []
        assert (await reads.so_far())[0] - after[0] < 2 * 50 * len(ids)


async def test_a_long_stream_is_folded_piece_by_piece(owner: Connection, team: Team, pool: Pool, redis: Redis) -> None:
    task = new_id()
    await log_events(owner, team, task, creation(), *[TaskEdited(title=f"{n}") for n in range(3_000)])
    await catch_up(worker(pool, redis), team.workspace_id)
    async with pool.connection() as connection:
        checked = await check(connection, team.workspace_id, TASKS, [task])
        assert checked == (3_007, 1, 3_001, [])
