"""What has to happen at a time, folded from the log for whoever waits for it. What then happens is decided elsewhere.

A thing, such as a task, has at most one next moment; whoever wakes it then looks at its state in the log and does all
that is due. So what is known here may be late, or wrong: nothing happens that its state does not say.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from domain import task_timers
from domain.events import Erased, Recorded, name_of
from domain.instant import Instant
from domain.reminder import ReminderEvent
from domain.streams import kind_of
from domain.talk import Part, stream_of


class Timing(Protocol):
    """What is known of a thing: when it is to be woken next, and since when it lies in the trash."""

    @property
    def fires_at(self) -> Instant | None:
        """The next moment at which something has to happen to it."""

    @property
    def rests_with(self) -> str | None:
        """The project in whose archive it is not woken."""

    @property
    def emptied_from(self) -> Instant | None:
        """Since when it waits for the trash to be emptied."""


class Clockwork(NamedTuple):
    """How things of a kind are timed: by which `streams` (the first part of their events' names), and how these fold.

    `thing` answers the id of the thing that an event of these streams is about, None where nobody can tell any more;
    `stream_ids` are those of a thing. `blank` is the state of one of which nothing is known.
    """

    streams: tuple[str, ...]
    thing: Callable[[Recorded], str | None]
    stream_ids: Callable[[str], list[str]]
    blank: Timing
    evolve: Callable[[Any, Recorded], Timing]


def _task_of(recorded: Recorded) -> str | None:
    match recorded.event:
        case ReminderEvent(task_id=task_id):
            return task_id
        case Erased(name=name) if kind_of(name) == "reminder":
            return None
        case _:
            return recorded.stream_id


CLOCKWORKS: Final[Mapping[str, Clockwork]] = {
    "task": Clockwork(
        ("task", "reminder"),
        _task_of,
        lambda task_id: [task_id, stream_of(task_id, Part.REMINDERS)],
        task_timers.Timed(),
        task_timers.evolve,
    )
}
STREAMS: Final[Mapping[str, str]] = {stream: kind for kind, work in CLOCKWORKS.items() for stream in work.streams}


def thing_of(recorded: Recorded) -> tuple[str, str] | None:
    """The kind and the id of the thing that an event is about; None where it is about none that is timed."""
    kind = STREAMS.get(kind_of(name_of(recorded.event)))
    id_ = None if kind is None else CLOCKWORKS[kind].thing(recorded)
    return None if kind is None or id_ is None else (kind, id_)


def decoded(kind: str, state: object) -> Timing:
    """A state that was kept as JSON."""
    return msgspec.convert(state, type(CLOCKWORKS[kind].blank))
