"""An export of many tasks costs the process that serves it time, and no memory."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import httpx
import pytest

from api.embedded.process import free_port
from tests.api.crowded import crowd
from tests.house import Client, House

TASKS = [pytest.param(4_000), pytest.param(100_000, marks=pytest.mark.faults)]
MOST_GROWTH = 50_000_000


class Program(NamedTuple):
    """An API of its own."""

    base: str
    pid: int

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes of it in memory; `VmHWM`: at the most so far."""
        [line] = [line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if line.startswith(name)]
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def program(house: House, environment: dict[str, str]) -> AsyncIterator[Program]:
    """`taskfold serve` on the database of a house."""
    port = free_port()
    argv = (sys.executable, "-m", "api.cli", "serve", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*argv, env={**environment, "TASKFOLD_LOG_LEVEL": "WARNING"})
    base = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=base) as http:
            while True:
                try:
                    if (await http.get("/healthz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0)
        yield Program(base, process.pid)
    finally:
        process.kill()
        await process.wait()


async def drained(http: httpx.AsyncClient, client: Client, format_: str) -> tuple[int, int, float]:
    """How many lines there were, how many bytes, and in how many seconds."""
    began, count, size = perf_counter(), 0, 0
    headers = client.headers | {"Accept-Encoding": "identity"}
    async with http.stream("GET", "/api/v1/tasks/export", params={"format": format_}, headers=headers) as response:
        assert response.status_code == 200
        async for chunk in response.aiter_raw():
            count += chunk.count(b"\n")
            size += len(chunk)
    return count, size, perf_counter() - began


@pytest.mark.parametrize("tasks", TASKS)
async def test_an_export_takes_no_more_memory_for_more_tasks(
    house: House, environment: dict[str, str], tasks: int
) -> None:
    ada = await house.user()
    head = await crowd(house, ada, tasks)
    async with asyncio.timeout(300):
        while (await ada.get("/tasks", min_position=head, limit=1)).status_code == 503:
            pass
    async with program(house, environment) as api, httpx.AsyncClient(base_url=api.base, timeout=60) as http:
        for format_ in ("csv", "jsonl"):
            await http.get("/api/v1/tasks", headers=ada.headers)  # what any request brings into memory
            before = api.memory()
            count, size, seconds = await drained(http, ada, format_)
            growth = api.memory("VmHWM") - before
            said = f"{tasks / seconds:,.0f} tasks a second, {size / tasks:,.0f} bytes each"
            print(f"{format_}: {said}, {growth / 1e6:.1f} MB more")  # noqa: T201
            assert count == tasks + (1 if format_ == "csv" else 3)
            assert growth < MOST_GROWTH
