"""The promises made to those who watch: each session's frames against what the log says they should have been."""

from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter

from domain.policy import Eyes
from tests.faults.folds import Change, Place
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording
from tests.faults.watchers import Frame, Session, Watched

# The server's own codes that tell a client to come back, and 1006: the connection broke.
HONEST = frozenset({1006, 1012, 4408, 4413})

ACCESS_CHANGED = frozenset({"role_changed", "teams_changed"})

AT = itemgetter(0)


def check(recording: Recording) -> Iterator[Violation]:
    """Every violation, watcher by watcher and session by session."""
    for watched in recording.watched:
        yield from _chain(recording, watched)
        sight = Sight(recording, watched.user_id)
        for number, session in enumerate(watched.sessions, 1):
            for violation in Viewer(recording, sight, session).check():
                yield violation._replace(by=f"{watched.name}, session {number} after {session.after}: {violation.by}")


def finished(session: Session) -> int:
    """The last position of which certainly everything is here."""
    return Session(session.after, session.frames).finished


def _chain(recording: Recording, watched: Watched) -> Iterator[Violation]:
    """Each session goes on where the one before was, and the last one is at the end of the log."""
    at = 0
    for session in watched.sessions:
        if session.after != at:
            yield Violation(Promise.RESUMABLE, f"{watched.name} resumed after {session.after}, it was at {at}")
        at = finished(session)
    if at < recording.head:
        yield Violation(Promise.NO_HOLE, f"{watched.name} is at {at} of {recording.head}")


class Sight:
    """What one user may see, position by position."""

    def __init__(self, recording: Recording, user_id: str) -> None:
        self.views = recording.views[user_id]
        self._changes = recording.folds.changes
        self._told = {(view.position, task_id): change for view in self.views for task_id, change in view.told.items()}
        self.places = sorted([*self._changes, *self._told])
        self.last = dict(recording.folds.last)
        for position, task_id in self._told:
            self.last[task_id] = max(self.last[task_id], position)
        self._later = [frozenset(view.eyes for view in self.views[number:]) for number in range(len(self.views) + 1)]

    def change(self, place: Place) -> Change | None:
        """What happened there to a task: to itself, or in the eyes of this user."""
        return self._changes.get(place) or self._told.get(place)

    def allowed(self, place: Place) -> set[str | None]:
        """What a change may be to them: by the eyes of its position; and nothing, where somebody who comes back later
        may not see such a task any more.
        """
        change = self.change(place)
        if change is None:
            return set()
        since = bisect_right(self.views, place[0], key=AT)
        right = "removed" if place in self._told and change.after is None else change.seen(self._then(since))
        if right == "upsert" and change.after is not None:
            return {right, *(None for eyes in self._later[since] if not eyes.see(change.after))}
        return {right}

    def resyncs(self, after: int) -> list[int]:
        """The positions past one at which the user is told to read the lists again."""
        return [view.position for view in self.views if view.reason and view.position > after]

    def _then(self, since: int) -> Eyes:
        """Before they joined they are told what they could see when they had."""
        return self.views[max(since - 1, 0)].eyes


class Viewer:
    """One session of one watcher, with all it should have got."""

    def __init__(self, recording: Recording, sight: Sight, session: Session) -> None:
        self._epoch = recording.epoch
        self._sight = sight
        places = sight.places
        self._session = session
        self._finished = finished(session)
        self._got = [frame for frame in session.frames if frame.type == "change"]
        self._within = places[
            bisect_right(places, session.after, key=AT) : bisect_right(places, self._finished, key=AT)
        ]

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
        if frames and (frames[0].type != "hello" or frames[0].epoch != self._epoch):
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
            if frame.type == "through":
                passed = max(passed, frame.position)
            elif frame.type == "change" and frame.position <= passed:
                yield Violation(Promise.TRUE_WATERMARKS, f"{_place(frame)} came after `through` {passed}")

    def _contents(self) -> Iterator[Violation]:
        for frame in self._got:
            place = _place(frame)
            allowed = self._sight.allowed(place)
            if frame.op not in allowed:
                yield Violation(Promise.NOTHING_ELSE, f"{frame.op} of {place} came, {allowed} is right")
            elif (change := self._sight.change(place)) and frame.op == "upsert" and frame.task != change.task:
                yield Violation(Promise.TRUE_FRAMES, f"{frame} came, the log folds to {change.task!r}")

    def _holes(self) -> Iterator[Violation]:
        """What never came. Conflation excuses it where a later change of the same task came instead, or is still to
        come past what this session finished, and where the next watermark counts it.
        """
        got = {_place(frame) for frame in self._got}
        latest = {frame.task_id: frame.position for frame in self._got}
        missed: list[int] = []
        for place in self._within:
            if place[0] <= self._blurred or place in got or None in (wanted := self._sight.allowed(place)):
                continue
            if latest.get(place[1], 0) > place[0] or self._sight.last[place[1]] > self._finished:
                missed.append(place[0])
            else:
                text = f"{wanted} of {place} never came, all up to {self._finished} should have"
                yield Violation(Promise.NO_HOLE, text)
        yield from self._uncounted(missed)

    def _uncounted(self, missed: list[int]) -> Iterator[Violation]:
        """Up to each watermark no more is missing than was said."""
        said = 0
        for frame in self._session.frames:
            if frame.type == "through":
                said += frame.conflated
                missing = bisect_right(missed, frame.position)
                if missing > said:
                    text = f"{missing} changes are missing up to {frame.position}, such as {missed[:3]}"
                    yield Violation(Promise.NO_HOLE, f"{text}; {said} were said to be")
                    return

    def _resyncs(self) -> Iterator[Violation]:
        came = [frame.reason for frame in self._session.frames if frame.type == "resync"]
        changed = self._sight.resyncs(self._session.after)
        for reason in came:
            if reason not in ACCESS_CHANGED or not changed:
                yield Violation(Promise.RESYNC_WITH_CAUSE, f"resync for {reason!r} without one")
        if self._blurred and not came:
            yield Violation(Promise.RESYNC_WITH_CAUSE, f"no resync for the change of access at {self._blurred}")

    @property
    def _blurred(self) -> int:
        """The last change of access in this session. Up to there the client was told to read the lists again."""
        within = range(self._session.after + 1, self._finished + 1)
        return max((position for position in self._sight.resyncs(self._session.after) if position in within), default=0)


def _place(frame: Frame) -> Place:
    return frame.position, frame.task_id
