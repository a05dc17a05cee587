"""One writer: each position of each workspace is written once, whichever workers die, stop and come back."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from commands.ids import new_id
from domain.messages import PROJECTED_CHANNEL, Projected, decode_projected
from domain.user import UserProfileChanged
from projections.checkpoints import LEASE_SECONDS
from projections.database import Pool
from projections.hints import Listener
from projections.registry import TABLES
from tests.commands.desk import Connection, Team, found
from tests.house import SECRET, Database, Servers
from tests.projections.reading import checkpoint_of, creation, dies, fold_of, log_events, reaches, rows_of, worker


class Move(NamedTuple):
    """A checkpoint that was moved, by whom, and how long the lease was good for then."""

    workspace_id: str
    projection: str
    before: int
    after: int
    lease: str
    seconds: float


@pytest.fixture
async def noted(owner: Connection) -> Connection:
    """From here on each move of a checkpoint is noted as it is made: a second writer cannot hide."""
    await owner.execute(
        """
        CREATE TABLE moves (n bigint GENERATED ALWAYS AS IDENTITY, workspace_id uuid, projection text,
                            before bigint, after bigint, lease uuid, seconds float8)
        """
    )
    await owner.execute(
        """
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN
            INSERT INTO moves (workspace_id, projection, before, after, lease, seconds)
            VALUES (new.workspace_id, new.projection, old.position, new.position, new.lease,
                    extract(epoch FROM new.leased_until - clock_timestamp()));
            RETURN NULL;
        END $$
        """
    )
    await owner.execute(
        """
        CREATE TRIGGER note AFTER UPDATE ON checkpoints FOR EACH ROW
        WHEN (old.position <> new.position) EXECUTE FUNCTION note()
        """
    )
    return owner


async def moves(owner: Connection, workspace_id: str | None = None) -> list[Move]:
    """What was noted, in order."""
    cursor = await owner.execute(
        """
        SELECT workspace_id::text, projection, before, after, lease::text, seconds FROM moves
        WHERE workspace_id = coalesce(%s, workspace_id) ORDER BY n
        """,
        (workspace_id,),
    )
    return [Move(*row) for row in await cursor.fetchall()]


async def each_position_was_written_once(owner: Connection, team: Team) -> None:
    """And the rows are the fold of the log."""
    for name in TABLES:
        mine = [move for move in await moves(owner, team.workspace_id) if move.projection == name]
        assert mine[0].before == 0
        assert all(one.after == next_.before for one, next_ in pairwise(mine))
        assert mine[-1].after == (await checkpoint_of(owner, team.workspace_id, name)).position
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


@asynccontextmanager
async def published(redis: Redis) -> AsyncIterator[list[Projected]]:
    """What projectors publish of any workspace while the block runs."""
    messages: list[Projected] = []
    listener = Listener(redis, PROJECTED_CHANNEL, lambda message: messages.append(decode_projected(message)))
    listener.start()
    try:
        await asyncio.wait_for(listener.connected.wait(), 10)
        yield messages
    finally:
        await listener.stop()


def doubled(messages: Iterable[Projected]) -> list[tuple[Projected, Projected]]:
    """Publications that overlap: two writers had the same positions in their hands. Holes are fine, hints get lost."""
    lanes: dict[tuple[str, str], list[Projected]] = {}
    for message in messages:
        lanes.setdefault((message.workspace_id, message.projection), []).append(message)
    ordered = [sorted(lane, key=lambda message: (message.after, message.to)) for lane in lanes.values()]
    return [pair for lane in ordered for pair in pairwise(lane) if pair[0].to > pair[1].after]


async def write_to(owner: Connection, team: Team, tasks: int) -> None:
    """So many tasks more, and something that the users take in."""
    for n in range(tasks):
        await log_events(owner, team, new_id(), creation(f"{n}"))


async def test_thirty_workspaces_over_three_workers_all_reach_the_end_though_one_dies(
    noted: Connection, pool: Pool, redis: Redis
) -> None:
    teams = [await found(noted) for _ in range(30)]
    for team in teams:
        await write_to(noted, team, 4)
    workers = [
        worker(pool, redis, poll_seconds=0.02, most=3, lanes=2, lease_seconds=0.5, retry_seconds=0.1) for _ in range(3)
    ]
    for n, one in enumerate(workers):  # each has a part of it from the start
        assert await one.run_once(teams[n].workspace_id, "tasks") == 3
    for one in workers:
        await one.start()
    await write_to(noted, teams[0], 20)
    await dies(workers[0])
    for team in teams:
        await write_to(noted, team, 2)
        await log_events(noted, team, team.member, UserProfileChanged(fields=("display_name",)), after=1)
    for n, team in enumerate(teams):
        await reaches(noted, team.workspace_id, 33 if n == 0 else 13)
    for one in workers[1:]:
        await one.stop()
    for team in teams:
        await each_position_was_written_once(noted, team)
    assert {move.lease for move in await moves(noted)} == {one._lease for one in workers}


# ------------------------------------------------------------------------------------------------------ other processes


@asynccontextmanager
async def processes(
    database: Database, servers: Servers, count: int
) -> AsyncIterator[Sequence[asyncio.subprocess.Process]]:
    """Workers as `taskfold work` starts them."""
    environment = {
        **os.environ,
        "TASKFOLD_DATABASE_URL": database.serving_url,
        "TASKFOLD_REDIS_URL": servers.redis_url,
        "TASKFOLD_SECRET_KEY": SECRET,
        "TASKFOLD_LOG_LEVEL": "ERROR",
    }
    started: list[asyncio.subprocess.Process] = []
    try:
        for _ in range(count):
            arguments = (sys.executable, "-m", "api.cli", "work")
            started.append(await asyncio.create_subprocess_exec(*arguments, env=environment))
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.wait()


async def test_of_two_processes_the_other_goes_on_when_one_is_stopped_and_when_one_is_killed(
    noted: Connection, redis: Redis, database: Database, servers: Servers
) -> None:
    """The one that was stopped comes back with work in its hands, and writes nothing that was written already."""
    teams = [await found(noted) for _ in range(6)]
    heads = dict.fromkeys((team.workspace_id for team in teams), 6)

    async def written_and_read() -> None:
        for team in teams:
            await write_to(noted, team, 2)
            heads[team.workspace_id] += 2
        for team in teams:
            await reaches(noted, team.workspace_id, heads[team.workspace_id])

    async with published(redis) as messages, processes(database, servers, 2) as (one, other):
        await written_and_read()
        one.send_signal(signal.SIGSTOP)
        await written_and_read()
        one.send_signal(signal.SIGCONT)
        await written_and_read()
        other.kill()
        await other.wait()
        await written_and_read()
        one.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(one.wait(), 20) == 0
    assert messages
    assert doubled(message for message in messages if message.workspace_id in heads) == []
    for team in teams:
        await each_position_was_written_once(noted, team)
    assert len({move.lease for move in await moves(noted)}) == 2
    assert all(move.seconds <= LEASE_SECONDS for move in await moves(noted))
