"""Workers side by side, workers that fail, events that cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from api.services import make_redis
from commands.ids import new_id
from projections import checkpoints
from projections.pacing import ProjectorSettings
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.house import Database, House, Servers, refused

QUICK = ProjectorSettings(poll_seconds=0.02, retry_seconds=0.02)


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = make_redis(servers.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def still(database: Database, servers: Servers) -> AsyncIterator[House]:
    """A house in which nothing projects by itself."""
    async with House.open(database, servers, projecting=False, read_wait_ms=30_000) as house:
        yield house


async def _workspace(house: House, slug: str = "main") -> str:
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT workspace_id::text FROM workspaces WHERE slug = %s", (slug,))
        row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def _checkpoint(house: House, workspace_id: str, name: str = "tasks") -> tuple[Any, ...]:
    """Position, holder of the lease, error."""
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT position, lease::text, error FROM checkpoints WHERE workspace_id = %s AND projection = %s",
            (workspace_id, name),
        )
        row = await cursor.fetchone()
    return row or (0, None, None)


async def _run_out(house: House) -> None:
    """Time goes by: every lease has run out."""
    async with house.pool.connection() as connection:
        await connection.execute("UPDATE checkpoints SET leased_until = clock_timestamp() - interval '1 s'")


def _worker(house: House, redis: Redis, **settings: Any) -> tuple[Projector, str]:
    lease = new_id()
    return Projector(house.pool, redis, lease, replace(QUICK, **settings)), lease


async def test_one_of_two_workers_writes_and_the_other_takes_over_what_is_released(still: House, redis: Redis) -> None:
    ada = await still.user()
    await ada.task("a")
    workspace_id = await _workspace(still)
    (one, first), (two, second) = _worker(still, redis), _worker(still, redis)
    assert await one.run_once(workspace_id, "tasks") == 3
    await ada.task("b")
    assert await two.run_once(workspace_id, "tasks") == 0
    assert await _checkpoint(still, workspace_id) == (3, first, None)
    await one.stop()
    assert await two.run_once(workspace_id, "tasks") == 1
    assert await _checkpoint(still, workspace_id) == (4, second, None)
    await two.stop()
    assert await _checkpoint(still, workspace_id) == (4, None, None)


async def test_a_worker_that_was_overtaken_never_writes(still: House, redis: Redis) -> None:
    ada = await still.user()
    task = await ada.task("a")
    workspace_id = await _workspace(still)
    (one, first), (two, second) = _worker(still, redis), _worker(still, redis)
    assert await one.run_once(workspace_id, "tasks") == 3
    await _run_out(still)  # it was stopped for too long, or its connection was half open
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "b"})
    assert await two.run_once(workspace_id, "tasks") == 1
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "c"})
    assert await one.run_once(workspace_id, "tasks") == 0  # fenced off, with what it had folded
    assert await _checkpoint(still, workspace_id) == (4, second, None)
    assert [item["title"] for item in await ada.items("/tasks")] == ["b"]
    assert await one.run_once(workspace_id, "tasks") == 0  # and it asks before it reads again
    assert await two.run_once(workspace_id, "tasks") == 1
    assert [item["title"] for item in await ada.items("/tasks")] == ["c"]
    await _run_out(still)
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "d"})
    assert await one.run_once(workspace_id, "tasks") == 1  # from the checkpoint of the other one
    assert (await _checkpoint(still, workspace_id))[1] == first
    assert [item["title"] for item in await ada.items("/tasks")] == ["d"]


async def test_a_lease_runs_out_by_itself(still: House, redis: Redis) -> None:
    ada = await still.user()
    await ada.task()
    workspace_id = await _workspace(still)
    one, first = _worker(still, redis, lease_seconds=0.2)
    two, _ = _worker(still, redis)
    assert await one.run_once(workspace_id, "tasks") == 3
    last = await ada.task()
    assert (await _checkpoint(still, workspace_id))[:2] == (3, first)
    await two.start()  # nobody gives anything back: it has to wait
    await ada.get("/tasks", min_position=last["position"])
    await two.stop()
    assert (await _checkpoint(still, workspace_id))[0] == 4


async def test_two_workers_that_run_share_the_work_without_a_failure(
    still: House, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    workers = [_worker(still, redis)[0] for _ in range(2)]
    for worker in workers:
        await worker.start()
    ada, eve = await still.user(), await still.user("elsewhere")
    for _ in range(10):
        written = await asyncio.gather(*[client.task() for client in (ada, eve) for _ in range(3)])
    for client in (ada, eve):
        mine = [task for task in written if task["created_by"] == client.id]
        assert len(await client.items("/tasks", min_position=max(task["position"] for task in mine))) == 30
    await asyncio.gather(*[worker.stop() for worker in workers])
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


async def test_without_hints_a_worker_finds_what_is_behind(still: House) -> None:
    nowhere = make_redis("redis://127.0.0.1:1/0")
    worker = Projector(still.pool, nowhere, new_id(), QUICK)
    await worker.start()
    ada = await still.user()
    for n in range(3):
        task = await ada.task(str(n))
        assert len(await ada.items("/tasks", min_position=task["position"])) == n + 1
    await worker.stop()
    await nowhere.aclose()


async def test_a_hint_is_enough(still: House, redis: Redis) -> None:
    """It never looks by itself again, so only the hints can wake it."""
    worker = Projector(still.pool, redis, new_id(), ProjectorSettings(poll_seconds=3_600))
    await worker.start()
    await worker._listener.connected.wait()
    ada = await still.user()
    task = await ada.task()
    assert len(await ada.items("/tasks", min_position=task["position"])) == 1
    await worker.stop()


async def test_a_hint_for_a_workspace_of_another_installation_is_nothing(
    still: House, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    worker, _ = _worker(still, redis)
    assert await worker.run_once(new_id(), "tasks") == 0
    await worker.stop()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# -------------------------------------------------------------------------------------------------------- poison


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("task.exploded", {}, "UnknownEvent: no event is known as 'task.exploded' version 1"),
        ("task.edited", {"title": 5}, "ValidationError: "),
        ("task.edited", {"colour": "red"}, "ValidationError: "),
    ],
)
async def test_a_poison_event_stops_its_own_projection_of_its_workspace_only(
    still: House, redis: Redis, name: str, data: Any, said: str
) -> None:
    worker, _ = _worker(still, redis)
    await worker.start()
    ada, eve = await still.user(), await still.user("elsewhere")
    task = await ada.task("before")
    assert len(await ada.items("/tasks", min_position=task["position"])) == 1
    poison = await still.insert_event(task["id"], name, data)
    after = await ada.task("after")
    workspace_id = await _workspace(still)

    async def failed() -> str:
        while not (error := (await _checkpoint(still, workspace_id))[2]):
            pass
        return str(error)

    async with asyncio.timeout(20):
        assert (await failed()).startswith(said)
    assert (await _checkpoint(still, workspace_id))[0] == poison - 1
    assert [item["title"] for item in await ada.items("/tasks")] == ["before"]  # nothing is skipped
    assert len(await ada.items("/users", min_position=after["position"])) == 1  # other projections go on
    theirs = await eve.task("theirs")
    assert len(await eve.items("/tasks", min_position=theirs["position"])) == 1  # other workspaces as well
    readers = ["notifications", "tasks", "timers"]  # all of them fold the events of tasks

    async def failing() -> list[str]:
        ready = (await still.http.get(f"{still.base}/readyz")).json()["database"]["projections"]
        return [row["name"] for row in ready if row["failing"]]

    async with asyncio.timeout(20):
        while await failing() != readers:
            pass
    ready = (await still.http.get(f"{still.base}/readyz")).json()["database"]["projections"]
    assert {row["name"]: row["failing"] for row in ready} == {name: int(name in readers) for name in PROJECTIONS}
    async with still.pool.connection() as connection:
        lags = await checkpoints.lags(connection, list(PROJECTIONS))
    assert [lag.projection for lag in lags if lag.error] == readers
    await still.mend_event(poison, "task.unassigned")
    titles = [item["title"] for item in await ada.items("/tasks", sort="title", min_position=after["position"])]
    assert titles == ["after", "before"]
    assert (await _checkpoint(still, workspace_id))[2] is None
    await worker.stop()


async def test_readers_that_wait_for_a_stopped_projection_are_told(
    database: Database, servers: Servers, redis: Redis
) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=50) as house:
        ada = await house.user()
        task = await ada.task()
        poison = await house.insert_event(task["id"], "task.exploded", {})
        with pytest.raises(Exception, match=r"task\.exploded"):
            await house.project()
        refused(await ada.get("/tasks", min_position=poison), 503, "projection.behind")


async def test_a_worker_whose_database_goes_away_comes_back(
    still: House, redis: Redis, database: Database, servers: Servers
) -> None:
    worker, _ = _worker(still, redis)
    await worker.start()
    ada = await still.user()
    task = await ada.task()
    await ada.get("/tasks", min_position=task["position"])
    async with still.pool.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    last = await ada.post("/tasks", {"title": "b"}, idempotency_key="k")
    while last.status_code == 503:
        last = await ada.post("/tasks", {"title": "b"}, idempotency_key="k")
    async with asyncio.timeout(20):
        while True:
            listed = await ada.get("/tasks", min_position=last.headers["Taskfold-Position"])
            if listed.status_code == 200:
                break
    assert len(listed.json()["items"]) == 2
    await worker.stop()
