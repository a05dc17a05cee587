"""The commands on what tasks are to each other. A link stands in the streams of both."""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.walking import check_no_cycle
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import Action
from domain.task import Task
from domain.task_links import INVERSE, LINKS_MAX, LinkType, TaskLinked, TaskUnlinked
from domain.text import check_reason


@dataclass(frozen=True, slots=True)
class LinkCommand:
    """A command on what one task is to another."""

    task_id: str
    type: LinkType
    other_id: str

    @property
    def stream_id(self) -> str:
        """The task's own stream."""
        return self.task_id


@dataclass(frozen=True, slots=True)
class LinkTasks(LinkCommand):
    """Say what the task is to another one."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The link in both streams, unless it is there already.

        Raises `Invalid` where the actor sees no such other task, or it is the task itself, `Conflict` `task.cycle` with
        the path, `task.too_many_links`.
        """
        reason = check_reason(self.reason)
        task = context.task(self.task_id, Action.TASK_EDIT)
        if self.other_id == self.task_id:
            raise Invalid("dependency.itself", "/task_id", "must be the id of another task", self.other_id)
        other = self._other(context)
        if any((link.type, link.task_id) == (self.type, self.other_id) for link in task.links):
            return []
        for full in (each for each in (task, other) if len(each.links) >= LINKS_MAX):
            detail = f"a task has at most {LINKS_MAX} dependencies"
            raise Conflict("task.too_many_links", detail, task_id=full.id)
        if self.type is LinkType.BLOCKS:
            check_no_cycle(context, task.id, other.id)
        elif self.type is LinkType.BLOCKED_BY:
            check_no_cycle(context, other.id, task.id)
        return [_linked(task, self.type, other, reason), _linked(other, INVERSE[self.type], task, reason)]

    def _other(self, context: Context) -> Task:
        try:
            return context.task(self.other_id, Action.TASK_READ)
        except NotFound as error:
            detail = "must be the id of a task that is visible to you"
            raise Invalid("dependency.task_not_found", "/task_id", detail, self.other_id) from error


@dataclass(frozen=True, slots=True)
class UnlinkTasks(LinkCommand):
    """Say that the task is that to another one no longer."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The end of the link in both streams, wherever the other task is. Raises `NotFound` `dependency.not_found`."""
        task = context.task(self.task_id, Action.TASK_EDIT)
        if not any((link.type, link.task_id) == (self.type, self.other_id) for link in task.links):
            raise NotFound("dependency.not_found", f"the task has no dependency {self.type.value!r} on this one")
        facts = [Fact(task.id, TaskUnlinked(type=self.type, task_id=self.other_id))]
        if context.read(self.other_id, Task) is not None:
            facts.append(Fact(self.other_id, TaskUnlinked(type=INVERSE[self.type], task_id=task.id)))
        return facts


def _linked(task: Task, type_: LinkType, other: Task, reason: str | None) -> Fact:
    closed = type_ is LinkType.BLOCKED_BY and other.is_closed
    return Fact(task.id, TaskLinked(type=type_, task_id=other.id, closed=closed, reason=reason))
