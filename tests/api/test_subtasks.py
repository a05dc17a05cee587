"""Subtasks over HTTP: trees that are made, moved, closed, thrown away and restored as one, and how far they are."""

from typing import Any

import pytest

from projections import trees
from tests.api.test_projects import begun
from tests.house import Client, House, position_of, refused


async def below(client: Client, task: dict[str, Any], title: str = "part", **fields: Any) -> dict[str, Any]:
    """A subtask."""
    made = await client.post(f"/tasks/{task['id']}/subtasks", {"title": title, **fields})
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/api/v1/tasks/{made.json()['id']}"
    created: dict[str, Any] = made.json()
    return created


async def now(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/tasks/{task['id']}")).json()
    return found


async def test_a_tree_shows_how_far_it_is_and_closes_as_one(house: House) -> None:
    ada = await house.user()
    project = await begun(ada)
    root = await ada.task("root", project_id=project["id"])
    one, two = await below(ada, root, "one"), await below(ada, root, "two")
    leaf = await ada.task("leaf", parent_id=one["id"])
    assert (leaf["parent_id"], leaf["project_id"], leaf["key"]) == (one["id"], project["id"], "APP-4")
    cancelled = await ada.post(f"/tasks/{two['id']}/cancel")
    tree = (await ada.get(f"/tasks/{root['id']}/subtasks", min_position=position_of(cancelled))).json()
    assert (tree["progress"], tree["truncated"]) == ({"total": 3, "closed": 1, "done": 0}, False)
    assert [(item["title"], item["depth"], item["progress"]["total"]) for item in tree["items"]] == [
        ("one", 1, 1),
        ("two", 1, 0),
        ("leaf", 2, 0),
    ]
    path = f"/tasks/{root['id']}/complete"
    problem = refused(await ada.post(path), 409, "task.open_subtasks")
    assert problem["subtasks"] == [one["id"]]
    completed = await ada.post(path, {"close_subtasks": True, "reason": "shipped"}, idempotency_key="k")
    assert (completed.json()["status"], completed.headers.get("Taskfold-Warning")) == ("done", None)
    assert [subtask["closed"] for subtask in completed.json()["subtasks"]] == [True, True]
    assert [(await now(ada, task))["status"] for task in (one, two, leaf)] == ["done", "cancelled", "done"]
    tree = (await ada.get(f"/tasks/{root['id']}/subtasks", min_position=position_of(completed))).json()
    assert tree["progress"] == {"total": 3, "closed": 3, "done": 2}
    history = await ada.items(f"/tasks/{leaf['id']}/history")
    assert history[-1]["data"]["reason"] == "shipped"
    refused(await ada.post(f"/tasks/{leaf['id']}/reopen"), 409, "task.parent_closed")
    refused(await ada.post(f"/tasks/{root['id']}/subtasks", {"title": "late"}), 409, "task.parent_closed")
    replayed = await ada.post(path, {"close_subtasks": True, "reason": "shipped"}, idempotency_key="k")
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (completed.json(), "true")
    assert await ada.items("/tasks", parent_id=root["id"], min_position=position_of(completed))


async def test_a_tree_that_is_too_large_to_show_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await house.user()
    root = await ada.task("root")
    part = await below(ada, root)
    for _ in range(2):
        last = await below(ada, part)
    monkeypatch.setattr(trees, "MOST", 2)
    tree = (await ada.get(f"/tasks/{root['id']}/subtasks", min_position=last["position"])).json()
    assert (tree["truncated"], tree["progress"]["total"], [item["depth"] for item in tree["items"]]) == (
        True,
        2,
        [1, 2],
    )


async def test_a_tree_is_moved_as_one_and_takes_new_keys_in_another_project(house: House) -> None:
    ada = await house.user()
    first, second = await begun(ada, "ONE"), await begun(ada, "TWO")
    root = await ada.task("root", project_id=first["id"])
    part = await below(ada, root)
    leaf = await below(ada, part)
    goal = await ada.task("goal", project_id=second["id"])
    path = f"/tasks/{part['id']}"
    refused(await ada.call("PATCH", path, {"project_id": second["id"]}), 409, "task.not_a_root")
    wrong = await ada.call("PATCH", path, {"parent_id": goal["id"], "project_id": first["id"]})
    assert refused(wrong, 422, "parent.other_project")["errors"][0]["pointer"] == "/project_id"
    cycle = refused(await ada.call("PATCH", f"/tasks/{root['id']}", {"parent_id": leaf["id"]}), 409, "task.cycle")
    assert cycle["path"] == [root["id"], leaf["id"], part["id"], root["id"]]
    moved = await ada.call("PATCH", path, {"parent_id": goal["id"]})
    assert [moved.json()[name] for name in ("parent_id", "project_id", "key")] == [goal["id"], second["id"], "TWO-2"]
    assert (await now(ada, leaf))["key"] == "TWO-3"
    assert (await now(ada, root))["subtasks"] == []
    assert (await now(ada, goal))["subtasks"] == [{"id": part["id"], "closed": False}]
    whole = await ada.call("PUT", path, {"title": "whole", "parent_id": goal["id"]})
    assert (whole.json()["title"], whole.json()["project_id"]) == ("whole", second["id"])
    out = await ada.call("PATCH", path, {"parent_id": None, "project_id": None})
    assert (out.json()["parent_id"], out.json()["key"]) == (None, None)
    assert (await now(ada, leaf))["key"] is None


async def test_a_tree_is_thrown_away_and_restored_as_one(house: House) -> None:
    ada = await house.user()
    root = await ada.task("root")
    part = await below(ada, root)
    leaf, other = await below(ada, part), await below(ada, part, "other")
    assert (await ada.call("DELETE", f"/tasks/{other['id']}")).status_code == 200
    path = f"/tasks/{part['id']}"
    assert refused(await ada.call("DELETE", path), 409, "task.has_subtasks")["subtasks"] == [leaf["id"]]
    refused(await ada.call("DELETE", f"{path}?subtasks=yes"), 422, "request.invalid")
    gone = await ada.call("DELETE", f"{path}?subtasks=true", idempotency_key="k")
    assert gone.json()["deleted_at"] is not None
    refused(await ada.call("DELETE", path, idempotency_key="k"), 422, "idempotency.key_reused")
    refused(await ada.get(f"/tasks/{leaf['id']}"), 404, "task.not_found")
    assert (await now(ada, root))["subtasks"] == []
    refused(await ada.post(f"/tasks/{leaf['id']}/restore"), 409, "task.parent_trashed")
    refused(await ada.post(f"/tasks/{other['id']}/restore"), 409, "task.parent_trashed")
    back = await ada.post(f"{path}/restore")
    assert back.json()["subtasks"] == [{"id": leaf["id"], "closed": False}]
    assert (await now(ada, leaf))["deleted_at"] is None
    refused(await ada.get(f"/tasks/{other['id']}"), 404, "task.not_found")
    again = await ada.post(f"/tasks/{other['id']}/restore")
    assert again.json()["parent_id"] == part["id"]
    assert len((await now(ada, part))["subtasks"]) == 2


async def test_what_a_parent_may_be_is_checked_and_nobody_reaches_further_through_it(house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    root = await bob.task("root")
    problem = refused(await eve.post("/tasks", {"title": "x", "parent_id": root["id"]}), 422, "parent.not_found")
    assert problem["errors"][0]["pointer"] == "/parent_id"
    refused(await eve.post(f"/tasks/{root['id']}/subtasks", {"title": "x"}), 404, "task.not_found")
    refused(await eve.get(f"/tasks/{root['id']}/subtasks"), 404, "task.not_found")
    other = await bob.task("other")
    named = {"title": "x", "parent_id": other["id"]}
    refused(await bob.post(f"/tasks/{root['id']}/subtasks", named), 422, "request.invalid")
    hers = await below(ada, root, "hers")
    seen = (await bob.get(f"/tasks/{root['id']}/subtasks", min_position=hers["position"] + 1)).json()
    assert (seen["items"], seen["progress"]["total"]) == ([], 0)
    path = f"/tasks/{root['id']}/complete"
    problem = refused(await bob.post(path, {"close_subtasks": True}), 403, "subtask.forbidden")
    assert problem["subtasks"] == [hers["id"]]
    assert (await ada.post(path, {"close_subtasks": True})).json()["status"] == "done"
    assert (await ada.post(f"/tasks/{root['id']}/reopen")).json()["status"] == "todo"
    deep = other
    for _ in range(7):
        deep = await below(bob, deep)
    refused(await bob.post(f"/tasks/{deep['id']}/subtasks", {"title": "x"}), 409, "task.too_deep")
    refused(await bob.call("PATCH", f"/tasks/{root['id']}", {"parent_id": deep["id"]}), 409, "task.too_deep")
