"""The bodies about reminders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.documents import WHOLE, Body, Moment
from domain.reminder import MINUTES_MAX, Date

Minutes = Annotated[
    int, Field(ge=0, le=MINUTES_MAX, description="How long before that date: 1440 is a day of 24 hours."), WHOLE
]


class NewReminder(Body):
    """When to be reminded: at a moment, or so long before a date of the task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"relative_to": "due_at", "minutes_before": 1_440},
                {"at": "2027-01-30T08:00:00Z"},
            ],
            "oneOf": [
                {"required": ["at"], "properties": {"at": {"type": "string"}, "relative_to": {"type": "null"}}},
                {
                    "required": ["relative_to"],
                    "properties": {"relative_to": {"type": "string"}, "at": {"type": "null"}},
                },
            ],
        }
    )

    at: Moment | None = None
    relative_to: Annotated[Date | None, Field(strict=False, description="It follows that date when it moves.")] = None
    minutes_before: Minutes = 0


class ReminderDocument(BaseModel):
    """A reminder of one's own. `fires_at` is null where it has fired, and where the task has not the date it needs."""

    id: UUID
    task_id: UUID
    at: datetime | None
    relative_to: Date | None
    minutes_before: int
    fires_at: datetime | None
    fired_for: Annotated[datetime | None, Field(description="When it was due when it last fired.")]


class ReminderList(BaseModel):
    """One's own reminders at a task, in the order in which they were added."""

    items: list[ReminderDocument]
    next_cursor: None


class RemindersDocument(BaseModel):
    """How many reminders one has at a task. `version` is that of the reminders of all, as the ETag says."""

    task_id: UUID
    version: int
    own: int
