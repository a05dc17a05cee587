"""Short rounds of faults under load: nothing acknowledged is lost, doubled or reordered, and everybody converges.

`make faults` runs long ones: see docs/faults.md. A round that fails prints its seed, what was done, and every promise
that was not kept. The same seed makes the same choices again.
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

from domain import failpoints
from tests.faults import keys, kinds, without_redis
from tests.faults.check import check, report
from tests.faults.lab import Lab, laboratory
from tests.faults.load import Load
from tests.faults.proxy import Mode, Proxy
from tests.faults.rounds import SHORT, play
from tests.faults.run import Crowd, Plan, ready, staff
from tests.house import Client

SEED = os.environ.get("TASKFOLD_FAULT_SEED", "1")


async def test_after_faults_of_any_kind_under_load_every_promise_holds(tmp_path: Path) -> None:
    outcome = await play(tmp_path, f"{SEED}/short", SHORT)
    assert not outcome.violations, outcome.explain()
    assert outcome.acknowledged >= SHORT.commands
    assert sum(outcome.faults.values()) >= SHORT.faults


async def proven(
    folder: Path, seed: str, during: Callable[[Lab, Load], Awaitable[None]], apis: int = 1, workers: int = 1
) -> None:
    """Do this to the program under load; fail with all that went wrong."""
    async with laboratory(folder, seed, apis=apis, workers=workers) as lab:

        async def faults(crowd: Crowd) -> None:
            await during(lab, crowd.load)

        recording = await lab.record(Plan(seed), faults)
    violations = check(recording)
    assert not violations, f"seed {seed}: {' · '.join(lab.rig.story)}\n{report(violations)}"


async def test_without_redis_commands_and_sockets_go_on(tmp_path: Path) -> None:
    async def during(lab: Lab, load: Load) -> None:
        assert await load.more(20)
        await kinds.flush(lab, load)
        assert await load.more(20)
        lab.rig.kill("Redis")
        assert await load.more(60)
        assert load.put_off == 0
        lab.rig.start("Redis")
        assert await load.more(20)

    await proven(tmp_path, f"{SEED}/redis", during)


async def test_watchers_get_everything_while_redis_stays_away(tmp_path: Path) -> None:
    async def during(lab: Lab, load: Load) -> None:
        lab.rig.kill("Redis")
        assert await load.more(60)  # and it does not come back before the watchers are at the end

    await proven(tmp_path, f"{SEED}/away", during)


async def test_after_redis_died_or_forgot_everybody_converges(tmp_path: Path) -> None:
    returns = await without_redis.play(tmp_path, f"{SEED}/returns", rounds=3)
    assert not returns.violations, returns.explain()
    assert len(returns.converged) == 3 * 6


async def test_a_silent_redis_holds_up_nobody(tmp_path: Path) -> None:
    returns = await without_redis.play(tmp_path, f"{SEED}/silence", rounds=1, silent_seconds=1.0)
    assert not returns.violations, returns.explain()
    assert returns.faults == {"silent Redis": 1}


async def test_a_key_that_is_retried_across_cuts_has_one_effect_and_one_answer(tmp_path: Path) -> None:
    outcome = await keys.play(tmp_path, f"{SEED}/keys", 600)
    assert not outcome.violations, outcome.explain()
    assert sum(outcome.faults.values()) > 0
    assert all(entry.receipt is not None for entry in outcome.recording.ledger)
    assert min(len(entry.answers) for entry in outcome.recording.ledger) >= 2


@pytest.mark.faults
async def test_connections_that_go_silent_to_one_process_hold_up_nobody_for_good(tmp_path: Path) -> None:
    async def during(lab: Lab, load: Load) -> None:
        assert await load.more(20)
        way = lab.ways["API 1", "PostgreSQL"]
        assert way.set(Mode.HALF_OPEN) > 0
        await load.tried(100, most=0.5)
        way.heal()
        assert await load.more(50)

    await proven(tmp_path, f"{SEED}/silent", during, apis=2)


@pytest.mark.parametrize("place", [failpoints.BATCH_DECIDED, failpoints.BATCH_APPENDED])
@pytest.mark.faults
async def test_batches_that_are_cut_off_keep_every_promise(tmp_path: Path, place: str) -> None:
    async def during(lab: Lab, load: Load) -> None:
        for arrival in (1, 4, 9):
            assert await load.more(20)
            lab.rig.kill("API 1")
            lab.rig.set("API 1", TASKFOLD_FAILPOINTS=f"{place}=kill@{arrival}")
            lab.rig.start("API 1")
            assert await load.more(60)
        batches = [entry for entry in load.ledger if entry.atomic is not None and entry.receipt is not None]
        assert {entry.atomic for entry in batches} == {True, False}
        assert any("by itself" in told for told in lab.rig.story)

    await proven(tmp_path, f"{SEED}/{place}", during, apis=2)


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: f"{kind.__name__}{list(kinds.KINDS).index(kind)}")
@pytest.mark.faults
async def test_after_each_kind_of_fault_every_promise_holds(tmp_path: Path, kind: kinds.Kind) -> None:
    async def during(lab: Lab, load: Load) -> None:
        for _ in range(4):
            assert await load.more(40)
            await kind(lab, load)
        assert await load.more(40)

    await proven(tmp_path, f"{SEED}/{kind.__name__}/{Random(0).random()}", during, apis=2, workers=2)


async def test_a_commit_whose_answer_was_lost_with_postgres_has_one_effect(tmp_path: Path) -> None:
    async with laboratory(tmp_path, f"{SEED}/lost", apis=1, workers=1) as lab, asyncio.timeout(60):
        rig = lab.rig
        await ready(rig.bases, rig.bell)
        async with staff(rig.bases[0], 5) as clients:
            first, again = await answers_around_a_lost_commit(lab, lab.ways["API 1", "PostgreSQL"], clients[0])
        with psycopg.connect(rig.postgres.owner_url) as connection:
            created = connection.execute("SELECT position FROM events WHERE name = 'task.created'").fetchall()
    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (201, None)
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, "true")
    assert again.content == first.content
    assert created == [(int(first.headers["Taskfold-Position"]),)]


async def answers_around_a_lost_commit(lab: Lab, proxy: Proxy, client: Client) -> tuple[httpx.Response, httpx.Response]:
    """What a command answers whose commit was done when PostgreSQL died, and nobody had heard of it."""

    def create() -> Awaitable[httpx.Response]:
        return client.post("/tasks", {"title": "once"}, idempotency_key="a-key")

    proxy.on_request(b"task.created")  # as the append alone says it
    answering = asyncio.ensure_future(create())
    async with await psycopg.AsyncConnection.connect(lab.rig.postgres.owner_url, autocommit=True) as connection:
        while not answering.done() and not await is_kept(connection, "a-key"):
            pass
    assert not answering.done()
    proxy.on_request(b"")
    lab.rig.kill("PostgreSQL")
    lab.rig.start("PostgreSQL")
    return await answering, await create()


async def is_kept(connection: psycopg.AsyncConnection[Any], key: str) -> bool:
    cursor = await connection.execute("SELECT 1 FROM keys WHERE key = %s", (key,))
    return await cursor.fetchone() is not None
