"""Recurrence rules of RFC 5545 §3.3.10: which of them are taken, and the local times that they give.

The calendar is python-dateutil's. Here it is only said what it may be asked, so that no rule gives tasks by the
minute, means something else than the RFC says, or is searched for ever.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from dateutil.rrule import rrulestr

from domain.errors import Invalid
from domain.instant import Instant, instant
from domain.zones import to_instant

CODE: Final = "recurrence.invalid"
RULE_MAX: Final = 500
INTERVAL_MAX: Final = 1_000
YEARS_MAX: Final = 100  # an interval of years
COUNT_MAX: Final = 10_000
VALUES_MAX: Final = 100  # of one part

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199

_CYCLE: Final = 400  # years: after so many, the days of the Gregorian calendar fall on the same dates and weekdays
_HORIZON: Final = 9_899  # dateutil stops after the year 9999: from here it looks a hundred years ahead, and at most 500

_END: Final = 9_999  # its last week would reach into a year that there is not

_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UNTIL: Final = re.compile(r"\d{8}(T([01]\d|2[0-3])\d{4}Z?)?", re.ASCII)
_DAY: Final = re.compile(r"(?:[+-]?(\d{1,2}))?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,5}", re.ASCII)


class Rule(NamedTuple):
    """A rule that was checked. `text` is it in capitals, without COUNT (`times`) and UNTIL, which stand beside it."""

    text: str
    times: int | None
    until: str | None

    def reaches(self, local: datetime, zone: str) -> bool:
        """Whether its UNTIL, if it has one, lets it go on to a local time: a day is whole, an instant included."""
        if self.until is None:
            return True
        if self.until.endswith("Z"):
            return to_instant(local, zone) <= _utc(self.until)
        if "T" in self.until:
            return local <= datetime.strptime(self.until, "%Y%m%dT%H%M%S")  # noqa: DTZ007  (it is local)
        return local.date() <= date.fromisoformat(self.until)


def _utc(until: str) -> Instant:
    return instant(datetime.strptime(until + "+0000", "%Y%m%dT%H%M%SZ%z"))


@lru_cache(maxsize=1_024)
def parse(text: str) -> Rule:
    """The rule that a text is. Raises `Invalid` `recurrence.invalid`, naming the part and what was expected."""
    if len(text) > RULE_MAX:
        raise _refused(f"must be at most {RULE_MAX} characters, got {len(text)}", text)
    parts = _parts(text.upper(), text)
    for name, value in parts.items():
        if name not in _CHECKS:
            raise _refused(f"has the part {name[:20]!r}; expected one of {', '.join(_CHECKS)}", text)
        if not _CHECKS[name](value):
            raise _refused(f"has {name}={value[:50]}; expected {_EXPECTED[name]}", text)
    _check_together(parts, text)
    kept = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
    times = int(parts["COUNT"]) if "COUNT" in parts else None
    return Rule(kept, times, parts.get("UNTIL"))


def _parts(capitals: str, text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in capitals.split(";"):
        name, is_, value = part.partition("=")
        if not is_ or not value:
            raise _refused(f"must be parts such as FREQ=WEEKLY;BYDAY=MO, got {part[:50]!r}", text)
        if name in parts:
            raise _refused(f"must have each part once, got {name[:20]} twice", text)
        parts[name] = value
    return parts


def _numbers(low: int, high: int, *, signed: bool = False) -> Callable[[str], bool]:
    """Whether a text is a list of numbers in a range; with `signed` also of their negatives."""

    def check(value: str) -> bool:
        texts = value.split(",")
        if len(texts) > VALUES_MAX or not all(_NUMBER.fullmatch(each) for each in texts):
            return False
        return all(low <= (abs(number) if signed else number) <= high for number in map(int, texts))

    return check


def _number(low: int, high: int) -> Callable[[str], bool]:
    return lambda value: "," not in value and _numbers(low, high)(value)


def _is_until(value: str) -> bool:
    if not _UNTIL.fullmatch(value):
        return False
    try:
        moment = datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return False
    return FIRST_YEAR <= moment.year <= LAST_YEAR + YEARS_MAX


def _are_days(value: str) -> bool:
    found = [_DAY.fullmatch(each) for each in value.split(",")]
    return len(found) <= VALUES_MAX and all(day is not None and 1 <= int(day[1] or 1) <= 53 for day in found)


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "FREQ": lambda value: value in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"),
    "INTERVAL": _number(1, INTERVAL_MAX),
    "COUNT": _number(1, COUNT_MAX),
    "UNTIL": _is_until,
    "WKST": lambda value: value in _DAYS,
    "BYMONTH": _numbers(1, 12),
    "BYWEEKNO": _numbers(1, 53, signed=True),
    "BYYEARDAY": _numbers(1, 366, signed=True),
    "BYMONTHDAY": _numbers(1, 31, signed=True),
    "BYDAY": _are_days,
    "BYHOUR": _numbers(0, 23),
    "BYMINUTE": _number(0, 59),
    "BYSETPOS": _numbers(1, 366, signed=True),
}

_EXPECTED: Final[Mapping[str, str]] = {
    "FREQ": "DAILY, WEEKLY, MONTHLY or YEARLY",
    "INTERVAL": f"a number from 1 to {INTERVAL_MAX}",
    "COUNT": f"a number from 1 to {COUNT_MAX}",
    "UNTIL": "a day such as 20271231, a local time such as 20271231T170000, or one of UTC, which ends in Z",
    "WKST": "a weekday, such as MO",
    "BYMONTH": "months, 1 to 12",
    "BYWEEKNO": "weeks, 1 to 53 or -53 to -1",
    "BYYEARDAY": "days of the year, 1 to 366 or -366 to -1",
    "BYMONTHDAY": "days of the month, 1 to 31 or -31 to -1",
    "BYDAY": "weekdays, such as MO,WE or -1FR",
    "BYHOUR": "hours, 0 to 23",
    "BYMINUTE": "one minute, 0 to 59",
    "BYSETPOS": "places in the set, 1 to 366 or -366 to -1",
}

# RFC 5545 §3.3.10: where a part has no meaning it must not stand. Places in a day or a week say nothing that hours and
# weekdays do not; and of the week in which a rule begins dateutil counts only what is left of it.
_ONLY_WITH: Final[Mapping[str, frozenset[str]]] = {
    "BYWEEKNO": frozenset({"YEARLY"}),
    "BYYEARDAY": frozenset({"YEARLY"}),
    "BYMONTHDAY": frozenset({"DAILY", "MONTHLY", "YEARLY"}),
    "BYSETPOS": frozenset({"MONTHLY", "YEARLY"}),
}


def _check_together(parts: Mapping[str, str], text: str) -> None:
    """What the parts must be to each other."""
    if "FREQ" not in parts:
        raise _refused("must say how often, such as FREQ=WEEKLY", text)
    if "COUNT" in parts and "UNTIL" in parts:
        raise _refused("ends by COUNT or by UNTIL, not by both", text)
    freq = parts["FREQ"]
    for name, freqs in _ONLY_WITH.items():
        if name in parts and freq not in freqs:
            raise _refused(f"has {name}, which goes with FREQ={' or '.join(sorted(freqs))}, got {freq}", text)
    _check_days(parts, freq, text)
    if freq == "YEARLY" and int(parts.get("INTERVAL", 1)) > YEARS_MAX:
        raise _refused(f"has INTERVAL={parts['INTERVAL']}; expected at most {YEARS_MAX} years", text)
    if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        raise _refused("has BYSETPOS, which takes places of what another BY… part gives", text)


def _check_days(parts: Mapping[str, str], freq: str, text: str) -> None:
    ordinals = any(day[:-2] for day in parts.get("BYDAY", "").split(","))
    if ordinals and (freq not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        raise _refused("has a numbered weekday, which goes with FREQ=MONTHLY, or YEARLY without BYWEEKNO", text)
    if "BYWEEKNO" in parts and "BYDAY" not in parts:
        raise _refused("has BYWEEKNO without BYDAY; say on which days of those weeks", text)


def _refused(detail: str, value: str) -> Invalid:
    return Invalid(CODE, "/rule", detail, value[:200])


def locals_from(rule: Rule, start: datetime) -> Iterator[datetime]:
    """The local times of a rule from a first one on, in order, as far as they are looked for: a hundred years and
    more. COUNT and UNTIL are not heeded here.

    dateutil looks for the next one until the year 9999, through millions of days where a rule has none. As the
    calendar repeats after 400 years, the rule is read so many years later that this is soon.
    """
    if _never(rule):
        return
    later = (_HORIZON - start.year) // _CYCLE * _CYCLE
    text = rule.text if "WKST=" in rule.text else f"{rule.text};WKST=MO"
    if "BYMONTHDAY=" in text and "INTERVAL=" not in text:
        text = text.replace("FREQ=DAILY", "FREQ=MONTHLY")  # the same days, found a month at a time
    for found in rrulestr(text, dtstart=start.replace(year=start.year + later)):
        if max(found.year, found.year - later) >= _END:
            return
        yield found.replace(year=found.year - later)


_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _never(rule: Rule) -> bool:
    """Whether no month that a rule names is so long: what would be looked for day after day."""
    parts = dict(part.split("=") for part in rule.text.split(";"))
    if "BYMONTH" not in parts or "BYMONTHDAY" not in parts:
        return False
    longest = max(_LONGEST[int(month) - 1] for month in parts["BYMONTH"].split(","))
    return all(abs(int(day)) > longest for day in parts["BYMONTHDAY"].split(","))
