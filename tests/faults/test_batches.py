"""Batches whose process is killed between deciding, committing and answering: each is done once, and says the same."""

import os
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from domain import failpoints
from tests.faults.lab import Lab, laboratory
from tests.faults.run import ready, staff
from tests.house import Client

SEED = os.environ.get("TASKFOLD_FAULT_SEED", "1")
PLACES = (
    failpoints.BATCH_DECIDED,
    failpoints.COMMITTER_SENDING,
    failpoints.COMMITTER_COMMITTED,
    failpoints.COMMITTER_ANSWERED,
    failpoints.BATCH_APPENDED,
)
API = "API 1"
ROUNDS = 10


def batch(number: int, atomic: bool) -> dict[str, Any]:
    """It makes a task with an item and starts it; where it may, one of its commands is refused."""
    commands: list[dict[str, Any]] = [
        {"id": "t", "type": "task.create", "data": {"title": f"task {number}"}},
        {"id": "i", "type": "checklist.add", "target": "$t", "data": {"text": "an item"}},
        {"id": "s", "type": "task.start", "target": "$t"},
        {"id": "e", "type": "task.edit", "target": "$t", "data": {"title": f"task {number}"}},
    ]
    if not atomic:
        commands.insert(2, {"id": "no", "type": "task.reopen", "target": "$t"})
    return {"commands": commands, "atomic": atomic}


async def begin(lab: Lab, failpoint: str) -> None:
    """The API begins anew, and kills itself there."""
    lab.rig.kill(API)
    lab.rig.set(API, TASKFOLD_FAILPOINTS=failpoint)
    lab.rig.start(API)
    await ready(lab.rig.bases, lab.rig.bell)


async def sent(client: Client, body: dict[str, Any], key: str) -> httpx.Response | None:
    """The answer, if one comes."""
    try:
        return await client.post("/commands", body, idempotency_key=key)
    except httpx.TransportError:
        return None


@pytest.mark.faults
async def test_a_batch_whose_process_is_killed_has_one_effect_and_one_answer(tmp_path: Path) -> None:
    random, answers, killed = Random(SEED), {}, 0
    async with laboratory(tmp_path, f"{SEED}/batches", apis=1, workers=1) as lab:
        await ready(lab.rig.bases, lab.rig.bell)
        async with staff(lab.rig.bases[0], 5) as clients:
            ada = clients[0]
            for number in range(ROUNDS):
                await begin(lab, f"{PLACES[number % len(PLACES)]}=kill@{random.randint(1, 3)}")
                body = batch(number, atomic=number % 2 == 0)
                answer = await sent(ada, body, f"batch-{number}")
                if answer is None:
                    killed += 1
                    await begin(lab, "")
                    answer = await sent(ada, body, f"batch-{number}")
                assert answer is not None
                assert answer.json()["done"] == 4, answer.text
                answers[number] = answer.json()["verdicts"]
            await begin(lab, "")
            for number, verdicts in answers.items():
                again = await ada.post("/commands", batch(number, number % 2 == 0), idempotency_key=f"batch-{number}")
                assert again.headers["Idempotency-Replayed"] == "true"
                done = [verdict for verdict in again.json()["verdicts"] if verdict["outcome"] == "done"]
                assert done == [verdict for verdict in verdicts if verdict["outcome"] == "done"]
        with psycopg.connect(lab.rig.postgres.owner_url) as connection:
            events = connection.execute(
                "SELECT name, count(*) FROM events WHERE name NOT LIKE 'user.%' GROUP BY name"
            ).fetchall()
    assert killed > 2
    assert dict(events) == {
        "workspace.founded": 1,
        "task.created": ROUNDS,
        "checklist.item_added": ROUNDS,
        "task.started": ROUNDS,
    }
