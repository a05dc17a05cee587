"""Projects over HTTP and sockets: their members, the keys of their tasks, and who sees them."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.house import Client, House, position_of, refused


async def begun(client: Client, key: str = "APP", **members: str) -> dict[str, Any]:
    """A project, with these members by their ids."""
    made = await client.post("/projects", {"name": "Application", "key": key})
    assert made.status_code == 201, made.text
    project: dict[str, Any] = made.json()
    for user_id, role in members.items():
        assert (await client.call("PUT", f"/projects/{project['id']}/members/{user_id}", {"role": role})).is_success
    return project


def roles(project: dict[str, Any]) -> dict[str, str]:
    return {member["user_id"]: member["role"] for member in project["members"]}


async def test_a_project_is_begun_edited_archived_restored_and_deleted(house: House) -> None:
    await house.user()
    bob = await house.user()
    made = await bob.post("/projects", {"name": "Application", "key": "APP", "description": "d"})
    project = made.json()
    path = f"/projects/{project['id']}"
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, f"/api/v1{path}", '"2"')
    assert (project["key"], project["blocking"], project["archived_at"]) == ("APP", "hard", None)
    assert roles(project) == {bob.id: "lead"}
    edited = await bob.call("PATCH", path, {"name": "new", "description": None, "blocking": "soft"}, if_match='"2"')
    assert (edited.json()["name"], edited.json()["description"], edited.json()["blocking"]) == ("new", "", "soft")
    refused(await bob.call("PATCH", path, {"name": "x"}, if_match='"2"'), 412, "precondition.failed")
    refused(await bob.post("/projects", {"name": "Another", "key": "APP"}), 409, "project.key_taken")
    archived = await bob.post(f"{path}/archive", {"reason": "for now"})
    assert archived.json()["archived_at"] is not None
    refused(await bob.call("PATCH", path, {"name": "x"}), 409, "project.is_archived")
    assert await bob.items("/projects", archived="false", min_position=position_of(archived)) == []
    assert await bob.items("/projects", archived="true") == [archived.json()]
    restored = await bob.post(f"{path}/restore")
    assert restored.json()["archived_at"] is None
    read = await bob.get(path, min_position=position_of(restored))
    assert (read.json(), read.headers["ETag"]) == (restored.json(), '"5"')
    task = await bob.task("write", project_id=project["id"])
    refused(await bob.call("DELETE", path), 409, "project.not_empty")
    await bob.call("DELETE", f"/tasks/{task['id']}")
    deleted = await bob.call("DELETE", path)
    assert deleted.status_code == 200
    refused(await bob.get(path, min_position=position_of(deleted)), 404, "project.not_found")
    assert (await bob.get("/users/profile")).json()["projects"] == []


async def test_projects_are_listed_by_pages_to_those_who_see_them(house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    mine = [(await begun(bob, f"B{n}", **({eve.id: "viewer"} if n % 2 else {})))["id"] for n in range(5)]
    head = await house.head()
    for limit in (1, 2, 50):
        for who, seen in ((ada, mine), (bob, mine), (eve, mine[1::2])):
            found = await who.items("/projects", limit=limit, min_position=head)
            assert [project["id"] for project in found] == seen
    refused(await eve.get(f"/projects/{mine[0]}"), 404, "project.not_found")
    refused(await eve.get(f"/projects/{uuid4()}"), 404, "project.not_found")
    assert (await eve.get("/users/profile")).json()["projects"] == mine[1::2]


async def test_fifty_at_once_share_no_key_and_leave_no_gap(house: House) -> None:
    await house.user()
    bob, eve = await house.user(), await house.user()
    project = await begun(bob, **{eve.id: "editor"})
    bodies = [{"title": f"task {n}", "project_id": project["id"]} for n in range(50)]
    answers = await asyncio.gather(*[(bob if n % 2 else eve).post("/tasks", body) for n, body in enumerate(bodies)])
    assert {answer.status_code for answer in answers} == {201}
    keys = {answer.json()["key"] for answer in answers}
    assert keys == {f"APP-{n}" for n in range(1, 51)}
    found = await bob.items("/tasks", key="APP-17", min_position=await house.head())
    assert [task["key"] for task in found] == ["APP-17"]
    refused(await bob.get("/tasks", key="APP-0"), 422, "request.invalid")


async def test_a_task_keeps_its_number_when_others_go(house: House) -> None:
    ada = await house.user()
    first, second = await begun(ada, "ONE"), await begun(ada, "TWO")
    task = await ada.task("write", project_id=first["id"])
    path = f"/tasks/{task['id']}"
    moved = await ada.call("PATCH", path, {"project_id": second["id"]})
    assert (moved.json()["key"], moved.json()["project_id"]) == ("TWO-1", second["id"])
    assert (await ada.call("PATCH", path, {"title": "new"})).json()["key"] == "TWO-1"
    out = await ada.call("PATCH", path, {"project_id": None})
    assert (out.json()["key"], out.json()["project_id"]) == (None, None)
    assert (await ada.task("next", project_id=first["id"]))["key"] == "ONE-2"
    replaced = await ada.call("PUT", path, {"title": "whole", "project_id": first["id"]})
    assert replaced.json()["key"] == "ONE-3"
    history = await ada.items(f"{path}/history")
    keys = [item["changes"].get("key", {}).get("to") for item in history]
    assert keys == ["ONE-1", "TWO-1", None, None, None, "ONE-3"]


@pytest.mark.parametrize("project_id", ["0199aaaa-0000-7000-8000-000000000000", "x", 1])
async def test_a_project_that_is_none_is_refused_and_nothing_is_written(house: House, project_id: Any) -> None:
    ada = await house.user()
    head = await house.head()
    response = await ada.post("/tasks", {"title": "write", "project_id": project_id})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/project_id"
    assert await house.head() == head


async def _seen(client: Client, task: dict[str, Any]) -> tuple[int, list[str]]:
    head = task["position"]
    listed = await client.items("/tasks", min_position=head)
    return (await client.get(f"/tasks/{task['id']}")).status_code, [item["id"] for item in listed]


async def test_visibility_follows_membership(house: House) -> None:
    ada, bob, eve, zoe = [await house.user() for _ in range(4)]
    project = await begun(bob, **{eve.id: "viewer"})
    task = await ada.task("write", project_id=project["id"], assignee={"id": bob.id})
    assert await _seen(eve, task) == (200, [task["id"]])
    assert await _seen(zoe, task) == (404, [])
    refused(await eve.post(f"/tasks/{task['id']}/start"), 403, "auth.forbidden")
    refused(await zoe.post(f"/tasks/{task['id']}/start"), 404, "task.not_found")
    refused(await bob.post(f"/tasks/{task['id']}/assign", {"user_id": zoe.id}), 409, "assignee.not_in_project")


def _told(frames: list[dict[str, Any]]) -> list[str]:
    return [frame.get("op", frame["type"]) for frame in frames if frame["type"] != "through"]


async def test_who_loses_a_membership_loses_the_tasks_on_the_socket_and_over_rest(house: House) -> None:
    await house.user()
    bob, eve = await house.user(), await house.user()
    project = await begun(bob, **{eve.id: "viewer"})
    member = f"/projects/{project['id']}/members/{eve.id}"
    async with eve.socket() as socket:
        await socket.receive()
        task = await bob.task("write", project_id=project["id"])
        told = _told(await socket.until(task["position"]))
        assert told[-1] == "upsert"
        left: httpx.Response = await bob.call("DELETE", member)
        told = _told(await socket.until(position_of(left)))
        assert told[-1] in ("removed", "resync")
        refused(await eve.get(f"/tasks/{task['id']}"), 404, "task.not_found")
        edited = await bob.call("PATCH", f"/tasks/{task['id']}", {"title": "new"})
        assert _told(await socket.until(position_of(edited))) == []
        back = await bob.call("PUT", member, {"role": "viewer"})
        assert _told(await socket.until(position_of(back)))[-1] in ("upsert", "resync")
        assert (await eve.get(f"/tasks/{task['id']}")).json()["title"] == "new"
