"""Jobs: whose they are, how they stand, how they end, and who does them."""

import asyncio
import csv
import io
import json
from asyncio import to_thread
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from api.cli import main
from commands.import_write import TASKS_AT_ONCE
from commands.jobs import MOST_ACTIVE, MOST_TRIES, Jobs, LeaseLost
from domain import failpoints
from domain.job import JobState
from tests.api.importing import CSV, bring, jsonl, send, worker
from tests.api.importing import csv as csv_of
from tests.house import Client, House, refused


async def queued(client: Client, title: str = "One") -> str:
    """A job that nobody does yet: its path."""
    response = await send(client, jsonl({"title": title}))
    assert response.status_code == 202, response.text
    return str(response.headers["Location"]).removeprefix("/api/v1")


async def test_a_job_says_how_it_stands(house: House) -> None:
    ada = await house.user()
    path = await queued(ada)
    waiting = (await ada.get(path)).json()
    assert (waiting["state"], waiting["kind"], waiting["created_by"]) == ("queued", "task_import", ada.id)
    assert waiting["progress"] == {"phase": "waiting", "done": 0, "total": waiting["input"]["size"]}
    async with worker(house) as working:
        assert await working.run_once()
        assert not await working.run_once()
        assert working.done == 1
    ended = (await ada.get(path)).json()
    assert (ended["state"], ended["progress"]["phase"]) == ("done", "ended")
    assert ended["position"] == await house.head()
    assert ended["finished_at"] is not None


async def test_jobs_are_listed_for_their_owner_the_newest_first(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    paths = [await queued(ada, title) for title in ("a", "b", "c")]
    await queued(eve)
    found = await ada.items("/jobs", limit=2)
    assert [f"/jobs/{job['id']}" for job in found] == paths[::-1]


async def test_admins_see_every_job_and_others_their_own(house: House) -> None:
    ada, bob, eve = await house.user(), await house.user(), await house.user()
    path = await queued(bob)
    assert (await ada.get(path)).status_code == 200
    unknown = refused(await eve.get("/jobs/00000000-0000-7000-8000-000000000001"), 404, "job.not_found")
    assert refused(await eve.get(path), 404, "job.not_found")["detail"] == unknown["detail"]
    refused(await eve.post(f"{path}/cancel"), 404, "job.not_found")
    assert (await ada.post(f"{path}/cancel")).json()["state"] == "cancelled"


async def test_what_is_cancelled_is_not_done(house: House) -> None:
    ada = await house.user()
    path = await queued(ada)
    for _ in range(2):
        assert (await ada.post(f"{path}/cancel")).json()["state"] == "cancelled"
    async with worker(house) as working:
        assert not await working.run_once()
    done = await bring(house, ada, jsonl({"title": "Two"}))
    refused(await ada.post(f"/jobs/{done.job['id']}/cancel"), 409, "job.ended")


async def test_a_user_has_only_so_many_jobs_at_once(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    paths = [await queued(ada, str(n)) for n in range(MOST_ACTIVE)]
    refused(await send(ada, jsonl({"title": "x"})), 409, "job.too_many")
    assert (await send(eve, jsonl({"title": "x"}))).status_code == 202
    await ada.post(f"{paths[0]}/cancel")
    assert (await send(ada, jsonl({"title": "x"}))).status_code == 202


async def test_no_more_jobs_come_in_at_the_same_time_and_a_retry_needs_no_room(house: House) -> None:
    ada = await house.user()
    first = await send(ada, jsonl({"title": "x"}), key="first")
    sent = await asyncio.gather(*(send(ada, jsonl({"title": str(n)})) for n in range(MOST_ACTIVE + 3)))
    assert sorted(answer.status_code for answer in sent) == [202] * (MOST_ACTIVE - 1) + [409] * 4
    again = await send(ada, jsonl({"title": "x"}), key="first")
    assert (again.status_code, again.headers["Location"]) == (202, first.headers["Location"])
    assert await _rows(house, "jobs") == MOST_ACTIVE, "what was refused leaves nothing"


async def test_what_is_cancelled_is_written_no_further_and_its_report_is_right(house: House) -> None:
    ada = await house.user()
    sent = await send(ada, jsonl(*({"title": str(n)} for n in range(2 * TASKS_AT_ONCE + 50))))
    path = str(sent.headers["Location"]).removeprefix("/api/v1")
    cancelled = asyncio.Event()

    def hook(name: str) -> None:
        if name == failpoints.IMPORT_WRITTEN and not cancelled.is_set():
            cancelled.set()
            with psycopg.connect(house.owner_url) as connection:  # what the API does; it waits for this loop
                connection.execute(
                    "UPDATE jobs SET state = 'cancelled', lease = NULL, leased_until = '-infinity', finished_at = now()"
                )

    failpoints.install(hook)
    try:
        async with worker(house) as working:
            assert await working.run_once()
    finally:
        failpoints.install(None)
    job = (await ada.get(path)).json()
    assert (job["state"], job["counts"]["created"], job["counts"]["valid"]) == ("cancelled", TASKS_AT_ONCE, 150)
    lines = await ada.items(f"{path}/report", limit=200)
    assert [line["verdict"] for line in lines] == ["created"] * TASKS_AT_ONCE + ["valid"] * 150
    assert len(await ada.items("/tasks", limit=200, min_position=await house.head())) == TASKS_AT_ONCE


@pytest.mark.parametrize("begun", [False, True])
async def test_the_file_goes_when_its_job_has_ended(house: House, begun: bool) -> None:
    ada = await house.user()
    path = await queued(ada)
    assert await _rows(house, "job_bytes") == 1
    if begun:
        async with worker(house) as working:
            assert await working.run_once()
    else:
        await ada.post(f"{path}/cancel")
    assert await _rows(house, "job_bytes") == 0


async def test_whoever_takes_a_job_up_knows_what_was_passed_by_before(house: House) -> None:
    ada = await house.user()
    talk = b'{"comment":{"task_id":"1"}}\n' * 3
    sent = await send(ada, b'{"task":{"id":"1","title":"One"}}\n' + talk)
    path = str(sent.headers["Location"]).removeprefix("/api/v1")

    def hook(name: str) -> None:
        if name == failpoints.IMPORT_WRITTEN:
            raise asyncio.CancelledError

    failpoints.install(hook)
    try:
        async with worker(house) as working:
            with suppress(asyncio.CancelledError):
                await working.run_once()
    finally:
        failpoints.install(None)
    job = (await ada.get(path)).json()
    assert (job["state"], job["counts"]) == ("running", {})
    async with house.pool.connection() as connection:
        await connection.execute("UPDATE jobs SET leased_until = '-infinity'")
    async with worker(house) as working:
        assert await working.run_once()
    assert (await ada.get(path)).json()["counts"] == {
        "lines": 1, "valid": 0, "refused": 0, "created": 1, "present": 0, "incomplete": 0, "ignored": 3
    }  # fmt: skip


async def _rows(house: House, table: str) -> int:
    async with house.pool.connection() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_report_comes_as_pages_and_as_a_whole(house: House) -> None:
    ada = await house.user()
    file = csv_of(("title", "status"), ("One", ""), ("Two", "=odd"), ("Three", ""))
    done = await bring(house, ada, file, CSV, on_error="skip")
    path = f"/jobs/{done.job['id']}/report"
    assert [line["line"] for line in await ada.items(path, limit=1)] == [2, 3, 4]
    assert [line["line"] for line in (await ada.get(path, verdict="refused")).json()["items"]] == [3]
    assert [line["line"] for line in (await ada.get(path, problems="true")).json()["items"]] == [3]
    whole = await ada.get(path, format="jsonl")
    assert whole.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in whole.text.splitlines()]
    assert lines == list(done.lines.values())
    rows = list(csv.reader(io.StringIO((await ada.get(path, format="csv", verdict="refused")).text)))
    assert rows[1][:5] == ["3", "refused", lines[1]["task_id"] or "", "import.status", "/status"]


async def test_a_lease_that_is_over_is_anothers(house: House) -> None:
    ada = await house.user()
    await queued(ada)
    jobs = Jobs(house.services.pool)
    first = await jobs.take(0)
    second = await jobs.take(60)
    assert first is not None
    assert second is not None
    assert await jobs.take(60) is None
    with pytest.raises(LeaseLost):
        await jobs.progress(first, JobState.CHECKING, "reading", 0, 1)
    await jobs.renew(second, 60)
    await jobs.give_back(second)
    third = await jobs.take(60)
    assert third is not None
    assert [await jobs.failed_try(third, 60) for _ in range(MOST_TRIES)] == [True] * (MOST_TRIES - 1) + [False]


async def test_what_ended_long_ago_is_swept_with_its_lines(house: House) -> None:
    ada = await house.user()
    done = await bring(house, ada, jsonl({"title": "One"}))
    path = await queued(ada)
    jobs = Jobs(house.services.pool)
    assert await jobs.sweep() == 0
    async with house.pool.connection() as connection:
        await connection.execute("UPDATE jobs SET updated_at = updated_at - interval '31 days'")
        assert await jobs.sweep() == 1
        row = await (await connection.execute("SELECT count(*) FROM job_lines")).fetchone()
    assert row == (0,)
    refused(await ada.get(f"/jobs/{done.job['id']}"), 404, "job.not_found")
    assert (await ada.get(path)).status_code == 200


async def test_the_terminal_shows_what_is_wrong_and_writes_the_report(house: House, tmp_path: Path) -> None:
    ada = await house.user()
    file, report = tmp_path / "tasks.csv", tmp_path / "report.csv"
    file.write_text("Summary;Status\nOne;todo\nTwo;odd\n")
    options = ["--url", house.base, "--token", ada.tokens["access_token"], "--report", str(report)]
    async with worker(house) as working:
        await working.start()
        arguments = ["import", str(file), *options, "--column", "title:Summary"]
        wrong = await to_thread(lambda: CliRunner().invoke(main, arguments))
        assert wrong.exit_code == 1
        assert "line 3: /status: must be one of" in wrong.output
        assert "import.lines_refused" in wrong.output
        right = await to_thread(lambda: CliRunner().invoke(main, [*arguments, "--on-error", "skip", "--source", "x"]))
    assert "is done: 2 lines, 1 refused, 1 created" in right.output
    assert report.read_text().splitlines()[0] == '"line","verdict","task_id","code","pointer","detail"'
    refused_ = await to_thread(lambda: CliRunner().invoke(main, ["import", str(file), *options[:2], "--token", "x"]))
    assert (refused_.exit_code, "auth.token_invalid" in refused_.output) == (1, True)
    assert CliRunner().invoke(main, ["import", str(file)], env={"TOKEN": ""}).exit_code == 1
