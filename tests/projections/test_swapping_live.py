"""Swaps under way: whoever reads sees one build whole, and no position twice or backwards."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from uuid import uuid4

import orjson
import psycopg
import pytest
from redis.asyncio import Redis

from commands.task import EditTask
from domain.policy import Eyes
from domain.user import Role
from projections import builds, checkpoints, rebuilding, task_pages
from projections.comparing import Pair
from projections.database import Pool
from projections.task_list import TaskQuery
from projections.tasks import TASKS
from tests.commands.desk import Connection, Desk, Team, log_of
from tests.house import until
from tests.projections.histories import History
from tests.projections.reading import (
    Documents,
    checkpoint_of,
    eventually,
    fold_of,
    listening,
    reaches,
    rows_of,
    worker,
)

SWAPS = 4


class Reader:
    """Reads the whole list again and again, and keeps what each page showed at which position."""

    def __init__(self, pool: Pool, team: Team) -> None:
        self._pool = pool
        self._query = TaskQuery(team.workspace_id, Eyes(Role.ADMIN, frozenset((team.admin,))), limit=200)
        self.positions: list[int] = []
        self.seen: dict[int, Documents] = {}
        self.torn: list[int] = []

    async def read(self) -> None:
        async with self._pool.connection() as connection:
            page = await task_pages.page(connection, self._query)
        documents = {row["id"]: row for row in map(orjson.loads, page.documents)}
        if self.seen.setdefault(page.position, documents) != documents:
            self.torn.append(page.position)
        self.positions.append(page.position)

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.read()


async def swap_all_the_time(pool: Pool, owner: Connection, team: Team, times: int) -> None:
    """New builds and old ones in turn, while others write and read."""
    lease = str(uuid4())
    async with pool.connection() as connection:
        for n in range(times):
            make: Callable[[], Awaitable[int | None]] = (
                (lambda: builds.begin(connection, team.workspace_id, "tasks", 1.0))
                if n % 2 == 0
                else (lambda: builds.revive(connection, team.workspace_id, "tasks"))
            )
            build = await make()
            assert build is not None

            async def filled(build: int = build) -> bool:
                found = {each.build: each for each in await builds.all_of(connection, ["tasks"], team.workspace_id)}
                (live,) = [each for each in found.values() if each.live]
                return found[build].position >= live.position - builds.MOST_WHILE_HELD

            await eventually(filled, 60)
            await rebuilding.swap(connection, TASKS, team.workspace_id, build, lease)


async def test_readers_see_one_build_whole_while_builds_are_swapped_and_rolled_back(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projectors = [worker(pool, redis, poll_seconds=0.02, most=50) for _ in range(2)]
    reader, stopping = Reader(desk.pool, team), asyncio.Event()
    for one in projectors:
        await one.start()
    await History(desk, team, 77).go_on(20)
    await reaches(owner, team.workspace_id, 7)
    async with listening(redis, team.workspace_id) as heard:
        reading = asyncio.create_task(reader.run(stopping))
        writing = asyncio.create_task(History(desk, team, 78).go_on(400))
        await swap_all_the_time(pool, owner, team, SWAPS)
        await writing
        head = len(await log_of(owner, team.workspace_id))
        await reaches(owner, team.workspace_id, head)
        await until(lambda: bool(reader.positions) and reader.positions[-1] == head, 60)
        stopping.set()
        await reading
    for one in projectors:
        await one.stop()
    assert reader.torn == []
    assert all(before <= after for before, after in pairwise(reader.positions))
    assert len(reader.seen) > 3
    rows = await rows_of(owner, team.workspace_id)
    assert rows == await fold_of(owner, team.workspace_id)
    assert reader.seen[head] == {id_: row for id_, row in rows.tasks.items() if row["deleted_at"] is None}
    ends = [message.to for message in sorted(heard.of("tasks"), key=lambda message: message.to)]
    assert len(ends) == len(set(ends))
    cursor = await owner.execute(
        "SELECT max(build), count(*) FILTER (WHERE live) FROM checkpoints WHERE projection = 'tasks'"
    )
    assert await cursor.fetchone() == (1 + SWAPS // 2, 1)


async def test_the_rows_of_a_large_build_are_deleted_in_parts_that_take_no_time(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """Before the server has counted them: its plan must be right all the same. A statement has ten seconds."""
    await desk.task(team)
    projector = worker(pool, redis)
    await projector.run_once(team.workspace_id, "tasks")
    build = await builds.begin(owner, team.workspace_id, "tasks", None)
    assert build == 2
    await owner.execute("ANALYZE")
    await owner.execute(
        """
        INSERT INTO tasks (workspace_id, build, task_id, version, position, title, description, status, category,
                           priority, subtasks, links, tags, created_by, created_at, updated_at)
        SELECT workspace_id, 2, gen_random_uuid(), 1, 7, title, description, status, category,
               priority, subtasks, links, tags, created_by, created_at, updated_at
        FROM tasks, generate_series(1, 6000)
        """
    )
    async with pool.connection() as connection:
        await builds.give_up(connection, team.workspace_id, "tasks", 2)
        assert await rebuilding.drop(connection, TASKS, team.workspace_id, 2) == 6_000
        assert [each.build for each in await builds.all_of(connection, ["tasks"])] == [1]
    cursor = await owner.execute("SELECT build, count(*) FROM tasks GROUP BY 1")
    assert await cursor.fetchall() == [(1, 1)]


async def test_a_rebuild_helps_where_the_live_build_has_stopped(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """The live one cannot come to the position of the new one: what it has not taken in is no reason to wait."""
    projector = worker(pool, redis, most=1)
    first = await desk.task(team, title="good")
    while await projector.run_once(team.workspace_id, "tasks"):
        pass
    await owner.execute(
        """
        CREATE FUNCTION stopped() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'build 1 takes no more rows'; END $$
        """
    )
    await owner.execute(
        """
        CREATE TRIGGER stopped BEFORE INSERT OR UPDATE ON tasks
        FOR EACH ROW WHEN (new.build = 1) EXECUTE FUNCTION stopped()
        """
    )
    for title in ("a", "b"):
        await desk.task(team, title=title)
    await desk.do(team, team.admin, EditTask(first, title="better"))
    with pytest.raises(psycopg.errors.RaiseException):
        await projector.run_once(team.workspace_id, "tasks")
    stopped_at = (await checkpoint_of(owner, team.workspace_id)).position
    await checkpoints.fail(owner, team.workspace_id, "tasks", "build 1 takes no more rows", after=stopped_at)
    build = await builds.begin(owner, team.workspace_id, "tasks", None)
    assert build == 2
    while await projector.run_once(team.workspace_id, "tasks", build):
        pass
    found = await rebuilding.compare(owner, TASKS, Pair(team.workspace_id, 1, build), str(uuid4()), 10)
    assert (found.differing, found.ahead) == (0, 3)
    await rebuilding.swap(owner, TASKS, team.workspace_id, build, str(uuid4()))
    assert (await rows_of(owner, team.workspace_id)).tasks == (await fold_of(owner, team.workspace_id)).tasks
