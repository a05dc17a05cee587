"""Making a template of a task and all that is below it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from commands.appending import Fact
from commands.deciding import Context
from commands.subtasks import levels
from commands.template import CreateTemplate, check_may
from domain.checklist import Checklist
from domain.errors import Conflict, Invalid
from domain.instant import Instant
from domain.placeholders import plain
from domain.policy import Action, may, to_task
from domain.talk import Part, stream_of
from domain.task import Task
from domain.task_links import LinkType
from domain.template import Definition, TemplateTask, Timing, Whom
from domain.template_check import TASKS_MAX
from domain.template_dates import OFFSET_MAX, between
from domain.zones import check_zone, to_local


@dataclass(frozen=True, slots=True)
class MakeTemplate:
    """Make a template of a task and of those below it that the actor sees; `template_id` is new.

    Days are counted from `start`, or where that is None from the first day of any of them, in the time zone `zone`.
    With `assignees` the tasks are given to whom they are given now.
    """

    template_id: str
    task_id: str
    name: str
    description: str = ""
    start: date | None = None
    zone: str = "UTC"
    assignees: bool = False

    @property
    def stream_id(self) -> str:
        """The template's own stream."""
        return self.template_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation of the template. Raises as `CreateTemplate` does, `Conflict` `template.too_many_tasks`, and
        `Invalid` `template.date`.
        """
        check_zone(self.zone, "/zone")
        root = context.permitted(self.task_id, Action.TASK_READ)
        check_may(context, Action.TEMPLATE_CREATE)
        tasks = _seen(context, root)
        if len(tasks) > TASKS_MAX:
            detail = f"a template has at most {TASKS_MAX} tasks, and these are {len(tasks)}"
            raise Conflict("template.too_many_tasks", detail, tasks=len(tasks))
        refs = {task.id: f"t{number}" for number, task in enumerate(tasks, 1)}
        context.need(stream_of(task.id, Part.CHECKLIST) for task in tasks)
        anchor = self.start or min(self._days(tasks), default=date.min)
        made = tuple(self._made(context, task, refs, anchor) for task in tasks)
        definition = Definition(name=self.name, description=self.description, tasks=made)
        return CreateTemplate(self.template_id, definition).decide(context)

    def _made(self, context: Context, task: Task, refs: Mapping[str, str], anchor: date) -> TemplateTask:
        checklist = context.read(stream_of(task.id, Part.CHECKLIST), Checklist)
        blockers = [link.task_id for link in task.links if link.type is LinkType.BLOCKED_BY]
        assignee = task.assignee if self.assignees else None
        return TemplateTask(
            ref=refs[task.id],
            title=plain(task.title),
            description=plain(task.description),
            priority=task.priority,
            tags=tuple(plain(tag) for tag in task.tags),
            estimate_minutes=task.estimate_minutes,
            start=None if task.start_at is None else self._timing(task.start_at, anchor),
            due=self._due(task, anchor),
            assignee=None if assignee is None else Whom(type=assignee.type, id=assignee.id),
            checklist=() if checklist is None else tuple(plain(item.text) for item in checklist.items),
            parent=refs.get(task.parent_id or ""),
            depends_on=tuple(refs[task_id] for task_id in blockers if task_id in refs),
        )

    def _due(self, task: Task, anchor: date) -> Timing | None:
        if task.due_on is not None:
            return Timing(offset=_offset(anchor, date.fromisoformat(task.due_on)))
        return None if task.due_at is None else self._timing(task.due_at, anchor)

    def _timing(self, moment: Instant, anchor: date) -> Timing:
        local = to_local(moment, self.zone)
        return Timing(offset=_offset(anchor, local.date()), time=f"{local:%H:%M}")

    def _days(self, tasks: Sequence[Task]) -> Iterator[date]:
        for task in tasks:
            if task.due_on is not None:
                yield date.fromisoformat(task.due_on)
            elif task.due_at is not None:
                yield to_local(task.due_at, self.zone).date()
            if task.start_at is not None:
                yield to_local(task.start_at, self.zone).date()


def _offset(anchor: date, day: date) -> str:
    """How far a day is from the one on which all begins. Raises `Invalid` `template.date`."""
    if abs((day - anchor).days) > OFFSET_MAX:
        detail = f"must be within {OFFSET_MAX} days of every date of the tasks, got {anchor}, and one is {day}"
        raise Invalid("template.date", "/start", detail, anchor.isoformat())
    return between(anchor, day)


def _seen(context: Context, root: Task) -> list[Task]:
    """A task and all below it that the actor sees, each after the one that it is below."""
    actor = context.actor()
    seen: dict[str, Task] = {root.id: root}
    for level in levels(context, root)[1:]:
        for task in level:
            if task.parent_id in seen and may(actor.role, Action.TASK_READ, to_task(actor, task)):
                seen[task.id] = task
    return list(seen.values())
