"""What recurs, over HTTP and by the scheduler: what the preview lists is what is then made, once each."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from domain.instant import instant
from tests.api.clock import Clock, Keeper, keeping
from tests.house import Client, House, refused

WEEKLY = {"rule": "FREQ=DAILY;COUNT=5", "zone": "Europe/Berlin"}


def at(clock: Clock, **span: float) -> str:
    return instant((clock.now + timedelta(**span)).replace(microsecond=0))


async def series_of(client: Client, task: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of a series, by their occurrences."""
    now = (await client.get(f"/tasks/{task['id']}")).json()
    found = await client.items("/tasks", series_id=now["series_id"])
    return sorted(found, key=lambda each: each["occurrence"])


async def preview(client: Client, task: dict[str, Any], n: int = 10) -> list[str]:
    answer = await client.get(f"/tasks/{task['id']}/recurrence/preview", n=n)
    assert answer.status_code == 200, answer.text
    return [item["occurrence"] for item in answer.json()["items"]]


async def until_nothing(keeper: Keeper) -> int:
    """Run the scheduler until nothing is due any more. Answers how many occurrences were made."""
    made = 0
    while happened := await keeper.run():
        made += happened.get("series.occurrence_made", 0)
    return made


async def test_what_the_preview_lists_is_what_is_then_made(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("water", due_at=at(keeper.clock, hours=1), description="all of them", priority="high")
        answer = await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY)
        series = answer.json()
        assert (answer.status_code, answer.headers["ETag"], series["task_id"]) == (200, '"1"', task["id"])
        assert (series["rule"], series["mode"], series["anchor"]) == ("FREQ=DAILY;COUNT=5", "schedule", "due_at")
        expected = await preview(ada, task)
        assert len(expected) == 4
        assert await keeper.run() == {}
        for n in range(1, 5):
            keeper.clock.pass_(days=1)
            assert await until_nothing(keeper) == 1
            made = await series_of(ada, task)
            assert [each["occurrence"] for each in made[1:]] == expected[:n]
            assert [each["due_at"] for each in made[1:]] == expected[:n]
        first, second, *_, last = made
        assert (second["title"], second["description"], second["priority"]) == ("water", "all of them", "high")
        assert (first["followed_by"], second["created_by"], last["followed_by"]) == (second["id"], ada.id, None)
        keeper.clock.pass_(days=30)
        await until_nothing(keeper)
        assert len(await series_of(ada, task)) == 5
        for q, many in (
            (f"series:{series['series_id']}", 5),
            ("series:none", 0),
            (f"-series:{series['series_id']}", 0),
        ):
            assert len(await ada.items("/tasks", q=q)) == many, q
        refused(await ada.get("/tasks", q="series:water"), 422, "query.invalid")
        ended = (await ada.get(f"/tasks/{last['id']}/recurrence")).json()
        assert (ended["ended_because"], ended["next"], ended["made"]) == ("finished", None, 5)
        history = await ada.items(f"/tasks/{first['id']}/series", limit=2)
        assert [entry["type"].partition(".")[2] for entry in history] == [
            "started",
            *["occurrence_made"] * 4,
            "ended",
        ]
        entry = (await ada.get(f"/tasks/{second['id']}/history")).json()["items"][0]
        assert entry["actor"] == "00000000-0000-0000-0000-000000000000"


async def test_what_is_done_early_is_followed_at_once(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("water", due_at=at(keeper.clock, hours=1))
        await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY)
        (expected, *_) = await preview(ada, task)
        await ada.post(f"/tasks/{task['id']}/complete")
        keeper.clock.pass_(seconds=30)
        assert await until_nothing(keeper) == 1
        assert [each["occurrence"] for each in await series_of(ada, task)][1:] == [expected]
        keeper.clock.pass_(hours=2)
        await until_nothing(keeper)
        assert len(await series_of(ada, task)) == 2


async def test_from_completion_the_next_one_counts_from_the_day_of_that(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("water", due_at=at(keeper.clock, days=-3))
        body = {"rule": "FREQ=DAILY;INTERVAL=3", "zone": "UTC", "mode": "completion"}
        assert (await ada.call("PUT", f"/tasks/{task['id']}/recurrence", body)).status_code == 200
        keeper.clock.pass_(days=40)
        assert await until_nothing(keeper) == 0
        done = (await ada.post(f"/tasks/{task['id']}/complete")).json()
        assert await until_nothing(keeper) == 1
        made = (await series_of(ada, task))[1]
        day = instant(datetime.fromisoformat(done["completed_at"]) + timedelta(days=3))[:10]
        assert made["due_at"] == day + task["due_at"][10:]


async def test_one_occurrence_is_skipped_and_another_one_edited(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        task = await ada.task("water", due_at=at(keeper.clock, hours=1))
        path = f"/tasks/{task['id']}/recurrence"
        await ada.call("PUT", path, WEEKLY)
        one, two, three, four = await preview(ada, task)
        skipped = await ada.post(f"{path}/skip", {"occurrence": two})
        assert (skipped.status_code, skipped.json()["skipped"]) == (200, [two])
        assert (await ada.post(f"{path}/skip", {"occurrence": two})).headers["ETag"] == skipped.headers["ETag"]
        assert await preview(ada, task) == [one, three, four]
        refused(await ada.post(f"{path}/skip", {"occurrence": task["due_at"]}), 409, "recurrence.already_made")
        refused(
            await ada.post(f"{path}/skip", {"occurrence": at(keeper.clock, hours=5)}),
            422,
            "recurrence.no_such_occurrence",
        )
        keeper.clock.pass_(days=1)
        await until_nothing(keeper)
        made = (await series_of(ada, task))[1]
        await ada.call("PATCH", f"/tasks/{made['id']}", {"title": "water less", "due_at": at(keeper.clock, hours=3)})
        keeper.clock.pass_(days=1)
        await until_nothing(keeper)
        tasks = await series_of(ada, task)
        assert [(each["occurrence"], each["title"]) for each in tasks[1:]] == [(one, "water less"), (three, "water")]


async def test_a_series_is_changed_from_its_latest_occurrence_on_and_stopped(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        first = await ada.task("water", due_at=at(keeper.clock, hours=1))
        refused(await ada.get(f"/tasks/{first['id']}/recurrence"), 404, "recurrence.not_found")
        refused(await ada.call("DELETE", f"/tasks/{first['id']}/recurrence"), 404, "recurrence.not_found")
        await ada.call("PUT", f"/tasks/{first['id']}/recurrence", WEEKLY)
        keeper.clock.pass_(days=1)
        await until_nothing(keeper)
        second = (await series_of(ada, first))[1]
        weekly = WEEKLY | {"rule": "FREQ=WEEKLY"}
        refused(await ada.call("PUT", f"/tasks/{first['id']}/recurrence", weekly), 409, "recurrence.not_latest")
        await ada.call("PATCH", f"/tasks/{second['id']}", {"title": "water weekly"})
        changed = await ada.call("PUT", f"/tasks/{second['id']}/recurrence", weekly)
        assert (changed.json()["latest"]["occurrence"], changed.json()["version"]) == (second["occurrence"], 3)
        again = await ada.call("PUT", f"/tasks/{second['id']}/recurrence", weekly)
        assert again.headers["ETag"] == changed.headers["ETag"]
        stale = await ada.call("PUT", f"/tasks/{second['id']}/recurrence", WEEKLY, if_match='"1"')
        refused(stale, 412, "precondition.failed")
        (following, *_) = await preview(ada, first)
        keeper.clock.pass_(days=1)
        await until_nothing(keeper)
        third = (await series_of(ada, first))[2]
        assert (third["occurrence"], third["title"]) == (following, "water weekly")
        stopped = await ada.call("DELETE", f"/tasks/{first['id']}/recurrence")
        assert (stopped.status_code, stopped.json()["ended_because"]) == (200, "stopped")
        assert await preview(ada, first) == []
        keeper.clock.pass_(days=30)
        assert await until_nothing(keeper) == 0
        resumed = await ada.call("PUT", f"/tasks/{third['id']}/recurrence", weekly)
        assert resumed.json()["ended_at"] is None
        (following, *_) = await preview(ada, first)
        await until_nothing(keeper)
        assert (await series_of(ada, first))[3]["occurrence"] == following


async def test_a_retry_with_the_same_key_sets_it_once(house: House) -> None:
    ada = await house.user()
    task = await ada.task("water", due_at="2027-01-04T08:00:00Z")
    path = f"/tasks/{task['id']}/recurrence"
    answers = await asyncio.gather(*[ada.call("PUT", path, WEEKLY, idempotency_key="k") for _ in range(5)])
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(await ada.items(f"/tasks/{task['id']}/series")) == 1
    refused(await ada.call("PUT", f"/tasks/{uuid4()}/recurrence", WEEKLY), 404, "task.not_found")


async def test_any_number_of_schedulers_make_each_occurrence_once(house: House) -> None:
    ada = await house.user()
    clock = Clock()
    tasks = [await ada.task(f"t{n}", due_at=at(clock, hours=1)) for n in range(10)]
    for task in tasks:
        await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY)
    expected = {task["id"]: await preview(ada, task) for task in tasks}
    async with keeping(house, clock) as one, keeping(house, clock) as two, keeping(house, clock) as three:
        clock.pass_(days=20)
        for _ in range(8):
            await asyncio.gather(one.run(), two.run(), three.run())
    for task in tasks:
        made = await series_of(ada, task)
        assert [each["occurrence"] for each in made[1:]] == expected[task["id"]]


async def test_who_does_not_see_the_latest_occurrence_sees_no_series(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    async with keeping(house) as keeper:
        first = await ada.task("water", due_at=at(keeper.clock, hours=1))
        await ada.call("PUT", f"/tasks/{first['id']}/recurrence", WEEKLY)
        await ada.post(f"/tasks/{first['id']}/assign", {"user_id": bob.id})
        assert (await bob.get(f"/tasks/{first['id']}/recurrence")).status_code == 200
        keeper.clock.pass_(days=1)
        await until_nothing(keeper)  # it is nobody's, as the first one was
        for path in ("recurrence", "recurrence/preview", "series"):
            refused(await bob.get(f"/tasks/{first['id']}/{path}"), 404, "recurrence.not_found")
        refused(await bob.call("DELETE", f"/tasks/{first['id']}/recurrence"), 404, "recurrence.not_found")
        assert [each["id"] for each in await series_of(bob, first)] == [first["id"]]


async def test_subtasks_come_again_with_each_occurrence(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        project = (await ada.post("/projects", {"name": "Garden", "key": "GRD"})).json()["id"]
        task = await ada.task("water", due_at=at(keeper.clock, hours=1), project_id=project)
        part = await ada.task("fetch", parent_id=task["id"], due_at=at(keeper.clock, hours=0.5))
        await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY)
        await ada.post(f"/tasks/{task['id']}/complete", {"close_subtasks": True})
        keeper.clock.pass_(seconds=30)
        assert await until_nothing(keeper) == 1
        await keeper.settled()
        _, following = await series_of(ada, task)
        (again,) = await ada.items("/tasks", parent_id=following["id"])
        assert (again["title"], again["status"], again["key"], again["series_id"]) == ("fetch", "todo", "GRD-4", None)
        apart = [datetime.fromisoformat(each["due_at"]) for each in (following, again, task, part)]
        assert apart[0] - apart[1] == apart[2] - apart[3]
        refused(await ada.post(f"/tasks/{following['id']}/complete"), 409, "task.open_subtasks")


async def test_reminders_and_subtasks_of_others_are_in_no_history_and_no_dry_run(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task("water", due_at="2030-01-07T08:00:00Z")
    await ada.post(f"/tasks/{task['id']}/assign", {"user_id": bob.id})
    for client, minutes in ((ada, 11), (bob, 22)):
        await client.post(f"/tasks/{task['id']}/reminders", {"relative_to": "due_at", "minutes_before": minutes})
    await ada.task("a secret", parent_id=task["id"])
    body = {"id": "1", "type": "recurrence.set", "target": task["id"], "data": WEEKLY}
    dry = await ada.post("/commands", {"commands": [body], "dry_run": True})
    assert dry.json()["would_do"] == 1, dry.text
    assert (
        "a secret" in dry.text,
        bob.id in str(dry.json()["verdicts"][0]["events"][-1]["data"]["pattern"]["reminders"]),
    ) == (
        True,
        False,
    )
    await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY)
    for client, minutes, titles in ((ada, 11, ["a secret"]), (bob, 22, [])):
        (entry, *_) = await client.items(f"/tasks/{task['id']}/series")
        for pattern in (entry["data"]["pattern"], entry["changes"]["pattern"]["to"]):
            assert [each["minutes_before"] for each in pattern["reminders"]] == [minutes]
            assert [each["fields"]["title"] for each in pattern.get("subtasks", [])] == titles


async def test_at_the_end_of_the_calendar_nothing_recurs(house: House) -> None:
    ada = await house.user()
    task = await ada.task("water", due_at="9999-12-29T08:00:00Z")
    refused(await ada.call("PUT", f"/tasks/{task['id']}/recurrence", WEEKLY), 422, "recurrence.invalid")
    rule = {"rule": "FREQ=MONTHLY;INTERVAL=1000", "zone": "UTC", "mode": "completion", "starts": "2030-01-01T09:00"}
    assert (await ada.call("PUT", f"/tasks/{task['id']}/recurrence", rule)).status_code == 200
    assert len(await preview(ada, task, 100)) == 95
