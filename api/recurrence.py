"""Bodies of requests and answers about what recurs, as OpenAPI shows them. The rules themselves are the domain's."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.dates import Zone
from api.documents import Body, Moment, Text
from domain.events import Event
from domain.pattern import Anchor, Pattern
from domain.policy import eyes
from domain.recurrence import Mode, Point
from domain.rule import RULE_MAX
from domain.series import End, Ruled, Series
from domain.user import User

RuleText = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=RULE_MAX),
    Field(
        description="A recurrence rule of RFC 5545 §3.3.10, by the day or slower.",
        json_schema_extra={"format": "recurrence-rule"},
    ),
]
Starts = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"),
    Field(description="A local time in `zone`, without an offset; or a day, and each occurrence is due by its end."),
]
ModeValue = Annotated[Mode, Field(strict=False)]


class RecurrenceBody(Body):
    """How a task recurs. `zone` and `starts` are the task's own, where they are not given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"rule": "FREQ=WEEKLY;BYDAY=MO", "zone": "Europe/Berlin", "starts": "2030-01-07T09:00:00"}]
        }
    )

    rule: RuleText
    zone: Zone | None = None
    mode: ModeValue = Mode.SCHEDULE
    starts: Starts | None = None


class SkipBody(Body):
    """Which occurrence is left out, as the preview names it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"occurrence": "2030-01-14T08:00:00Z"}]})

    occurrence: Moment


class OccurrenceDocument(BaseModel):
    """An occurrence: its instant, which is what it is known by, and its local time."""

    occurrence: datetime
    local: str


class RecurrenceDocument(BaseModel):
    """How a task recurs. `task_id` is the latest task of the series, `latest` its occurrence, `next` what follows."""

    series_id: UUID
    version: int
    task_id: UUID
    rule: str
    zone: str
    mode: Mode
    starts: str
    anchor: Anchor = Field(description="Which date of a task its occurrence is.")
    latest: OccurrenceDocument
    next: OccurrenceDocument | None
    made: int = Field(description="How many tasks it has.")
    skipped: list[datetime]
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    ended_because: End | None


class OccurrenceList(BaseModel):
    """The occurrences to come; from completion, as if each was done when it is due."""

    series_id: UUID
    version: int
    items: list[OccurrenceDocument]


def document(series: Series) -> dict[str, Any]:
    """A series as clients get it."""
    following = next(series.upcoming(), None)
    recurrence = series.recurrence
    fields = ("made", "skipped", "created_by", "created_at", "updated_at", "ended_at", "ended_because")
    return {
        "series_id": series.id,
        "version": series.version,
        "task_id": series.task_id,
        **{field: getattr(recurrence, field) for field in ("rule", "zone", "mode", "starts")},
        "anchor": series.anchor,
        "latest": _occurrence(series.latest),
        "next": None if following is None else _occurrence(following),
        **{field: getattr(series, field) for field in fields},
    }


def preview(series: Series, most: int) -> dict[str, Any]:
    """What is to come of a series, as clients get it."""
    items = [_occurrence(point) for point in islice(series.upcoming(), most)]
    return {"series_id": series.id, "version": series.version, "items": items}


def _occurrence(point: Point) -> dict[str, str]:
    return {"occurrence": point.at, "local": point.local}


def shown(entry: dict[str, Any], reader: User) -> dict[str, Any]:
    """An entry of the history of a series, with what the reader may know: nobody's reminders but their own, and no
    subtasks that they do not see.
    """
    data, changes = entry["data"], entry["changes"]
    if "pattern" in data:
        entry = {**entry, "data": {**data, "pattern": _seen(data["pattern"], reader)}}
    if "pattern" in changes:
        sides = {side: _seen(pattern, reader) for side, pattern in changes["pattern"].items()}
        entry = {**entry, "changes": {**changes, "pattern": sides}}
    return entry


def _seen(pattern: Any, reader: User) -> Any:
    try:
        return msgspec.convert(pattern, Pattern).shown_to(reader.id, eyes(reader))
    except msgspec.ValidationError:  # of an event that is passed over, or before the first one
        return None


def foreseen(event: Event, user_id: str) -> Event:
    """What somebody who would do it sees of an event: it is said of others' reminders nowhere."""
    return replace(event, pattern=event.pattern.without_others(user_id)) if isinstance(event, Ruled) else event
