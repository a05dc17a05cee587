"""Moments as a query names them: `2026-01-31`, a time of RFC 3339, `today`, or so long from now: `7d`, `-2w`.

A day is one of a time zone: from its first moment up to the first of the next one. What is relative is as exact as the
clock.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from domain.instant import EARLIEST, LATEST
from domain.zones import zone

EXPECTED: Final = "a day such as 2026-01-31 or today, a time of RFC 3339, or one from now such as 7d or -2w (h d w m y)"

_DAYS: Final = {"today": 0, "tomorrow": 1, "yesterday": -1}
_RELATIVE: Final = re.compile(r"([+-]?)([0-9]{1,4})([hdwmy])")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class Span(NamedTuple):
    """From a moment on, up to another one, which is not in it; of a single moment the two are one."""

    begin: datetime
    end: datetime


def is_when(value: str) -> bool:
    """Whether a text names a moment or a day."""
    try:
        span(value, datetime(2000, 1, 1, tzinfo=UTC))
    except ValueError:
        return False
    return True


def span(value: str, now: datetime, name: str = "UTC") -> Span:
    """The day or the moment that a text names, in the time zone `name`. Raises `ValueError`."""
    if value in _DAYS:
        return _day(now.astimezone(zone(name)).date() + timedelta(days=_DAYS[value]), name)
    if value == "now":
        return Span(now, now)
    if found := _RELATIVE.fullmatch(value):
        count = int(found[2]) * (-1 if found[1] == "-" else 1)
        moment = _utc(_STEPS[found[3]](now, count, name))
        return Span(moment, moment)
    if _DAY.fullmatch(value):
        return _day(date.fromisoformat(value), name)
    if _MOMENT.fullmatch(value):
        moment = _utc(datetime.fromisoformat(value))
        return Span(moment, moment)
    raise ValueError(value)


def day_of(moment: datetime, name: str = "UTC") -> Span:
    """The day that a moment is in, in the time zone `name`."""
    return _day(moment.astimezone(zone(name)).date(), name)


def days_after(moment: datetime, days: int, name: str = "UTC") -> datetime:
    """The end of the day that comes so many days after the one that a moment is in."""
    return _day(moment.astimezone(zone(name)).date() + timedelta(days=days), name).end


def _day(day: date, name: str) -> Span:
    following = min(day, _LAST) + timedelta(days=1)
    return Span(*(_utc(datetime.combine(each, time(), zone(name))) for each in (day, following)))


_LAST: Final = date.max - timedelta(days=1)


def _months(moment: datetime, count: int, name: str) -> datetime:
    """The same day so many months on, or the last one of that month where it is shorter."""
    local = moment.astimezone(zone(name))
    year, month = divmod(local.year * 12 + local.month - 1 + count, 12)
    if not 1 <= year <= 9999:
        return LATEST if year > 1 else EARLIEST
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))


_STEPS: Final[dict[str, Callable[[datetime, int, str], datetime]]] = {
    "h": lambda moment, count, _: moment + timedelta(hours=count),
    "d": lambda moment, count, _: moment + timedelta(days=count),
    "w": lambda moment, count, _: moment + timedelta(weeks=count),
    "m": _months,
    "y": lambda moment, count, name: _months(moment, 12 * count, name),
}


def _utc(moment: datetime) -> datetime:
    """A moment that can be stored, the nearest one where it cannot."""
    try:
        return min(max(moment.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return LATEST if moment.year > 1 else EARLIEST
