"""What one command does to several tasks, where each step has to see what the steps before it did."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Context
from domain.events import Event
from domain.task import Task
from domain.task_links import CHANGES


class Draft:
    """Facts that have not happened yet, over states that know of those among them which are about relations.

    `leaving` are the tasks that the command closes, or puts in the trash.
    """

    def __init__(self, context: Context, leaving: Iterable[Task] = ()) -> None:
        self.facts: list[Fact] = []
        self.leaving = frozenset(task.id for task in leaving)
        self._context = context
        self._tasks: dict[str, Task] = {}

    def task(self, task_id: str) -> Task | None:
        """A task as it will be, in the trash or not."""
        return self._tasks.get(task_id) or self._context.read(task_id, Task)

    def tasks(self, task_ids: Collection[str]) -> list[Task]:
        """Those of some tasks that there are."""
        self._context.fetch(task_ids)
        return [task for task_id in task_ids if (task := self.task(task_id)) is not None]

    def add(self, task_id: str, event: Event) -> None:
        """Something happens to a task that was read before."""
        self.facts.append(Fact(task_id, event))
        task, change = self.task(task_id), CHANGES.get(type(event))
        if task is not None and change is not None:
            self._tasks[task_id] = replace(task, **change(task, event))
