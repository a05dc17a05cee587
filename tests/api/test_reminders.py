"""Reminders over HTTP: one's own, once each, following the dates of the task."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.instant import instant
from tests.api.clock import keeping
from tests.house import Client, House, position_of, refused

BEFORE = {"relative_to": "due_at", "minutes_before": 60}


async def told(client: Client, keeper: Any) -> list[str]:
    """For which tasks somebody was reminded, oldest first."""
    await keeper.settled()
    items = await client.items("/notifications", min_position=await keeper.head())
    return [item["task"]["title"] for item in reversed(items) if item["reason"] == "reminded"]


def hours(at: str, count: float) -> str:
    return instant(datetime.fromisoformat(at) + timedelta(hours=count))


async def test_reminders_are_added_listed_and_removed_by_their_owner_alone(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(due_at="2027-01-31T17:00:00Z", assignee={"id": bob.id})
    path = f"/tasks/{task['id']}/reminders"
    empty = await bob.get(path)
    assert (empty.json(), empty.headers["ETag"]) == ({"items": [], "next_cursor": None}, '"0"')
    added = await bob.post(path, BEFORE, idempotency_key="r")
    reminder = added.json()
    own = f"{path}/{reminder['id']}"
    assert (added.status_code, added.headers["Location"], added.headers["ETag"]) == (201, f"/api/v1{own}", '"1"')
    assert reminder == {
        "id": reminder["id"],
        "task_id": task["id"],
        "at": None,
        **BEFORE,
        "fires_at": "2027-01-31T16:00:00.000000Z",
        "fired_for": None,
    }
    await ada.post(path, {"at": "2027-01-30T08:00:00+01:00"})
    again = await bob.post(path, BEFORE, idempotency_key="r")
    assert (again.json(), again.headers["Location"]) == (reminder, f"/api/v1{own}")
    assert [item["at"] for item in await ada.items(path)] == ["2027-01-30T07:00:00.000000Z"]
    assert await bob.items(path) == [reminder]
    await ada.call("PATCH", f"/tasks/{task['id']}", {"due_at": None})
    assert [item["fires_at"] for item in await bob.items(path)] == [None]
    refused(await ada.call("DELETE", own), 404, "reminder.not_found")
    removed = await bob.call("DELETE", own)
    assert removed.json() == {"task_id": task["id"], "version": 3, "own": 0}
    refused(await bob.call("DELETE", own), 404, "reminder.not_found")
    assert (await ada.get(f"/tasks/{task['id']}")).json()["version"] == 3  # no reminder moves it


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "reminder.when"),
        ({"at": "2027-01-30T08:00:00Z", "relative_to": "due_at"}, "reminder.when"),
        ({"relative_to": "created_at"}, "request.invalid"),
        ({"relative_to": "due_at", "minutes_before": -1}, "request.invalid"),
        ({"relative_to": "due_at", "minutes_before": 527_041}, "request.invalid"),
        ({"at": "tomorrow"}, "request.invalid"),
    ],
)
async def test_a_reminder_says_when(house: House, body: dict[str, Any], code: str) -> None:
    ada = await house.user()
    task = await ada.task()
    refused(await ada.post(f"/tasks/{task['id']}/reminders", body), 422, code)


async def test_a_member_has_twenty_reminders_at_a_task(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/reminders"
    for _ in range(20):
        assert (await ada.post(path, BEFORE)).status_code == 201
    refused(await ada.post(path, BEFORE), 409, "reminder.too_many")


async def test_who_asked_is_reminded_once_and_live(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    async with keeping(house) as keeper:
        due = instant(keeper.clock.now + timedelta(hours=2))
        task = await ada.task("call", due_at=due, assignee={"id": bob.id})
        await bob.post(f"/tasks/{task['id']}/reminders", BEFORE)
        assert await keeper.run() == {}
        keeper.clock.pass_(hours=1)
        async with bob.socket("notifications") as socket:
            await socket.receive()
            assert await keeper.run() == {"reminder.fired": 1}
            frame = await socket.receive()
            while frame["type"] != "change":
                frame = await socket.receive()
        notification = frame["notification"]
        assert (notification["reason"], notification["event"]) == ("reminded", "reminder.fired")
        assert (notification["task_id"], notification["actor"]) == (task["id"], "00000000-0000-0000-0000-000000000000")
        assert await keeper.run() == {}
        assert await told(bob, keeper) == ["call"]
        assert await told(ada, keeper) == []
        (shown,) = await bob.items(f"/tasks/{task['id']}/reminders")
        assert (shown["fires_at"], shown["fired_for"]) == (None, hours(due, -1))


async def test_a_reminder_follows_the_date_that_it_counts_from(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        due = instant(keeper.clock.now + timedelta(hours=5))
        task = await ada.task("call", due_at=due)
        path = f"/tasks/{task['id']}"
        await ada.post(f"{path}/reminders", BEFORE)
        await ada.call("PATCH", path, {"due_at": hours(due, 3)})
        keeper.clock.pass_(hours=5)
        assert await keeper.run() == {}
        keeper.clock.pass_(hours=2)
        assert await keeper.run() == {"reminder.fired": 1}
        await ada.call("PATCH", path, {"due_at": None})
        assert await keeper.run() == {}
        await ada.call("PATCH", path, {"due_at": hours(due, 3)})
        assert await keeper.run() == {}  # for that moment it has fired
        await ada.call("PATCH", path, {"due_at": hours(due, 24)})
        keeper.clock.pass_(hours=24)
        assert await keeper.run() == {"reminder.fired": 1, "task.due_passed": 1}
        assert await told(ada, keeper) == ["call", "call"]


async def test_what_is_closed_or_in_the_trash_reminds_nobody_until_it_is_open_again(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        closed, trashed = await ada.task("closed"), await ada.task("trashed")
        at = {"at": instant(keeper.clock.now + timedelta(minutes=1))}
        for task in (closed, trashed):
            await ada.post(f"/tasks/{task['id']}/reminders", at)
        await ada.post(f"/tasks/{closed['id']}/complete")
        await ada.call("DELETE", f"/tasks/{trashed['id']}")
        keeper.clock.pass_(days=1)
        assert await keeper.run() == {}
        await ada.post(f"/tasks/{closed['id']}/reopen")
        assert await keeper.run() == {"reminder.fired": 1}
        await ada.post(f"/tasks/{trashed['id']}/restore")
        assert await keeper.run() == {"reminder.fired": 1}
        assert await told(ada, keeper) == ["closed", "trashed"]


async def test_nobody_is_reminded_of_what_they_do_not_see_any_more(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("call", assignee={"id": bob.id})
        await bob.post(f"/tasks/{task['id']}/reminders", {"at": instant(keeper.clock.now)})
        await ada.post(f"/tasks/{task['id']}/unassign")
        refused(await bob.get(f"/tasks/{task['id']}/reminders"), 404, "task.not_found")
        assert await keeper.run() == {"reminder.fired": 1}
        assert await told(bob, keeper) == []


async def test_assignee_and_watchers_are_told_what_is_overdue(house: House) -> None:
    ada, bob, eve = await house.user(), await house.user(), await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("late", due_at=instant(keeper.clock.now), assignee={"id": bob.id})
        assert await keeper.run() == {"task.due_passed": 1}
        await keeper.settled()
        head = await keeper.head()
        for client, expected in ((ada, ["overdue"]), (bob, ["overdue", "assigned"]), (eve, [])):
            items = await client.items("/notifications", min_position=head)
            assert [item["reason"] for item in items if item["task_id"] == task["id"]] == expected
        assert position_of(await ada.get("/tasks")) <= head
