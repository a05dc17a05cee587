"""One event that is taken back, among all that its command wrote."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict
from domain.events import Event, Recorded
from domain.streams import State


class Step(NamedTuple):
    """An event with the states of its stream right before and right after it."""

    recorded: Recorded
    before: Any
    after: State
    wrote: "Wrote"

    @property
    def event(self) -> Any:
        """What happened."""
        return self.recorded.event

    @property
    def stream_id(self) -> str:
        """In which stream."""
        return self.recorded.stream_id

    def came_first(self, record: type[Event], stream_id: str | None) -> bool:
        """Whether the command had written such an event to a stream before: it is taken back after this one."""
        return self.wrote.has(record, stream_id, self.recorded.position)

    def fact(self, event: Event) -> list[Fact]:
        """What happens to the same stream."""
        return [Fact(self.stream_id, event)]


class Wrote:
    """What one command wrote, in the order of positions. `steps` are those events that something is taken back of.

    Two things are not in its streams: `merged` are the positions of the renamings that made one tag of two, as tasks
    say; `unread` are the notifications that were unread before an event at a position marked all as read.
    """

    def __init__(self, events: Sequence[Recorded]) -> None:
        self.events = tuple(events)
        self.steps: list[Step] = []
        self.merged: set[int] = set()
        self.unread: dict[int, tuple[int, ...]] = {}
        self._first: dict[tuple[type[Event], str], int] = {}
        for recorded in self.events:
            self._first.setdefault((type(recorded.event), recorded.stream_id), recorded.position)

    @property
    def author(self) -> str:
        """Who gave the command."""
        return self.events[0].meta.actor

    def has(self, record: type[Event], stream_id: str | None, before: int | None = None) -> bool:
        """Whether it wrote such an event to a stream, and before a position where one is given."""
        position = None if stream_id is None else self._first.get((record, stream_id))
        return position is not None and (before is None or position < before)

    def streams(self, record: type[Event]) -> set[str]:
        """The streams to which it wrote such events."""
        return {stream_id for kind, stream_id in self._first if kind is record}


# The facts that take an event back. Raises `Rejection` where a rule of today forbids it.
Inverse = Callable[[Context, Step], Sequence[Fact]]


def depends(what: str, **extra: Any) -> Conflict:
    """Something that came later stands on it."""
    return Conflict("undo.depends", f"later facts depend on it: {what}", **extra)


def depend_on(ids: Iterable[str], what: str) -> None:
    """Raises `Conflict` `undo.depends` where there are some."""
    found = sorted(ids)
    if found:
        raise depends(what, ids=found[:100])
