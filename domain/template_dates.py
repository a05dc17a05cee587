"""The dates of a template: days after a day, by the calendar or by working days, and a time of day in a time zone.

Working days are Monday to Friday. No holiday is known: which days those are is nobody's agreement but a place's own.
"""

import re
from datetime import date, datetime, time, timedelta
from typing import Final

from domain.errors import Invalid
from domain.instant import EARLIEST, LATEST
from domain.template import Timing

OFFSET_MAX: Final = 99_999

_OFFSET: Final = re.compile(r"([+-]?)(\d{1,5})(d|bd|w)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d)", re.ASCII)
_SATURDAY: Final = 5
_WEEK: Final = 7
_WORKING: Final = 5  # days of a week


def check_offset(text: str, pointer: str) -> str:
    """So many days, working days or weeks: `+3d`, `+3bd`, `-1w`. Raises `Invalid` `template.offset`."""
    if _OFFSET.fullmatch(text) is None:
        detail = "must be a number of days, working days or weeks, such as +3d, +3bd or -1w"
        raise Invalid("template.offset", pointer, detail, text[:200])
    return text


def check_time(text: str, pointer: str) -> time:
    """A time of day, to the minute: `17:00`. Raises `Invalid` `template.time`."""
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise Invalid("template.time", pointer, "must be a time of day such as 17:00", text[:200])
    return time(int(found[1]), int(found[2]))


def shifted(day: date, offset: str) -> date:
    """The day that is so far from another one. Raises `OverflowError` past the years that there are.

    Working days are counted from the next one where the day is none: `+0bd` of a Saturday is the Monday; backwards,
    from the one before.
    """
    found = _OFFSET.fullmatch(offset)
    assert found is not None
    many = int(found[2]) * (-1 if found[1] == "-" else 1)
    match found[3]:
        case "w":
            return day + timedelta(weeks=many)
        case "bd":
            return _working(day, many)
        case _:
            return day + timedelta(days=many)


def _working(day: date, many: int) -> date:
    if day.weekday() >= _SATURDAY:
        # The Monday stands for both days: it is the first working day after them, and also the one after none.
        day += timedelta(days=_WEEK - day.weekday())
        many -= many > 0
    weeks, weekday = divmod(day.weekday() + many, _WORKING)
    return day + timedelta(weeks=weeks, days=weekday - day.weekday())


def at(timing: Timing, anchor: date) -> tuple[date, time | None]:
    """The day that is meant, and the time of day there where one is said. Raises `OverflowError`."""
    day = shifted(anchor, timing.offset)
    if not EARLIEST.date() < day < LATEST.date():
        raise OverflowError
    return day, None if timing.time is None else check_time(timing.time, "")


def local(day: date, clock: time | None) -> datetime:
    """A local time without a zone; the beginning of the day where no time is said."""
    return datetime.combine(day, clock or time())


def between(anchor: date, day: date) -> str:
    """How far a day is from another one, in days of the calendar; no offset says more than `OFFSET_MAX` of them."""
    return f"{(day - anchor).days:+}d"
