"""Tasks over HTTP: every command, and what it answers."""

from typing import Any
from uuid import uuid4

import pytest

from tests.house import House, position_of, refused


async def test_a_task_travels_from_creation_to_done(house: House) -> None:
    ada = await house.user()
    task = await ada.task("write", tags=["a"])
    done = await ada.post(f"/tasks/{task['id']}/complete")
    assert done.status_code == 200
    assert done.json()["status"] == "done"
    listed = await ada.get("/tasks", min_position=done.headers["Taskfold-Position"])
    assert [item["id"] for item in listed.json()["items"]] == [task["id"]]
    assert listed.json()["items"][0] == done.json()


async def test_a_creation_answers_the_whole_task_and_where_it_is(house: House) -> None:
    ada = await house.user()
    body = {
        "title": "write",
        "description": "all of it\nsoon",
        "priority": "high",
        "due_at": "2027-01-31T18:00:00.5+01:00",
        "assignee": {"type": "user", "id": ada.id},
        "tags": ["a", "b", "a"],
        "project_id": None,
        "estimate_minutes": 90,
        "parent_id": None,
    }
    response = await ada.post("/tasks", body)
    task = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert response.headers["ETag"] == '"2"'
    assert response.headers["Taskfold-Position"] == str(task["position"])
    assert {name: task[name] for name in body} == body | {"due_at": "2027-01-31T17:00:00.500000Z", "tags": ["a", "b"]}
    assert (task["status"], task["category"], task["version"]) == ("todo", "open", 2)
    assert (task["created_by"], task["completed_at"], task["deleted_at"]) == (ada.id, None, None)
    read = await ada.get(f"/tasks/{task['id']}")
    assert read.json() == task
    assert read.headers["ETag"] == '"2"'
    assert position_of(read) >= task["position"]


async def test_a_replacement_gives_defaults_to_what_is_absent(house: House) -> None:
    ada = await house.user()
    task = await ada.task(
        "old", description="d", priority="urgent", tags=["a"], due_at="2027-01-01T00:00:00Z", assignee={"id": ada.id}
    )
    replaced = (await ada.call("PUT", f"/tasks/{task['id']}", {"title": "new"})).json()
    assert {name: replaced[name] for name in ("title", "description", "priority", "due_at", "assignee", "tags")} == {
        "title": "new",
        "description": "",
        "priority": "normal",
        "due_at": None,
        "assignee": None,
        "tags": [],
    }
    assert replaced["version"] == task["version"] + 2  # an edit and an unassignment
    given = await ada.call("PUT", f"/tasks/{task['id']}", {"title": "new", "assignee": {"id": ada.id}})
    assert given.json()["assignee"] == {"type": "user", "id": ada.id}


PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"title": "new"}, {"title": "new"}),
    ({"description": None}, {"description": ""}),
    ({"description": "e"}, {"description": "e"}),
    ({"priority": None}, {"priority": "normal"}),
    ({"priority": "low"}, {"priority": "low"}),
    ({"due_at": None}, {"due_at": None}),
    ({"due_at": "2028-02-29T00:00:00Z"}, {"due_at": "2028-02-29T00:00:00.000000Z"}),
    ({"tags": None}, {"tags": []}),
    ({"tags": ["z"]}, {"tags": ["z"]}),
    ({"assignee": None}, {"assignee": None}),
]


async def test_a_merge_patch_touches_what_it_names(house: House) -> None:
    ada = await house.user()
    headers = {**ada.headers, "Content-Type": "application/merge-patch+json"}
    old = {"description": "d", "priority": "urgent", "tags": ["a"], "due_at": "2027-01-01T00:00:00Z"}
    for patch, expected in PATCHES:
        before = await ada.task("old", **old, assignee={"id": ada.id})
        after = (await ada.http.patch(f"/tasks/{before['id']}", json=patch, headers=headers)).json()
        changed = {name: value for name, value in after.items() if value != before[name]}
        for name in ("position", "updated_at", "version"):
            assert (changed.pop(name, None) is not None) == bool(expected)
        assert changed == expected
        assert after["version"] == before["version"] + bool(expected)


async def test_assigning_twice_is_one_event(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task()
    first = await ada.post(f"/tasks/{task['id']}/assign", {"user_id": bob.id})
    again = await ada.post(f"/tasks/{task['id']}/assign", {"user_id": bob.id})
    assert first.json()["assignee"] == {"type": "user", "id": bob.id}
    assert again.json() == first.json()
    assert again.headers["ETag"] == first.headers["ETag"] == '"2"'
    taken = await ada.post(f"/tasks/{task['id']}/unassign", {})
    assert taken.json()["assignee"] is None
    assert (await ada.post(f"/tasks/{task['id']}/unassign")).json() == taken.json()


async def test_only_members_can_be_assigned(house: House) -> None:
    ada, stranger = await house.user(), await house.user("elsewhere")
    task = await ada.task()
    head = await house.head()
    for user_id in (stranger.id, str(uuid4()), task["id"]):
        problem = refused(
            await ada.post(f"/tasks/{task['id']}/assign", {"user_id": user_id}), 422, "assignee.not_found"
        )
        assert problem["errors"][0]["pointer"] == "/user_id"
    problem = refused(
        await ada.post("/tasks", {"title": "a", "assignee": {"id": stranger.id}}), 422, "assignee.not_found"
    )
    assert problem["errors"][0]["pointer"] == "/assignee/id"
    assert await house.head() == head


ALLOWED = {
    "todo": {"start": "in_progress", "complete": "done", "cancel": "cancelled"},
    "in_progress": {"pause": "todo", "complete": "done", "cancel": "cancelled"},
    "done": {"reopen": "todo"},
    "cancelled": {"reopen": "todo"},
}
ROUTE_TO = {"todo": [], "in_progress": ["start"], "done": ["complete"], "cancelled": ["cancel"]}
CATEGORIES = {"todo": "open", "in_progress": "active", "done": "done", "cancelled": "cancelled"}


@pytest.mark.parametrize("status", ALLOWED)
async def test_a_status_is_left_by_the_moves_of_its_workflow_only(house: House, status: str) -> None:
    ada = await house.user()
    for move in ("start", "pause", "complete", "cancel", "reopen"):
        for body in ({}, {"move": move}):
            task = await ada.task()
            for step in ROUTE_TO[status]:
                await ada.post(f"/tasks/{task['id']}/{step}")
            response = await ada.post(f"/tasks/{task['id']}/{'moves' if body else move}", {**body, "reason": "so"})
            if move in ALLOWED[status]:
                moved = response.json()
                assert moved["status"] == ALLOWED[status][move]
                assert moved["category"] == CATEGORIES[moved["status"]]
                assert (moved["completed_at"] is not None) == (moved["status"] == "done")
            else:
                problem = refused(response, 409, "task.illegal_move")
                assert (problem["current_status"], problem["move"]) == (status, move)
                assert problem["allowed"] == sorted(ALLOWED[status])


async def test_a_move_that_no_workflow_has_is_refused_with_those_that_are_allowed(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    problem = refused(await ada.post(f"/tasks/{task['id']}/moves", {"move": "fly"}), 409, "task.illegal_move")
    assert problem["allowed"] == ["cancel", "complete", "start"]


async def test_a_deleted_task_is_gone_everywhere_but_for_restore_history_and_trash(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    deleted = await ada.call("DELETE", path)
    assert deleted.status_code == 200
    assert deleted.json()["deleted_at"] == deleted.json()["updated_at"]
    position = position_of(deleted)
    refused(await ada.get(path), 404, "task.not_found")
    for command in ("assign", "unassign", "start", "complete"):
        body = {"user_id": ada.id} if command == "assign" else None
        refused(await ada.post(f"{path}/{command}", body), 404, "task.not_found")
    refused(await ada.call("PUT", path, {"title": "b"}), 404, "task.not_found")
    refused(await ada.call("PATCH", path, {"title": "b"}), 404, "task.not_found")
    refused(await ada.call("DELETE", path), 404, "task.not_found")
    assert await ada.items("/tasks", min_position=position) == []
    assert [item["id"] for item in await ada.items("/tasks", trashed=True)] == [task["id"]]
    assert [item["type"] for item in await ada.items(f"{path}/history")] == ["task.created", "task.deleted"]
    restored = await ada.post(f"{path}/restore", {"reason": "still needed"})
    assert restored.json()["deleted_at"] is None
    assert (await ada.post(f"{path}/restore")).json() == restored.json()  # not in the trash: nothing changes
    assert (await ada.get(path)).json() == restored.json()
    assert await ada.items("/tasks", trashed=True, min_position=position_of(restored)) == []


async def test_ids_are_read_in_any_form_of_a_uuid(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    for written in (task["id"].upper(), task["id"].replace("-", "")):
        assert (await ada.get(f"/tasks/{written}")).json() == task
        assert (await ada.call("PATCH", f"/tasks/{written}", {})).json() == task
