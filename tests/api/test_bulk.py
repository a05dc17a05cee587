"""Bulk edits: one command to all tasks that a filter finds, what it would do, and its retries."""

from typing import Any

import pytest

from api.batch import bodies, bulk
from tests.house import Client, House, position_of, refused


async def edit(client: Client, q: str, type_: str, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    headers = {name: more.pop(name) for name in ("idempotency_key",) if name in more}
    body = {"q": q, "command": {"type": type_, "data": data or {}}, **more}
    answer = await client.post("/tasks/bulk", body, **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert int(answer.headers["Taskfold-Position"]) == found["position"]
    return found


async def test_one_command_is_done_to_all_that_the_filter_finds(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.batch.bulk.MOST", 2)
    ada = await house.user()
    tasks = [await ada.task(f"report {n}", tags=["q 4"], priority="high") for n in range(5)]
    others = [await ada.task("report", priority="high"), await ada.task("note", tags=["q 4"])]
    await ada.post(f"/tasks/{tasks[0]['id']}/start")
    head = await house.head()
    found = await edit(ada, 'tag:"q 4" priority:high report', "task.start", dry_run=True)
    counts = {"matched": 5, "done": 0, "would_do": 4, "refused": 1, "refusals": {"task.illegal_move": 1}}
    assert found == {**counts, "sample": [task["id"] for task in tasks], "position": head}
    assert await house.head() == head
    done = await edit(ada, 'tag:"q 4" priority:high report', "task.start")
    assert await house.head() == head + 4
    assert done == {**found, "done": 4, "would_do": 0, "sample": [], "position": head + 4}
    for task in others:
        assert (await ada.get(f"/tasks/{task['id']}")).json()["status"] == "todo"


async def test_it_is_taken_back_as_one_and_done_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.batch.bulk.MOST", 2)
    ada = await house.user()
    tasks = [await ada.task(f"report {n}") for n in range(5)]
    done = await edit(ada, "report", "task.edit", {"priority": "urgent"})
    asked = {"position": done["position"], "whole": True}
    alone = (await ada.post("/undo", {"position": done["position"], "dry_run": True})).json()
    assert len(alone["undone"]) == 1
    foreseen = (await ada.post("/undo", {**asked, "dry_run": True})).json()
    answer = await ada.post("/undo", asked)
    undone = answer.json()
    assert [event["stream_id"] for event in undone["undone"]] == [task["id"] for task in tasks]
    assert [event["type"] for event in foreseen["written"]] == [event["type"] for event in undone["written"]]
    shown = await ada.items("/tasks", min_position=position_of(answer), q="report")
    assert {task["priority"] for task in shown} == {"normal"}
    again = await ada.post("/undo", {"position": position_of(answer)})
    shown = await ada.items("/tasks", min_position=position_of(again), q="report")
    assert {task["priority"] for task in shown} == {"urgent"}


async def test_it_finds_what_one_sees_and_changes_what_one_may(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    carl = await house.user(role="auditor", by=ada)
    hers, his = await ada.task("report"), await bob.task("report")
    assert (await edit(bob, "report", "task.complete"))["done"] == 1
    seen = await edit(carl, "report", "task.cancel")
    assert (seen["matched"], seen["refusals"]) == (2, {"auth.forbidden": 2})
    statuses = [(await ada.get(f"/tasks/{task['id']}")).json()["status"] for task in (hers, his)]
    assert statuses == ["todo", "done"]


async def test_a_retry_of_a_bulk_edit_answers_the_same_and_touches_nothing_new(house: House) -> None:
    ada = await house.user()
    tasks = [await ada.task("report") for _ in range(3)]
    await ada.post(f"/tasks/{tasks[0]['id']}/complete")
    first = await edit(ada, "report", "task.start", idempotency_key="k")
    assert (first["done"], first["refusals"]) == (2, {"task.illegal_move": 1})
    await ada.task("report")
    head = await house.head()
    body = {"q": "report", "command": {"type": "task.start", "data": {}}}
    again = await ada.post("/tasks/bulk", body, idempotency_key="k")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first
    assert await house.head() == head
    refused(await ada.post("/tasks/bulk", {**body, "q": "x"}, idempotency_key="k"), 422, "idempotency.key_reused")


async def test_a_bulk_edit_that_was_cut_off_is_finished_by_its_retry(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.batch.bulk.MOST", 2)
    ada = await house.user()
    tasks = [await ada.task("report") for _ in range(5)]
    real, calls = bulk.Bulk._do, []

    async def cut_off(self: bulk.Bulk, *arguments: Any, **more: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise TimeoutError
        await real(self, *arguments, **more)

    with monkeypatch.context() as cut:
        cut.setattr(bulk.Bulk, "_do", cut_off)
        body = {"q": "report", "command": {"type": "task.assign", "data": {"user_id": ada.id}}}
        refused(await ada.post("/tasks/bulk", body, idempotency_key="k"), 503, "store.unavailable")
    again = await ada.post("/tasks/bulk", body, idempotency_key="k")
    assert again.json()["done"] == 5
    for task in tasks:
        assert len(await ada.items(f"/tasks/{task['id']}/history")) == 2


@pytest.mark.parametrize(
    ("q", "code", "told"),
    [
        ("statis:open", "query.invalid", "at column 1: expected the name of a field"),
        ("report assignee:nobody", "query.invalid", "at column 17: expected me, none, or the id"),
        ("   ", "bulk.query", "must say something"),
        ("sort:due", "bulk.query", "must say something"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_refused_with_its_column(
    house: House, q: str, code: str, told: str
) -> None:
    ada = await house.user()
    problem = refused(await ada.post("/tasks/bulk", {"q": q, "command": {"type": "task.start"}}), 422, code)
    assert told in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/q"


@pytest.mark.parametrize(
    ("type_", "data", "pointer"),
    [
        ("task.edit", {"title": ""}, "/command/data/title"),
        ("task.edit", {"a/b": 1}, "/command/data/a~1b"),
        ("task.assign", {}, "/command/data"),
        ("task.delete", {"subtasks": "yes"}, "/command/data/subtasks"),
        ("comment.edit", {"body": "x"}, "/command/data/comment_id"),
        ("task.edit", {"project_id": "$0"}, "/command/data/project_id"),
    ],
)
async def test_data_that_no_task_would_take_is_refused_before_any_is_looked_for(
    house: House, type_: str, data: dict[str, Any], pointer: str
) -> None:
    ada = await house.user()
    await ada.task("report")
    head = await house.head()
    answer = await ada.post("/tasks/bulk", {"q": "report", "command": {"type": type_, "data": data}})
    problem = refused(answer, 422, "bulk.data")
    assert problem["errors"][0]["pointer"] == pointer
    assert await house.head() == head


async def test_what_is_no_command_on_a_task_or_finds_too_many_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.user()
    for _ in range(3):
        await ada.task("report")
    for type_, code in (("task.fly", "batch.unknown_type"), ("project.create", "bulk.not_of_tasks")):
        body = {"q": "report", "command": {"type": type_}}
        refused(await ada.post("/tasks/bulk", body), 422, code)
    monkeypatch.setattr(bulk, "TASKS_MAX", 2)
    refused(await ada.post("/tasks/bulk", {"q": "report", "command": {"type": "task.start"}}), 422, "bulk.too_many")


def test_a_bulk_edit_goes_in_batches_of_the_largest_size() -> None:
    assert bodies.MOST == 500
