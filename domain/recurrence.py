"""When something recurs: a rule, in the local time of a zone, from a first time on. Pure, and exact to the instant.

It is expanded on the clocks of the zone and each local time is then read as RFC 5545 §3.3.5 says: what comes twice is
the first of both, what clocks jump over is read with the offset from before. (§3.3.10 also says that such a time is no
occurrence at all, and then that it is read so; calendars do the latter, and a chore of 02:30 is to be done that day
too.)
"""

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec

from domain.instant import Instant
from domain.rule import Rule, locals_from, parse
from domain.zones import to_instant, to_local

PREVIEW_MAX: Final = 100

_DAY: Final = 10  # characters of a local time
_MOST_WALKED: Final = 5_000  # times: some ten milliseconds

Local = str  # `2027-01-31T09:00:00`, on the clocks of the zone beside it


class Mode(StrEnum):
    """What the next one follows from: the calendar, or the completion of the one before."""

    SCHEDULE = "schedule"
    COMPLETION = "completion"


class Point(msgspec.Struct, frozen=True, gc=False):
    """A time of a recurrence: `at` is the instant that it is known by, `nth` how many of the rule it is, from 1."""

    local: Local
    at: Instant
    nth: int


class Recurrence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rule with the zone and the first local time that it is read from."""

    rule: str
    zone: str
    mode: Mode
    starts: Local

    def points(self, after: Point | None = None) -> Iterator[Point]:
        """Its times on the calendar, from the first, or after one of them; each is later than the one before.

        A rule has the same phase at each of its times, so it is read from there on, and not from its start again.
        """
        rule = parse(self.rule)
        start = datetime.fromisoformat(self.starts if after is None else after.local)
        last = "" if after is None else after.at
        found = islice(locals_from(rule, start), 0 if after is None else 1, None)
        for nth, local in enumerate(found, 1 if after is None else after.nth + 1):
            if (rule.times is not None and nth > rule.times) or not rule.reaches(local, self.zone):
                return
            at = to_instant(local, self.zone)
            if at > last:  # else clocks jumped over it, to a time that is one of the rule's already
                yield Point(local.isoformat(), at, nth)
                last = at

    def after_completion(self, before: Point, done_at: Instant) -> Point | None:
        """The time that follows when the one before was done at an instant: the rule begins anew that day, at the time
        of day of its start, and gives the first of a later day. What was done ages before it was due would be walked
        to for seconds: there it begins anew on the day when that was due. None: it is over.
        """
        rule = parse(self.rule)
        if rule.times is not None and before.nth >= rule.times:
            return None
        day, due = to_local(done_at, self.zone).date(), date.fromisoformat(before.local[:_DAY])
        found = self._anew(rule, day, before)
        if found is None and due > day:
            found = self._anew(rule, due, before)
        if found is None or not rule.reaches(found, self.zone):
            return None
        return Point(found.isoformat(), to_instant(found, self.zone), before.nth + 1)

    def _anew(self, rule: Rule, day: date, before: Point) -> datetime | None:
        start = datetime.combine(day, datetime.fromisoformat(self.starts).time())
        ahead = (local for local in islice(locals_from(rule, start), _MOST_WALKED) if local.date() > day)
        return next((local for local in ahead if to_instant(local, self.zone) > before.at), None)

    def upcoming(self, after: Point) -> Iterator[Point]:
        """The times that are to be expected after one of them; from completion, as if each was done when it is due."""
        if self.mode is Mode.SCHEDULE:
            yield from self.points(after)
            return
        while (point := self.after_completion(after, after.at)) is not None:
            yield point
            after = point
