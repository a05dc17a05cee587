"""What the occurrences of a series are to be like, read from the task that recurs and all below it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from commands.deciding import Context
from commands.subtasks import levels
from domain.checklist import Checklist
from domain.errors import Conflict
from domain.pattern import ITEMS_MAX, SUBTASKS_MAX, TEXT_MAX, Pattern, Shift, dates_after, pattern_of
from domain.policy import Action, may, to_task
from domain.reminder import Reminders
from domain.talk import Part, stream_of
from domain.task import Task
from domain.workflow import Category


def pattern_from(context: Context, task: Task, dates: dict[str, Any], zone: str, by: Shift | None) -> Pattern:
    """That of a task which gets these dates, `by` so far from those that it has; with what comes again below it.

    Raises `Conflict` `recurrence.too_large`, `task.graph_too_large`.
    """
    below = _below(context, task)
    parts = [stream_of(each.id, part) for each in (task, *below) for part in (Part.CHECKLIST, Part.REMINDERS)]
    context.need(parts)
    tree = _Tree(context, {each.id: each for each in below}, zone, by)
    subtasks = tree.subtasks(task)
    _check_size(subtasks)
    return pattern_of(task, dates, *tree.lists(task), subtasks)


def _below(context: Context, root: Task) -> Sequence[Task]:
    """What is below a task and comes again with it: what the actor sees, but for what is cancelled or recurs itself."""
    actor = context.actor()
    found: dict[str, Task] = {root.id: root}
    for level in levels(context, root)[1:]:
        for task in level:
            gone = task.deleted_at is not None or task.category is Category.CANCELLED
            own = task.series_id is not None
            if (
                task.parent_id in found
                and not (gone or own)
                and may(actor.role, Action.TASK_READ, to_task(actor, task))
            ):
                found[task.id] = task
    return list(found.values())[1:]


class _Tree(NamedTuple):
    """The tasks below the one that recurs, by their ids."""

    context: Context
    tasks: Mapping[str, Task]
    zone: str
    by: Shift | None

    def subtasks(self, above: Task) -> tuple[Pattern, ...]:
        """The patterns of those right below a task."""
        return tuple(self._pattern(self.tasks[each.id]) for each in above.subtasks if each.id in self.tasks)

    def lists(self, task: Task) -> tuple[Checklist | None, Reminders | None]:
        """The lists of a task that come again."""
        checklist = self.context.read(stream_of(task.id, Part.CHECKLIST), Checklist)
        return checklist, self.context.read(stream_of(task.id, Part.REMINDERS), Reminders)

    def _pattern(self, task: Task) -> Pattern:
        dates = dates_after(task, self.zone, self.by)
        return pattern_of(task, dates, *self.lists(task), self.subtasks(task))


def _check_size(subtasks: Sequence[Pattern]) -> None:
    tree = list(_flat(subtasks))
    sizes = (
        ("subtasks", len(tree), SUBTASKS_MAX),
        ("items on their checklists", sum(len(each.checklist) for each in tree), ITEMS_MAX),
        ("characters in their texts", sum(each.size for each in subtasks), TEXT_MAX),
    )
    for what, size, most in sizes:
        if size > most:
            detail = f"at most {most} {what} come again with each occurrence, and these are {size}"
            raise Conflict("recurrence.too_large", detail)


def _flat(subtasks: Sequence[Pattern]) -> list[Pattern]:
    return [each for subtask in subtasks for each in (subtask, *_flat(subtask.subtasks))]
