"""Rules as somebody might write them, and the instants that python-dateutil itself gives for them, read straight on:
by its own calendar from the first day on, and by its own time zones.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import islice
from random import Random
from typing import NamedTuple

from dateutil import tz
from dateutil.rrule import rrulestr

from domain.instant import Instant, instant

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Case(NamedTuple):
    """A rule without its end, with COUNT or UNTIL as its end, where and when it begins."""

    rule: str
    end: str
    zone: str
    starts: datetime

    @property
    def text(self) -> str:
        """The whole rule."""
        return ";".join(part for part in (self.rule, self.end) if part)


def cases(seed: int) -> Iterator[Case]:
    """Different ones without end."""
    dice = Random(seed)
    while True:
        starts = datetime(2026, 1, 1) + timedelta(minutes=15 * dice.randrange(4 * 24 * 365 * 2))  # noqa: DTZ001
        yield Case(_rule(dice), _end(dice, starts), dice.choice(ZONES), starts)


def _rule(dice: Random) -> str:
    freq = dice.choice(("DAILY", "WEEKLY", "MONTHLY", "YEARLY"))
    parts = [f"FREQ={freq}"]
    if dice.random() < 0.5:
        parts.append(f"INTERVAL={dice.choice((1, 2, 3, 4, 5, 7, 10))}")
    parts += {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}[freq](dice)
    if dice.random() < 0.2:
        parts.append(f"BYHOUR={_some(dice, range(24), 3)}")
    if dice.random() < 0.2:
        parts.append(f"BYMINUTE={dice.choice((0, 15, 30, 45))}")
    if freq in ("MONTHLY", "YEARLY") and any(part.startswith("BY") for part in parts) and dice.random() < 0.2:
        parts.append(f"BYSETPOS={dice.choice(('1', '-1', '2', '1,-1'))}")
    if dice.random() < 0.2:
        parts.append(f"WKST={dice.choice(DAYS)}")
    return ";".join(parts)


def _daily(dice: Random) -> list[str]:
    days = f"BYMONTHDAY={_some(dice, (1, 7, 15, 29, 30, 31, -1), 3)}"
    month, weekday = f"BYMONTH={_some(dice, range(1, 13), 4)}", f"BYDAY={_some(dice, DAYS, 4)}"
    # Not both: dateutil alone looks three seconds for a day that a month has not.
    return [*_maybe(dice, weekday), *(_maybe(dice, month) if dice.random() < 0.7 else [days])]


def _weekly(dice: Random) -> list[str]:
    return [*_maybe(dice, f"BYDAY={_some(dice, DAYS, 4)}", 0.8), *_maybe(dice, f"BYMONTH={_some(dice, (1, 3, 10), 2)}")]


def _monthly(dice: Random) -> list[str]:
    numbered = [f"{n}{day}" for n in (1, 2, 3, 4, -1, -2) for day in DAYS]
    which = [f"BYMONTHDAY={_some(dice, (1, 13, 15, 28, 29, 30, 31, -1, -2), 3)}", f"BYDAY={_some(dice, numbered, 3)}"]
    return [dice.choice([*which, f"BYDAY={_some(dice, DAYS, 5)}"])] if dice.random() < 0.9 else []


def _yearly(dice: Random) -> list[str]:
    month = f"BYMONTH={_some(dice, range(1, 13), 3)}"
    which = [
        [month, f"BYMONTHDAY={_some(dice, range(1, 32), 3)}"],
        [month, f"BYDAY={dice.choice((1, 2, -1))}{dice.choice(DAYS)}"],
        [f"BYYEARDAY={_some(dice, (1, 60, 100, 200, 365, -1, -60), 3)}"],
        [f"BYWEEKNO={_some(dice, (1, 10, 20, 52, -1), 2)}", f"BYDAY={_some(dice, DAYS, 2)}"],
        [month],
        [],
    ]
    return dice.choice(which)


def _maybe(dice: Random, part: str, chance: float = 0.4) -> list[str]:
    return [part] if dice.random() < chance else []


def _some(dice: Random, values: "range | tuple[object, ...] | list[str]", most: int) -> str:
    return ",".join(map(str, dice.sample(list(values), dice.randint(1, most))))


def _end(dice: Random, starts: datetime) -> str:
    until = starts + timedelta(days=dice.randrange(1, 1_500), minutes=dice.randrange(1_440))
    ends = ["", f"COUNT={dice.randint(1, 30)}", until.strftime("UNTIL=%Y%m%dT%H%M00Z"), until.strftime("UNTIL=%Y%m%d")]
    return dice.choice(ends)


@cache
def _zone(name: str) -> tz.tzfile:
    """dateutil's reading of the same rules of time zones: those of a machine may be older."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return tz.tzfile(file)


def expected(case: Case, most: int) -> list[Instant]:
    """The first instants of a case, as python-dateutil has them."""
    zone = _zone(case.zone)
    whole_day = case.end.startswith("UNTIL") and not case.end.endswith("Z")
    # In dateutil a day as UNTIL is its first moment; RFC 5545 §3.3.10 means all of it.
    rule = f"{case.rule};{case.end}T235959" if whole_day else case.text
    utc = rule.partition(";UNTIL=")[2] if rule.endswith("Z") else ""
    naive = rrulestr(rule.partition(";UNTIL=")[0] if utc else rule, dtstart=case.starts)
    instants: list[Instant] = []
    for local in islice(naive, 4 * most):
        at = instant(tz.resolve_imaginary(local.replace(tzinfo=zone)))
        if utc and at > instant(datetime.strptime(utc, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)):
            break
        if at not in instants:
            instants.append(at)
    return instants[:most]
