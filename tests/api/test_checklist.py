"""The checklist of a task over HTTP."""

import asyncio
from uuid import uuid4

import pytest

from tests.house import House, refused


async def test_a_checklist_is_written_checked_and_put_in_order(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}/checklist"
    empty = await ada.get(path)
    nothing = {"task_id": task["id"], "version": 0, "items": [], "total": 0, "checked": 0}
    assert (empty.json(), empty.headers["ETag"]) == (nothing, '"0"')
    one = await ada.post(path, {"text": "one"}, idempotency_key="i", if_match='"0"')
    item = f"{path}/{one.json()['items'][0]['id']}"
    assert (one.status_code, one.headers["Location"], one.headers["ETag"]) == (201, f"/api/v1{item}", '"1"')
    two = await ada.post(path, {"text": "two", "after": None})
    assert [each["text"] for each in two.json()["items"]] == ["two", "one"]
    again = await ada.post(path, {"text": "one"}, idempotency_key="i", if_match='"0"')
    assert (again.json(), again.headers["Location"]) == (one.json(), one.headers["Location"])

    refused(await ada.call("PATCH", item, {"checked": True}, if_match='"1"'), 412, "precondition.failed")
    done = await ada.call("PATCH", item, {"checked": True, "after": None}, if_match='"2"')
    assert (done.json()["total"], done.json()["checked"], done.headers["ETag"]) == (2, 1, '"4"')
    first = done.json()["items"][0]
    assert (first["text"], first["checked"], first["checked_by"]) == ("one", True, ada.id)
    same = await ada.call("PATCH", item, {"checked": True})
    assert (same.status_code, same.json()) == (200, done.json())
    read = await ada.get(path)
    assert (read.json(), read.headers["ETag"]) == (done.json(), '"4"')
    removed = await ada.call("DELETE", item)
    assert [each["text"] for each in removed.json()["items"]] == ["two"]
    refused(await ada.call("DELETE", item), 404, "checklist.item_not_found")
    refused(await ada.call("PATCH", item, {"checked": "yes"}), 422, "request.invalid")
    refused(await ada.post(path, {"text": "x", "after": str(uuid4())}), 422, "checklist.after")
    refused(await ada.post(path, {"text": "x", "checked": True}), 422, "request.invalid")
    assert (await ada.get(f"/tasks/{task['id']}")).json() == task, "a checklist does not move the task"
    await ada.call("DELETE", f"/tasks/{task['id']}")
    refused(await ada.get(path), 404, "task.not_found")


async def test_a_checklist_that_many_fill_at_once_is_full_and_not_fuller(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.checklist.ITEMS_MAX", 20)
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/checklist"
    answers = await asyncio.gather(*[ada.post(path, {"text": f"{n}"}) for n in range(30)])
    too_many = [answer for answer in answers if answer.status_code != 201]
    assert [refused(answer, 409, "checklist.full")["status"] for answer in too_many] == [409] * 10
    assert (await ada.get(path)).json()["total"] == 20


async def test_items_that_many_add_at_once_are_all_there_each_in_its_place(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/checklist"
    answers = await asyncio.gather(*[ada.post(path, {"text": f"{n}"}) for n in range(30)])
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 31))
    made = {answer.headers["Location"].rpartition("/")[2] for answer in answers}
    items = (await ada.get(path)).json()["items"]
    assert {item["id"] for item in items} == made
    assert sorted(int(item["text"]) for item in items) == list(range(30))
