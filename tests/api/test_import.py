"""Import: files of tasks come in, each task once, and the report says what became of each line."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.task import EDITABLE
from tests.api.importing import CSV, JSONL, bring, csv, jsonl, send, worker
from tests.house import Database, House, Servers, refused


async def test_tasks_come_in_with_what_they_are_to_each_other(house: House) -> None:
    ada = await house.user()
    file = jsonl(
        {"id": "A-2", "title": "Below", "parent_id": "A-1", "status": "done", "category": "done", "tags": ["q4"]},
        {"id": "A-1", "title": "Above", "priority": "high", "due_at": "2027-01-31T18:00:00+01:00"},
        {"id": "A-3", "title": "Waits", "links": [{"type": "blocked_by", "task_id": "A-1"}]},
    )
    done = await bring(house, ada, file)
    assert done.job["state"] == "done", done
    assert done.job["counts"] == {
        "lines": 3, "valid": 0, "refused": 0, "created": 3, "present": 0, "incomplete": 0, "ignored": 0
    }  # fmt: skip
    below, above, waits = [(await ada.get(f"/tasks/{done.lines[n]['task_id']}")).json() for n in (1, 2, 3)]
    assert (below["status"], below["category"], below["tags"]) == ("done", "done", ["q4"])
    assert below["completed_at"] == below["created_at"]
    assert below["parent_id"] == above["id"]
    assert above["subtasks"] == [{"id": below["id"], "closed": True}]
    assert (above["priority"], above["due_at"]) == ("high", "2027-01-31T17:00:00.000000Z")
    assert waits["links"] == [{"type": "blocked_by", "task_id": above["id"], "closed": False}]


async def test_a_spreadsheet_comes_in_with_its_own_names_for_columns(house: House) -> None:
    ada = await house.user()
    file = csv(("Summary", "Labels", "Estimate"), ("One, two", "a;b", "90"), ('A "quoted"\r\nname', "", ""))
    done = await bring(house, ada, file, CSV, column=["title:Summary", "tags:Labels", "estimate_minutes:Estimate"])
    assert done.job["state"] == "failed"
    assert done.codes() == {3: ["value.character"]}
    done = await bring(
        house, ada, file, CSV, on_error="skip", column=["title:Summary", "tags:Labels", "estimate_minutes:Estimate"]
    )
    task = (await ada.get(f"/tasks/{done.lines[2]['task_id']}")).json()
    assert (task["title"], task["tags"], task["estimate_minutes"]) == ("One, two", ["a", "b"], 90)


async def test_one_wrong_line_and_nothing_is_written(house: House) -> None:
    ada = await house.user()
    file = jsonl(
        {"title": "Right"}, {"title": ""}, {"title": "Odd", "parent_id": "nobody"},
        {"title": "Whose", "assignee": {"type": "user", "id": "00000000-0000-7000-8000-000000000001"}},
        {"title": "Where", "project_id": "00000000-0000-7000-8000-000000000001"}, {"title": 3},
        {"title": "Waits", "links": [{"type": "blocked_by", "task_id": "nothing"}]}, {"title": "x", "status": "odd"},
    )  # fmt: skip
    before = await house.head()
    done = await bring(house, ada, file)
    assert (done.job["state"], done.job["problem"]["code"]) == ("failed", "import.lines_refused")
    assert done.codes() == {
        2: ["value.length"], 3: ["parent.not_found"], 4: ["assignee.not_found"], 5: ["project.not_found"],
        6: ["import.value"], 7: ["dependency.task_not_found"], 8: ["import.status"],
    }  # fmt: skip
    assert done.verdicts()[1] == "valid"
    assert await house.head() == before
    skipped = await bring(house, ada, file, on_error="skip")
    assert (skipped.job["state"], skipped.verdicts()[1]) == ("done", "created")
    assert skipped.job["counts"]["refused"] == 7


async def test_a_dry_run_writes_nothing_and_says_what_would_be(house: House) -> None:
    ada = await house.user()
    before = await house.head()
    done = await bring(house, ada, jsonl({"title": "One"}, {"title": ""}), dry_run="true")
    assert (done.job["state"], done.verdicts()) == ("done", {1: "valid", 2: "refused"})
    assert await house.head() == before


async def test_a_file_that_comes_twice_makes_each_task_once(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    file = jsonl({"id": "A-1", "title": "One"}, {"title": "Two"}, {"title": "Two"})
    first = await bring(house, ada, file)
    head = await house.head()
    again = await bring(house, ada, file)
    assert set(again.verdicts().values()) == {"present"}
    assert [line["task_id"] for line in again.lines.values()] == [line["task_id"] for line in first.lines.values()]
    assert await house.head() == head
    assert len({line["task_id"] for line in first.lines.values()}) == 3
    assert set((await bring(house, ada, file, source="February")).verdicts().values()) == {"created"}
    assert set((await bring(house, eve, file)).verdicts().values()) == {"created"}


async def test_a_file_that_comes_twice_at_once_makes_each_task_once_and_tells_each_by_whom(house: House) -> None:
    ada = await house.user()
    file = jsonl(*({"id": str(n), "title": f"Task {n}"} for n in range(300)))
    paths = [(await send(ada, file)).headers["Location"].removeprefix("/api/v1") for _ in range(2)]
    async with worker(house) as one, worker(house) as other:
        assert all(await asyncio.gather(one.run_once(), other.run_once()))
    jobs = [(await ada.get(path)).json() for path in paths]
    assert {job["state"] for job in jobs} == {"done"}
    assert sum(job["counts"]["created"] for job in jobs) == 300, jobs
    assert sum(job["counts"]["present"] for job in jobs) == 300
    reports = [await ada.items(f"{path}/report", limit=200) for path in paths]
    created = [line["task_id"] for report in reports for line in report if line["verdict"] == "created"]
    assert len(set(created)) == 300
    position = max(job["position"] for job in jobs)
    assert len(await ada.items("/tasks", limit=200, min_position=position)) == 300


async def test_what_was_mended_comes_in_beside_what_is_there(house: House) -> None:
    ada = await house.user()
    await bring(house, ada, jsonl({"id": "1", "title": "Above"}))
    done = await bring(house, ada, jsonl({"id": "2", "title": "Below", "parent_id": "1"}))
    assert done.job["state"] == "done"
    below = (await ada.get(f"/tasks/{done.lines[1]['task_id']}")).json()
    assert (await ada.get(f"/tasks/{below['parent_id']}")).json()["title"] == "Above"


async def test_a_key_answers_the_job_of_the_first_time(house: House) -> None:
    ada = await house.user()
    first = await send(ada, b"title\na\n", CSV, key="k")
    again = await send(ada, b"title\na\n", CSV, key="k")
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    refused(await send(ada, b"title\nb\n", CSV, key="k"), 422, "idempotency.key_reused")
    refused(await send(ada, b"title\na\n", CSV, key="k", dry_run="true"), 422, "idempotency.key_reused")
    assert len((await ada.get("/jobs")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("data", "media_type", "code"),
    [
        (b"", CSV, "import.header"),
        (b"name\nx\n", CSV, "import.header"),
        (b"title,status\rOne,todo\rTwo,done\r", CSV, "import.header"),
        (b"\xff\xfet\x00", CSV, "import.encoding"),
        (b'title\n"x\n', CSV, "import.quotes"),
        (b'{"export":{"format":1}}\n{"task":{"title":"x"}}\n', JSONL, "import.incomplete"),
        (b'{"export":{"format":1}}\n{"task":{"title":"x"}}\n{"end":{"tasks":2}}\n', JSONL, "import.incomplete"),
        (b'{"export":{"format":2}}\n', JSONL, "import.format"),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(house: House, data: bytes, media_type: str, code: str) -> None:
    ada = await house.user()
    done = await bring(house, ada, data, media_type)
    assert (done.job["state"], done.job["problem"]["code"]) == ("failed", code)


async def test_records_without_anything_in_them_say_nothing(house: House) -> None:
    ada = await house.user()
    done = await bring(house, ada, b'title;tags\nOne;a\n;\n"";" "\n\n;b\nTwo;\n', CSV, on_error="skip")
    assert done.verdicts() == {2: "created", 6: "refused", 7: "created"}


async def test_a_column_that_the_file_does_not_have_is_not_passed_by(house: House) -> None:
    ada = await house.user()
    done = await bring(house, ada, b"Summary,Due\nOne,2027-01-31\n", CSV, column=["title:Summary", "due_on:Deu"])
    assert (done.job["state"], done.job["problem"]["code"]) == ("failed", "import.header")
    assert "'Deu'" in done.job["problem"]["detail"]


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"[]", b"3", b'"\xff"', b'{"task":1}', b"{" * 100_000, b'{"title":"\\ud800"}', b"{}"),
        *(b'{"Title":"x"}', b'{"name":"x","priority":"high"}', b'{"title":123456789012345678901234567890}'),
        b'{"title":"x","estimate_minutes":123456789012345678901234567890}',
    ],
)
async def test_a_line_that_cannot_be_read_is_one_line(house: House, line: bytes) -> None:
    ada = await house.user()
    done = await bring(house, ada, line + b'\n{"title":"Right"}\n', on_error="skip")
    assert done.verdicts() == {1: "refused", 2: "created"}


@pytest.mark.parametrize("form", [CSV, JSONL])
async def test_no_value_of_a_file_stops_those_who_read_the_log(house: House, form: str) -> None:
    ada = await house.user()
    values: list[dict[str, Any]] = [
        *({"estimate_minutes": n} for n in (0, -1, 600_001, 2**31, 2**63, 10**30)),
        *(
            {"due_on": day, "due_zone": "Etc/GMT-14"}
            for day in ("0001-01-01", "9999-12-31", "10000-01-01", "2027-02-30")
        ),
        *({"due_on": day, "due_zone": "Etc/GMT+12"} for day in ("0001-01-01", "9999-12-31")),
        *(
            {"due_at": at}
            for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "2027-01-31T24:00:00Z")
        ),
        *({"status": status} for status in ("\x00", "=done", "x" * 10_000)),
        *({"id": own, "parent_id": own} for own in ("\x00", "x" * 201)),
        {"tags": ["x"] * 1 + [str(n) for n in range(60)]},
        {"description": "x" * 100_001},
    ]
    tasks = [{"title": f"Task {n}", **value} for n, value in enumerate(values)]
    if form == JSONL:
        file = jsonl(*tasks)
    else:
        header = sorted({name for task in tasks for name in task})
        file = csv(header, *([_cell(task.get(name, "")) for name in header] for task in tasks))
    done = await bring(house, ada, file, form, on_error="skip")
    assert done.job["state"] == "done", done.job
    assert done.job["counts"]["refused"] >= len(values) - 4, done.verdicts()
    good = await ada.task("Read")
    assert (await ada.get("/tasks", min_position=good["position"])).status_code == 200


def _cell(value: object) -> str:
    return ";".join(value) if isinstance(value, list) else str(value)


async def test_lists_of_an_export_come_along_and_talk_does_not(house: House) -> None:
    ada = await house.user()
    file = (
        b'{"task":{"id":"1","title":"One"}}\n{"checklist":{"task_id":"1","items":[{"text":"a","checked":true}]}}\n'
        b'{"comment":{"id":"2","task_id":"1","body":"x"}}\n{"checklist":{"task_id":"9","items":[]}}\n{"later":{}}\n'
    )
    done = await bring(house, ada, file, on_error="skip")
    assert (done.verdicts(), done.job["counts"]["ignored"]) == ({1: "created", 4: "refused"}, 1)
    items = (await ada.get(f"/tasks/{done.lines[1]['task_id']}/checklist")).json()["items"]
    assert [(item["text"], item["checked"]) for item in items] == [("a", True)]


async def test_people_and_projects_are_found_by_their_names(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    project = (await ada.post("/projects", {"name": "Application", "key": "APP"})).json()
    await ada.call("PUT", f"/projects/{project['id']}/members/{eve.id}", {"role": "editor"})
    file = csv(("title", "project", "assignee"), ("One", "APP", eve.tokens["user"]["email"].upper()))
    done = await bring(house, ada, file, CSV)
    task = (await ada.get(f"/tasks/{done.lines[2]['task_id']}")).json()
    assert (task["key"], task["assignee"], task["project_id"]) == (
        "APP-1",
        {"type": "user", "id": eve.id},
        project["id"],
    )


async def test_a_team_is_found_by_its_name_where_that_is_one_teams(house: House) -> None:
    ada = await house.user()
    await ada.team(ada)
    await house.project()
    file = csv(("title", "assignee_type", "assignee"), ("One", "team", "a team"))
    assert (await bring(house, ada, file, CSV)).job["state"] == "done"
    await ada.team(ada)
    await house.project()
    done = await bring(house, ada, file, CSV, source="again")
    assert done.codes() == {2: ["assignee.not_found"]}


async def test_what_the_importer_may_not_see_is_as_if_it_were_not_there(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    project = (await ada.post("/projects", {"name": "Secret", "key": "SEC"})).json()["id"]
    hidden = (await ada.task("Hidden"))["id"]
    unknown = "00000000-0000-7000-8000-000000000001"
    for file, known, other in (
        ("title,project\na,{}\n", "SEC", "NON"),
        ("title,parent_id\na,{}\n", hidden, unknown),
        ("title,relates\na,{}\n", hidden, unknown),
    ):
        told = []
        for name in (known, other):
            done = await bring(house, eve, file.format(name).encode(), CSV)
            assert done.verdicts() == {2: "refused"}, done
            told.append([{**problem, "value": problem["value"] == name} for problem in done.lines[2]["problems"]])
            assert project not in str(done)
        assert told[0] == told[1]


async def test_each_line_is_judged_by_the_rights_of_who_imports(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    await ada.post("/projects", {"name": "Secret", "key": "SEC"})
    file = csv(
        ("title", "project", "assignee"), ("a", "SEC", ""), ("b", "", ada.tokens["user"]["email"]), ("c", "", "")
    )
    done = await bring(house, eve, file, CSV, on_error="skip")
    assert done.codes() == {2: ["project.not_found"], 3: ["assignee.not_allowed"]}
    assert done.verdicts()[4] == "created"


async def test_who_is_shut_out_meanwhile_imports_nothing_more(house: House) -> None:
    ada, eve = await house.user(), await house.user()
    sent = await send(eve, jsonl({"title": "One"}))
    assert (await ada.post(f"/users/{eve.id}/deactivate")).status_code == 200
    async with worker(house) as working:
        assert await working.run_once()
    job = (await ada.get(sent.headers["Location"].removeprefix("/api/v1"))).json()
    assert (job["state"], job["problem"]["code"]) == ("failed", "auth.deactivated")


async def test_circles_are_found_before_anything_is_written(house: House) -> None:
    ada = await house.user()
    waits = [{"type": "blocked_by", "task_id": other} for other in ("b", "a")]
    file = jsonl(
        {"id": "a", "title": "a", "links": waits[:1]}, {"id": "b", "title": "b", "links": waits[1:]},
        {"id": "c", "title": "c", "parent_id": "d"}, {"id": "d", "title": "d", "parent_id": "c"},
        {"id": "e", "title": "e", "links": [{"type": "relates", "task_id": "e"}]}, {"id": "e", "title": "e2"},
    )  # fmt: skip
    done = await bring(house, ada, file)
    codes = {1: ["task.cycle"], 2: ["task.cycle"], 3: ["task.cycle"], 4: ["task.cycle"], 5: ["dependency.itself"]}
    assert done.codes() == {**codes, 6: ["import.twice"]}


async def test_a_link_to_a_line_that_was_left_out_is_told_at_the_task(house: House) -> None:
    ada = await house.user()
    links = [{"type": "relates", "task_id": "bad"}, {"type": "duplicates", "task_id": "bad"}]
    file = jsonl({"id": "1", "title": "One", "links": links}, {"id": "bad", "title": "x", "status": "odd"})
    done = await bring(house, ada, file, on_error="skip")
    assert (done.verdicts()[1], done.codes()[1]) == ("created", ["dependency.task_not_found"] * 2)
    assert done.job["counts"]["incomplete"] == 1
    report = await ada.get(f"/jobs/{done.job['id']}/report", format="csv", problems="true")
    assert [row.split(",")[0] for row in report.text.splitlines()] == ['"line"', '"1"', '"1"', '"2"']


async def test_what_is_not_a_file_of_tasks_is_refused_at_once(house: House) -> None:
    ada = await house.user()
    refused(await send(ada, b"x", "image/png"), 415, "request.media_type")
    refused(await send(ada, b"title\n", CSV, column="colour:x"), 422, "request.invalid")
    unknown = "00000000-0000-7000-8000-000000000001"
    refused(await send(ada, b"title\n", CSV, project_id=unknown), 422, "project.not_found")
    assert (await ada.get("/jobs")).json()["items"] == []


async def test_a_file_that_is_too_large_leaves_nothing(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, import_bytes=300_000) as house:
        ada = await house.user()

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 10_000

        headers = {**ada.headers, "Content-Type": CSV}
        answer = await ada.http.post("/tasks/import", content=pieces(), headers=headers)
        refused(answer, 413, "request.too_large")
        async with house.pool.connection() as connection:
            row = await (await connection.execute("SELECT count(*) FROM jobs")).fetchone()
        assert row == (0,)


@pytest.mark.parametrize("media_type", [JSONL, CSV])
async def test_what_was_exported_comes_in_again_as_it_was(house: House, media_type: str) -> None:
    ada = await house.user()
    above = await ada.task("=cmd|' /C calc'!A0", description="'=1\n-2", tags=["=a", "b;c"], priority="urgent")
    dates = {"start_at": "2027-01-30T08:00:00Z", "due_on": "2027-01-31", "due_zone": "Europe/Berlin"}
    below = await ada.task("Below", parent_id=above["id"], assignee={"type": "user", "id": ada.id}, **dates)
    await ada.post(f"/tasks/{above['id']}/checklist", {"text": "@item"})
    other = await ada.task("Other")
    linked = await ada.post(f"/tasks/{below['id']}/dependencies", {"type": "blocked_by", "task_id": other["id"]})
    assert linked.status_code == 200, linked.text
    moved = await ada.post(f"/tasks/{above['id']}/start")
    form = "csv" if media_type == CSV else "jsonl"
    exported = await ada.get("/tasks/export", format=form, min_position=moved.json()["position"])
    done = await bring(house, ada, exported.content, media_type)
    assert (done.job["state"], done.job["counts"]["created"]) == ("done", 3), done
    copies = [(await ada.get(f"/tasks/{line['task_id']}")).json() for line in done.lines.values()]
    copy = {task["title"]: task for task in copies}
    for task in (above, below):
        now = (await ada.get(f"/tasks/{task['id']}")).json()
        new = copy[task["title"]]
        same = (*EDITABLE, "status", "category", "assignee", "project_id")
        assert {name: new[name] for name in same} == {name: now[name] for name in same}
    assert copy["Below"]["parent_id"] == copy[above["title"]]["id"]
    assert [link["task_id"] for link in copy["Below"]["links"]] == [copy["Other"]["id"]]
