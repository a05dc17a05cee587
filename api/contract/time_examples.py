"""Examples of answers about what happens at a time: reminders, and tasks that recur."""

from collections.abc import Mapping
from typing import Any, Final

from api.contract.examples import ADA, EARLIER, REMINDER_ID, SERIES_ID, TASK_ID, page

_REMINDER: Final[dict[str, Any]] = {
    "id": REMINDER_ID,
    "task_id": TASK_ID,
    "at": None,
    "relative_to": "due_at",
    "minutes_before": 1_440,
    "fires_at": "2027-01-30T17:00:00.000000Z",
    "fired_for": None,
}
_NEXT: Final[dict[str, Any]] = {"occurrence": "2027-01-18T08:00:00.000000Z", "local": "2027-01-18T09:00:00"}

# What is answered, by the name of its schema.
ANSWERS: Final[Mapping[str, Any]] = {
    "RecurrenceDocument": {
        "series_id": SERIES_ID,
        "version": 3,
        "task_id": TASK_ID,
        "rule": "FREQ=WEEKLY;BYDAY=MO",
        "zone": "Europe/Berlin",
        "mode": "schedule",
        "starts": "2027-01-04T09:00:00",
        "anchor": "due_at",
        "latest": {"occurrence": "2027-01-04T08:00:00.000000Z", "local": "2027-01-04T09:00:00"},
        "next": _NEXT,
        "made": 1,
        "skipped": ["2027-01-11T08:00:00.000000Z"],
        "created_by": ADA,
        "created_at": EARLIER,
        "updated_at": EARLIER,
        "ended_at": None,
        "ended_because": None,
    },
    "OccurrenceList": {"series_id": SERIES_ID, "version": 3, "items": [_NEXT]},
    "ReminderDocument": _REMINDER,
    "ReminderList": page(_REMINDER),
    "RemindersDocument": {"task_id": TASK_ID, "version": 2, "own": 0},
}
