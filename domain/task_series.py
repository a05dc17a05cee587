"""What makes a task an occurrence of a series, and what comes after it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.events import Event, Recorded, stored
from domain.instant import Instant


@stored("task.series_joined")
class TaskSeriesJoined(Event, frozen=True, kw_only=True):
    """The task is the latest occurrence of a series, the one at this instant; or it is at another one now.

    The next is made at `next_at`, or when this one is closed; None: only then.
    """

    series_id: str
    occurrence: Instant
    next_at: Instant | None = None


@stored("task.followed")
class TaskFollowed(Event, frozen=True, kw_only=True):
    """The next occurrence is there; None: none will be."""

    by: str | None = None


@stored("task.series_left")
class TaskSeriesLeft(Event, frozen=True, kw_only=True):
    """That the task recurs was taken back: it is of no series, and nothing follows it."""


Changes = dict[str, object]


def _joined(_: object, recorded: Recorded) -> Changes:
    event = recorded.event
    assert isinstance(event, TaskSeriesJoined)
    return {"series_id": event.series_id, "occurrence": event.occurrence, "followed_by": None}


def _followed(_: object, recorded: Recorded) -> Changes:
    assert isinstance(recorded.event, TaskFollowed)
    return {"followed_by": recorded.event.by}


def _left(_: object, __: Recorded) -> Changes:
    return {"series_id": None, "occurrence": None, "followed_by": None}


CHANGES: Final[Mapping[type[Event], Callable[[Any, Recorded], Changes]]] = {
    TaskSeriesJoined: _joined,
    TaskFollowed: _followed,
    TaskSeriesLeft: _left,
}
