"""Metrics of processes of their own: several at one port answer as one, a worker has a port for it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.mmap_dict import MmapedDict

from api.embedded.process import free_port
from tests.acceptance.test_serving import PATIENCE, STOPPED, Installation, base_of, register
from tests.api.test_metrics import Numbers
from tests.house import Client, Database

CREATED = {"method": "POST", "route": "/api/v1/tasks", "status": "2xx"}


@pytest.fixture
async def installation(database: Database, environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Installation]:
    installation = Installation(database, environment, tmp_path)
    yield installation
    await installation.stop()


async def numbers(url: str) -> Numbers:
    """Over a connection of its own, so that any of the processes may be the one that answers."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        response = await http.get(url)
    assert response.status_code == 200, response.text
    return Numbers(response.text)


async def create(ada: Client) -> None:
    async with httpx.AsyncClient(base_url=ada.http.base_url, timeout=PATIENCE) as http:
        await Client(http, ada.tokens, ada.base).task()


def processes(folder: Path) -> dict[int, int]:
    """How many tasks each process has created, by its id."""
    created = {}
    for path in folder.glob("taskfold-metrics-*/counter_*.db"):
        series = [(key, value) for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path))]
        created[int(path.stem.rpartition("_")[2])] = sum(
            int(value)
            for key, value in series
            if "taskfold_http_requests_total" in key and '"POST"' in key and '"/api/v1/tasks"' in key
        )
    return created


def files(folder: Path, pattern: str) -> list[Path]:
    """What there is in the directory that the processes share; the empty pattern is the directory."""
    return list(folder.glob(f"taskfold-metrics-*/{pattern}"))


async def until_all_say(url: str, count: int) -> None:
    """Until any process has told that so many tasks were created; none may ever tell of more."""
    async with asyncio.timeout(PATIENCE):
        for _ in range(10):
            while (said := (await numbers(url))("taskfold_http_requests_total", **CREATED)) < count:
                pass
            assert said == count


async def test_any_process_at_a_port_answers_for_all_of_them(installation: Installation, tmp_path: Path) -> None:
    installation._env["TMPDIR"] = str(tmp_path)
    http = await installation.api("api", "--workers", "2")
    ada = await register(http, "ada")
    url = f"{base_of(http)}/metrics"
    count = 0
    async with asyncio.timeout(PATIENCE):
        while len([created for created in processes(tmp_path).values() if created]) < 2:
            await create(ada)
            count += 1
            await numbers(url)
    await until_all_say(url, count)
    found = await numbers(url)
    assert found("taskfold_append_batch_size_sum") == found("taskfold_append_batch_size_bucket", le="+Inf")
    assert found("taskfold_append_batch_size_count") == found("taskfold_append_commit_seconds_count") == count
    assert found("taskfold_pool_connections_max") == 20
    assert found("taskfold_redis_connected") == 1
    assert found.series("taskfold_build_info") == {frozenset({("version", "0.1.0")})}
    assert found("taskfold_projection_lag_events", projection="tasks") == found("taskfold_log_events") > 0

    victim = next(pid for pid, created in processes(tmp_path).items() if created)
    os.kill(victim, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while len(processes(tmp_path)) < 3:  # it is started again, as another process
            await numbers(url)
    await until_all_say(url, count)
    assert files(tmp_path, f"gauge_*_{victim}.db") == []
    assert (await numbers(url))("taskfold_pool_connections_max") == 20
    installation.signal("api", signal.SIGTERM)
    assert await installation.ends("api") in STOPPED
    assert files(tmp_path, "") == []
    assert "Traceback" not in installation.said("api")


async def test_a_worker_serves_its_metrics_where_it_is_told(installation: Installation) -> None:
    port = free_port()
    installation.start("worker", "work", "--metrics-port", str(port))
    http = await installation.api("api")
    ada = await register(http, "ada")
    task = await ada.task()
    assert (await ada.get("/tasks", min_position=task["position"])).status_code == 200
    found = await numbers(f"http://127.0.0.1:{port}/metrics")
    assert found("taskfold_worker_positions_total", projection="tasks") >= task["position"]
    assert "taskfold_appends" not in found.families
    installation.signal("worker", signal.SIGTERM)
    assert await installation.ends("worker") == 0
    assert "Traceback" not in installation.said("worker")


async def test_a_port_that_is_taken_is_said_in_one_line(installation: Installation) -> None:
    http = await installation.api("api")
    port = base_of(http).rpartition(":")[2]
    installation.start("worker", "work", work_metrics_port=port)
    assert await installation.ends("worker") == 1
    said = installation.said("worker").splitlines()[-1]
    assert said == f"error: cannot serve metrics on 127.0.0.1 port {port}: Address already in use"
    assert "Traceback" not in installation.said("worker")


async def test_a_directory_for_the_metrics_that_is_not_there_is_said_in_one_line(installation: Installation) -> None:
    installation.start("api", "serve", "--workers", "2", metrics_dir="/nowhere/at/all")
    assert await installation.ends("api") == 1
    assert installation.said("api") == "error: TASKFOLD_METRICS_DIR: must be a directory, got '/nowhere/at/all'\n"
