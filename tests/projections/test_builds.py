"""Builds: another version of a projection beside the live one, compared, swapped, taken back and dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.policy import Eyes
from domain.user import Role
from projections import builds, checkpoints, comparing, rebuilding, task_pages
from projections.comparing import Pair
from projections.database import Pool
from projections.registry import TABLES
from projections.task_list import TaskQuery
from tests.commands.desk import Connection, Desk, Team, found, log_of
from tests.projections.histories import History
from tests.projections.reading import (
    catch_up,
    checkpoint_of,
    eventually,
    fold_of,
    listening,
    reaches,
    rows_of,
    tiles,
    worker,
)

TASKS = TABLES["tasks"]


async def fill(owner: Connection, pool: Pool, redis: Redis, team: Team, name: str = "tasks") -> int:
    """Start the next build and fill it; its number."""
    build = await builds.begin(owner, team.workspace_id, name, None)
    assert build is not None
    filler = worker(pool, redis)
    while await filler.run_once(team.workspace_id, name, build):
        pass
    await filler.stop()
    return build


async def rows_in(owner: Connection, team: Team, build: int) -> int:
    cursor = await owner.execute(
        "SELECT count(*) FROM tasks WHERE workspace_id = %s AND build = %s", (team.workspace_id, build)
    )
    (count,) = await cursor.fetchone() or (0,)
    return int(count)


async def states(owner: Connection, team: Team, name: str = "tasks") -> dict[int, str]:
    return {build.build: build.state for build in await builds.all_of(owner, [name], team.workspace_id)}


async def titles(owner: Connection, team: Team) -> list[str]:
    """What a reader gets, by title."""
    query = TaskQuery(team.workspace_id, Eyes(Role.ADMIN, frozenset((team.admin,))), sort=("title",), limit=200)
    page = await task_pages.page(owner, query)
    return sorted(orjson.loads(document)["title"] for document in page.documents)


@asynccontextmanager
async def reading(pool: Pool, team: Team) -> AsyncIterator[list[int]]:
    """Read lists all the time; the positions that they showed."""
    seen: list[int] = []

    async def read() -> None:
        async with pool.connection() as connection:
            while True:
                query = TaskQuery(team.workspace_id, Eyes(Role.ADMIN, frozenset((team.admin,))))
                page = await task_pages.page(connection, query)
                known = await checkpoints.positions(connection, "tasks", [team.workspace_id])
                seen.extend([page.position, known[team.workspace_id]])

    reader = asyncio.create_task(read())
    try:
        yield seen
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def test_readers_see_the_live_build_alone(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await desk.task(team, title="a")
    await catch_up(worker(pool, redis), team.workspace_id)
    build = await builds.begin(owner, team.workspace_id, "tasks", None)
    assert build == 2
    assert await titles(owner, team) == ["a"]
    assert await checkpoints.positions(owner, "tasks", [team.workspace_id]) == {team.workspace_id: 7}
    await fill(owner, pool, redis, team)
    await owner.execute("UPDATE tasks SET title = 'b' WHERE build = 2")
    assert await titles(owner, team) == ["a"]
    await rebuilding.swap(owner, TASKS, team.workspace_id, 2, new_id())
    assert await titles(owner, team) == ["b"]
    assert await states(owner, team) == {1: "kept", 2: "live"}


async def test_a_build_that_is_started_twice_goes_on(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    assert await builds.begin(owner, team.workspace_id, "tasks", None) is None  # nothing to stand beside
    await catch_up(worker(pool, redis), team.workspace_id)
    assert await builds.begin(owner, team.workspace_id, "tasks", 0.5) == 2
    filler = worker(pool, redis, most=4)
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 4
    assert await builds.begin(owner, team.workspace_id, "tasks", None) == 2
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 2
    assert await states(owner, team) == {1: "live", 2: "filling"}


async def test_only_the_live_build_publishes(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    async with listening(redis, team.workspace_id) as heard:
        projector = worker(pool, redis, poll_seconds=0.01)
        await projector.start()
        await History(desk, team, 21).go_on(30)
        await reaches(owner, team.workspace_id, len(await log_of(owner, team.workspace_id)))
        await builds.begin(owner, team.workspace_id, "tasks", 1.0)
        await History(desk, team, 22).go_on(30)
        head = len(await log_of(owner, team.workspace_id))

        async def filled() -> bool:
            found = await builds.all_of(owner, ["tasks"], team.workspace_id)
            return all(build.position == head for build in found) and heard.reached("tasks") == head

        await eventually(filled)
        await projector.stop()
    assert tiles(heard.of("tasks"))


async def test_a_rebuild_under_writes_and_reads_is_noticed_by_nobody(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=0.01, share=1.0)
    await projector.start()
    history = History(desk, team, 23)
    await history.go_on(60)
    await reaches(owner, team.workspace_id, len(await log_of(owner, team.workspace_id)))
    async with reading(pool, team) as seen:
        writing = asyncio.create_task(history.go_on(250))
        for name, table in TABLES.items():
            assert await builds.begin(owner, team.workspace_id, name, None) == 2
            pair = Pair(team.workspace_id, 1, 2)

            async def near(name: str = name) -> bool:
                one, two = await builds.all_of(owner, [name], team.workspace_id)
                return two.position > one.position - 100

            await eventually(near)
            compared = await rebuilding.compare(owner, table, pair, new_id(), 10)
            assert (compared.differing, compared.first) == (0, [])
            await rebuilding.swap(owner, table, team.workspace_id, 2, new_id())
        await writing
        await reaches(owner, team.workspace_id, len(await log_of(owner, team.workspace_id)))
    await projector.stop()
    assert seen == sorted(seen)
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
    assert await states(owner, team) == {1: "kept", 2: "live"}


async def test_differences_are_found_row_by_row_and_field_by_field(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    one, two, three, _ = [await desk.task(team, title=title) for title in "abcd"]
    await catch_up(worker(pool, redis), team.workspace_id)
    await fill(owner, pool, redis, team)
    await owner.execute("UPDATE tasks SET title = 'x', tags = '{y}' WHERE build = 2 AND task_id = %s", (one,))
    await owner.execute("DELETE FROM tasks WHERE build = 2 AND task_id = %s", (two,))
    await owner.execute("DELETE FROM tasks WHERE build = 1 AND task_id = %s", (three,))
    pair = Pair(team.workspace_id, 1, 2)
    found = await rebuilding.compare(owner, TASKS, pair, new_id(), 10)
    assert (found.rows, found.differing) == (3, 3)
    by_id = {difference.id: difference for difference in found.first}
    assert by_id[one].fields() == {"title": ("a", "x"), "tags": ([], ["y"])}
    assert by_id[two].other is None
    assert by_id[three].live is None
    assert len((await rebuilding.compare(owner, TASKS, pair, new_id(), 2)).first) == 2


@pytest.mark.parametrize("few", [0, 200])
async def test_rows_that_moved_meanwhile_are_compared_again(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """The builds stand at different positions, so the rows between say nothing; in the end they are compared alike."""
    monkeypatch.setattr(rebuilding, "FEW", few)
    planted, _ = [await desk.task(team, title=title) for title in "ab"]
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    await builds.begin(owner, team.workspace_id, "tasks", None)
    filler, pair = worker(pool, redis, most=6), Pair(team.workspace_id, 1, 2)
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 6  # the two rows are not there yet
    assert len((await comparing.these(owner, TASKS, pair, [planted])).moved) == 1
    compared = asyncio.create_task(rebuilding.compare(owner, TASKS, pair, new_id(), 10))
    if not few:  # otherwise the comparison itself brings the build to the same position
        await asyncio.sleep(0)
        assert await filler.run_once(team.workspace_id, "tasks", 2) == 2
    found = await compared
    assert (found.rows, found.differing) == (2, 0)
    await owner.execute("UPDATE tasks SET title = '?' WHERE build = 2 AND task_id = %s", (planted,))
    await desk.task(team)
    await catch_up(projector, team.workspace_id)
    if not few:
        await filler.run_once(team.workspace_id, "tasks", 2)
    found = await rebuilding.compare(owner, TASKS, pair, new_id(), 10)
    assert [difference.id for difference in found.first] == [planted]


async def test_a_swap_brings_the_build_to_the_position_of_the_live_one(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    await fill(owner, pool, redis, team)
    for title in "abc":
        await desk.task(team, title=title)
    await catch_up(projector, team.workspace_id)
    monkeypatch.setattr(builds, "MOST_WHILE_HELD", 2)
    async with builds.held(owner, team.workspace_id, TASKS, 2, new_id()) as ahead:
        assert ahead is None  # too far behind to keep the workers waiting
    monkeypatch.setattr(builds, "MOST_WHILE_HELD", 3)
    await rebuilding.swap(owner, TASKS, team.workspace_id, 2, new_id())
    assert await titles(owner, team) == ["a", "b", "c"]
    assert (await checkpoint_of(owner, team.workspace_id)).position == 9
    await desk.task(team, title="d")
    assert await projector.run_once(team.workspace_id, "tasks") == 0  # what it held is not live any more
    assert await projector.run_once(team.workspace_id, "tasks") == 1
    assert await titles(owner, team) == ["a", "b", "c", "d"]
    assert await rows_in(owner, team, 1) == 3


async def test_a_rollback_brings_the_earlier_build_up_to_date_and_back(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    await desk.task(team, title="a")
    await catch_up(worker(pool, redis), team.workspace_id)
    assert await builds.revive(owner, team.workspace_id, "tasks") is None
    await fill(owner, pool, redis, team)
    await owner.execute("UPDATE checkpoints SET lease = NULL, leased_until = '-infinity'")
    await rebuilding.swap(owner, TASKS, team.workspace_id, 2, new_id())
    projector = worker(pool, redis)
    await desk.task(team, title="b")
    await catch_up(projector, team.workspace_id)
    for build, other in ((1, 2), (2, 1)):
        assert await builds.revive(owner, team.workspace_id, "tasks") == build
        assert await states(owner, team) == {build: "filling", other: "live"}
        while await projector.run_once(team.workspace_id, "tasks", build):
            pass
        await rebuilding.swap(owner, TASKS, team.workspace_id, build, new_id())
        assert await titles(owner, team) == ["a", "b"]
        assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
    assert await builds.begin(owner, team.workspace_id, "tasks", None) == 3


async def test_what_is_discarded_is_gone_and_written_no_more(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "DELETED_AT_ONCE", 2)
    for title in "abcde":
        await desk.task(team, title=title)
    await catch_up(worker(pool, redis), team.workspace_id)
    await builds.begin(owner, team.workspace_id, "tasks", None)
    filler = worker(pool, redis, most=9)
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 9
    await builds.give_up(owner, team.workspace_id, "tasks", 2)
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 0
    assert await filler.run_once(team.workspace_id, "tasks", 2) == 0
    assert await rebuilding.drop(owner, TASKS, team.workspace_id, 2) == 3
    assert await rows_in(owner, team, 2) == 0
    assert await states(owner, team) == {1: "live"}
    await builds.give_up(owner, team.workspace_id, "tasks", 1)
    assert await rebuilding.drop(owner, TASKS, team.workspace_id, 1) == 0  # never the live one
    assert await titles(owner, team) == list("abcde")
    with pytest.raises(LookupError, match="no live build and build 2"):
        await rebuilding.swap(owner, TASKS, team.workspace_id, 2, new_id())


async def test_a_workspace_that_is_founded_during_a_rebuild_works(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=0.01)
    await projector.start()
    await reaches(owner, team.workspace_id, 6)
    await builds.begin(owner, team.workspace_id, "tasks", None)
    other = await found(owner)
    await desk.task(other)
    await reaches(owner, other.workspace_id, 7)
    await projector.stop()
    assert await states(owner, other) == {1: "live"}
    assert await rows_of(owner, other.workspace_id) == await fold_of(owner, other.workspace_id)


async def test_the_serving_role_does_all_of_it(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """No step of a rebuild needs the owner of the tables."""
    await desk.task(team)
    await catch_up(worker(pool, redis), team.workspace_id)
    async with pool.connection() as connection:
        await fill(connection, pool, redis, team)
        await rebuilding.compare(connection, TASKS, Pair(team.workspace_id, 1, 2), new_id(), 1)
        await rebuilding.swap(connection, TASKS, team.workspace_id, 2, new_id())
        await builds.give_up(connection, team.workspace_id, "tasks", 1)
        assert await rebuilding.drop(connection, TASKS, team.workspace_id, 1) == 1
    assert await states(owner, team) == {2: "live"}
