"""Saved views: kept by one, shown to each by what they see."""

from asyncio import gather
from typing import Any

import pytest

from tests.house import Client, House, position_of, refused


async def _view(client: Client, query: str, **fields: Any) -> dict[str, Any]:
    made = await client.post("/views", {"name": "a view", "query": query, **fields})
    assert made.status_code == 201, made.text
    view: dict[str, Any] = made.json()
    return view


async def _names(client: Client, house: House) -> list[str]:
    return [view["name"] for view in await client.items("/views", limit=2, min_position=await house.head())]


async def test_me_in_a_shared_view_is_whoever_looks(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    for client, title in ((ada, "hers"), (bob, "his")):
        task = await client.task(title, tags=["x"] if client is bob else [])
        await client.post(f"/tasks/{task['id']}/assign", {"user_id": client.id})
    view = await _view(ada, "assignee:me sort:title", sharing="workspace")
    path, at = f"/views/{view['id']}/tasks", await house.head()
    assert [task["title"] for task in await ada.items(path, min_position=at)] == ["hers"]
    await bob.get("/views", min_position=at)
    assert [task["title"] for task in await bob.items(path, min_position=at)] == ["his"]
    assert await bob.items(path, q="-tag:x") == [], "a query narrows it"
    assert await bob.items(path, category="done") == [], "other parameters do too"
    refused(await bob.get(path, q="statsu:x"), 422, "query.invalid")


async def test_a_view_lives_from_its_saving_to_its_deletion(house: House) -> None:
    ada = await house.user()
    problem = refused(await ada.post("/views", {"name": "x", "query": "a due<soon"}), 422, "query.invalid")
    assert (problem["errors"][0]["pointer"], problem["column"]) == ("/query", 7)
    view = await _view(ada, "is:open")
    path = f"/views/{view['id']}"
    edited = await ada.call("PATCH", path, {"name": "new", "query": "is:open sort:due"})
    assert (edited.status_code, edited.json()["name"], edited.headers["ETag"]) == (200, "new", '"2"')
    shown = await ada.get(path, min_position=position_of(edited))
    assert shown.json() == edited.json()
    same = await ada.call("PATCH", path, {"name": "new"})
    assert position_of(same) == position_of(edited), "what changes nothing is no event"
    stale = await ada.call("PATCH", path, {"name": "x"}, **{"If-Match": '"1"'})
    refused(stale, 412, "precondition.failed")
    assert (await ada.call("DELETE", path)).status_code == 200
    assert await _names(ada, house) == []
    for response in (await ada.get(path), await ada.get(f"{path}/tasks"), await ada.call("DELETE", path)):
        refused(response, 404, "view.not_found")


async def test_a_view_is_listed_to_those_it_is_shared_with(house: House) -> None:
    ada, bob, eve, zoe = [await house.user() for _ in range(4)]
    team = await ada.team(bob, eve)
    await _view(bob, "", name="his own")
    await _view(bob, "", name="the team's", sharing="team", team_id=team)
    shared = await _view(bob, "", name="everybody's", sharing="workspace")
    assert await _names(bob, house) == ["his own", "the team's", "everybody's"]
    assert await _names(eve, house) == ["the team's", "everybody's"]
    assert await _names(zoe, house) == ["everybody's"]
    assert await _names(ada, house) == ["the team's", "everybody's"]
    refused(
        await zoe.post("/views", {"name": "x", "query": "", "sharing": "team", "team_id": team}), 403, "auth.forbidden"
    )
    refused(await zoe.post("/views", {"name": "x", "query": "", "sharing": "team"}), 422, "view.team")
    refused(await zoe.call("PATCH", f"/views/{shared['id']}", {"name": "x"}), 403, "auth.forbidden")
    assert (await bob.call("PATCH", f"/views/{shared['id']}", {"sharing": "private"})).status_code == 200
    assert await _names(zoe, house) == []


async def test_views_made_at_once_keep_to_the_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.view.VIEWS_MAX", 3)
    ada = await house.user()
    made = await gather(*(ada.post("/views", {"name": "x", "query": ""}) for _ in range(8)))
    assert sorted(each.status_code for each in made) == [201] * 3 + [409] * 5
    problem = refused(await ada.post("/views", {"name": "x", "query": ""}), 409, "view.too_many")
    assert problem["most"] == 3
    view = next(each for each in made if each.status_code == 201)
    gone = await ada.call("DELETE", f"/views/{view.json()['id']}")
    assert (await ada.post("/views", {"name": "x", "query": ""})).status_code == 201
    undo = await ada.post("/undo", {"position": position_of(gone)})
    refused(undo, 409, "view.too_many")
    await _view(await house.user(), "")
