"""Reading the past over HTTP: by position and by time, with today's permissions."""

from typing import Any
from uuid import uuid4

from tests.house import Client, House, position_of, refused


async def _titles(client: Client, path: str = "/tasks", **params: Any) -> list[str]:
    return [item["title"] for item in await client.items(path, sort="title", **params)]


async def test_a_task_is_shown_as_it_was(house: House) -> None:
    ada = await house.user()
    task = await ada.task("first", tags=["a"])
    path = f"/tasks/{task['id']}"
    edited = await ada.call("PATCH", path, {"title": "second"})
    done = await ada.post(f"{path}/complete")
    for answer in (edited, done):
        at = position_of(answer)
        for as_of in (at, answer.json()["updated_at"]):
            past = await ada.get(path, as_of=as_of)
            assert (past.json(), past.headers["ETag"]) == (answer.json(), answer.headers["ETag"])
            assert position_of(past) == at
            (listed,) = await ada.items("/tasks", as_of=as_of)
            assert listed == answer.json()
    assert (await ada.get(path, as_of=task["position"])).json() == task
    for early in (0, task["position"] - 1, "2020-01-01T00:00:00Z"):
        refused(await ada.get(path, as_of=early), 404, "task.not_found")
        page = await ada.get("/tasks", as_of=early)
        assert (page.json()["items"], position_of(page) < task["position"]) == ([], True)
    # The version of then is no licence to overwrite what came since.
    past = await ada.get(path, as_of=task["position"])
    refused(await ada.call("PATCH", path, {"title": "x"}, if_match=past.headers["ETag"]), 412, "precondition.failed")


async def test_a_moment_that_is_not_known_yet_is_refused(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    for path, words in ((f"/tasks/{task['id']}", {}), ("/tasks", {}), ("/tasks/search", {"q": "task"})):
        for as_of, code in (
            (task["position"] + 1, "position.beyond_head"),
            (2**63 - 1, "position.beyond_head"),
            ("9999-01-01T00:00:00Z", "as_of.future"),
            ("yesterday", "request.invalid"),
            ("-1", "request.invalid"),
            ("1.5", "request.invalid"),
            (2**63, "request.invalid"),
            ("", "request.invalid"),
        ):
            problem = refused(await ada.get(path, as_of=as_of, **words), 422, code)
            assert [error["pointer"] for error in problem["errors"]] == ["/query/as_of"]


async def test_the_past_is_seen_with_the_permissions_of_today(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    was = await ada.task("was bob's", assignee={"id": bob.id})
    late = await ada.task("not yet bob's")
    binned = await ada.task("binned", assignee={"id": bob.id})
    at = binned["position"]
    await ada.post(f"/tasks/{was['id']}/unassign")
    await ada.post(f"/tasks/{late['id']}/assign", {"user_id": bob.id})
    gone = position_of(await ada.call("DELETE", f"/tasks/{binned['id']}"))
    # What one may not see today is hidden in the past too, and what one may see today is shown from its beginning:
    # as in its history.
    assert await _titles(bob, as_of=at, min_position=gone) == ["binned", "not yet bob's"]
    assert await _titles(ada, as_of=at) == ["binned", "not yet bob's", "was bob's"]
    assert await _titles(bob, as_of=at, assignee="me") == ["binned"]
    for task, status in ((was, 404), (late, 200), (binned, 200)):
        assert (await bob.get(f"/tasks/{task['id']}", as_of=at)).status_code == status
        assert (await bob.get(f"/tasks/{task['id']}/history")).status_code == status
    hidden = refused(await bob.get(f"/tasks/{was['id']}", as_of=at), 404, "task.not_found")
    absent = refused(await bob.get(f"/tasks/{uuid4()}", as_of=at), 404, "task.not_found")
    assert hidden["detail"] == absent["detail"]
    # What was in the trash is found in the trash of then.
    refused(await bob.get(f"/tasks/{binned['id']}", as_of=gone), 404, "task.not_found")
    assert await _titles(bob, as_of=gone, trashed=True) == ["binned"]
    assert await _titles(bob, as_of=at, trashed=True) == []


async def test_pages_of_the_past_belong_together(house: House) -> None:
    ada = await house.user()
    tasks = [await ada.task(f"{n:02}", priority="high") for n in range(5)]
    at = tasks[-1]["position"]
    moment = tasks[-1]["created_at"]
    for params in ({"sort": "title", "as_of": at}, {"as_of": at}, {"sort": "title", "as_of": moment}):
        first = (await ada.get("/tasks", limit=2, **params)).json()
        await ada.call("PATCH", f"/tasks/{tasks[2]['id']}", {"title": "99"})
        await ada.task("new")
        rest = await ada.items("/tasks", limit=2, cursor=first["next_cursor"], **params)
        shown = [item["title"] for item in first["items"] + rest]
        assert shown == sorted([f"{n:02}" for n in range(5)], reverse="sort" not in params)
    link = (await ada.get("/tasks", limit=2, as_of=at, sort="title")).links["next"]["url"]
    followed = await ada.http.get(f"{house.base}{link}", headers=ada.headers)
    assert [item["title"] for item in followed.json()["items"]] == ["02", "03"]
    past = (await ada.get("/tasks", limit=2, as_of=at)).json()["next_cursor"]
    present = (await ada.get("/tasks", limit=2)).json()["next_cursor"]
    for params in ({}, {"as_of": at - 1}, {"as_of": moment}):
        problem = refused(await ada.get("/tasks", cursor=past, **params), 422, "cursor.invalid")
        assert "as_of" in problem["detail"]
    refused(await ada.get("/tasks", cursor=present, as_of=at), 422, "cursor.invalid")
    refused(await ada.get("/tasks", cursor=past, as_of=at, sort="title"), 422, "cursor.invalid")


async def test_a_search_finds_the_words_of_then(house: House) -> None:
    ada = await house.user()
    task = await ada.task("apples", description="ripe pears")
    other = await ada.task("pears")
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "plums", "description": ""})
    for q, as_of, expected in (
        ("apples", other["position"], ["apples"]),
        ("pears", other["position"], ["pears", "apples"]),
        ("pears", task["position"], ["apples"]),
        ("plums", other["position"], []),
    ):
        found = await ada.items("/tasks/search", q=q, as_of=as_of)
        assert [item["title"] for item in found] == expected


async def test_the_past_waits_for_the_projection_too(house: House) -> None:
    """As `min_position` does: what is shown is never less than was asked for."""
    ada = await house.user()
    for n in range(20):
        task = await ada.task(f"{n:02}")
        page = await ada.get("/tasks", as_of=task["position"], min_position=task["position"], limit=1)
        assert [item["id"] for item in page.json()["items"]] == [task["id"]]
        assert position_of(page) == task["position"]
    page = await ada.get("/tasks", as_of=1, min_position=task["position"])  # today's permissions are those of then
    assert (page.json()["items"], position_of(page)) == ([], 1)
