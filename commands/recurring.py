"""What recurs by itself: the next occurrence of a series becomes a task."""

from commands.appending import Fact
from commands.deciding import Context
from commands.occurrence import occurrence
from domain.events import Event
from domain.instant import Instant
from domain.project import Project
from domain.recurrence import Mode, Point
from domain.series import (
    CATCH_UP_MAX,
    End,
    Series,
    SeriesEnded,
    SeriesOccurrenceMade,
    SeriesOccurrencesMissed,
    goes_on,
    next_at,
    passes,
    task_of,
)
from domain.task import Task
from domain.task_series import TaskFollowed


def following(context: Context, task: Task, now: Instant) -> list[Fact]:
    """The next occurrence after a task, if it is time for it by `now`; or the end of the series.

    Nobody's wish, so nobody's permission is asked. A series is at one task at a time, its latest: what follows that is
    made once, and then another one is the latest. While that is in the trash the series rests.
    """
    series = None if task.series_id is None or task.deleted_at else context.read(task.series_id, Series)
    if series is None or series.ended_at is not None or series.task_id != task.id:
        return []
    project_id = series.pattern.project_id
    project = None if project_id is None else context.read(project_id, Project)
    if (project_id is not None and project is None) or any(
        rests(context, id_) for id_ in (project_id, task.project_id)
    ):
        return _ended(series, End.PROJECT_CLOSED)
    done_at = _closed_at(task)
    by_schedule = next_at(series.latest, series.anchor, series.recurrence)
    if done_at is None and (by_schedule is None or by_schedule > now):
        return []
    point, missed = _next(series, done_at, now)
    if point is None:
        return _ended(series, End.FINISHED)
    task_id = task_of(series.id, series.made + 1)
    made = SeriesOccurrenceMade(task_id=task_id, occurrence=point.at, local=point.local, nth=point.nth)
    facts = [
        *occurrence(context, series, point, task_id, project),
        Fact(task.id, TaskFollowed(by=task_id)),
        *_facts(series, *missed, made),
    ]
    if not goes_on(series.recurrence, point, series.skipped):
        facts += [Fact(series.id, SeriesEnded(because=End.FINISHED)), Fact(task_id, TaskFollowed())]
    return facts


def rests(context: Context, project_id: str | None) -> bool:
    """Whether nothing changes in a project any more: it is archived, or deleted."""
    project = None if project_id is None else context.read(project_id, Project)
    return project is not None and bool(project.archived_at or project.deleted_at)


def _ended(series: Series, because: End) -> list[Fact]:
    return [Fact(series.id, SeriesEnded(because=because)), Fact(series.task_id, TaskFollowed())]


def _closed_at(task: Task) -> Instant | None:
    """When a task was done or cancelled; None while it is to be done. What is cancelled changes no more by itself."""
    return (task.completed_at or task.updated_at) if task.is_closed else None


def _facts(series: Series, *events: Event) -> list[Fact]:
    return [Fact(series.id, event) for event in events]


def _next(series: Series, done_at: Instant | None, now: Instant) -> tuple[Point | None, list[Event]]:
    """The occurrence that is next, and those that are given up: of many that are past only the latest are made."""
    if series.recurrence.mode is Mode.COMPLETION:
        assert done_at is not None
        return series.recurrence.after_completion(series.passed, done_at), []
    past: list[Point] = []
    zone = series.recurrence.zone
    for point in series.recurrence.points(series.passed):
        past.append(point)
        if passes(point, series.anchor, zone) > now and point.at not in series.skipped:
            break
    wanted = [point for point in past if point.at not in series.skipped]
    given_up = wanted[: -CATCH_UP_MAX - 1]
    if not given_up:
        return (wanted[0] if wanted else None), []
    last = given_up[-1]
    missed = SeriesOccurrencesMissed(missed=len(given_up), occurrence=last.at, local=last.local, nth=last.nth)
    return wanted[len(given_up)], [missed]
