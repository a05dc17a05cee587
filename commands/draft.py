"""What one command does to several tasks, where each step has to see what the steps before it did."""

from collections.abc import Iterable

from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Context
from domain.events import Event
from domain.task import Task
from domain.task_links import CHANGES


class Draft:
    """Facts that have not happened yet, over states that know of those among them which are about relations.

    `tasks` are those that the command is about; `leaving`: it closes them, or puts them in the trash.
    """

    def __init__(self, context: Context, tasks: Iterable[Task], *, leaving: bool = False) -> None:
        tasks = list(tasks)
        self.facts: list[Fact] = []
        self.leaving = frozenset(task.id for task in tasks) if leaving else frozenset()
        self._context = context
        self._tasks: dict[str, Task] = {}
        context.need(blocked for task in tasks for blocked in task.blocks)

    def task(self, task_id: str) -> Task | None:
        """A task as it will be, in the trash or not."""
        return self._tasks.get(task_id) or self._context.read(task_id, Task)

    def blocked_by(self, task: Task) -> list[Task]:
        """Those that a task blocks."""
        return [blocked for task_id in task.blocks if (blocked := self.task(task_id)) is not None]

    def add(self, task_id: str, event: Event) -> None:
        """Something happens to a task that was read before."""
        self.facts.append(Fact(task_id, event))
        task, change = self.task(task_id), CHANGES.get(type(event))
        if task is not None and change is not None:
            self._tasks[task_id] = replace(task, **change(task, event))
