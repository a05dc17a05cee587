"""Dependencies over HTTP: cycles, what blocked tasks may do, and who hears of it when they may again."""

from typing import Any

from tests.api.test_projects import begun
from tests.house import Client, House, position_of, refused

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


async def link(client: Client, task: dict[str, Any], type_: str, other: dict[str, Any]) -> dict[str, Any]:
    """Say what a task is to another one."""
    made = await client.post(f"/tasks/{task['id']}/dependencies", {"type": type_, "task_id": other["id"]})
    assert made.status_code == 200, made.text
    answered: dict[str, Any] = made.json()
    return answered


async def types(client: Client, task: dict[str, Any]) -> list[tuple[str, str, bool]]:
    found = (await client.get(f"/tasks/{task['id']}")).json()["links"]
    return [(item["type"], item["task_id"], item["closed"]) for item in found]


async def test_a_link_stands_on_both_sides_and_goes_from_both(house: House) -> None:
    ada = await house.user()
    one, two = await ada.task("one"), await ada.task("two")
    for type_, inverse in (
        ("blocks", "blocked_by"),
        ("blocked_by", "blocks"),
        ("relates", "relates"),
        ("duplicates", "duplicated_by"),
    ):
        assert (await link(ada, one, type_, two))["links"] == [{"type": type_, "task_id": two["id"], "closed": False}]
        version = (await ada.get(f"/tasks/{one['id']}")).json()["version"]
        assert (await link(ada, one, type_, two))["version"] == version, "twice is once"
        assert await types(ada, two) == [(inverse, one["id"], False)]
        gone = await ada.call("DELETE", f"/tasks/{two['id']}/dependencies/{inverse}/{one['id']}")
        assert gone.json()["links"] == []
        assert await types(ada, one) == []
        again = await ada.call("DELETE", f"/tasks/{two['id']}/dependencies/{inverse}/{one['id']}")
        refused(again, 404, "dependency.not_found")
    path = f"/tasks/{one['id']}/dependencies"
    refused(await ada.post(path, {"type": "duplicated_by", "task_id": two["id"]}), 422, "request.invalid")
    refused(await ada.call("DELETE", f"{path}/likes/{two['id']}"), 422, "request.invalid")
    refused(await ada.post(path, {"type": "blocks", "task_id": one["id"]}), 422, "dependency.itself")
    refused(await ada.post(path, {"type": "blocks", "task_id": NOBODY}), 422, "dependency.task_not_found")


async def test_no_cycle_is_closed_over_blocking_and_parents_together(house: House) -> None:
    ada = await house.user()
    a, b, c = [await ada.task(title) for title in "abc"]
    part = (await ada.post(f"/tasks/{c['id']}/subtasks", {"title": "part"})).json()
    await link(ada, a, "blocks", b)
    await link(ada, part, "blocked_by", b)
    refusal = await ada.post(f"/tasks/{c['id']}/dependencies", {"type": "blocks", "task_id": a["id"]})
    problem = refused(refusal, 409, "task.cycle")
    assert problem["path"] == [task["id"] for task in (c, a, b, part, c)]
    refusal = await ada.call("PATCH", f"/tasks/{c['id']}", {"parent_id": b["id"]})
    assert refused(refusal, 409, "task.cycle")["path"] == [task["id"] for task in (c, b, part, c)]
    await link(ada, c, "relates", a)


async def test_what_is_blocked_does_not_start_until_it_is_freed_or_somebody_says_why(house: House) -> None:
    ada = await house.user()
    one, two, three = [await ada.task(title) for title in ("one", "two", "three")]
    await link(ada, one, "blocks", three)
    await link(ada, two, "blocks", three)
    path = f"/tasks/{three['id']}"
    problem = refused(await ada.post(f"{path}/start"), 409, "task.blocked")
    assert (problem["task_id"], problem["blocked_by"]) == (three["id"], [one["id"], two["id"]])
    refused(await ada.post(f"{path}/complete"), 409, "task.blocked")
    refused(await ada.post(f"{path}/start", {"override": True}), 422, "override.no_reason")
    pressing = await ada.post(f"{path}/start", {"override": True, "reason": "the customer waits"})
    assert pressing.headers["Taskfold-Warning"] == "task.blocked"
    paused = await ada.post(f"{path}/pause")
    assert (paused.json()["status"], paused.headers.get("Taskfold-Warning")) == ("todo", None)
    await ada.post(f"/tasks/{one['id']}/complete")
    refused(await ada.post(f"{path}/start"), 409, "task.blocked")
    await ada.call("DELETE", f"/tasks/{two['id']}")
    assert await types(ada, three) == [("blocked_by", one["id"], True), ("blocked_by", two["id"], True)]
    started = await ada.post(f"{path}/start")
    assert (started.json()["status"], started.headers.get("Taskfold-Warning")) == ("in_progress", None)
    await ada.post(f"/tasks/{one['id']}/reopen")
    refused(await ada.post(f"{path}/complete"), 409, "task.blocked")
    assert (await ada.post(f"{path}/cancel")).json()["status"] == "cancelled"
    history = await ada.items(f"{path}/history")
    assert [(entry["type"], entry["data"].get("freed"), entry["data"].get("despite")) for entry in history] == [
        ("task.created", None, None),
        ("task.linked", None, None),
        ("task.linked", None, None),
        ("task.started", None, [one["id"], two["id"]]),
        ("task.paused", None, None),
        ("task.blocker_closed", False, None),
        ("task.blocker_closed", True, None),
        ("task.started", None, None),
        ("task.blocker_reopened", None, None),
        ("task.cancelled", None, None),
    ]


async def test_a_soft_project_warns_and_says_so_again_to_a_retry(house: House) -> None:
    ada = await house.user()
    project = await begun(ada)
    assert (await ada.call("PATCH", f"/projects/{project['id']}", {"blocking": "soft"})).is_success
    task = await ada.task("task", project_id=project["id"])
    blocker = await ada.task("outside")
    await link(ada, task, "blocked_by", blocker)
    for replayed in (None, "true"):
        started = await ada.post(f"/tasks/{task['id']}/start", idempotency_key="k")
        assert (started.status_code, started.json()["status"]) == (200, "in_progress")
        assert (started.headers["Taskfold-Warning"], started.headers.get("Idempotency-Replayed")) == (
            "task.blocked",
            replayed,
        )
    moved = await ada.post(f"/tasks/{task['id']}/moves", {"move": "complete"})
    assert moved.headers["Taskfold-Warning"] == "task.blocked"
    history = await ada.items(f"/tasks/{task['id']}/history")
    assert [entry["data"]["despite"] for entry in history[-2:]] == [[blocker["id"]]] * 2


async def test_dependencies_are_listed_with_what_one_sees_of_them(house: House) -> None:
    await house.user()
    bob, eve = await house.user(), await house.user()
    project = await begun(bob, **{eve.id: "viewer"})
    task = await bob.task("task", project_id=project["id"])
    hidden = await bob.task("hidden")
    seen = await bob.task("seen", project_id=project["id"])
    await link(bob, task, "relates", hidden)
    linked = await link(bob, task, "blocked_by", seen)
    path = f"/tasks/{task['id']}/dependencies"
    for client, title in ((bob, "hidden"), (eve, None)):
        items = (await client.get(path, min_position=linked["position"] + 1)).json()["items"]
        assert [(item["type"], item["task_id"], item["closed"]) for item in items] == [
            ("relates", hidden["id"], False),
            ("blocked_by", seen["id"], False),
        ]
        assert [item["task"] and item["task"]["title"] for item in items] == [title, "seen"]
        assert items[1]["task"]["key"] == "APP-2"
    refused(await eve.post(path, {"type": "relates", "task_id": seen["id"]}), 403, "auth.forbidden")
    hers = await eve.task("hers")
    refused(await eve.get(f"/tasks/{hidden['id']}/dependencies"), 404, "task.not_found")
    refusal = await eve.post(f"/tasks/{hers['id']}/dependencies", {"type": "blocks", "task_id": hidden["id"]})
    refused(refusal, 422, "dependency.task_not_found")
    await link(eve, hers, "relates", seen)


async def test_the_unblocked_are_told_on_the_socket(house: House) -> None:
    ada = await house.user()
    one, two = await ada.task("one"), await ada.task("two")
    await link(ada, one, "blocks", two)
    async with ada.socket() as socket:
        await socket.receive()
        done = await ada.post(f"/tasks/{one['id']}/complete")
        frames = await socket.changes(position_of(done))
        last = {frame["task_id"]: frame["task"] for frame in frames}
        assert (set(last), last[one["id"]]["status"]) == ({one["id"], two["id"]}, "done")
        assert last[two["id"]]["links"][0]["closed"] is True
