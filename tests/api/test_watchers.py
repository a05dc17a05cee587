"""Watchers over HTTP."""

from uuid import uuid4

from tests.house import House, position_of, refused


async def test_somebody_watches_and_watches_no_more(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}/watchers"
    empty = await bob.get(path)
    by_themselves = [{"user_id": ada.id, "why": "creator"}, {"user_id": bob.id, "why": "assignee"}]
    assert (empty.json(), empty.headers["ETag"]) == ({"items": by_themselves, "next_cursor": None}, '"0"')
    added = await bob.call("PUT", f"{path}/{bob.id}", if_match='"0"', idempotency_key="w")
    document = {"task_id": task["id"], "user_id": bob.id, "watching": True, "why": "explicit"}
    assert (added.status_code, added.json(), added.headers["ETag"]) == (200, document, '"1"')
    refused(await bob.call("DELETE", f"{path}/{bob.id}", if_match='"0"'), 412, "precondition.failed")
    await ada.post(f"/tasks/{task['id']}/unassign")
    assert [item["why"] for item in await ada.items(path)] == ["creator", "explicit"]
    removed = await ada.call("DELETE", f"{path}/{bob.id}")
    assert removed.json() == document | {"watching": False, "why": None}
    assert len(await ada.items(path, min_position=position_of(removed))) == 1
    refused(await ada.call("DELETE", f"{path}/{bob.id}"), 404, "watcher.not_found")
    replayed = await bob.call("PUT", f"{path}/{bob.id}", if_match='"0"', idempotency_key="w")
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (document, "true")
    refused(await bob.get(path), 404, "task.not_found")
    refused(await ada.call("PUT", f"{path}/{bob.id}"), 422, "watcher.not_visible")
    refused(await ada.call("PUT", f"{path}/{uuid4()}"), 422, "watcher.not_visible")
    refused(await ada.call("PUT", f"/tasks/{uuid4()}/watchers/{ada.id}"), 404, "task.not_found")


async def test_who_is_mentioned_watches_at_the_position_of_the_comment(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    carol = await house.user(role="manager", by=ada)
    task = await bob.task()
    posted = await bob.post(f"/tasks/{task['id']}/comments", {"body": f"@{{{carol.id}}} @{{{bob.id}}}"})
    assert position_of(posted) == task["position"] + 2
    assert [item["why"] for item in await bob.items(f"/tasks/{task['id']}/watchers")] == ["creator", "mention"]
