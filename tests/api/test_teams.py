"""Teams over HTTP and sockets: who makes them, who is in them, and who sees their tasks for it."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.house import Client, House, position_of, refused


def _members(team: dict[str, Any]) -> dict[str, str]:
    return {member["user_id"]: member["role"] for member in team["members"]}


def _told(frames: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(frame["op"], frame["position"]) for frame in frames if frame["type"] == "change"]


def _resyncs(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["reason"] for frame in frames if frame["type"] == "resync"]


async def test_a_team_is_made_edited_read_and_deleted(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    made = await ada.post("/teams", {"name": "Operations"})
    team = made.json()
    path = f"/teams/{team['id']}"
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, f"/api/v1{path}", '"1"')
    assert (team["name"], team["description"], team["members"]) == ("Operations", "", [])
    edited = await ada.call("PATCH", path, {"description": "Day and night."}, if_match='"1"')
    assert (edited.json()["description"], edited.json()["name"]) == ("Day and night.", "Operations")
    refused(await ada.call("PATCH", path, {"name": "x"}, if_match='"1"'), 412, "precondition.failed")
    read = await bob.get(path, min_position=position_of(edited))
    assert (read.json(), read.headers["ETag"]) == (edited.json(), '"2"')
    assert await bob.items("/teams") == [edited.json()]
    deleted = await ada.call("DELETE", path)
    assert deleted.status_code == 200
    refused(await bob.get(path, min_position=position_of(deleted)), 404, "team.not_found")
    assert await bob.items("/teams") == []
    refused(await ada.call("PATCH", path, {"name": "x"}), 404, "team.not_found")


async def test_teams_are_listed_by_pages_and_by_member(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    teams = [await ada.team(*([bob] if n % 2 else [])) for n in range(5)]
    head = await house.head()
    for limit in (1, 2, 50):
        assert [team["id"] for team in await bob.items("/teams", limit=limit, min_position=head)] == teams
    assert [team["id"] for team in await bob.items("/teams", member=bob.id, limit=1)] == teams[1::2]
    assert await bob.items("/teams", member=str(uuid4())) == []
    refused(await bob.get("/teams", cursor="x"), 422, "request.invalid")
    refused(await bob.get(f"/teams/{uuid4()}"), 404, "team.not_found")
    refused(await bob.get(f"/teams/{bob.id}"), 404, "team.not_found")


async def test_leads_look_after_their_team_and_members_may_leave(house: House) -> None:
    ada, bob, eve, zoe = [await house.user() for _ in range(4)]
    team = f"/teams/{await ada.team(bob, role='lead')}"
    assert (await bob.call("PUT", f"{team}/members/{eve.id}")).json()["members"][1]["role"] == "member"
    refused(await eve.call("PUT", f"{team}/members/{zoe.id}"), 403, "auth.forbidden")
    refused(await eve.call("PATCH", team, {"name": "x"}), 403, "auth.forbidden")
    refused(await bob.call("DELETE", team), 403, "auth.forbidden")
    refused(await zoe.post("/teams", {"name": "x"}), 403, "auth.forbidden")
    promoted = await bob.call("PUT", f"{team}/members/{eve.id}", {"role": "lead"})
    assert _members(promoted.json()) == {bob.id: "lead", eve.id: "lead"}
    profile = (await eve.get("/users/profile")).json()
    assert profile["teams"] == [team.rpartition("/")[2]]
    left = await bob.call("DELETE", f"{team}/members/{bob.id}")
    assert _members(left.json()) == {eve.id: "lead"}
    refused(await bob.call("DELETE", f"{team}/members/{eve.id}"), 403, "auth.forbidden")
    refused(await eve.call("DELETE", f"{team}/members/{zoe.id}"), 404, "team.member_not_found")
    refused(await eve.call("PUT", f"{team}/members/{uuid4()}"), 404, "user.not_found")
    users = await ada.items("/users", min_position=position_of(left))
    assert {user["id"]: len(user["teams"]) for user in users} == {ada.id: 0, bob.id: 0, eve.id: 1, zoe.id: 0}


async def test_a_membership_that_many_ask_for_at_once_is_one(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team = f"/teams/{await ada.team()}"
    head = await house.head()
    answers = await asyncio.gather(*[ada.call("PUT", f"{team}/members/{bob.id}") for _ in range(20)])
    assert {answer.status_code for answer in answers} == {200}
    assert {str(_members(answer.json())) for answer in answers} == {str({bob.id: "member"})}
    assert await house.head() == head + 2


async def _sees(client: Client, task: dict[str, Any]) -> set[str]:
    """Where a client finds a task."""
    head = int((await client.get("/users/profile")).headers["Taskfold-Position"])
    places = {
        "get": (await client.get(f"/tasks/{task['id']}")).status_code == 200,
        "history": (await client.get(f"/tasks/{task['id']}/history")).status_code == 200,
        "list": task["id"] in [item["id"] for item in await client.items("/tasks", min_position=head)],
        "search": task["id"] in [item["id"] for item in await client.items("/tasks/search", q=task["title"])],
        "changes": task["id"] in [item["task_id"] for item in await client.items("/changes")],
        "command": (await client.call("PATCH", f"/tasks/{task['id']}", {})).status_code == 200,
    }
    return {place for place, there in places.items() if there}


EVERYWHERE = {"get", "history", "list", "search", "changes", "command"}


async def test_the_members_of_a_team_see_its_tasks_everywhere_and_who_left_nowhere(house: House) -> None:
    ada, bob, zoe = [await house.user() for _ in range(3)]
    team = await ada.team(bob)
    task = await ada.task("plumbing")
    assigned = await ada.post(f"/tasks/{task['id']}/assign", {"team_id": team})
    assert assigned.json()["assignee"] == {"type": "team", "id": team}
    assert await _sees(bob, task) == EVERYWHERE
    assert await _sees(zoe, task) == set()
    assert [item["id"] for item in await ada.items("/tasks", assignee=team)] == [task["id"]]
    await ada.call("PUT", f"/teams/{team}/members/{zoe.id}")
    assert await _sees(zoe, task) == EVERYWHERE
    await ada.call("DELETE", f"/teams/{team}/members/{bob.id}")
    assert await _sees(bob, task) == set()
    await ada.call("DELETE", f"/teams/{team}")
    assert await _sees(zoe, task) == set()
    assert await _sees(ada, task) == EVERYWHERE


async def test_a_task_is_created_and_edited_for_a_team(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team(bob, role="lead")
    task = await bob.task(assignee={"type": "team", "id": team})
    assert task["assignee"] == {"type": "team", "id": team}
    back = await bob.call("PATCH", f"/tasks/{task['id']}", {"assignee": {"id": bob.id}})
    assert back.json()["assignee"] == {"type": "user", "id": bob.id}
    for body in ({}, {"user_id": bob.id, "team_id": team}, {"team_id": None}, {"team_id": "x"}):
        refused(await bob.post(f"/tasks/{task['id']}/assign", body), 422, "request.invalid")
    problem = refused(await bob.post(f"/tasks/{task['id']}/assign", {"team_id": bob.id}), 422, "assignee.not_found")
    assert problem["errors"][0]["pointer"] == "/team_id"
    refused(await bob.post(f"/tasks/{task['id']}/assign", {"user_id": ada.id}), 403, "assignee.not_allowed")


async def test_a_socket_gets_a_change_once_however_many_ways_it_concerns_its_user(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team(bob, role="lead")
    async with bob.socket() as socket:
        task = await bob.task(assignee={"type": "team", "id": team})
        unassigned = await bob.post(f"/tasks/{task['id']}/unassign")
        frames = await socket.until(position_of(unassigned))
    assert _told(frames) == [("upsert", n) for n in range(task["position"] - 1, position_of(unassigned) + 1)]


async def test_managers_are_not_told_to_read_again_for_their_teams(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    async with ada.socket() as socket:
        await ada.team(ada, bob)
        task = await ada.task()
        frames = await socket.until(task["position"])
    assert _resyncs(frames) == []
    assert _told(frames) == [("upsert", task["position"])]
