"""Days and time zones in the bodies of requests."""

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _written_as_day(value: object) -> object:
    # Left alone, pydantic reads numbers, and text of digits, as seconds since 1970.
    if not isinstance(value, str) or _DAY.fullmatch(value) is None:
        raise ValueError("must be a day, such as 2027-01-31")
    return value


Day = Annotated[date, Field(strict=False), BeforeValidator(_written_as_day)]
DueOn = Annotated[Day | None, Field(description="It is due by the end of this day in `due_zone`.")]
Zone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    Field(
        description="A time zone of IANA: where `due_on` is, or by which `due_at` is shown and repeated.",
        json_schema_extra={"format": "iana-time-zone"},
    ),
]


def day(value: date | None) -> str | None:
    """A day as the domain keeps it."""
    return None if value is None else value.isoformat()
