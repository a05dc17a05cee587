"""The commands on what recurs, as somebody says it: set, skip, stop. What follows by itself is in `recurring.py`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Context
from commands.pattern import pattern_from
from domain.errors import Conflict, Invalid, NotFound
from domain.events import Event
from domain.instant import Instant
from domain.pattern import Anchor, dates_at, shift
from domain.policy import Action
from domain.recurrence import Local, Mode, Point, Recurrence
from domain.rule import CODE, FIRST_YEAR, LAST_YEAR, parse
from domain.series import (
    SKIP_WITHIN,
    SKIPPED_MAX,
    End,
    Series,
    SeriesEnded,
    SeriesOccurrenceSkipped,
    SeriesOccurrencesMissed,
    SeriesRuleChanged,
    SeriesStarted,
    goes_on,
    next_at,
    passes,
    series_of,
)
from domain.task import Task, TaskEdited
from domain.task_series import TaskFollowed, TaskSeriesJoined
from domain.zones import check_zone, to_local

_STARTS: Final = re.compile(r"\d{4}-\d\d-\d\d(T([01]\d|2[0-3]):\d\d(:\d\d)?)?", re.ASCII)
_DAY: Final = 10  # characters of a day
_MOST_WALKED: Final = 5_000  # times that are past: thirteen years of days, and some ten milliseconds


@dataclass(frozen=True, slots=True)
class RecurrenceCommand:
    """A command on the series of a task. `series_id` is the task's, or what its series would have if it has none."""

    task_id: str
    series_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the series."""
        return self.series_id

    def series(self, context: Context, action: Action) -> Series:
        """The series, where the actor may do this to its latest task. Raises `NotFound`, `Forbidden`, and `Conflict`
        `project.is_archived` where nothing happens to that task any more.
        """
        series = series_seen(context, self.task_id, action)
        latest = context.read(series.task_id, Task)
        if latest is not None:
            context.project_of(latest)
        return series

    def facts(self, *events: Event) -> list[Fact]:
        """Events for the series."""
        return [Fact(self.series_id, event) for event in events]


def series_seen(context: Context, task_id: str, action: Action = Action.TASK_READ) -> Series:
    """The series of a task that the actor sees, where they may do this to its latest task: the series is as much
    theirs as that one is, which the next ones will be like.

    Raises `NotFound` `task.not_found`, `recurrence.not_found`, `Forbidden`.
    """
    task = context.permitted(task_id, Action.TASK_READ)
    series = None if task.series_id is None else context.read(task.series_id, Series)
    if series is None or not series.task_id:  # what it began with was erased
        raise not_recurring()
    try:
        context.permitted(series.task_id, action, trashed=True)
    except NotFound as error:
        raise not_recurring() from error
    return series


def not_recurring() -> NotFound:
    """The task is none of a series, or the series is not visible: one and the same answer."""
    return NotFound("recurrence.not_found", "this task does not recur, or its series is not visible to you")


@dataclass(frozen=True, slots=True)
class SetRecurrence(RecurrenceCommand):
    """Let a task recur, or let it and what follows it recur otherwise.

    `zone` and `starts` are taken from the task where they are None. `now` is when it is asked: what the rule gave
    before is past.
    """

    rule: str
    now: Instant
    mode: Mode = Mode.SCHEDULE
    zone: str | None = None
    starts: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The rule, and the dates that the task has by it, where they differ.

        Raises `Invalid` `recurrence.invalid`, `value.time_zone`, `dates.start_after_due`; `Conflict`
        `recurrence.task_closed`, `recurrence.not_latest`.
        """
        parse(self.rule)
        task = context.task(self.task_id, Action.TASK_EDIT)
        if task.is_closed:
            raise Conflict("recurrence.task_closed", f"the task is {task.status!r}; reopen it first")
        if self.series_id != (task.series_id or series_of(task.id)):
            raise not_recurring()
        series = context.read(self.series_id, Series)
        if series is not None and series.task_id not in ("", task.id):
            detail = "a later occurrence has been made; change the recurrence there, for it and what follows it"
            raise Conflict("recurrence.not_latest", detail)
        plan = self._plan(task, series)
        dates = dates_at(task, plan.anchor, plan.recurrence.zone, plan.first.local)
        _check_order(dates)
        ruled = self._ruled(context, task, plan, dates)
        edited = _edited(task, dates)
        if series is not None and not edited and not _differs(series, ruled):
            return []
        event = SeriesStarted(**ruled) if series is None else SeriesRuleChanged(**ruled)
        after = _after(plan, self.now)
        return [*edited, *_joined(task.id, self.series_id, plan, after), *self.facts(event, *after)]

    def _plan(self, task: Task, series: Series | None) -> "_Plan":
        zone = task.due_zone if self.zone is None else check_zone(self.zone, "/zone")
        if zone is None and series is not None:
            zone = series.recurrence.zone
        if zone is None:
            raise Invalid(CODE, "/zone", "must be a time zone such as Europe/Berlin, as the task has none", None)
        anchor, starts = _begin(task, zone, self.starts)
        recurrence = Recurrence(rule=self.rule.upper(), zone=zone, mode=self.mode, starts=starts)
        if series is not None and anchor is series.anchor and starts == series.latest.local:
            same = replace(recurrence, starts=series.recurrence.starts)
            if same == series.recurrence:
                return _going_on(series)
        first = next(recurrence.points(), None)
        if first is None:
            detail = f"gives no time from {starts} on, as far as a hundred years ahead"
            raise Invalid(CODE, "/rule", detail, self.rule)
        begun = replace(recurrence, starts=first.local)
        if series is not None and (series.recurrence, series.anchor, series.latest) == (begun, anchor, first):
            return _going_on(series)
        return _Plan(begun, anchor, first, first)

    def _ruled(self, context: Context, task: Task, plan: "_Plan", dates: dict[str, Any]) -> dict[str, Any]:
        recurrence, first = plan.recurrence, plan.first
        by = shift(task, plan.anchor, recurrence.zone, first.local)
        return {
            "rule": recurrence.rule,
            "zone": recurrence.zone,
            "mode": recurrence.mode,
            "starts": recurrence.starts,
            "anchor": plan.anchor,
            "pattern": pattern_from(context, task, dates, recurrence.zone, by),
            "task_id": task.id,
            "occurrence": first.at,
            "local": first.local,
            "nth": first.nth,
        }


class _Plan(NamedTuple):
    """What is wanted: the occurrence that the task is, and the one up to which the rule is used up already."""

    recurrence: Recurrence
    anchor: Anchor
    first: Point
    passed: Point
    skipped: tuple[Instant, ...] = ()


def _going_on(series: Series) -> _Plan:
    return _Plan(series.recurrence, series.anchor, series.latest, series.passed, series.skipped)


def _begin(task: Task, zone: str, starts: str | None) -> tuple[Anchor, Local]:
    """What the occurrences of a task are, and from when on. Raises `Invalid` `recurrence.invalid`."""
    if starts is not None:
        given = _local(starts)
        if len(starts) == _DAY:
            return Anchor.DUE_ON, given
        return Anchor.START_AT if task.due_at is None and task.start_at is not None else Anchor.DUE_AT, given
    if task.due_on is not None:
        return Anchor.DUE_ON, f"{task.due_on}T00:00:00"
    if task.due_at is not None:
        return Anchor.DUE_AT, _seconds(to_local(task.due_at, zone))
    if task.start_at is not None:
        return Anchor.START_AT, _seconds(to_local(task.start_at, zone))
    detail = "must be a local time such as 2027-01-31T09:00:00, or a day, as the task is never due and never starts"
    raise Invalid(CODE, "/starts", detail, None)


def _local(text: str) -> Local:
    try:
        moment = datetime.fromisoformat(text) if _STARTS.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        detail = "must be a local time such as 2027-01-31T09:00:00, or a day such as 2027-01-31, in the years"
        raise Invalid(CODE, "/starts", f"{detail} {FIRST_YEAR} to {LAST_YEAR}", text[:200])
    return _seconds(moment)


def _seconds(moment: datetime) -> Local:
    return moment.replace(microsecond=0).isoformat()


def _check_order(dates: dict[str, Any]) -> None:
    start, due = dates.get("start_at"), dates.get("due_at")
    if start is not None and due is not None and start >= due:
        detail = f"must not be due before it begins, got {start} and {due}"
        raise Invalid("dates.start_after_due", "/starts", detail, due)


def _edited(task: Task, dates: dict[str, Any]) -> list[Fact]:
    """The dates that become otherwise at the task itself."""
    new = {field: value for field, value in dates.items() if value != getattr(task, field)}
    return [Fact(task.id, TaskEdited(**new))] if new else []


def _joined(task_id: str, series_id: str, plan: "_Plan", after: Sequence[Event]) -> list[Fact]:
    """That the task is an occurrence, and whether one follows."""
    at = next_at(plan.first, plan.anchor, plan.recurrence)
    joined = Fact(task_id, TaskSeriesJoined(series_id=series_id, occurrence=plan.first.at, next_at=at))
    ended = any(isinstance(event, SeriesEnded) for event in after)
    return [joined, Fact(task_id, TaskFollowed())] if ended else [joined]


def _differs(series: Series, ruled: dict[str, Any]) -> bool:
    now: dict[str, Any] = {
        **{field: getattr(series.recurrence, field) for field in ("rule", "zone", "mode", "starts")},
        "anchor": series.anchor,
        "pattern": series.pattern,
        "task_id": series.task_id,
        "occurrence": series.latest.at,
        "local": series.latest.local,
        "nth": series.latest.nth,
    }
    # One that has come to its end goes on by no command that says nothing new.
    return now != ruled or series.ended_because not in (None, End.FINISHED)


def _after(plan: _Plan, now: Instant) -> list[Event]:
    """What is past already is not made, and where nothing follows the series has ended."""
    events: list[Event] = []
    passed = plan.passed
    if plan.recurrence.mode is Mode.SCHEDULE:
        past = list(islice(_past(plan, now), _MOST_WALKED))
        if len(past) == _MOST_WALKED:
            detail = f"gives more than {_MOST_WALKED} times that are past; begin later"
            raise Invalid(CODE, "/starts", detail, plan.recurrence.starts)
        missed = [point for point in past if point.at not in plan.skipped]
        if missed:
            passed = past[-1]
            events.append(
                SeriesOccurrencesMissed(missed=len(missed), occurrence=passed.at, local=passed.local, nth=passed.nth)
            )
    if not goes_on(plan.recurrence, passed, plan.skipped):
        events.append(SeriesEnded(because=End.FINISHED))
    return events


def _past(plan: _Plan, now: Instant) -> Iterator[Point]:
    """What the rule gave before now."""
    points = plan.recurrence.points(plan.passed)
    return takewhile(lambda point: passes(point, plan.anchor, plan.recurrence.zone) <= now, points)


@dataclass(frozen=True, slots=True)
class SkipOccurrence(RecurrenceCommand):
    """Leave an occurrence out that is still to come, by its instant."""

    occurrence: Instant

    def decide(self, context: Context) -> Sequence[Fact]:
        """The skip, unless it is skipped already.

        Raises `Conflict` `recurrence.ended`, `recurrence.not_scheduled`, `recurrence.already_made`,
        `recurrence.too_many_skipped`, `Invalid` `recurrence.no_such_occurrence`.
        """
        series = self.series(context, Action.TASK_EDIT)
        if series.recurrence.mode is Mode.COMPLETION:
            detail = "what follows from completion has no date yet; cancel or complete the latest task instead"
            raise Conflict("recurrence.not_scheduled", detail)
        if self.occurrence in series.skipped:
            return []
        if series.ended_at is not None:
            raise Conflict("recurrence.ended", "the series has ended, and nothing follows")
        if self.occurrence <= series.passed.at:
            detail = "that occurrence has been; cancel or delete its task instead"
            raise Conflict("recurrence.already_made", detail, occurrence=self.occurrence)
        if len(series.skipped) >= SKIPPED_MAX:
            detail = f"at most {SKIPPED_MAX} occurrences to come are skipped; end the series, or let it recur otherwise"
            raise Conflict("recurrence.too_many_skipped", detail)
        point = self._point(series)
        skipped = self.facts(SeriesOccurrenceSkipped(occurrence=point.at, local=point.local))
        if next((other for other in series.upcoming() if other != point), None) is None:
            skipped += _ended(series, End.FINISHED, context)
        return skipped

    def _point(self, series: Series) -> Point:
        ahead = list(islice(series.upcoming(), SKIP_WITHIN))
        for point in ahead:
            if point.at == self.occurrence:
                return point
        first = ahead[0].at if ahead else "none"
        detail = f"must be the instant of one of the next {SKIP_WITHIN} occurrences, the first is {first}"
        raise Invalid("recurrence.no_such_occurrence", "/occurrence", detail, self.occurrence)


@dataclass(frozen=True, slots=True)
class StopRecurrence(RecurrenceCommand):
    """Let nothing follow any more. What has been made stays."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The end, unless it has ended."""
        series = self.series(context, Action.TASK_EDIT)
        return [] if series.ended_at is not None else _ended(series, End.STOPPED, context)


def _ended(series: Series, because: End, context: Context) -> list[Fact]:
    """Nothing follows any more, and the latest task knows."""
    context.read(series.task_id, Task)
    return [Fact(series.id, SeriesEnded(because=because)), Fact(series.task_id, TaskFollowed())]
