"""Days of queries and counts: those of whoever asks, by the time zone of their profile."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.instant import instant
from tests.house import Client, House

HOURS = range(-40, 61, 4)
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


async def _in_zone(client: Client, zone: str) -> None:
    answer = await client.call("PUT", "/users/profile", {"time_zone": zone})
    assert answer.status_code == 200, answer.text


async def _found(client: Client, q: str, **more: Any) -> set[str]:
    return {task["title"] for task in await client.items("/tasks", q=q, limit=200, **more)}


async def test_a_day_is_one_of_the_time_zone_of_who_asks(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    now = datetime.now(UTC)
    due = {str(hours): now + timedelta(hours=hours) for hours in HOURS}
    for title, moment in due.items():
        last = await ada.task(title, due_at=instant(moment))
    then = last["position"]
    view = (await ada.post("/views", {"name": "soon", "query": "due:tomorrow", "sharing": "workspace"})).json()
    await bob.get("/views", min_position=await house.head())

    def expected(zone: str, day: int) -> set[str]:
        today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
        return {
            title
            for title, moment in due.items()
            if moment.astimezone(ZoneInfo(zone)).date() == today + timedelta(days=day)
        }

    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kolkata"):
        await _in_zone(ada, zone)
        for name, day in DAYS.items():
            before = expected(zone, day)
            found = await _found(ada, f"due:{name}")
            assert found in (before, expected(zone, day)), (zone, name)
        tomorrow = expected(zone, 1)
        found = {task["title"] for task in await ada.items(f"/views/{view['id']}/tasks")}
        assert found in (tomorrow, expected(zone, 1)), zone
        found = await _found(ada, "due:tomorrow", as_of=then)
        assert found in (tomorrow, expected(zone, 1)), zone
        asked = {"q": "due:tomorrow", "command": {"type": "task.complete", "data": {}}, "dry_run": True}
        assert (await ada.post("/tasks/bulk", asked)).json()["matched"] in (len(tomorrow), len(expected(zone, 1)))
        counted = (await ada.get("/tasks/facets", by="due")).json()["facets"]["due"]
        counts = {each["value"]: each["tasks"] for each in counted}
        week = [len(expected(zone, day)) for day in range(1, 7)]
        assert counts["week"] in (sum(week), sum(len(expected(zone, day)) for day in range(1, 7))), zone
        assert counts["overdue"] == len([hours for hours in HOURS if hours <= 0])
    assert await _found(bob, "due:tomorrow") == set(), "whose zone it is makes nobody see more"


async def test_what_is_closed_is_not_counted_as_overdue(house: House) -> None:
    ada = await house.user()
    past = instant(datetime.now(UTC) - timedelta(days=1))
    for title in ("late", "done"):
        task = await ada.task(title, due_at=past)
    done = await ada.post(f"/tasks/{task['id']}/complete")
    at = int(done.headers["Taskfold-Position"])
    counted = (await ada.get("/tasks/facets", by="due", min_position=at)).json()["facets"]["due"]
    assert {each["value"]: each["tasks"] for each in counted} == {"overdue": 1, "past": 1}
    assert await _found(ada, "is:overdue") == {"late"}
