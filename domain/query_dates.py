"""Moments as a query names them: `2026-01-31`, a time of RFC 3339, `today`, or so long from now: `7d`, `-2w`.

A day is one of UTC: from its first moment up to the first of the next. What is relative is as exact as the clock.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from domain.instant import EARLIEST, LATEST

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


def span(value: str, now: datetime) -> Span:
    """The day or the moment that a text names. Raises `ValueError`."""
    if value in _DAYS:
        return day_of(now + timedelta(days=_DAYS[value]))
    if value == "now":
        return Span(now, now)
    if found := _RELATIVE.fullmatch(value):
        count = int(found[2]) * (-1 if found[1] == "-" else 1)
        moment = _STEPS[found[3]](now, count)
        return Span(moment, moment)
    if _DAY.fullmatch(value):
        return day_of(datetime.combine(date.fromisoformat(value), time(), UTC))
    if _MOMENT.fullmatch(value):
        moment = _within(lambda: datetime.fromisoformat(value).astimezone(UTC))
        return Span(moment, moment)
    raise ValueError(value)


def day_of(moment: datetime) -> Span:
    """The day that a moment is in."""
    begin = _within(lambda: moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    return Span(begin, _within(lambda: begin + timedelta(days=1)))


def _months(moment: datetime, count: int) -> datetime:
    """The same day so many months on, or the last one of that month where it is shorter."""
    months = moment.year * 12 + moment.month - 1 + count
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        return LATEST if year > 1 else EARLIEST
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


_STEPS: Final[dict[str, Callable[[datetime, int], datetime]]] = {
    "h": lambda moment, count: moment + timedelta(hours=count),
    "d": lambda moment, count: moment + timedelta(days=count),
    "w": lambda moment, count: moment + timedelta(weeks=count),
    "m": _months,
    "y": lambda moment, count: _months(moment, 12 * count),
}


def _within(moment: Callable[[], datetime]) -> datetime:
    """A moment that can be stored, the nearest one where it cannot."""
    try:
        return min(max(moment(), EARLIEST), LATEST)
    except OverflowError:
        return LATEST
