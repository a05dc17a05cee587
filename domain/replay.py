"""Replaying a log through the program as it is: does everything read and fold, and would it be allowed today?

A fact in the log stays a fact, whatever today's rules say of it. What cannot be read or folded is another matter: the
streams that hold it are lost to this program until it learns to.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.errors import Conflict
from domain.events import NAMES, Erased, LoggedRow, Recorded, recorded
from domain.streams import KINDS, State, kind_of
from domain.task import MOVES, Task, TaskCreated, TaskMoved, TaskStatusRestored
from domain.workflow import STANDARD


class Fault(StrEnum):
    """What is the matter with an event, a stream or a log."""

    UNREADABLE = "cannot be read"
    UNFOLDABLE = "cannot be folded"
    DISORDER = "is out of order"
    REFUSED = "would be refused today"

    @property
    def breaks(self) -> bool:
        """Whether the program cannot work with it. What it would only refuse today, it reads all the same."""
        return self is not Fault.REFUSED


class Finding(NamedTuple):
    """Something that a replay met. What it is not about is None: a hole in a log has no stream, a stream no name."""

    fault: Fault
    stream_id: str | None
    version: int | None
    position: int | None
    name: str | None
    why: str


@dataclass(slots=True)
class _Stream:
    """The stream under way: what it was after the event just taken in.

    `readable` ends with the first event that is lost to the fold, `sure` says that no erasure stands between the status
    and what was recorded.
    """

    id: str
    kind: str
    version: int = 0
    position: int = 0
    state: State | None = None
    readable: bool = True
    sure: bool = True


class Replay:
    """The streams of one log, one after another, each from its first event. It holds one state at a time.

    `names` counts stored names with their versions, `unjudged` moves from a status that an erasure left unknown.
    """

    def __init__(self) -> None:
        self.names: Counter[tuple[str, int]] = Counter()
        self.streams = 0
        self.erased = 0
        self.unjudged = 0
        self._stream: _Stream | None = None

    def take(self, row: LoggedRow) -> list[Finding]:
        """Take in the next event, in the order of streams and versions."""
        position, stream_id, version, _, name, schema_version, _, data = row
        self.names[name, schema_version] += 1
        self.erased += data is None
        stream = self._stream
        if stream is None or stream.id != stream_id:
            stream = self._stream = _Stream(stream_id, kind_of(name))
            self.streams += 1
        found = _order(stream, row)
        stream.version, stream.position = version, position
        try:
            event = _read(row)
        except Exception as error:  # whatever it is, this event cannot be read
            stream.readable = False
            return [*found, _finding(Fault.UNREADABLE, row, _reason(error))]
        return found + self._fold(stream, row, event) if stream.readable else found

    def _fold(self, stream: _Stream, row: LoggedRow, event: Recorded) -> list[Finding]:
        before = stream.state
        try:
            if kind_of(row[4]) != stream.kind:
                raise ValueError(f"the stream began as one of the kind {stream.kind!r}")
            stream.state = KINDS[stream.kind].evolve(before, event)
        except Exception as error:  # whatever it is, this event cannot be folded
            stream.readable = False
            return [_finding(Fault.UNFOLDABLE, row, _reason(error))]
        refusal = _refusal(before, event, row[4])
        if refusal is not None and not stream.sure and isinstance(before, Task):
            self.unjudged += 1
            refusal = None
        stream.sure = _is_sure(stream.sure, event, row[4])
        return [] if refusal is None else [_finding(Fault.REFUSED, row, refusal)]


def _read(row: LoggedRow) -> Recorded:
    if kind_of(row[4]) not in KINDS:
        raise ValueError(f"there are no streams of the kind {kind_of(row[4])!r}")
    return recorded(row)


def _order(stream: _Stream, row: LoggedRow) -> list[Finding]:
    """Versions are dense from 1, and positions rise with them."""
    position, _, version, *_ = row
    if version != stream.version + 1:
        missing = f"{stream.version + 1}" if version == stream.version + 2 else f"{stream.version + 1} to {version - 1}"
        return [_finding(Fault.DISORDER, row, f"the stream has no version {missing}")]
    if position <= stream.position:
        return [_finding(Fault.DISORDER, row, f"the version before it is at the position {stream.position}")]
    return []


_RESTORED: Final = NAMES[TaskStatusRestored][0]
_MOVES: Final = {NAMES[record][0]: move for move, record in MOVES.items()}


def _refusal(before: State | None, event: Recorded, name: str) -> str | None:
    """Why today's rules would not let it happen; None when they would, or say nothing about it."""
    kind = KINDS[kind_of(name)]
    if kind.begins is not None and (before is None) != (name == kind.begins) and not (before and kind.again):
        return f"a stream begins with {kind.begins}, and only once"
    if isinstance(event.event, TaskCreated):
        return None if event.event.project_id else _differs(event.event, STANDARD.initial)
    if name not in _MOVES or not isinstance(before, Task) or before.project_id is not None:
        return None  # a project may have had another workflow then, which stands in another stream
    try:
        status = STANDARD.next(before.status, _MOVES[name])
    except Conflict as refusal:
        return refusal.detail
    return _differs(event.event, status) if isinstance(event.event, TaskMoved) else None


def _differs(event: TaskCreated | TaskMoved, status: str) -> str | None:
    """How what was recorded differs from what the workflow says."""
    expected = (status, STANDARD.categories[status])
    if (event.status, event.category) == expected:
        return None
    return f"it led to {event.status!r} ({event.category}), and would lead to {status!r} ({expected[1]})"


def _is_sure(before: bool, event: Recorded, name: str) -> bool:
    """Whether the status after an event is what was recorded: an erasure leaves it to be guessed."""
    if isinstance(event.event, TaskCreated | TaskMoved | TaskStatusRestored):
        return True
    return before and event.version > 1 and not (isinstance(event.event, Erased) and name in (*_MOVES, _RESTORED))


def _finding(fault: Fault, row: LoggedRow, why: str) -> Finding:
    position, stream_id, version, _, name, *_ = row
    return Finding(fault, stream_id, version, position, name, why)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
