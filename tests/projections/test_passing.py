"""Events that stop a projection: where it stops is known exactly, and all leave out what is passed over."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.errors import Rejection
from domain.task import TaskEdited
from projections import builds, changes, checkpoints, history, passing, tasks
from projections.database import Pool
from projections.history import PassedOver
from projections.pacing import Lane
from projections.passing import NotFailingError
from projections.projector import Projector
from tests.commands.desk import Connection, Desk, Team, found
from tests.house import until
from tests.projections.reading import (
    catch_up,
    checkpoint_of,
    creation,
    eventually,
    log_events,
    reaches,
    rows_of,
    worker,
)
from tests.projections.test_poison import poison


def stops_at(owner: Connection, team: Team, position: int, name: str = "tasks") -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        failures = await checkpoints.failures(owner, [name], 10)
        return (team.workspace_id, position) in [(each.workspace_id, each.failed_at) for each in failures]

    return there


async def test_the_position_that_fails_is_found_and_remembered_by_the_next_worker(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    for _ in range(40):
        await desk.task(team)
    at = await poison(owner, team, "task.unheard_of")
    await desk.task(team)
    first = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01)
    await first.start()
    await eventually(stops_at(owner, team, at))
    await first.stop()
    assert (await checkpoint_of(owner, team.workspace_id)).position == at - 1
    second = worker(pool, redis)
    with pytest.raises(Rejection, match=r"task\.unheard_of"):
        await second.run_once(team.workspace_id, "tasks")
    assert (await checkpoint_of(owner, team.workspace_id)).error is not None  # until a batch commits
    await passing.pass_over(owner, team.workspace_id, "tasks", at, "test")
    await second.stop()
    third = worker(pool, redis)
    await catch_up(third, team.workspace_id)
    assert (await checkpoint_of(owner, team.workspace_id)).position == at + 1
    assert await checkpoints.failures(owner, ["tasks"], 10) == []


async def test_pauses_grow_while_an_event_stays_as_it_is_and_end_when_somebody_asks(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    at = await poison(owner, team, "task.unheard_of")
    lane = Lane(team.workspace_id, "tasks")
    projector: Projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01, longest_retry_seconds=3_600)
    await projector.start()
    await eventually(stops_at(owner, team, at))
    await until(lambda: lane in projector._pace._pauses and projector._pace._pauses[lane].seconds > 1)
    failed = projector.counts.by_name["tasks"].failed
    assert await passing.retry(owner, "tasks", new_id()) == 0
    assert await passing.retry(owner, "tasks", team.workspace_id) == 1
    await until(lambda: projector.counts.by_name["tasks"].failed > failed)
    await passing.pass_over(owner, team.workspace_id, "tasks", at, "it is not ours")
    await reaches(owner, team.workspace_id, at)
    await projector.stop()
    assert lane not in projector._pace._pauses


async def test_only_what_fails_can_be_passed_over_and_the_decision_stays(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    at = await poison(owner, team, "task.unheard_of")
    other = await found(owner)
    async with pool.connection() as connection:
        with pytest.raises(NotFailingError, match="tasks stops at nowhere, asked to pass over 7"):
            await passing.pass_over(connection, team.workspace_id, "tasks", at, "too early")
        projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01)
        await projector.start()
        await eventually(stops_at(owner, team, at))
        for workspace_id, name, position in (
            (team.workspace_id, "tasks", at - 1),
            (team.workspace_id, "users", at),
            (other.workspace_id, "tasks", at),
        ):
            with pytest.raises(NotFailingError):
                await passing.pass_over(connection, workspace_id, name, position, "wrong")
        await passing.pass_over(connection, team.workspace_id, "tasks", at, "why")
        await reaches(owner, team.workspace_id, at)
        await projector.stop()
        (passed,) = await passing.passed(connection, ["tasks"], 5)
        assert (passed.projection, passed.position, passed.name, passed.reason) == (
            "tasks",
            at,
            "task.unheard_of",
            "why",
        )
        row = await (await connection.execute("SELECT session_user")).fetchone()
        assert row == (passed.decided_by,)
        for query in ("UPDATE passed_over SET reason = 'x'", "DELETE FROM passed_over", "TRUNCATE passed_over"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(query.encode())
            with pytest.raises(psycopg.errors.RestrictViolation):
                await owner.execute(query.encode())
    assert await passing.positions(owner, team.workspace_id, "tasks") == {at}
    assert await passing.positions(owner, team.workspace_id, "users") == frozenset()


async def test_every_reader_of_the_log_leaves_out_what_is_passed_over(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """In the middle of a stream: rows, the feed, a task's own page and its history agree on what is left."""
    task_id = await desk.task(team, title="a")
    await log_events(owner, team, task_id, TaskEdited(title="b"), TaskEdited(title="c"), after=1)
    async with owner.transaction():
        await owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await owner.execute("UPDATE events SET name = 'task.unheard_of' WHERE position = 8")
        await owner.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")
    readers: list[Callable[[], Awaitable[object]]] = [
        lambda: changes.read(owner, team.workspace_id, 0, 100),
        lambda: changes.read(owner, team.workspace_id, 8, 100),  # folds what came before
        lambda: tasks.get(owner, team.workspace_id, task_id),
        lambda: history.read(owner, team.workspace_id, task_id),
    ]
    for read in readers:
        with pytest.raises(Rejection, match=r"task\.unheard_of"):
            await read()
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01)
    await projector.start()
    await eventually(stops_at(owner, team, 8))
    await projector.stop()
    await passing.pass_over(owner, team.workspace_id, "tasks", 8, "test")
    task, _ = await tasks.get(owner, team.workspace_id, task_id)  # from the log: no worker has gone on yet
    assert task is not None
    assert (task.title, task.version) == ("c", 3)
    assert [change.position for change in (await changes.read(owner, team.workspace_id, 0, 100)).tasks] == [7, 9]
    assert [change.position for change in (await changes.read(owner, team.workspace_id, 8, 100)).tasks] == [9]
    await catch_up(worker(pool, redis), team.workspace_id)
    assert (await rows_of(owner, team.workspace_id)).tasks[task_id]["title"] == "c"
    events = await history.read(owner, team.workspace_id, task_id)
    assert [isinstance(event, PassedOver) for event in events] == [False, True, False]
    entries = history.entries(events)
    assert [entry["type"] for entry in entries] == ["task.created", "task.unheard_of", "task.edited"]
    assert entries[2]["changes"]["title"] == {"from": "a", "to": "c"}
    assert history.owners(events) == {team.admin}


async def test_a_stream_whose_beginning_is_passed_over_still_folds(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task_id = new_id()
    at = await log_events(owner, team, task_id, creation("a"), TaskEdited(tags=("kept",))) - 1
    await log_events(owner, team, task_id, TaskEdited(title="b"), after=2)
    async with owner.transaction():
        await owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await owner.execute("UPDATE events SET schema_version = 99 WHERE position = %s", (at,))
        await owner.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01)
    await projector.start()
    await eventually(stops_at(owner, team, at))
    await passing.pass_over(owner, team.workspace_id, "tasks", at, "test")
    await reaches(owner, team.workspace_id, at + 2)
    await projector.stop()
    row = (await rows_of(owner, team.workspace_id)).tasks[task_id]
    assert (row["title"], row["version"]) == ("b", 3)
    assert len((await changes.read(owner, team.workspace_id, 0, 100)).tasks) == 2


async def test_a_build_that_stops_shows_it_and_the_live_one_goes_on(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """An event that the program of yesterday could read, and that of today cannot."""
    task_id = await desk.task(team)
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01, share=1.0)
    await projector.start()
    await reaches(owner, team.workspace_id, 7)
    async with owner.transaction():
        await owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await owner.execute("UPDATE events SET schema_version = 99 WHERE position = 7")
        await owner.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")
    await builds.begin(owner, team.workspace_id, "tasks", None)

    async def stopped() -> bool:
        _, build = await builds.all_of(owner, ["tasks"], team.workspace_id)
        return build.failed_at == 7

    await eventually(stopped)
    await desk.task(team)
    await reaches(owner, team.workspace_id, 8)
    await passing.pass_over(owner, team.workspace_id, "tasks", 7, "test")

    async def filled() -> bool:
        _, build = await builds.all_of(owner, ["tasks"], team.workspace_id)
        return build.position == 8

    await eventually(filled)
    await projector.stop()
    assert task_id in (await rows_of(owner, team.workspace_id)).tasks
