"""What recurs by itself: the next occurrence of a series becomes a task."""

from itertools import islice
from typing import Any

from msgspec import UNSET

from commands.appending import Fact
from commands.deciding import Context
from commands.placing import arrived, check_in, numbered
from commands.subtasks import check_depth, check_room
from commands.tagging import written
from domain.checklist import ItemAdded
from domain.errors import Conflict
from domain.events import Event
from domain.instant import Instant
from domain.project import Project
from domain.recurrence import Mode, Point
from domain.reminder import ReminderAdded
from domain.series import (
    CATCH_UP_MAX,
    End,
    Pattern,
    Series,
    SeriesEnded,
    SeriesOccurrenceMade,
    SeriesOccurrencesMissed,
    dates_at,
    next_at,
    part_of,
    passes,
    task_of,
)
from domain.talk import Part, stream_of
from domain.task import EDITABLE, Task, TaskAssigned, TaskCreated
from domain.task_fields import Assignee
from domain.task_links import TaskSubtaskAdded
from domain.task_series import TaskFollowed, TaskSeriesJoined
from domain.team import Team
from domain.user import User


def following(context: Context, task: Task, now: Instant) -> list[Fact]:
    """The next occurrence after a task, if it is time for it by `now`; or the end of the series.

    Nobody's wish, so nobody's permission is asked. A series is at one task at a time, its latest: what follows that is
    made once, and then another one is the latest. While that is in the trash the series rests.
    """
    series = None if task.series_id is None or task.deleted_at else context.read(task.series_id, Series)
    if series is None or series.ended_at is not None or series.task_id != task.id:
        return []
    done_at = _closed_at(task)
    by_schedule = next_at(series.latest, series.anchor, series.recurrence)
    if done_at is None and (by_schedule is None or by_schedule > now):
        return []
    point, missed = _next(series, done_at, now)
    if point is None:
        return _ended(series, End.FINISHED)
    project_id = series.pattern.project_id
    project = None if project_id is None else context.read(project_id, Project)
    if project_id is not None and (project is None or project.archived_at or project.deleted_at):
        return _ended(series, End.PROJECT_CLOSED)
    task_id = task_of(series.id, series.made + 1)
    made = SeriesOccurrenceMade(task_id=task_id, occurrence=point.at, local=point.local, nth=point.nth)
    facts = [
        *_task(context, series, point, task_id, project),
        Fact(task.id, TaskFollowed(by=task_id)),
        *_facts(series, *missed, made),
    ]
    if not _goes_on(series, point):
        facts += [Fact(series.id, SeriesEnded(because=End.FINISHED)), Fact(task_id, TaskFollowed())]
    return facts


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


def _goes_on(series: Series, point: Point) -> bool:
    return any(later.at not in series.skipped for later in islice(series.recurrence.upcoming(point), 1_000))


def _task(context: Context, series: Series, point: Point, task_id: str, project: Project | None) -> list[Fact]:
    """The occurrence as a task, with what belongs to it."""
    pattern = series.pattern
    context.begin(task_id)
    workflow = context.workflow_of(project)
    status = workflow.initial
    parent = _parent(context, pattern)
    facts: list[Fact] = []
    key = None
    if project is not None:
        key, number = numbered(context, project, task_id)
        facts += [number, arrived(context, project, task_id, status)]
    if parent is not None:
        facts.append(Fact(parent.id, TaskSubtaskAdded(task_id=task_id)))
    fields = _fields(context, series, point)
    created = TaskCreated(
        **fields,
        status=status,
        category=workflow.categories[status],
        project_id=pattern.project_id,
        key=key,
        parent_id=None if parent is None else parent.id,
        created_by=pattern.created_by,
    )
    at = next_at(point, series.anchor, series.recurrence)
    events: list[Event] = [created, TaskSeriesJoined(series_id=series.id, occurrence=point.at, next_at=at)]
    assignee = _assignee(context, pattern, project)
    if assignee is not None:
        events.append(TaskAssigned(assignee=assignee))
    own = [Fact(task_id, event) for event in events]
    return [*own, *facts, *_checklist(context, pattern, task_id), *_reminders(context, pattern, task_id)]


def _fields(context: Context, series: Series, point: Point) -> dict[str, Any]:
    """What can be edited at a task, as it was, with the dates of the occurrence and today's names of tags."""
    fields = series.pattern.fields
    kept = {field: value for field in EDITABLE if (value := getattr(fields, field)) is not UNSET}
    dates = dates_at(fields, series.anchor, series.recurrence.zone, point.local)
    return {**kept, **dates, "tags": written(context, kept.get("tags", ()))}


def _parent(context: Context, pattern: Pattern) -> Task | None:
    """The parent, where it still takes subtasks of this project: else the occurrence is a task of its own."""
    parent = None if pattern.parent_id is None else context.read(pattern.parent_id, Task)
    if parent is None or parent.deleted_at or parent.is_closed or parent.project_id != pattern.project_id:
        return None
    try:
        check_room(parent)
        check_depth(context, parent)
    except Conflict:
        return None
    return parent


def _assignee(context: Context, pattern: Pattern, project: Project | None) -> Assignee | None:
    """Who has it, where they are still there and would see it."""
    assignee = pattern.assignee
    if assignee is None:
        return None
    if assignee.type == "team":
        team = context.read(assignee.id, Team)
        return None if team is None or team.deleted_at else assignee
    user = context.read(assignee.id, User)
    if user is None or not user.active:
        return None
    try:
        if project is not None:
            check_in(project, user, "")
    except Conflict:
        return None
    return assignee


def _checklist(context: Context, pattern: Pattern, task_id: str) -> list[Fact]:
    """The list of the first one, with nothing on it checked."""
    if not pattern.checklist:
        return []
    stream_id = stream_of(task_id, Part.CHECKLIST)
    context.begin(stream_id)
    ids = [part_of(task_id, "item", nth) for nth in range(len(pattern.checklist))]
    return [
        Fact(stream_id, ItemAdded(task_id=task_id, item_id=item_id, text=text, after=after))
        for item_id, text, after in zip(ids, pattern.checklist, [None, *ids], strict=False)
    ]


def _reminders(context: Context, pattern: Pattern, task_id: str) -> list[Fact]:
    """Those of the first one that count back from a date. Who does not see the task is not told of it."""
    if not pattern.reminders:
        return []
    stream_id = stream_of(task_id, Part.REMINDERS)
    context.begin(stream_id)
    return [
        Fact(
            stream_id,
            ReminderAdded(
                task_id=task_id,
                reminder_id=part_of(task_id, "reminder", nth),
                user_id=alarm.user_id,
                relative_to=alarm.relative_to,
                minutes_before=alarm.minutes_before,
            ),
        )
        for nth, alarm in enumerate(pattern.reminders)
    ]
