"""The tasks whose statuses a workflow loses: which they are, and the facts that give them others."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from commands.appending import Fact
from commands.deciding import Context
from commands.placing import arrived, count, departure
from domain.board import Board
from domain.errors import Conflict
from domain.project import Project, board_id
from domain.task import Task, TaskStatusMapped
from domain.workflow import Workflow

TASKS_MAX: Final = 1_000  # that one command maps: each is read, and appended to


class Place(NamedTuple):
    """A project and a status of it, of which tasks lose their status or its category."""

    project: Project
    status: str
    to: str | None
    tasks: int


def places(context: Context, projects: Iterable[Project], statuses: Mapping[str, str | None]) -> list[Place]:
    """Where there are tasks to map, as `domain.workflow_check.remapping` says. The boards become expectations."""
    pairs = [(project, status) for project in projects for status in statuses]
    context.need(board_id(project.id, status) for project, status in pairs)
    found = [Place(project, status, statuses[status], count(context, project, status)) for project, status in pairs]
    return [place for place in found if place.tasks > 0]


def remapped(context: Context, found: Sequence[Place], new: Workflow) -> list[Fact]:
    """Each task gets its new status or category. Raises as `check_mapped` does."""
    check_mapped(found)
    on_boards = [(place, _on_board(context, place)) for place in found]
    context.need(task_id for _, task_ids in on_boards for task_id in task_ids)
    return [fact for place, task_ids in on_boards for id_ in task_ids for fact in _mapped(context, place, id_, new)]


def check_mapped(found: Sequence[Place]) -> None:
    """Raises `Conflict`: `workflow.mapping_missing` where nobody says what tasks get, `workflow.too_many_tasks`."""
    missing = sorted({place.status for place in found if place.to is None})
    if missing:
        detail = (
            f"the new workflow lacks statuses that tasks have; `mapping` must say what these get: {', '.join(missing)}"
        )
        raise Conflict("workflow.mapping_missing", detail, missing=missing)
    tasks = sum(place.tasks for place in found)
    if tasks > TASKS_MAX:
        detail = f"{tasks} tasks would get another status, and one command maps {TASKS_MAX}; move some of them first"
        raise Conflict("workflow.too_many_tasks", detail, tasks=tasks, most=TASKS_MAX)


def _on_board(context: Context, place: Place) -> list[str]:
    board = context.read(board_id(place.project.id, place.status), Board)
    return [] if board is None else sorted(board.tasks)


def _mapped(context: Context, place: Place, task_id: str, new: Workflow) -> list[Fact]:
    task = context.read(task_id, Task)
    if task is None or task.deleted_at or (task.project_id, task.status) != (place.project.id, place.status):
        return []  # it left, and the fact that it did was erased
    assert place.to is not None
    mapped = Fact(task_id, TaskStatusMapped(status=place.to, category=new.categories[place.to]))
    if place.to == place.status:
        return [mapped]
    return [mapped, departure(context, place.project, task), arrived(context, place.project, task_id, place.to)]


class Crowded(msgspec.Struct, frozen=True):
    """A status of a project that more tasks would have than its limit lets in."""

    project_id: str
    status: str
    limit: int
    count: int


class Moving(msgspec.Struct, frozen=True):
    """Tasks of a project that would get another status, or the same one in another category; `to` may be unsaid."""

    project_id: str
    status: str
    to: str | None
    tasks: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of workflow would do to the tasks that there are, and why it would be refused, if it would."""

    tasks: int
    moving: list[Moving]
    crowded: list[Crowded]
    why_not: dict[str, object] | None


def preview(context: Context, projects: Sequence[Project], found: Sequence[Place], new: Workflow) -> Preview:
    """The same without doing it."""
    return Preview(
        tasks=sum(place.tasks for place in found),
        moving=[Moving(place.project.id, place.status, place.to, place.tasks) for place in found],
        crowded=_crowded(context, projects, found, new),
        why_not=_why_not(found),
    )


def _crowded(context: Context, projects: Sequence[Project], found: Sequence[Place], new: Workflow) -> list[Crowded]:
    context.need(board_id(project.id, status) for project in projects for status in new.limits)
    more: Counter[tuple[str, str | None]] = Counter()
    for place in found:
        more[place.project.id, place.to] += place.tasks
        more[place.project.id, place.status] -= place.tasks
    counted = [
        Crowded(project.id, status, limit, count(context, project, status) + more[project.id, status])
        for project in projects
        for status, limit in new.limits.items()
    ]
    return [each for each in counted if each.count > each.limit]


def _why_not(found: Sequence[Place]) -> dict[str, object] | None:
    try:
        check_mapped(found)
    except Conflict as refusal:
        return {**refusal.extra, "code": refusal.code, "detail": refusal.detail}
    return None
