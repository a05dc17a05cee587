"""A series: tasks that recur. Its rule, what each occurrence is like, and every occurrence that was made or left out.

One stream a series, which every occurrence appends to: so that one is made once, whoever tries, and however often.
"""

from collections.abc import Collection, Iterator
from datetime import date
from enum import StrEnum
from itertools import islice
from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from domain.events import Event, Recorded, stored
from domain.instant import Instant
from domain.pattern import Anchor, Pattern
from domain.recurrence import Local, Mode, Point, Recurrence
from domain.task import TaskEdited
from domain.zones import end_of

CATCH_UP_MAX: Final = 50  # of what was missed so many are made, the latest ones
SKIP_WITHIN: Final = 100  # how far ahead an occurrence can be skipped
SKIPPED_MAX: Final = 500  # of one series

_DAY: Final = 10  # characters of a local time


class End(StrEnum):
    """Why a series has ended."""

    FINISHED = "finished"  # its rule gives no more
    STOPPED = "stopped"
    PROJECT_CLOSED = "project_closed"  # archived or deleted: no task can come into it
    UNDONE = "undone"  # its beginning was taken back: no task is of it


class Ruled(Event, frozen=True, kw_only=True):
    """How a series goes on from the occurrence that is this task; the local time of that is where the rule begins,
    unless it goes on as it did: with the same rule, from the same occurrence.
    """

    rule: str
    zone: str
    mode: Mode
    starts: Local
    anchor: Anchor
    pattern: Pattern
    task_id: str
    occurrence: Instant
    local: Local
    nth: int


@stored("series.started")
class SeriesStarted(Ruled, frozen=True, kw_only=True):
    """A task recurs from now on: it is the first occurrence."""


@stored("series.rule_changed")
class SeriesRuleChanged(Ruled, frozen=True, kw_only=True):
    """This occurrence and what follows it are otherwise; an ended series goes on."""


@stored("series.occurrence_made")
class SeriesOccurrenceMade(Event, frozen=True, kw_only=True):
    """The next occurrence is a task."""

    task_id: str
    occurrence: Instant
    local: Local
    nth: int


@stored("series.occurrence_skipped")
class SeriesOccurrenceSkipped(Event, frozen=True, kw_only=True):
    """An occurrence to come will be left out."""

    occurrence: Instant
    local: Local


@stored("series.occurrences_missed")
class SeriesOccurrencesMissed(Event, frozen=True, kw_only=True):
    """So many occurrences were past, and are not made any more; this was the last of them."""

    missed: int
    occurrence: Instant
    local: Local
    nth: int


@stored("series.ended")
class SeriesEnded(Event, frozen=True, kw_only=True):
    """Nothing follows any more."""

    because: End


@stored("series.restored")
class SeriesRestored(Ruled, frozen=True, kw_only=True):
    """A command was taken back: the series is as it was, with the rule used up to `passed`; ended, or going on."""

    passed: Point
    skipped: tuple[Instant, ...] = ()
    because: End | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a series. `task_id` is its latest task, `latest` that one's time; up to `passed` the rule is used
    up. `made` counts its tasks, and `skipped` are the instants that will be left out.
    """

    id: str
    version: int
    position: int
    recurrence: Recurrence
    anchor: Anchor
    pattern: Pattern
    task_id: str
    latest: Point
    passed: Point
    made: int
    skipped: tuple[Instant, ...]
    created_by: str
    created_at: Instant
    updated_at: Instant
    ended_at: Instant | None
    ended_because: End | None

    def upcoming(self) -> Iterator[Point]:
        """The occurrences to come, as far as can be said today; none once it has ended."""
        if self.ended_at is not None:
            return
        for point in self.recurrence.upcoming(self.passed):
            if point.at not in self.skipped:
                yield point


def goes_on(recurrence: Recurrence, passed: Point, skipped: Collection[Instant]) -> bool:
    """Whether a rule gives something after a time that is not skipped."""
    ahead = islice(recurrence.upcoming(passed), len(skipped) + 1)
    return any(point.at not in skipped for point in ahead)


def passes(point: Point, anchor: Anchor, zone: str) -> Instant:
    """When an occurrence is past: at its time, or with its day. By schedule the next is made then."""
    return end_of(date.fromisoformat(point.local[:_DAY]), zone) if anchor is Anchor.DUE_ON else point.at


def next_at(point: Point, anchor: Anchor, recurrence: Recurrence) -> Instant | None:
    """When the task after an occurrence is made, however that one stands; None: not before it is closed."""
    return None if recurrence.mode is Mode.COMPLETION else passes(point, anchor, recurrence.zone)


def series_of(task_id: str) -> str:
    """The id of the series that begins with a task (UUID version 5, RFC 9562 §5.5). For ever: logs hold it."""
    return str(uuid5(UUID(task_id), "series"))


def task_of(series_id: str, nth: int) -> str:
    """The id of the nth task that a series makes: whoever makes it makes the same one."""
    return str(uuid5(UUID(series_id), str(nth)))


def part_of(task_id: str, part: str, nth: int) -> str:
    """The id of the nth `item` of the checklist, `reminder`, or `subtask` that a task of an occurrence begins with."""
    return str(uuid5(UUID(task_id), f"{part} {nth}"))


def evolve(series: Series | None, recorded: Recorded) -> Series:
    """The next state. Total over every logged event of a series."""
    event = recorded.event
    before = series or _unknown(recorded)
    after = replace(before, version=recorded.version, position=recorded.position, updated_at=recorded.recorded_at)
    match event:
        case SeriesRestored():
            return _restored(_ruled(after, event), event)
        case Ruled():
            return _ruled(after, event)
        case SeriesOccurrenceMade():
            point = Point(event.local, event.occurrence, event.nth)
            return replace(
                after, task_id=event.task_id, latest=point, passed=point, made=after.made + 1,
                skipped=_left(after.skipped, point),
            )  # fmt: skip
        case SeriesOccurrenceSkipped():
            return replace(after, skipped=(*after.skipped, event.occurrence))
        case SeriesOccurrencesMissed():
            point = Point(event.local, event.occurrence, event.nth)
            return replace(after, passed=point, skipped=_left(after.skipped, point))
        case SeriesEnded():
            return replace(after, ended_at=recorded.recorded_at, ended_because=event.because)
        case _:  # erased: what it said is gone, so nothing follows from it
            return replace(after, ended_at=recorded.recorded_at, ended_because=End.STOPPED)


def _left(skipped: tuple[Instant, ...], point: Point) -> tuple[Instant, ...]:
    return tuple(at for at in skipped if at > point.at)


def _ruled(series: Series, event: Ruled) -> Series:
    point = Point(event.local, event.occurrence, event.nth)
    recurrence = Recurrence(rule=event.rule, zone=event.zone, mode=event.mode, starts=event.starts)
    goes_on = (series.recurrence, series.anchor, series.latest) == (recurrence, event.anchor, point)
    return replace(
        series,
        recurrence=recurrence,
        anchor=event.anchor,
        pattern=event.pattern,
        task_id=event.task_id,
        latest=point,
        passed=series.passed if goes_on else point,
        made=max(series.made, 1),
        skipped=series.skipped if goes_on else (),
        ended_at=None,
        ended_because=None,
    )


def _restored(series: Series, event: SeriesRestored) -> Series:
    ended_at = None if event.because is None else series.updated_at
    return replace(
        series, passed=event.passed, skipped=event.skipped, ended_at=ended_at, ended_because=event.because
    )  # fmt: skip


_NOTHING: Final = Point("1900-01-01T00:00:00", "1900-01-01T00:00:00.000000Z", 1)


def _unknown(recorded: Recorded) -> Series:
    """Before the first event; what is left where that was erased."""
    return Series(
        id=recorded.stream_id,
        version=0,
        position=0,
        recurrence=Recurrence(rule="FREQ=DAILY;COUNT=1", zone="UTC", mode=Mode.SCHEDULE, starts=_NOTHING.local),
        anchor=Anchor.DUE_AT,
        pattern=Pattern(fields=TaskEdited(), created_by=recorded.meta.actor),
        task_id="",
        latest=_NOTHING,
        passed=_NOTHING,
        made=0,
        skipped=(),
        created_by=recorded.meta.actor,
        created_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        ended_at=None,
        ended_because=None,
    )
