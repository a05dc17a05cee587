"""What happens to the tasks of a board, made up: texts whose words are rarely frequent, and lives of eight events."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from typing import Final, NamedTuple

from domain.events import Event
from domain.instant import instant
from domain.task import (
    TaskAssigned,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskMovedOn,
    TaskPaused,
    TaskStarted,
)
from domain.task_fields import Assignee, Priority
from domain.workflow import Category

WORDS: Final = 5_000
TAGS: Final = 300
PRIORITIES: Final = ((0.1, Priority.LOW), (0.8, Priority.NORMAL), (0.97, Priority.HIGH), (1.0, Priority.URGENT))
TRASHED: Final = 250  # one task of so many

_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
LEXICON: Final = tuple(
    md5(str(n).encode(), usedforsecurity=False).hexdigest()[: 4 + n % 5].translate(_LETTERS) for n in range(WORDS)
)
_STARTED: Final = TaskStarted(status="in_progress", category=Category.ACTIVE)
_PAUSED: Final = TaskPaused(status="todo", category=Category.OPEN)


class Written(NamedTuple):
    """What is known of a task when it is written down: its number, who may have it, its project and its key."""

    n: int
    people: Sequence[str]
    project_id: str | None
    key: str | None


def some(chance: random.Random, count: int) -> str:
    """So many words."""
    return " ".join([LEXICON[int(WORDS * chance.random() ** 3)] for _ in range(count)])


def life(chance: random.Random, task: Written, now: datetime) -> Iterator[Event]:
    """The events of a task, in their order: the last one decides what it is now."""
    n, description = task.n, some(chance, 40)
    dice = chance.random()
    yield TaskCreated(
        title=f"Task {some(chance, 3)}",
        status="todo",
        category=Category.OPEN,
        description=description[:100],
        project_id=task.project_id,
        key=task.key,
        start_at=_day(chance, now) if n % 10 == 0 else None,
    )
    yield TaskEdited(title=f"Task {some(chance, 6)}")
    yield _STARTED
    yield _PAUSED
    yield TaskEdited(
        priority=_priority(chance.random()),
        due_at=_day(chance, now) if n % 2 == 0 else None,
        tags=_tags(chance, n),
        estimate_minutes=30 * (n % 17) or None if n % 5 == 0 else None,
    )
    if n % 3 > 0:
        person = task.people[int(len(task.people) * chance.random() ** 2)]
        yield TaskAssigned(assignee=Assignee(type="user", id=person))
    else:
        yield TaskEdited(description=description[:150])
    yield TaskEdited(description=description)
    yield _last(n, dice)


def _last(n: int, dice: float) -> Event:
    if n % TRASHED == 101:
        return TaskDeleted()
    if dice < 0.8:
        return TaskCompleted(status="done", category=Category.DONE)
    if dice < 0.85:
        return TaskCancelled(status="cancelled", category=Category.CANCELLED)
    if dice < 0.97:
        return TaskEdited(estimate_minutes=15)
    if dice < 0.999:
        return _STARTED
    return TaskMovedOn(status="stuck", category=Category.ACTIVE, move="get_stuck")


def _priority(dice: float) -> Priority:
    return next(priority for most, priority in PRIORITIES if dice < most)


def _day(chance: random.Random, now: datetime) -> str:
    """A moment of the last 140 or the next 60 days."""
    return instant(now + timedelta(days=200 * (chance.random() - 0.7)))


def _tags(chance: random.Random, n: int) -> tuple[str, ...]:
    if n % 9000 == 17:
        return ("rare",)
    return tuple({f"t{int(TAGS * chance.random() ** 3)}": None for _ in range(n % 4)})
