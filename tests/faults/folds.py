"""The pure fold of a log, once: every state of every stream, as the bytes that clients should have got."""

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from domain import task, user
from domain.events import Recorded, name_of
from domain.policy import Eyes, audience

_encode: Final = msgspec.json.Encoder().encode

Place = tuple[int, str]  # a position and a task


class Change(NamedTuple):
    """What one event did to one task. An owner's set is None where there is no task to see."""

    task: bytes
    before: frozenset[str] | None
    after: frozenset[str] | None

    def seen(self, eyes: Eyes) -> str | None:
        """What somebody with these eyes is to be told."""
        if self.after is not None and eyes.see(self.after):
            return "upsert"
        if self.before is not None and eyes.see(self.before):
            return "removed"
        return None


class Folds:
    """Every state. `broken` names the streams that do not fold, by their first event that cannot be taken in."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.changes: dict[Place, Change] = {}
        self.last: dict[str, int] = {}  # the position of each task's last change
        self.tasks: dict[str, bytes] = {}
        self.users: dict[str, tuple[int, int, str]] = {}
        self.broken: dict[str, str] = {}
        self._documents: dict[tuple[str, int], bytes] = {}
        self._versions: dict[str, list[tuple[int, int]]] = {}
        states: dict[str, task.Task] = {}
        people: dict[str, user.User] = {}
        for event in events:
            self._versions.setdefault(event.stream_id, []).append((event.position, event.version))
            kind = name_of(event.event).partition(".")[0]
            try:
                if kind == "task":
                    self._take(states, event)
                elif kind == "user":
                    known = people[event.stream_id] = user.evolve(people.get(event.stream_id), event)
                    self.users[event.stream_id] = (known.version, known.position, str(known.role))
            except Exception as error:
                self.broken.setdefault(event.stream_id, f"at position {event.position}: {error!r}")

    def document(self, task_id: str, version: int) -> bytes | None:
        """A task as it was at a version; None where the log has no such version of it."""
        return self._documents.get((task_id, version))

    def version_at(self, stream_id: str, position: int) -> int:
        """The version of a stream at a position; 0 where it was not there yet."""
        versions = self._versions.get(stream_id, [])
        before = bisect_right(versions, position, key=itemgetter(0))
        return versions[before - 1][1] if before else 0

    def _take(self, states: dict[str, task.Task], event: Recorded) -> None:
        before = states.get(event.stream_id)
        after = states[event.stream_id] = task.evolve(before, event)
        self.last[event.stream_id] = event.position
        text = self.tasks[event.stream_id] = self._documents[event.stream_id, event.version] = _encode(after)
        self.changes[event.position, event.stream_id] = Change(text, _owners(before), _owners(after))


def _owners(state: task.Task | None) -> frozenset[str] | None:
    return None if state is None or state.deleted_at else audience(state)
