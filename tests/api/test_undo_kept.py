"""`POST /undo` of views, templates, reminders, recurrence and marks: what is read afterwards is as it was."""

from typing import Any

from api.templates import ONBOARDING
from tests.api.test_templates import SAID
from tests.api.test_undo import types, undone
from tests.house import Client, House, position_of, refused


async def changed(client: Client, method: str, path: str, body: Any = None) -> int:
    """The position of a command that was done."""
    answer = await client.call(method, path, body)
    assert answer.status_code < 300, answer.text
    return position_of(answer)


async def read(client: Client, path: str, position: int = 0) -> dict[str, Any]:
    """What is there, but for who and when."""
    answer = await client.get(path, min_position=position)
    assert answer.status_code == 200, answer.text
    stays = ("version", "position", "updated_at")
    return {field: value for field, value in answer.json().items() if field not in stays}


async def test_views_and_templates_are_as_they_were(house: House) -> None:
    ada = await house.user()
    view = (await ada.post("/views", {"name": "mine", "query": "assignee:me"})).json()["id"]
    template = (await ada.post("/templates", ONBOARDING)).json()["id"]
    for path, edit in ((f"/views/{view}", {"name": "ours", "sharing": "workspace"}), (f"/templates/{template}", {})):
        was = await read(ada, path, await house.head())
        edited = await changed(ada, "PATCH", path, {"name": "x", **edit})
        await undone(ada, edited)
        assert await read(ada, path, await house.head()) == was
        deleted = await changed(ada, "DELETE", path)
        refused(await ada.get(path, min_position=deleted), 404, f"{path.split('/')[1][:-1]}.not_found")
        await undone(ada, deleted)
        assert await read(ada, path, await house.head()) == was
    versions = (await ada.get(f"/templates/{template}/versions")).json()["items"]
    assert [version["version"] for version in versions] == [5, 3, 2, 1]
    last = (await ada.get(f"/templates/{template}/versions/5")).json()
    assert (last["name"], len(last["tasks"])) == ("Onboarding", 3)


async def test_the_tasks_of_a_template_go_to_the_trash_as_one_and_come_back_as_one(house: House) -> None:
    ada = await house.user()
    template = (await ada.post("/templates", ONBOARDING)).json()["id"]
    made = await ada.post(f"/templates/{template}/instantiate", SAID)
    assert made.status_code == 201, made.text
    ids = made.json()["tasks"].values()
    was = [(await ada.get(f"/tasks/{id_}")).json() for id_ in ids]
    found = await undone(ada, position_of(made))
    assert types(found, "written").count("task.deleted") == 3
    assert [(await ada.get(f"/tasks/{id_}")).status_code for id_ in ids] == [404] * 3
    await undone(ada, found["written"][-1]["position"])
    now = [(await ada.get(f"/tasks/{id_}")).json() for id_ in ids]
    for before, after in zip(was, now, strict=True):
        assert after == {**before, **{field: after[field] for field in ("version", "position", "updated_at")}}


async def test_recurrence_and_reminders_are_as_they_were(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task("water", due_at="2030-01-07T08:00:00Z", due_zone="Europe/Berlin", assignee={"id": bob.id})
    path = f"/tasks/{task['id']}"
    begun = await changed(ada, "PUT", f"{path}/recurrence", {"rule": "FREQ=DAILY", "starts": "2030-01-08T09:00:00"})
    was = await read(ada, f"{path}/recurrence")
    coming = (await ada.get(f"{path}/recurrence/preview", n=3)).json()["items"]
    skipped = await changed(ada, "POST", f"{path}/recurrence/skip", {"occurrence": coming[0]["occurrence"]})
    refused(await bob.post("/undo", {"position": skipped}), 403, "auth.forbidden")
    stopped = await changed(ada, "DELETE", f"{path}/recurrence")
    for position in (stopped, skipped):
        await undone(ada, position)
    assert await read(ada, f"{path}/recurrence") == was
    assert (await ada.get(f"{path}/recurrence/preview", n=3)).json()["items"] == coming
    refused(await ada.post("/undo", {"position": skipped}), 409, "undo.changed_since")
    await undone(ada, begun)
    refused(await ada.get(f"{path}/recurrence"), 404, "recurrence.not_found")
    assert (await read(ada, path))["due_at"] == task["due_at"]
    reminder = {"relative_to": "due_at", "minutes_before": 60}
    added = await bob.post(f"{path}/reminders", reminder)
    removed = await changed(bob, "DELETE", f"{path}/reminders/{added.json()['id']}")
    refused(await ada.post("/undo", {"position": removed}), 404, "undo.not_found")
    await undone(bob, removed)
    assert (await bob.get(f"{path}/reminders")).json()["items"] == [added.json()]


async def test_what_was_unread_is_unread_again_and_nothing_else(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    given = [
        position_of(await ada.post(f"/tasks/{(await ada.task())['id']}/assign", {"user_id": bob.id})) for _ in "abcd"
    ]

    async def shown() -> dict[int, bool]:
        told = await bob.items("/notifications", min_position=await house.head())
        return {each["position"]: each["read"] for each in told}

    await bob.call("POST", "/notifications/read", {"positions": given[1:2]})
    was = await shown()
    all_read = await changed(bob, "POST", "/notifications/read", {"through": given[2]})
    did = await shown()
    refused(await ada.post("/undo", {"position": all_read}), 404, "undo.not_found")
    would = await undone(bob, all_read, dry_run=True)
    found = await undone(bob, all_read)
    assert types(found, "written") == types(would, "written") == ["inbox.unread"]
    assert await shown() == was == {given[0]: False, given[1]: True, given[2]: False, given[3]: False}
    await undone(bob, found["written"][0]["position"])
    assert await shown() == did == {given[0]: True, given[1]: True, given[2]: True, given[3]: False}
    await bob.call("POST", "/notifications/unread", {"positions": given[:1]})
    problem = refused(await bob.post("/undo", {"position": all_read}), 409, "undo.changed_since")
    assert problem["fields"] == ["read"]
