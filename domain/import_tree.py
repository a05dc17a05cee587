"""How the tasks of a file hang together: which lie below which, and which wait for each other in a circle.

Tasks are named by their places in the file. Both walks take time in proportion to what they are given.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

IN_A_CIRCLE: Final = -1


class Spot(NamedTuple):
    """Where a task lies: how deep below the topmost one above it. `root` says nothing `IN_A_CIRCLE`."""

    root: int
    level: int


def spots(parents: Mapping[int, int]) -> dict[int, Spot]:
    """Where each task with a parent lies, at level 1 right below a task that has none; `IN_A_CIRCLE` where it is below
    itself, or below such a one.
    """
    found: dict[int, Spot] = {}
    for begin in parents:
        way: list[int] = []
        seen: set[int] = set()
        at = begin
        while at in parents and at not in found and at not in seen:
            way.append(at)
            seen.add(at)
            at = parents[at]
        root, level = Spot(at, IN_A_CIRCLE) if at in seen else found.get(at, Spot(at, 0))
        for task in reversed(way):
            level = IN_A_CIRCLE if level == IN_A_CIRCLE else level + 1
            found[task] = Spot(root, level)
    return found


def circular(edges: Iterable[tuple[int, int]]) -> set[int]:
    """The tasks of which each waits for itself by way of others, or stands between two such circles; by pairs of (who
    waits, for whom).
    """
    pairs = set(edges)
    waiting = _left(pairs)
    within = {(task, other) for task, other in pairs if task in waiting and other in waiting}
    return _left({(other, task) for task, other in within})


def _left(pairs: Iterable[tuple[int, int]]) -> set[int]:
    """What is left of the tasks when those that wait for nobody go, and then those that waited for them, and so on."""
    waits: dict[int, int] = {}
    freeing: dict[int, list[int]] = {}
    for task, other in pairs:
        waits[task] = waits.get(task, 0) + 1
        waits.setdefault(other, 0)
        freeing.setdefault(other, []).append(task)
    free = [task for task, others in waits.items() if not others]
    while free:
        for task in freeing.get(free.pop(), ()):
            waits[task] -= 1
            if not waits[task]:
                free.append(task)
    return {task for task, others in waits.items() if others}
