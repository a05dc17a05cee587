"""Imports, as tests ask for them: a file goes up, a worker of the test does the job, and the report comes back."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from api.job_worker import JobWorker
from domain.exchange import records
from tests.house import Client, House

CSV = "text/csv"
JSONL = "application/x-ndjson"


class Imported(NamedTuple):
    """A job that has ended, and its report by line."""

    job: dict[str, Any]
    lines: dict[int, dict[str, Any]]

    def codes(self) -> dict[int, list[str]]:
        """The problems of the lines that have any."""
        return {n: [one["code"] for one in line["problems"]] for n, line in self.lines.items() if line["problems"]}

    def verdicts(self) -> dict[int, str]:
        return {n: line["verdict"] for n, line in self.lines.items()}


def jsonl(*tasks: Mapping[str, Any]) -> bytes:
    """A file of tasks."""
    return b"".join(json.dumps({"task": task}).encode() + b"\n" for task in tasks)


def csv(*rows: Iterable[object]) -> bytes:
    """A file of records, the first of them its header."""
    return records([list(row) for row in rows]).encode()


@asynccontextmanager
async def worker(house: House, **options: Any) -> AsyncIterator[JobWorker]:
    """A worker that does what it is told to, with `run_once`."""
    working = JobWorker(house.services.pool, house.settings.database_url, lambda *_: None, **options)
    working.begin()
    try:
        yield working
    finally:
        await working.stop()


async def send(client: Client, data: bytes, media_type: str = JSONL, key: str | None = None, **query: Any) -> Any:
    """The answer to a file."""
    headers = {"Content-Type": media_type, **({"Idempotency-Key": key} if key else {})}
    response: httpx.Response = await client.http.post(
        "/tasks/import", content=data, params=query, headers={**client.headers, **headers}
    )
    return response


async def bring(house: House, client: Client, data: bytes, media_type: str = JSONL, **query: Any) -> Imported:
    """Import a file to the end."""
    response = await send(client, data, media_type, **query)
    assert response.status_code == 202, response.text
    async with worker(house) as working:
        assert await working.run_once()
    path = response.headers["Location"].removeprefix("/api/v1")
    job = (await client.get(path)).json()
    report = await client.items(f"{path}/report", limit=200)
    return Imported(job, {line["line"]: line for line in report})
