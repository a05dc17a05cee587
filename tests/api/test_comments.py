"""Comments over HTTP: threads, pages, edits with their history, and the places of those that are deleted."""

from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from tests.house import Client, House, position_of, refused


async def _post(client: Client, path: str, body: str, **more: Any) -> dict[str, Any]:
    response = await client.post(f"{path}/comments", {"body": body, **more})
    assert response.status_code == 201, response.text
    posted: dict[str, Any] = response.json()
    return posted


async def test_a_comment_is_posted_read_edited_and_deleted(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}"
    answer = await bob.post(f"{path}/comments", {"body": f"Ask @{{{ada.id}}}."}, idempotency_key="c1")
    posted = answer.json()
    own = f"{path}/comments/{posted['id']}"
    assert (answer.status_code, answer.headers["Location"], answer.headers["ETag"]) == (201, f"/api/v1{own}", '"1"')
    assert (posted["body"], posted["mentions"], posted["created_by"]) == (f"Ask @{{{ada.id}}}.", [ada.id], bob.id)
    again = await bob.post(f"{path}/comments", {"body": f"Ask @{{{ada.id}}}."}, idempotency_key="c1")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (posted, "true")
    assert (await ada.get(path)).json()["version"] == task["version"], "a comment does not move the task"

    read = await ada.get(own)
    assert (read.json(), read.headers["ETag"]) == (posted, '"1"')
    refused(await bob.call("PATCH", own, {"body": "x"}, if_match='"7"'), 412, "precondition.failed")
    edited = await bob.call("PATCH", own, {"body": "Ask somebody."}, if_match='"1"')
    assert (edited.json()["body"], edited.json()["mentions"], edited.headers["ETag"]) == ("Ask somebody.", [], '"2"')
    assert await ada.items(f"{path}/comments", min_position=position_of(edited)) == [edited.json()]
    stale = refused(await bob.call("PATCH", own, {"body": "x"}, if_match='"1"'), 412, "precondition.failed")
    assert {"body", "mentions", "edited_at"} == {change["field"] for change in stale["changed"]}
    events = await ada.items(f"{own}/history", limit=1)
    assert [(event["type"], event["actor"]) for event in events] == [
        ("comment.posted", bob.id),
        ("comment.edited", bob.id),
    ]
    assert events[1]["changes"]["body"] == {"from": posted["body"], "to": "Ask somebody."}

    refused(await bob.call("PATCH", own, {}), 422, "request.invalid")
    refused(await ada.call("PATCH", own, {"body": "mine"}), 403, "auth.forbidden")
    deleted = await ada.call("DELETE", own)
    assert (deleted.json()["body"], deleted.json()["deleted_by"]) == (None, ada.id)
    assert await bob.items(f"{path}/comments", min_position=position_of(deleted)) == []
    for gone in (await bob.get(own), await bob.get(f"{own}/history"), await bob.call("DELETE", own)):
        refused(gone, 404, "comment.not_found")
    assert len(await ada.items(f"{own}/history")) == 3, "who oversees all may look up what it said"


async def test_threads_are_read_by_pages_and_keep_the_places_of_what_is_deleted(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    path = f"/tasks/{(await bob.task())['id']}"
    heads = [(await _post(bob, path, f"head {n}"))["id"] for n in range(3)]
    answers = [(await _post(ada, path, f"answer {n}", reply_to=heads[n % 2]))["id"] for n in range(4)]
    last = await _post(ada, f"/tasks/{(await ada.task())['id']}", "elsewhere")

    async def ids(**params: Any) -> list[str]:
        found = await bob.items(f"{path}/comments", **params)
        return [item["id"] for item in found]

    everything = [*heads, *answers]
    for limit in (1, 2, 50):
        assert await ids(limit=limit, min_position=last["position"]) == everything
        assert await ids(limit=limit, sort="-created_at") == everything[::-1]
    assert await ids(thread=heads[0], limit=2) == [heads[0], answers[0], answers[2]]
    assert await ids(thread=str(uuid4())) == []

    await ada.call("DELETE", f"{path}/comments/{heads[0]}")
    await ada.call("DELETE", f"{path}/comments/{heads[2]}")
    now = position_of(await ada.call("DELETE", f"{path}/comments/{answers[3]}"))
    assert await ids(min_position=now) == [heads[0], heads[1], *answers[:3]], (
        "an answer stands, so its head has a place"
    )
    place = (await bob.get(f"{path}/comments/{heads[0]}")).json()
    assert (place["body"], place["deleted_by"], place["created_by"]) == (None, ada.id, bob.id)
    await ada.call("DELETE", f"{path}/comments/{answers[0]}")
    now = position_of(await ada.call("DELETE", f"{path}/comments/{answers[2]}"))
    assert await ids(min_position=now) == [heads[1], answers[1]]
    refused(await bob.get(f"{path}/comments", sort="body"), 422, "request.invalid")
    refused(await bob.get(f"{path}/comments", cursor="x"), 422, "request.invalid")


async def test_who_sees_the_task_no_more_sees_none_of_its_comments(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    other = await bob.task()
    path = f"/tasks/{task['id']}"
    comment = await _post(bob, path, "mine")
    own = f"{path}/comments/{comment['id']}"
    refused(await bob.get(f"/tasks/{other['id']}/comments/{comment['id']}"), 404, "comment.not_found")
    refused(await bob.get(f"{path}/comments/{task['id']}"), 404, "comment.not_found")
    refused(await bob.get(f"{path}/comments/{uuid4()}/history"), 404, "comment.not_found")
    await ada.post(f"{path}/unassign")
    places = (f"{path}/comments", own, f"{own}/history")
    for answer in [await bob.get(place) for place in places]:
        refused(answer, 404, "task.not_found")
    refused(await bob.call("PATCH", own, {"body": "x"}), 404, "task.not_found")
    await ada.call("DELETE", path)
    for answer in [await ada.get(place) for place in places]:
        refused(answer, 404, "task.not_found")
    await ada.post(f"{path}/restore")
    assert (await ada.get(own)).json() == comment


async def test_what_a_comment_said_can_be_erased(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}"
    comment = await _post(ada, path, "public")
    edited = await ada.call("PATCH", f"{path}/comments/{comment['id']}", {"body": "secret"})
    async with await AsyncConnection.connect(house.owner_url) as owner:
        await owner.execute("SELECT erase(workspace_id, %s, 'asked') FROM workspaces", (position_of(edited),))
    events = await ada.items(f"{path}/comments/{comment['id']}/history")
    assert "secret" not in str(events)
    assert (await ada.get(f"{path}/comments/{comment['id']}")).json()["body"] == "public"
