"""The making of an occurrence of a series: a task by the pattern of the series, with all that is below it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Context
from commands.placing import arrived, check_in, numbered
from commands.subtasks import check_depth, check_room
from commands.tagging import written
from domain.checklist import ItemAdded
from domain.errors import Conflict
from domain.events import Event
from domain.pattern import Pattern, Shift, dates_after, dates_at, shift
from domain.project import Project
from domain.recurrence import Point
from domain.reminder import ReminderAdded, Reminders
from domain.series import Series, next_at, part_of
from domain.talk import Part, stream_of
from domain.task import EDITABLE, Task, TaskAssigned, TaskCreated
from domain.task_fields import Assignee
from domain.task_links import TaskSubtaskAdded
from domain.task_series import TaskSeriesJoined
from domain.team import Team
from domain.user import User


def occurrence(context: Context, series: Series, point: Point, task_id: str, project: Project | None) -> list[Fact]:
    """The occurrence as a task of the project, with what belongs to it. Nobody's wish: no permission is asked."""
    pattern, zone = _still_wanted(context, series), series.recurrence.zone
    parent = _parent(context, pattern)
    by = shift(pattern.fields, series.anchor, zone, point.local)
    at = next_at(point, series.anchor, series.recurrence)
    joined = TaskSeriesJoined(series_id=series.id, occurrence=point.at, next_at=at)
    dates = dates_at(pattern.fields, series.anchor, zone, point.local)
    making = _Making(context, project, zone, by)
    return list(making.task(pattern, task_id, None if parent is None else parent.id, dates, joined))


def _still_wanted(context: Context, series: Series) -> Pattern:
    """The pattern without those reminders that somebody has removed at the latest task: they are their own to end."""
    if not series.pattern.reminders:
        return series.pattern
    latest = context.read(stream_of(series.task_id, Part.REMINDERS), Reminders)
    left = {(each.user_id, each.relative_to, each.minutes_before) for each in (latest.reminders if latest else ())}
    kept = (each for each in series.pattern.reminders if (each.user_id, each.relative_to, each.minutes_before) in left)
    return replace(series.pattern, reminders=tuple(kept))


class _Making:
    """The tasks of one occurrence under way; `by` is how far it is from the task that the pattern was taken from."""

    def __init__(self, context: Context, project: Project | None, zone: str, by: Shift | None) -> None:
        self._context = context
        self._project = project
        self._workflow = context.workflow_of(project)
        self._zone = zone
        self._by = by
        self._nth = count()

    def task(
        self, pattern: Pattern, task_id: str, parent_id: str | None, dates: dict[str, Any], *more: Event
    ) -> Iterator[Fact]:
        """A task by a pattern, `more` of what happens to it, and then all below it."""
        context, project, status = self._context, self._project, self._workflow.initial
        context.begin(task_id)
        key, placed = None, list[Fact]()
        if project is not None:
            key, number = numbered(context, project, task_id, next(self._nth))
            placed = [number, arrived(context, project, task_id, status)]
        if parent_id is not None:
            placed.append(Fact(parent_id, TaskSubtaskAdded(task_id=task_id)))
        created = TaskCreated(
            **self._fields(pattern, dates),
            status=status,
            category=self._workflow.categories[status],
            project_id=pattern.project_id,
            key=key,
            parent_id=parent_id,
            created_by=pattern.created_by,
        )
        assignee = _assignee(context, pattern, project)
        assigned = [] if assignee is None else [TaskAssigned(assignee=assignee)]
        yield from (Fact(task_id, event) for event in (created, *more, *assigned))
        yield from placed
        yield from _checklist(context, pattern, task_id)
        yield from _reminders(context, pattern, task_id)
        for nth, subtask in enumerate(pattern.subtasks):
            after = dates_after(subtask.fields, self._zone, self._by)
            yield from self.task(subtask, part_of(task_id, "subtask", nth), task_id, after)

    def _fields(self, pattern: Pattern, dates: dict[str, Any]) -> dict[str, Any]:
        """What can be edited at a task, as it was, with other dates and today's names of tags."""
        kept = {field: value for field in EDITABLE if (value := getattr(pattern.fields, field)) is not UNSET}
        return {**kept, **dates, "tags": written(self._context, kept.get("tags", ()))}


def _parent(context: Context, pattern: Pattern) -> Task | None:
    """The parent, where it still takes subtasks of this project: else the occurrence is a task of its own."""
    parent = None if pattern.parent_id is None else context.read(pattern.parent_id, Task)
    if parent is None or parent.deleted_at or parent.is_closed or parent.project_id != pattern.project_id:
        return None
    try:
        check_room(parent)
        check_depth(context, parent, pattern.height)
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
