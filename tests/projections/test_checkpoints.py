"""Checkpoints: where every projection stands, told from the log's end and from what is on record."""

from redis.asyncio import Redis

from commands.ids import new_id
from projections import checkpoints
from projections.checkpoints import Claim, Lag
from projections.database import Pool
from tests.commands.desk import Connection, Desk, Team, found
from tests.projections.reading import catch_up, worker

NAMES = ["users", "tasks"]
BEGUN = Claim(build=1, position=0, failed_at=None, tries=0)


async def test_lags_tell_of_every_projection_also_of_those_that_never_began(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    other = await found(owner)
    one, two = sorted((team.workspace_id, other.workspace_id))
    async with pool.connection() as connection:
        fresh = [Lag(workspace_id, name, 0, 6, None) for workspace_id in (one, two) for name in ("tasks", "users")]
        assert await checkpoints.lags(connection, NAMES) == fresh
        assert await checkpoints.lags(connection, NAMES, behind=True) == fresh
        assert await checkpoints.positions(connection, "tasks", [one, two]) == {}
        projector = worker(pool, redis, most=4)
        await catch_up(projector, one)
        assert await projector.run_once(two, "users") == 4
        await checkpoints.fail(connection, two, "users", "no more")
        assert await checkpoints.lags(connection, NAMES) == [
            Lag(one, "tasks", 6, 6, None),
            Lag(one, "users", 6, 6, None),
            Lag(two, "tasks", 0, 6, None),
            Lag(two, "users", 4, 6, "no more"),
        ]
        assert await checkpoints.lags(connection, NAMES, behind=True) == [
            Lag(two, "tasks", 0, 6, None),
            Lag(two, "users", 4, 6, "no more"),
        ]
        assert await checkpoints.lags(connection, ["tasks"], behind=True) == [Lag(two, "tasks", 0, 6, None)]
        assert await checkpoints.lags(connection, []) == []
        assert await checkpoints.positions(connection, "users", [one, two, new_id()]) == {one: 6, two: 4}
        assert await checkpoints.positions(connection, "tasks", [two]) == {}


async def test_a_lease_is_renewed_by_its_holder_and_refused_to_others_until_it_is_given_back(
    team: Team, pool: Pool
) -> None:
    mine, others = new_id(), new_id()
    async with pool.connection() as connection:
        for _ in range(2):
            assert await checkpoints.claim(connection, team.workspace_id, "tasks", mine) == BEGUN
        assert await checkpoints.claim(connection, team.workspace_id, "tasks", others) is None
        assert await checkpoints.claim(connection, team.workspace_id, "users", others) == BEGUN
        await checkpoints.release(connection, others)
        assert await checkpoints.claim(connection, team.workspace_id, "tasks", others) is None
        await checkpoints.release(connection, mine)
        assert await checkpoints.claim(connection, team.workspace_id, "tasks", others) == BEGUN
        assert await checkpoints.claim(connection, new_id(), "tasks", others) is None


async def test_a_lease_lasts_as_long_as_it_says_and_is_renewed_by_each_batch(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, most=3)

    async def left() -> float:
        cursor = await owner.execute(
            "SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 FROM checkpoints"
        )
        (seconds,) = await cursor.fetchone() or (0.0,)
        return float(seconds)

    for _ in range(2):
        await projector.run_once(team.workspace_id, "tasks")
        assert 0 < await left() <= checkpoints.LEASE_SECONDS
        await owner.execute("UPDATE checkpoints SET leased_until = '-infinity'")
    await desk.task(team)
    await projector.run_once(team.workspace_id, "tasks")
    assert 0 < await left() <= checkpoints.LEASE_SECONDS
