"""When a task begins and when it is due: as an instant, or as a day in a time zone.

The day is what somebody said, and `due_at` what follows from it: the last microsecond of that day there, by the rules
that were known when it was said. So whatever sorts, filters or counts down looks at `due_at` alone.
"""

from datetime import date
from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from domain.errors import Invalid
from domain.instant import EARLIEST, LATEST, Instant
from domain.zones import check_zone, end_of

Day = str  # `2027-01-31`, of the calendar that hangs in the zone beside it


class Dates(NamedTuple):
    """The dates of a task. `due_zone` says where `due_on` is, or how to show and to repeat `due_at`."""

    start_at: Instant | None = None
    due_at: Instant | None = None
    due_on: Day | None = None
    due_zone: str | None = None


class Wanted(NamedTuple):
    """The dates that somebody wants; what is UNSET stays, unless another one takes its place."""

    start_at: Instant | UnsetType | None = UNSET
    due_at: Instant | UnsetType | None = UNSET
    due_on: Day | UnsetType | None = UNSET
    due_zone: str | UnsetType | None = UNSET


NONE: Final = Dates()


def dated(before: Dates, wanted: Wanted) -> Dates:
    """The dates that follow. A day takes the place of an instant, an instant that of a day.

    Raises `Invalid` `value.day`, `value.time_zone`, `dates.zone_needed`, `dates.zone_without_due`, `dates.due_twice`,
    `dates.start_after_due`.
    """
    start = before.start_at if wanted.start_at is UNSET else wanted.start_at
    after = _due(before, wanted)._replace(start_at=start)
    new = (after.start_at, after.due_at) != (before.start_at, before.due_at)
    if new and after.start_at is not None and after.due_at is not None and after.start_at >= after.due_at:
        field, value = _said(wanted, after)
        detail = f"must begin before it is due, got {after.start_at} and {after.due_at}"
        raise Invalid("dates.start_after_due", field, detail, value)
    return after


def _said(wanted: Wanted, after: Dates) -> tuple[str, str | None]:
    """Which of the fields that were said is to blame for a start that is not before the due date."""
    if wanted.start_at not in (UNSET, None):
        return "/start_at", after.start_at
    if wanted.due_at in (UNSET, None) and after.due_on is not None:
        return "/due_zone" if wanted.due_on is UNSET else "/due_on", after.due_on
    return "/due_at", after.due_at


def _due(before: Dates, wanted: Wanted) -> Dates:
    if wanted.due_at is wanted.due_on is wanted.due_zone is UNSET:
        return before
    zone = _zone(before, wanted)
    on = _day(before, wanted)
    if on is not None:
        return _due_on(before, wanted, on, zone)
    at = _moment(before, wanted)
    if at is None and wanted.due_zone not in (UNSET, None):
        detail = "a zone says where due_on is, or how due_at is shown; send one of them"
        raise Invalid("dates.zone_without_due", "/due_zone", detail, zone)
    return before._replace(due_at=at, due_on=None, due_zone=None if at is None else zone)


def _zone(before: Dates, wanted: Wanted) -> str | None:
    if wanted.due_zone is UNSET:
        return before.due_zone
    return None if wanted.due_zone is None else check_zone(wanted.due_zone, "/due_zone")


def _day(before: Dates, wanted: Wanted) -> Day | None:
    if wanted.due_on is not UNSET:
        return wanted.due_on
    return before.due_on if wanted.due_at is UNSET else None


def _moment(before: Dates, wanted: Wanted) -> Instant | None:
    if wanted.due_at is not UNSET:
        return wanted.due_at
    return before.due_at if before.due_on is None else None  # it followed from the day, which is gone


def _due_on(before: Dates, wanted: Wanted, on: Day, zone: str | None) -> Dates:
    day = check_day(on, "/due_on")
    if zone is None:
        detail = "a day is a day somewhere: say in which time zone"
        raise Invalid("dates.zone_needed", "/due_zone", detail)
    # What was said before stays what it was, whatever the rules of that zone have become.
    said = (before.due_on, before.due_zone) == (on, zone) and before.due_at is not None
    end = before.due_at if said else end_of(day, zone)
    if wanted.due_at not in (UNSET, None, end):
        detail = f"must be null or absent beside due_on, or the end of that day, {end}"
        raise Invalid("dates.due_twice", "/due_at", detail, wanted.due_at)
    return before._replace(due_at=end, due_on=on, due_zone=zone)


def check_day(text: Day, field: str) -> date:
    """A day of the calendar. Raises `Invalid` `value.day`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.isoformat() != text or not EARLIEST.date() < day < LATEST.date():
        raise Invalid("value.day", field, "must be a day in the years 1 to 9999, such as 2027-01-31", text[:200])
    return day
