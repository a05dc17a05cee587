"""Time zones of IANA, by the rules of the pinned package `tzdata`; those that a machine has of its own do not count.

So every process turns a local time into the same instant, and a decision that is made again comes to the same result.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from domain.errors import Invalid
from domain.instant import Instant, instant

_DATA: Final = files("tzdata")
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


@cache
def names() -> frozenset[str]:
    """All of them, without what is no place's time."""
    return frozenset(_DATA.joinpath("zones").read_text().split()) - {"Factory"}


def check_zone(name: str, field: str, code: str = "value.time_zone") -> str:
    """A time zone by its IANA name, such as `Europe/Berlin`. Raises `Invalid`."""
    if name not in names():
        raise Invalid(code, field, "must be a time zone of IANA, such as Europe/Berlin", name[:200])
    return name


@cache
def zone(name: str) -> ZoneInfo:
    """The rules of a zone that was checked. Raises `KeyError` for a name that is none: never a path outside."""
    if name not in names():
        raise KeyError(name)
    with _DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def to_instant(local: datetime, name: str) -> Instant:
    """The instant of a local time without a zone, by the rule of RFC 5545 §3.3.5.

    One that comes twice, when clocks go back, is the first of both; one that never comes, when they go forward, is
    read with the offset from before the gap: 02:30 is what 03:30 is then.
    """
    return instant(local.replace(tzinfo=zone(name), fold=0))


def to_local(moment: Instant, name: str) -> datetime:
    """What clocks in a zone show at an instant; without a zone, and with `fold` = 1 at the second of two."""
    return datetime.fromisoformat(moment).astimezone(zone(name)).replace(tzinfo=None)


def end_of(day: date, name: str) -> Instant:
    """The last microsecond of a day in a zone: what comes next is the day after, also where midnight is skipped."""
    midnight = datetime.combine(day + _DAY, time()).replace(tzinfo=zone(name), fold=0)
    return instant(midnight.astimezone(UTC) - _MICROSECOND)
