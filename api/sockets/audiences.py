"""Which sockets a change concerns: an index by what their users can see, so that it costs nothing for all others."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from domain.messages import AccessChange, TaskChange
from domain.policy import Eyes
from projections.changes import seen

Told = list[tuple[str, bytes]] | None  # frames by their tasks; None where the client is to read the lists again


class Subscriber(Protocol):
    """A socket, as its feed sees it."""

    user_id: str
    eyes: Eyes

    @property
    def is_behind(self) -> bool:
        """Whether changes wait for it, and it is taking what it was given before."""

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        """Send a frame or let it wait; never waits itself."""

    def change_access(self, change: AccessChange, told: Told) -> None:
        """The user sees other tasks from here on: those that are told. `eyes` are the new ones afterwards."""

    def restart(self, frame: bytes) -> None:
        """What the client knows is void, and this says so."""


_NONE: Final[frozenset[str]] = frozenset()


class Audiences:
    """Those who see every task stand in one place, all others by their eyes: whose are the same see the same.

    The eyes are found by each of the ids that they look as, which are those that stand in the audience of a task.
    """

    def __init__(self) -> None:
        self._overseers: set[Subscriber] = set()
        self._places: dict[Eyes, set[Subscriber]] = {}
        self._by_id: dict[str, set[Eyes]] = {}

    def __iter__(self) -> Iterator[Subscriber]:
        for sockets in (self._overseers, *self._places.values()):
            yield from sockets

    def add(self, subscriber: Subscriber) -> None:
        """Let a socket in."""
        eyes = subscriber.eyes
        if eyes.see_all:
            self._overseers.add(subscriber)
            return
        place = self._places.get(eyes)
        if place is None:
            place = self._places[eyes] = set()
            for id_ in eyes.ids:
                self._by_id.setdefault(id_, set()).add(eyes)
        place.add(subscriber)

    def discard(self, subscriber: Subscriber) -> None:
        """Let a socket out: with the eyes that it came in with."""
        eyes = subscriber.eyes
        if eyes.see_all:
            self._overseers.discard(subscriber)
            return
        place = self._places[eyes]
        place.discard(subscriber)
        if place:
            return
        del self._places[eyes]
        for id_ in eyes.ids:
            self._by_id[id_].discard(eyes)
            if not self._by_id[id_]:
                del self._by_id[id_]

    def of(self, change: TaskChange) -> Iterator[tuple[str, Iterable[Subscriber]]]:
        """The sockets that a change concerns, and what it is to them: `upsert` or `removed`. Each socket once."""
        before, after = change.before or _NONE, change.after or _NONE
        if self._overseers and not (change.before is None and change.after is None):
            yield "removed" if change.after is None else "upsert", self._overseers
        looking: set[Eyes] = set()
        for id_ in before | after:
            looking |= self._by_id.get(id_, set())
        for eyes in looking:
            what = seen(change, eyes)
            if what is not None:
                yield what, self._places[eyes]


def resync_reason(change: AccessChange) -> str:
    """Why somebody who sees many other tasks after this has no base to go on from."""
    return "teams_changed" if change.role is None else "role_changed"
