"""Who sees and may change what, over HTTP. What one may not see is not there."""

from typing import Any
from uuid import uuid4

import httpx

from tests.house import Client, House, position_of, refused

COMMANDS: list[tuple[str, str, Any]] = [
    ("PUT", "", {"title": "b"}),
    ("PATCH", "", {"title": "b"}),
    ("POST", "/assign", None),  # the body is made with the caller's id
    ("POST", "/unassign", None),
    ("POST", "/start", None),
    ("POST", "/pause", None),
    ("POST", "/complete", None),
    ("POST", "/cancel", None),
    ("POST", "/reopen", None),
    ("POST", "/moves", {"move": "start"}),
    ("POST", "/restore", None),
    ("DELETE", "", None),
]
READS = ["", "/history"]


async def _command(client: Client, task_id: str, command: tuple[str, str, Any]) -> httpx.Response:
    method, suffix, body = command
    return await client.call(
        method, f"/tasks/{task_id}{suffix}", {"user_id": client.id} if suffix[1:] == "assign" else body
    )


def _anonymous(response: httpx.Response, task_id: str) -> str:
    """A refusal without what names the request itself."""
    problem = refused(response, 404, "task.not_found")
    return response.text.replace(task_id, "ID").replace(problem["request_id"], "REQUEST")


async def test_what_one_may_not_see_is_answered_as_what_is_not_there(house: House) -> None:
    ada, bob, stranger = await house.user(), await house.user(), await house.user("elsewhere")
    task = await ada.task()
    head = await house.head()
    for client in (bob, stranger):
        for command in COMMANDS:
            unknown = str(uuid4())
            seen = _anonymous(await _command(client, task["id"], command), task["id"])
            assert seen == _anonymous(await _command(client, unknown, command), unknown)
        for suffix in READS:
            unknown = str(uuid4())
            seen = _anonymous(await client.get(f"/tasks/{task['id']}{suffix}"), task["id"])
            assert seen == _anonymous(await client.get(f"/tasks/{unknown}{suffix}"), unknown)
        # The ids of users and workspaces are streams too, but no tasks.
        for other in (ada.id, client.id):
            assert _anonymous(await client.get(f"/tasks/{other}"), other) == _anonymous(
                await client.get(f"/tasks/{unknown}"), unknown
            )
            refused(await client.get(f"/tasks/{other}/history"), 404, "task.not_found")
    assert await house.head() == head


async def test_members_see_and_change_what_they_created_or_are_assigned(house: House) -> None:
    ada, bob, eve = await house.user(), await house.user(), await house.user()
    await ada.team(bob, eve)
    mine, given, hidden = await bob.task("mine"), await ada.task("given", assignee={"id": bob.id}), await ada.task("x")
    last = position_of(await ada.post(f"/tasks/{hidden['id']}/start"))
    assert [item["title"] for item in await bob.items("/tasks", sort="title", min_position=last)] == ["given", "mine"]
    assert await bob.items("/tasks/search", q="x") == []
    assert {item["task_id"] for item in await bob.items("/changes")} == {mine["id"], given["id"]}
    for task in (mine, given):
        assert (await bob.get(f"/tasks/{task['id']}")).json() == task
        assert (await bob.post(f"/tasks/{task['id']}/start")).status_code == 200
        refused(await eve.post(f"/tasks/{task['id']}/complete"), 404, "task.not_found")
    handed_on = await bob.post(f"/tasks/{given['id']}/assign", {"user_id": eve.id})
    assert handed_on.status_code == 200
    refused(await bob.get(f"/tasks/{given['id']}"), 404, "task.not_found")
    refused(await bob.get(f"/tasks/{given['id']}/history"), 404, "task.not_found")
    assert [item["title"] for item in await bob.items("/tasks", min_position=position_of(handed_on))] == ["mine"]
    assert (await eve.get(f"/tasks/{given['id']}")).status_code == 200


async def test_managers_and_admins_see_and_change_everything(house: House) -> None:
    ada = await house.user()
    bob, mary = await house.user(), await house.user(role="manager", by=ada)
    for client in (ada, mary):
        for command in COMMANDS:
            task = await bob.task()
            response = await _command(client, task["id"], command)
            assert response.status_code in (200, 409), (command, response.text)
        assert len(await client.items("/tasks", min_position=task["position"])) > 0


async def test_auditors_read_everything_and_change_nothing(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    own = await house.user()
    theirs = await own.task("written before they became an auditor")
    await ada.call("PUT", f"/users/{own.id}/role", {"role": "auditor"})
    head = await house.head()
    for seen in (task, theirs):
        assert (await own.get(f"/tasks/{seen['id']}")).json() == seen
        assert len(await own.items(f"/tasks/{seen['id']}/history")) == 1
        for command in COMMANDS:
            refused(await _command(own, seen["id"], command), 403, "auth.forbidden")
    refused(await own.post("/tasks", {"title": "a"}), 403, "auth.forbidden")
    assert len(await own.items("/tasks", min_position=head)) == 2
    refused(await own.call("PUT", f"/users/{ada.id}/role", {"role": "member"}), 403, "auth.forbidden")
    assert await house.head() == head
    assert (await own.call("PUT", "/users/profile", {"display_name": "Auditor"})).status_code == 200


async def test_a_demotion_holds_at_once_and_ends_no_session(house: House) -> None:
    ada = await house.user()
    mary = await house.user(role="manager", by=ada)
    task = await ada.task()
    assert (await mary.get(f"/tasks/{task['id']}")).status_code == 200
    await ada.call("PUT", f"/users/{mary.id}/role", {"role": "member"})
    refused(await mary.get(f"/tasks/{task['id']}"), 404, "task.not_found")
    refused(await mary.post(f"/tasks/{task['id']}/start"), 404, "task.not_found")
    assert await mary.items("/tasks") == []
    await ada.call("PUT", f"/users/{mary.id}/role", {"role": "auditor"})
    assert (await mary.get(f"/tasks/{task['id']}")).status_code == 200
    refused(await mary.post(f"/tasks/{task['id']}/start"), 403, "auth.forbidden")


async def test_a_member_sees_the_own_trash_only(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    for client in (ada, bob):
        task = await client.task()
        last = position_of(await client.call("DELETE", f"/tasks/{task['id']}"))
    assert len(await ada.items("/tasks", trashed=True, min_position=last)) == 2
    assert [item["created_by"] for item in await bob.items("/tasks", trashed=True)] == [bob.id]


async def test_workspaces_know_nothing_of_each_other(house: House) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    task = await ada.task("secret")
    theirs = await eve.task("theirs")
    assert [item["title"] for item in await eve.items("/tasks", min_position=theirs["position"])] == ["theirs"]
    assert await eve.items("/tasks/search", q="secret") == []
    assert {item["task_id"] for item in await eve.items("/changes")} == {theirs["id"]}
    assert [item["id"] for item in await eve.items("/users", min_position=1)] == [eve.id]
    refused(await eve.get(f"/users/{ada.id}"), 404, "user.not_found")
    refused(await eve.call("PUT", f"/users/{ada.id}/role", {"role": "member"}), 404, "user.not_found")
    refused(await eve.get(f"/tasks/{task['id']}"), 404, "task.not_found")


async def test_every_route_but_the_open_ones_asks_who_is_there(house: House) -> None:
    task_id = str(uuid4())
    for method, path in (
        ("GET", "/tasks"), ("POST", "/tasks"), ("GET", "/tasks/search?q=a"), ("GET", f"/tasks/{task_id}"),
        ("GET", f"/tasks/{task_id}/history"), ("GET", "/changes"), ("GET", "/users"), ("GET", f"/users/{task_id}"),
        ("GET", "/users/profile"), ("PUT", "/users/profile"), ("PUT", f"/users/{task_id}/role"),
        ("POST", "/auth/ws-ticket"), *((method, f"/tasks/{task_id}{suffix}") for method, suffix, _ in COMMANDS),
    ):  # fmt: skip
        refused(await house.http.request(method, path), 401, "auth.missing")
