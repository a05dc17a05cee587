"""Kill -9 of anything under load: nothing acknowledged is lost or doubled, and everybody converges.

`make faults SEED=7 ROUNDS=50` runs many rounds. A round that fails prints its seed, what was done, and every promise
that was not kept. The same seed makes the same choices again; `pytest -m faults -k '[3]'` plays the third round alone.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest
import redis

from tests.faults.check import check, report
from tests.faults.ledger import Answer, read_answer
from tests.faults.load import Load, staff
from tests.faults.proxy import Proxy
from tests.faults.recording import Recording
from tests.faults.rig import PARTS, Rig
from tests.faults.run import ready, record
from tests.house import Client

SEED = os.environ.get("TASKFOLD_FAULT_SEED", "1")
ROUNDS = int(os.environ.get("TASKFOLD_FAULT_ROUNDS", "10"))

Faults = Callable[[Rig, Load], Awaitable[None]]


async def proven(folder: Path, seed: str, faults: Faults) -> Recording:
    """Run the program under load and faults; fail with all that went wrong. Answers the recording."""
    with Rig(folder) as rig:
        rig.start("worker")
        rig.start("API")
        recording = await record(
            rig.base,
            rig.postgres.owner_url,
            seed,
            lambda load: faults(rig, load),
            bell=rig.bell,
            revive=rig.revive,
        )
        failed = "Traceback" in rig.said("API")
        logged = rig.said("API") if failed else ""
    violations = check(recording)
    story = " · ".join(rig.story)
    assert not violations, f"seed {seed}: {story}\n{report(violations)}\n{logged[-4_000:]}"
    return recording


def random_kills(seed: str, times: int) -> Faults:
    """Kills of one part or several, each after some answers, and a start again after some attempts without them."""
    random = Random(seed)

    async def faults(rig: Rig, load: Load) -> None:
        for _ in range(times):
            assert await load.more(random.randint(20, 80)), f"seed {seed}: no answers after {rig.story}"
            victims = random.sample(PARTS, random.choices((1, 2, 4), (6, 3, 1))[0])
            for part in victims:
                rig.kill(part)
            await load.tried(random.randint(1, 60), most=random.uniform(0.05, 1.0))
            for part in random.sample(victims, len(victims)):
                rig.start(part)
        assert await load.more(20), f"seed {seed}: no answers after {rig.story}"

    return faults


async def test_after_kills_of_anything_under_load_every_promise_holds(tmp_path: Path) -> None:
    recording = await proven(tmp_path, f"{SEED}/short", random_kills(f"{SEED}/short", times=3))
    assert recording.head > 60


@pytest.mark.faults
@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
async def test_round_after_round_of_kills_every_promise_holds(tmp_path: Path, number: int) -> None:
    seed = f"{SEED}/{number}"
    await proven(tmp_path, seed, random_kills(seed, times=8))


async def test_without_redis_commands_and_sockets_go_on(tmp_path: Path) -> None:
    async def faults(rig: Rig, load: Load) -> None:
        with redis.Redis.from_url(rig.redis.url) as client:
            assert await load.more(20)
            client.flushall()
            client.client_kill_filter(_type="pubsub")
        assert await load.more(20)
        rig.kill("Redis")
        assert await load.more(60)
        assert load.put_off == 0
        rig.start("Redis")
        assert await load.more(20)

    await proven(tmp_path, f"{SEED}/redis", faults)


async def test_watchers_get_everything_while_redis_stays_away(tmp_path: Path) -> None:
    async def faults(rig: Rig, load: Load) -> None:
        rig.kill("Redis")
        assert await load.more(60)  # and it does not come back before the watchers are at the end

    await proven(tmp_path, f"{SEED}/away", faults)


async def test_a_commit_whose_answer_was_lost_with_postgres_has_one_effect(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        async with asyncio.timeout(60), Proxy(rig.postgres.serving_url) as proxy:
            rig.start("worker")
            rig.set(TASKFOLD_DATABASE_URL=proxy.url)
            rig.start("API")
            await ready(rig.base, rig.bell, rig.revive)
            async with staff(rig.base, 5) as clients:
                first, again = await answers_around_a_lost_commit(rig, proxy, clients[0])
        with psycopg.connect(rig.postgres.owner_url) as connection:
            created = connection.execute("SELECT position FROM events WHERE name = 'task.created'").fetchall()
    assert (first.status, first.replayed) == (201, False)
    assert again == first._replace(replayed=True)
    assert created == [(first.position,)]


async def answers_around_a_lost_commit(rig: Rig, proxy: Proxy, client: Client) -> tuple[Answer, Answer]:
    """What a command answers whose commit was done when PostgreSQL died, and nobody had heard of it."""

    def create() -> Awaitable[httpx.Response]:
        return client.post("/tasks", {"title": "once"}, idempotency_key="a-key")

    proxy.lose_answers_to(b'"key":"key:a-key"')  # as the append alone says it
    answering = asyncio.ensure_future(create())
    async with await psycopg.AsyncConnection.connect(rig.postgres.owner_url, autocommit=True) as connection:
        while not answering.done() and not await is_kept(connection, "a-key"):
            pass
    assert not answering.done()
    proxy.lose_answers_to(b"")
    rig.kill("PostgreSQL")
    rig.start("PostgreSQL")
    return read_answer(await answering), read_answer(await create())


async def is_kept(connection: psycopg.AsyncConnection[Any], key: str) -> bool:
    cursor = await connection.execute("SELECT 1 FROM keys WHERE key = %s", (f"key:{key}",))
    return await cursor.fetchone() is not None
