"""Starts, due days and time zones of tasks, through everything."""

from typing import Any

import pytest

from tests.house import House, position_of, refused

DAY = {"due_on": "2027-01-31", "due_zone": "Europe/Berlin"}
SHOWN = {"due_at": "2027-01-31T22:59:59.999999Z", **DAY}


def dates(task: dict[str, Any]) -> dict[str, Any]:
    """Its dates that are set."""
    return {name: task[name] for name in ("start_at", "due_at", "due_on", "due_zone", "overdue_since") if task[name]}


async def test_a_task_is_due_by_the_end_of_a_day_in_a_zone_everywhere(house: House) -> None:
    ada = await house.user()
    made = await ada.post("/tasks", {"title": "write", "start_at": "2027-01-25T09:00:00+01:00", **DAY})
    expected = {"start_at": "2027-01-25T08:00:00.000000Z", **SHOWN}
    assert dates(made.json()) == expected
    path = made.headers["Location"].removeprefix("/api/v1")
    assert dates((await ada.get(path)).json()) == expected
    (listed,) = await ada.items("/tasks", min_position=position_of(made), due_before="2027-01-31T23:00:00Z")
    assert listed == made.json()
    first = position_of(made)
    edited = await ada.call("PATCH", path, {"due_at": "2027-02-01T12:00:00Z", "start_at": None})
    assert dates(edited.json()) == {"due_at": "2027-02-01T12:00:00.000000Z", "due_zone": "Europe/Berlin"}
    assert dates((await ada.get(path, as_of=first)).json()) == expected
    (then,) = await ada.items("/tasks", as_of=first)
    assert then == made.json()
    replaced = await ada.call("PUT", path, {"title": "write", **SHOWN})
    assert dates(replaced.json()) == SHOWN  # as it was shown
    assert dates((await ada.call("PUT", path, {"title": "write"})).json()) == {}


async def test_a_subtask_takes_dates_too(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    below = await ada.post(f"/tasks/{task['id']}/subtasks", {"title": "part", **DAY})
    assert dates(below.json()) == SHOWN


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"due_on": "2027-01-31"}, "dates.zone_needed"),
        ({"due_zone": "UTC"}, "dates.zone_without_due"),
        ({"due_at": "2027-01-31T17:00:00Z", **DAY}, "dates.due_twice"),
        ({"start_at": "2027-01-31T23:00:00Z", **DAY}, "dates.start_after_due"),
        ({"due_on": "2027-01-31", "due_zone": "Mars/Olympus"}, "value.time_zone"),
        ({"due_on": "9999-12-31", "due_zone": "UTC"}, "value.day"),
    ],
)
async def test_dates_that_contradict_each_other_write_nothing(house: House, body: dict[str, str], code: str) -> None:
    ada = await house.user()
    task = await ada.task()
    head = await house.head()
    refused(await ada.post("/tasks", {"title": "write", **body}), 422, code)
    refused(await ada.call("PATCH", f"/tasks/{task['id']}", body), 422, code)
    assert await house.head() == head
