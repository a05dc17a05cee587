"""A poison event stops only its own projection of its workspace, loudly, and nothing passes it over."""

import asyncio

import psycopg
import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.events import UnknownEvent
from projections import checkpoints
from projections.database import Pool
from projections.registry import TABLES
from tests.commands.desk import Connection, Desk, Team, blocked, found
from tests.house import Database
from tests.projections.reading import catch_up, checkpoint_of, eventually, fold_of, reaches, rows_of, worker


async def poison(owner: Connection, team: Team, name: str, data: str = "{}") -> int:
    """An event as a newer program, or a broken one, would log it; its position."""
    cursor = await owner.execute(
        """
        WITH l AS (UPDATE logs SET position = position + 1 WHERE workspace_id = %(workspace)s RETURNING position)
        INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                            digest, salt, meta, data)
        SELECT %(workspace)s, l.position, %(stream)s, 1, 1, clock_timestamp(), %(name)s,
               sha256(''), uuid_send(gen_random_uuid()), %(meta)s, %(data)s
        FROM l RETURNING position
        """,
        {
            "workspace": team.workspace_id,
            "stream": new_id(),
            "name": name,
            "data": data,
            "meta": f'{{"actor":"{team.admin}","correlation_id":"","causation_id":"{team.admin}"}}',
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def cure(owner: Connection, name: str) -> None:
    """Make the events of this name readable, as only the owner can, and only without the trigger."""
    async with owner.transaction():
        await owner.execute("ALTER TABLE events DISABLE TRIGGER append_only")
        await owner.execute(
            """
            UPDATE events SET name = 'task.created', data = '{"title":"cured","status":"todo","category":"open"}'
            WHERE name = %s
            """,
            (name,),
        )
        await owner.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")


async def test_an_event_that_nobody_knows_stops_its_own_projection_of_its_workspace(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    healthy = await found(owner)
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.02)
    await projector.start()
    before = await desk.task(team)
    at = await poison(owner, team, "task.unheard_of")
    await desk.task(team)
    await desk.task(healthy)

    async def failing() -> bool:
        return (await checkpoint_of(owner, team.workspace_id)).error is not None

    await eventually(failing)
    await reaches(owner, team.workspace_id, at + 1, "users")
    await reaches(owner, healthy.workspace_id, 7)
    await reaches(owner, team.workspace_id, at - 1, "tasks")  # what comes before it is not kept waiting
    await eventually(failing)
    position, _, error = await checkpoint_of(owner, team.workspace_id)
    assert position == at - 1
    assert error is not None
    assert error.startswith("UnknownEvent: ")
    assert "task.unheard_of" in error
    assert (await rows_of(owner, team.workspace_id)).tasks.keys() == {before}
    for name, workspace_id in (("users", team.workspace_id), ("tasks", healthy.workspace_id)):
        assert (await checkpoint_of(owner, workspace_id, name)).error is None

    await cure(owner, "task.unheard_of")
    await reaches(owner, team.workspace_id, at + 1)
    await projector.stop()
    assert (await checkpoint_of(owner, team.workspace_id)).error is None
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
    assert len((await rows_of(owner, team.workspace_id)).tasks) == 3


@pytest.mark.parametrize(("name", "error"), [("task.created", "ValidationError"), ("user.joined", "ValidationError")])
async def test_data_that_cannot_be_read_stop_a_projection_until_they_are_erased(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, name: str, error: str
) -> None:
    """Erasing is what an operator can do without another program: the event stays, what it said is gone."""
    projection = f"{name.partition('.')[0]}s"
    await desk.task(team)
    at = await poison(owner, team, name, '{"nonsense":1}')
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.02)
    await projector.start()

    async def failing() -> bool:
        return ((await checkpoint_of(owner, team.workspace_id, projection)).error or "").startswith(error)

    await eventually(failing)
    await owner.execute("SELECT erase(%s, %s, 'cannot be read')", (team.workspace_id, at))
    await reaches(owner, team.workspace_id, at)
    await projector.stop()
    assert (await checkpoint_of(owner, team.workspace_id, projection)).error is None
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_batches_shrink_with_every_failure_and_grow_again(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    for _ in range(200):
        await desk.task(team)
    at = await poison(owner, team, "task.unheard_of")
    for _ in range(60):
        await desk.task(team)
    projector = worker(pool, redis, most=1_000)
    with pytest.raises(UnknownEvent):
        await projector.run_once(team.workspace_id, "tasks")
    assert await projector.run_once(team.workspace_id, "tasks") == 100
    while (await checkpoint_of(owner, team.workspace_id)).position < at - 1:
        with pytest.raises(UnknownEvent):
            await catch_up(projector, team.workspace_id)
    await cure(owner, "task.unheard_of")
    read = []
    while part := await projector.run_once(team.workspace_id, "tasks"):
        read.append(part)
    assert sum(read) == 61
    assert read[:-1] == sorted(read[:-1])
    assert read[0] < 10
    assert await catch_up(projector, team.workspace_id) == (len(TABLES) - 1) * (at + 60)  # the others, whole at once
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_a_failure_after_which_nothing_is_left_to_read_is_none(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    """The connection broke after the commit: the outcome was unknown, and good."""
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    async with pool.connection() as connection:
        await checkpoints.fail(connection, team.workspace_id, "tasks", "the connection is lost")
        assert (await checkpoint_of(owner, team.workspace_id)).error is None
        await desk.task(team)
        await checkpoints.fail(connection, team.workspace_id, "tasks", "the connection is lost")
    assert (await checkpoint_of(owner, team.workspace_id)).error == "the connection is lost"
    await catch_up(projector, team.workspace_id)
    assert (await checkpoint_of(owner, team.workspace_id)).error is None


async def test_a_batch_whose_connection_dies_is_done_again(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, database: Database
) -> None:
    projector = worker(pool, redis, most=10)
    await catch_up(projector, team.workspace_id)
    await desk.task(team)
    async with await psycopg.AsyncConnection.connect(database.owner_url) as holding:
        await holding.execute("SELECT FROM checkpoints FOR UPDATE")
        batch = asyncio.create_task(projector.run_once(team.workspace_id, "tasks"))

        (pid,) = await blocked(owner)
        await owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            await batch
    for _ in range(40):
        await desk.task(team)
    # It begins small, and is soon back at whole batches.
    assert [await projector.run_once(team.workspace_id, "tasks") for _ in range(7)] == [1, 2, 4, 8, 10, 10, 6]
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)
