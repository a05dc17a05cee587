"""The promises made to those who watch: each session's frames against what the log says they should have been."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from domain.policy import Action, audience, may
from domain.task import Task, evolve
from domain.user import Role
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording, document
from tests.faults.watchers import Frame, Session, Watched

# The server's own codes that tell a client to come back, and 1006: the connection broke.
HONEST = frozenset({1006, 1012, 4408, 4413})

Place = tuple[int, str]  # a position and a task


class Change(NamedTuple):
    """What one event did to one task. An owner's set is None where there is no task to see."""

    task: dict[str, Any]
    before: frozenset[str] | None
    after: frozenset[str] | None

    def seen(self, role: Role, user_id: str) -> str | None:
        """What a user of that role is to be told."""
        if self.after is not None and may(role, user_id, Action.TASK_READ, self.after):
            return "upsert"
        if self.before is not None and may(role, user_id, Action.TASK_READ, self.before):
            return "removed"
        return None


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation, watcher by watcher and session by session."""
    changes = _changes(recording)
    for watched in recording.watched:
        yield from _chain(recording, watched)
        for number, session in enumerate(watched.sessions, 1):
            viewer = Viewer(recording, changes, watched, session)
            for violation in viewer.check():
                yield violation._replace(by=f"{watched.name}, session {number} after {session.after}: {violation.by}")


def _changes(recording: Recording) -> dict[Place, Change]:
    changes: dict[Place, Change] = {}
    states: dict[str, Task] = {}
    for row in recording.events:
        if row.name.startswith("task."):
            before = states.get(row.stream_id)
            after = states[row.stream_id] = evolve(before, row.recorded)
            change = Change(document(after), _owners(before), _owners(after))
            changes[row.position, row.stream_id] = change
    return changes


def _owners(task: Task | None) -> frozenset[str] | None:
    return None if task is None or task.deleted_at else audience(task)


def _chain(recording: Recording, watched: Watched) -> Iterator[Violation]:
    """Each session goes on where the one before was, and the last one is at the end of the log."""
    at = 0
    for session in watched.sessions:
        if session.after != at:
            yield Violation(Promise.RESUMABLE, f"{watched.name} resumed after {session.after}, it was at {at}")
        at = session.finished
    if at < recording.head:
        yield Violation(Promise.NO_HOLE, f"{watched.name} is at {at} of {recording.head}")


class Viewer:
    """One session of one watcher, with all it should have got."""

    def __init__(self, recording: Recording, changes: dict[Place, Change], watched: Watched, session: Session) -> None:
        self._epoch = recording.epoch
        self._changes = changes
        self._user_id = watched.user_id
        self._session = session
        self._roles = recording.roles[watched.user_id]
        self._got = [frame for frame in session.frames if frame["type"] == "change"]

    def check(self) -> Iterator[Violation]:
        """Every violation of this session."""
        yield from self._frame_types()
        yield from self._order()
        yield from self._watermarks()
        yield from self._contents()
        yield from self._holes()
        yield from self._resyncs()
        if self._session.code is not None and self._session.code not in HONEST:
            yield Violation(Promise.HONEST_ENDS, f"the socket was closed with {self._session.code}")

    def _frame_types(self) -> Iterator[Violation]:
        frames = self._session.frames
        if frames and (frames[0]["type"] != "hello" or frames[0]["epoch"] != self._epoch):
            yield Violation(Promise.HELLO, f"it began with {frames[0]} in epoch {self._epoch}")

    def _order(self) -> Iterator[Violation]:
        known: set[Place] = set()
        last: Place = (self._session.after, "~")  # past every task of that position
        for frame in self._got:
            place = _place(frame)
            if place in known:
                yield Violation(Promise.NO_DOUBLE, f"{place} came twice")
            elif place[0] <= self._session.after:
                yield Violation(Promise.NO_DOUBLE, f"{place} came again, it was finished")
            elif place < last:
                yield Violation(Promise.IN_ORDER, f"{place} came after {last}")
            known.add(place)
            last = max(last, place)

    def _watermarks(self) -> Iterator[Violation]:
        passed = 0
        for frame in self._session.frames:
            if frame["type"] == "through":
                passed = max(passed, frame["position"])
            elif frame["type"] == "change" and frame["position"] <= passed:
                yield Violation(Promise.TRUE_WATERMARKS, f"{_place(frame)} came after `through` {passed}")

    def _contents(self) -> Iterator[Violation]:
        for frame in self._got:
            change = self._changes.get(_place(frame))
            allowed = (
                set()
                if change is None
                else {change.seen(role, self._user_id) for role in self._held(frame["position"])}
            )
            if frame["op"] not in allowed:
                yield Violation(Promise.NOTHING_ELSE, f"{frame['op']} of {_place(frame)} came, {allowed} is right")
            elif change is not None and frame["op"] == "upsert" and frame["task"] != change.task:
                yield Violation(Promise.TRUE_FRAMES, f"{frame} came, the log folds to {change.task}")

    def _holes(self) -> Iterator[Violation]:
        got = {_place(frame) for frame in self._got}
        finished = self._session.finished
        for place, change in self._changes.items():
            if max(self._session.after, self._blurred) < place[0] <= finished and place not in got:
                wanted = {change.seen(role, self._user_id) for role in self._held(place[0])}
                if None not in wanted:
                    text = f"{wanted} of {place} never came, all up to {finished} should have"
                    yield Violation(Promise.NO_HOLE, text)

    def _resyncs(self) -> Iterator[Violation]:
        came = [frame["reason"] for frame in self._session.frames if frame["type"] == "resync"]
        changed = [position for position, _ in self._roles[1:] if position > self._session.after]
        for reason in came:
            if reason != "role_changed" or not changed:
                yield Violation(Promise.RESYNC_WITH_CAUSE, f"resync for {reason!r} without one")
        if self._blurred and not came:
            yield Violation(Promise.RESYNC_WITH_CAUSE, f"no resync for the change of role at {self._blurred}")

    @property
    def _blurred(self) -> int:
        """The last change of role in this session. Up to there the client was told to read the lists again."""
        within = range(self._session.after + 1, self._session.finished + 1)
        return max((position for position, _ in self._roles[1:] if position in within), default=0)

    def _held(self, position: int) -> Iterable[Role]:
        """The roles by which a change may be judged: that of its position, or a later one, where a resync comes too."""
        before = [role for since, role in self._roles if since <= position]
        return [*before[-1:], *(role for since, role in self._roles if since > position)]


def _place(frame: Frame) -> Place:
    return frame["position"], frame["task_id"]
