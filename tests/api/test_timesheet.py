"""The hours spent on a task over HTTP."""

from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from tests.house import House, position_of, refused


async def test_hours_are_written_down_corrected_summed_and_removed(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}/time-entries"
    empty = await bob.get(path)
    nothing: dict[str, Any] = {"items": [], "next_cursor": None, "total_minutes": 0, "by_user": []}
    assert (empty.json(), empty.headers["ETag"]) == (nothing, '"0"')
    body = {"minutes": 90, "on": "2026-11-21", "note": "Figures"}
    added = await bob.post(path, body | {"minutes": 90.0}, idempotency_key="t")
    entry = added.json()
    own = f"{path}/{entry['id']}"
    assert (added.status_code, added.headers["Location"], added.headers["ETag"]) == (201, f"/api/v1{own}", '"1"')
    assert {**entry, **body, "task_id": task["id"], "user_id": bob.id} == entry
    for minutes in (10, 20, 30):
        await ada.post(path, {"minutes": minutes, "on": "2026-11-20"})
    again = await bob.post(path, body | {"minutes": 90.0}, idempotency_key="t")
    assert (again.json(), again.headers["Location"], again.headers["ETag"]) == (entry, f"/api/v1{own}", '"1"')
    listed = await ada.get(path)
    assert listed.json()["total_minutes"] == 150
    assert listed.json()["by_user"] == [{"user_id": bob.id, "minutes": 90}, {"user_id": ada.id, "minutes": 60}]
    for limit in (1, 3, 50):
        assert [item["minutes"] for item in await ada.items(path, limit=limit)] == [90, 10, 20, 30]
    assert [item["minutes"] for item in await ada.items(path, user_id=ada.id, limit=2)] == [10, 20, 30]

    refused(await bob.call("PATCH", own, {"minutes": 5}, if_match='"1"'), 412, "precondition.failed")
    edited = await bob.call("PATCH", own, {"minutes": 60, "note": None}, if_match='"4"')
    assert (edited.json()["minutes"], edited.json()["note"], edited.headers["ETag"]) == (60, "", '"5"')
    refused(await bob.call("DELETE", f"{path}/{listed.json()['items'][1]['id']}"), 403, "auth.forbidden")
    removed = await ada.call("DELETE", own)
    assert removed.json() == {
        "task_id": task["id"],
        "version": 6,
        "total_minutes": 60,
        "by_user": [{"user_id": ada.id, "minutes": 60}],
    }
    refused(await bob.call("PATCH", own, {"minutes": 5}), 404, "timesheet.entry_not_found")
    for wrong in (
        {"minutes": 0},
        {"minutes": "5"},
        {"minutes": 1.5},
        {"on": "2026-02-30"},
        {"on": 1},
        {"on": None},
        {"on": "1700000000"},
    ):
        refused(await bob.post(path, body | wrong), 422, "request.invalid")
    refused(await bob.get(path, cursor="x"), 422, "request.invalid")
    refused(await bob.get(f"/tasks/{uuid4()}/time-entries"), 404, "task.not_found")
    assert (await ada.get(f"/tasks/{task['id']}")).json()["version"] == task["version"]
    async with await AsyncConnection.connect(house.owner_url) as owner:
        await owner.execute("SELECT erase(workspace_id, %s, 'asked') FROM workspaces", (position_of(added),))
    house.services.streams.clear()
    refused(await bob.post(path, body | {"minutes": 90.0}, idempotency_key="t"), 404, "timesheet.entry_not_found")
