"""Taking back what is to happen at a time: reminders, and how tasks recur.

A series is put back as a whole, but for what has been made of it; its latest task is told what follows it then.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Context
from commands.inverse.step import Inverse, Step, depends
from commands.reminder import RemoveReminder, check_room
from commands.talk import around
from domain.events import Event
from domain.policy import Action
from domain.reminder import ReminderAdded, ReminderRemoved, Reminders
from domain.series import (
    End,
    Series,
    SeriesEnded,
    SeriesOccurrenceSkipped,
    SeriesOccurrencesMissed,
    SeriesRestored,
    SeriesRuleChanged,
    SeriesStarted,
    next_at,
)
from domain.task_series import TaskFollowed, TaskSeriesJoined, TaskSeriesLeft


def _reminder_added(context: Context, step: Step) -> Sequence[Fact]:
    return RemoveReminder(step.event.task_id, step.event.reminder_id).decide(context)


def _reminder_removed(context: Context, step: Step) -> Sequence[Fact]:
    """It is there again; one that fired does not fire once more for the same moment."""
    event = step.event
    around(context, event.task_id, Action.REMINDER_CHANGE, event.user_id)
    check_room(context.read(step.stream_id, Reminders), event.user_id)
    was = next(each for each in step.before.reminders if each.id == event.reminder_id)
    return step.fact(
        ReminderAdded(
            task_id=event.task_id,
            reminder_id=event.reminder_id,
            user_id=event.user_id,
            at=was.at,
            relative_to=was.relative_to,
            minutes_before=was.minutes_before,
            fired_for=was.fired_for,
        )
    )


def _ruled(context: Context, step: Step) -> Sequence[Fact]:
    """By the rule of before; where there was none, the task does not recur."""
    return _as(context, _now(context, step), step.before)


def _ended(context: Context, step: Step) -> Sequence[Fact]:
    """It goes on. What has become due since is made by the scheduler, as after any pause."""
    now = _now(context, step)
    return _as(context, now, replace(now, ended_because=step.before.ended_because))


def _skipped(context: Context, step: Step) -> Sequence[Fact]:
    now = _now(context, step)
    left = tuple(at for at in now.skipped if at != step.event.occurrence)
    return _as(context, now, replace(now, skipped=left))


def _missed(context: Context, step: Step) -> Sequence[Fact]:
    now = _now(context, step)
    return _as(context, now, replace(now, passed=step.before.passed, skipped=step.before.skipped))


def _now(context: Context, step: Step) -> Series:
    """The series, where the actor may edit its latest task. Raises `Conflict` `undo.depends`."""
    series = context.read(step.stream_id, Series)
    if series is None or not series.task_id:
        raise depends("the series is not known any more")
    context.task(series.task_id, Action.TASK_EDIT)
    return series


def _as(context: Context, now: Series, was: Series | None) -> Sequence[Fact]:
    """What makes a series what it was."""
    if was is None or was.ended_because is End.UNDONE:
        return [Fact(now.id, SeriesEnded(because=End.UNDONE)), Fact(now.task_id, TaskSeriesLeft())]
    recurrence, latest = was.recurrence, was.latest
    restored = SeriesRestored(
        rule=recurrence.rule,
        zone=recurrence.zone,
        mode=recurrence.mode,
        starts=recurrence.starts,
        anchor=was.anchor,
        pattern=was.pattern,
        task_id=was.task_id,
        occurrence=latest.at,
        local=latest.local,
        nth=latest.nth,
        passed=was.passed,
        skipped=was.skipped,
        because=was.ended_because,
    )
    told = _told(was)
    return [Fact(now.id, restored), *([] if told == _told(now) else told)]


def _told(series: Series) -> list[Fact]:
    """What the latest task of a series knows of it."""
    if series.ended_because is End.UNDONE:
        return [Fact(series.task_id, TaskSeriesLeft())]
    at = next_at(series.latest, series.anchor, series.recurrence)
    joined = TaskSeriesJoined(series_id=series.id, occurrence=series.latest.at, next_at=at)
    ended = series.ended_because is not None
    return [Fact(series.task_id, joined), *([Fact(series.task_id, TaskFollowed())] if ended else [])]


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    ReminderAdded: _reminder_added,
    ReminderRemoved: _reminder_removed,
    **dict.fromkeys((SeriesStarted, SeriesRuleChanged, SeriesRestored), _ruled),
    SeriesEnded: _ended,
    SeriesOccurrenceSkipped: _skipped,
    SeriesOccurrencesMissed: _missed,
}
