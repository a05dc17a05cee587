"""Walks over what must be closed before what: a task before those that it blocks, and before its parent.

Every task that a walk comes by is an expectation of the append: no two commands can close a cycle between them.
What is in the trash counts, because it may come back.
"""

from commands.deciding import Context
from domain.errors import Conflict
from domain.task import Task
from domain.task_links import WALKED_MAX


def check_no_cycle(context: Context, before: str, after: str) -> None:
    """Raises `Conflict` `task.cycle` with the path, where `after` has to be closed before `before` already."""
    came_from: dict[str, str] = {after: before}
    level = [after]
    while level:
        if before in came_from:
            path = _path(came_from, before)
            detail = f"{before} would have to be closed before itself"
            raise Conflict("task.cycle", detail, path=path)
        if len(came_from) > WALKED_MAX:
            raise too_large()
        context.need(level)
        following = []
        for task_id in level:
            for next_id in _after(context.read(task_id, Task)):
                if next_id not in came_from:
                    came_from[next_id] = task_id
                    following.append(next_id)
        level = following


def _after(task: Task | None) -> list[str]:
    """What can be closed only after a task."""
    if task is None:
        return []
    return task.blocks if task.parent_id is None else [*task.blocks, task.parent_id]


def _path(came_from: dict[str, str], start: str) -> list[str]:
    """From a task to itself, each closed before the next."""
    path = [start]
    while (task_id := came_from[path[-1]]) != start:
        path.append(task_id)
    return [start, *reversed(path)]


def too_large() -> Conflict:
    """One decision looks at so many tasks and no more."""
    return Conflict("task.graph_too_large", f"more than {WALKED_MAX} tasks hang together here")
