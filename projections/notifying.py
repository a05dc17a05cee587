"""The projection `notifications`: who is told of each event. Its rows never change.

It folds streams of several kinds, so a row is no stream here. What it must know of the streams around an event is not
in its rows either, but folded from these streams up to the position of the event (`knowing`), and kept in memory as
other projections keep their states. So a batch, a rebuild, a hole that is filled for sockets and the drift check
compute the same, from the log alone.
"""

from collections import ChainMap
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from domain import notification
from domain.events import Recorded, name_of, recorded
from domain.inbox import InboxRead, InboxReadThrough, InboxUnread, inbox_of
from domain.messages import AccessChange, TaskChange
from domain.notification import Told
from domain.user import UserDeactivated
from projections import log
from projections.batch_folding import Folding
from projections.changes import Changes
from projections.checkpoints import Move
from projections.database import Connection
from projections.knowing import Known, known_at
from projections.log import MOST_BYTES, Slice
from projections.notifications import NAME, Notification, framed, listener, save
from projections.progress import Progress
from projections.stream_folding import MOST_PUBLISHED
from projections.table import Table

KIND: Final = "notification"
LIKE: Final = ["task.%", "comment.%", "watching.%", "team.%", "user.%", "inbox.%", "reminder.fired"]
MOST_ROWS: Final = 5_000  # in one batch, past whose position it ends

_encode: Final = msgspec.json.Encoder().encode


class Folded(NamedTuple):
    """What became of the events up to a position: the rows, what was marked as read, and who may come in no more."""

    to: int
    rows: list[Notification]
    marks: list[TaskChange]
    accesses: list[AccessChange]

    def changes(self) -> list[TaskChange]:
        """What is told to sockets, in order."""
        return sorted([*map(_change, self.rows), *self.marks], key=lambda change: change.position)


class NotificationFolding(Folding):
    """Rows that never change. What is kept for the next batch is what was known of the streams around them."""

    like = LIKE

    def __init__(
        self, connection: Connection, workspace_id: str, table: Table, progress: Progress, most_bytes: int
    ) -> None:
        super().__init__(connection, workspace_id, table, progress, most_bytes)
        self._rows: list[Notification] = []

    async def take(self, part: Slice) -> int:
        """Fold them as far as there is room for the rows that become of them."""
        events = part.events()
        held = ChainMap(self.states, self._progress.states)
        known = await known_at(self._connection, self._workspace_id, part.after, held, events)
        folded = _fold(events, known, part.to)
        self.states |= known
        self._rows += folded.rows
        self.accesses += folded.accesses
        if self.tasks is not None:
            few = len(self.tasks) + len(folded.rows) + len(folded.marks) <= MOST_PUBLISHED
            self.tasks = self.tasks + folded.changes() if few else None
        return folded.to

    def is_full(self) -> bool:
        """Whether there are as many rows, or sources, as a batch may hold."""
        return len(self._rows) >= MOST_ROWS or super().is_full()

    async def write(self, move: Move) -> bool:
        """Write the rows."""
        if self._rows:
            await save(self._connection, move, self._rows)
        return bool(self._rows)


async def read(
    connection: Connection, workspace_id: str, after: int, most: int, *, most_bytes: int = MOST_BYTES
) -> Changes:
    """Fold what sockets are told out of the log, for at most `most` positions."""
    part = await log.read(connection, workspace_id, after, most, LIKE, projection=NAME, most_bytes=most_bytes)
    events = part.events()
    folded = _fold(events, await known_at(connection, workspace_id, after, {}, events), part.to)
    return Changes(after, folded.to, part.head, folded.changes(), folded.accesses)


async def windows(
    connection: Connection, workspace_id: str, build: int, after: int, to: int, upto: int
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The rows of a part of the log beside what they must be, for the drift check."""
    cursor = await connection.execute(
        """
        SELECT n.notification_id::text, n.user_id::text, notification_document(n)::text FROM notifications n
        WHERE n.workspace_id = %s AND n.build = %s AND n.position > %s AND n.position <= %s
        """,
        (workspace_id, build, after, to),
    )
    rows = {id_: {**msgspec.json.decode(text), "user_id": user} for id_, user, text in await cursor.fetchall()}
    if upto <= after:
        return rows, {}, 0
    part = await log.read(connection, workspace_id, after, upto - after, LIKE, projection=NAME)
    events = part.events()
    known = await known_at(connection, workspace_id, after, {}, events)
    found: dict[str, Any] = {}
    begun = after
    while begun < upto and part.to > begun:
        folded = _fold([event for event in events if event.position > begun], known, part.to)
        found |= {row.id: row._asdict() for row in folded.rows}
        begun = folded.to
        if begun == part.to and begun < upto:  # the data came to too many bytes
            part = await log.read(connection, workspace_id, begun, upto - begun, LIKE, projection=NAME)
            events = part.events()
            known = await known_at(connection, workspace_id, begun, {}, events)
    return rows, found, len(events)


def _fold(events: Sequence[Recorded], known: Known, to: int) -> Folded:
    """Take in events, one after another: `known` is what is known of the streams around them, before and afterwards."""
    rows: list[Notification] = []
    marks: list[TaskChange] = []
    accesses: list[AccessChange] = []
    for n, event in enumerate(events):
        if len(rows) > MOST_ROWS:
            return Folded(events[n - 1].position, rows, marks, accesses)
        before = known.get(event.stream_id)
        if event.stream_id in known:
            known[event.stream_id] = notification.evolve(before, event)
        told = notification.told(event, before, known)
        if told is not None:
            rows += _rows(event, told)
        mark = _mark(event)
        if mark is not None:
            marks.append(mark)
        if isinstance(event.event, UserDeactivated):  # of all that changes what somebody sees, what ends their sockets
            accesses.append(AccessChange(event.position, event.stream_id, active=False))
    return Folded(to, rows, marks, accesses)


def _rows(event: Recorded, told: Told) -> list[Notification]:
    name, actor, at = name_of(event.event), event.meta.actor, event.recorded_at
    return [
        Notification(user_id, event.position, why, name, told.task_id, told.comment_id, actor, at)
        for user_id, why in told.reasons.items()
    ]


def _change(row: Notification) -> TaskChange:
    """For those sockets of one user that want to be told for this reason."""
    body = framed(row.position, _encode(row.document()))
    return _told(row.position, listener(row.user_id, row.reason), body)


def _mark(event: Recorded) -> TaskChange | None:
    """What somebody has read, for their other clients. In an inbox nobody acts but its user."""
    match event.event:
        case InboxRead(positions=positions):
            body: dict[str, Any] = {"op": "read", "position": event.position, "positions": positions}
        case InboxUnread(positions=positions):
            body = {"op": "unread", "position": event.position, "positions": positions}
        case InboxReadThrough(position=through):
            body = {"op": "read_through", "position": event.position, "through": through}
        case _:
            return None
    return _told(event.position, event.meta.actor, _encode({"type": "change", **body}))


def _told(position: int, to: str, frame: bytes) -> TaskChange:
    return TaskChange(position, str(position), msgspec.Raw(frame), None, frozenset((to,)))


async def marks(
    connection: Connection, workspace_id: str, user_id: str, after: int, to: int, most: int
) -> list[tuple[int, bytes]]:
    """What somebody marked in (`after`, `to`], as sockets get it by positions; at most so many."""
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at), e.name, e.schema_version, e.meta::text,
               e.data::text
        FROM events e
        WHERE e.workspace_id = %s AND e.stream_id = %s AND e.position > %s AND e.position <= %s
        ORDER BY e.version LIMIT %s
        """,
        (workspace_id, inbox_of(user_id), after, to, most),
    )
    found = [_mark(recorded(row)) for row in await cursor.fetchall()]
    return [(mark.position, bytes(mark.task)) for mark in found if mark is not None]


async def _load(*_: Any) -> dict[str, Any]:
    raise NotImplementedError("a row of notifications is no stream")


async def _save(*_: Any) -> None:
    raise NotImplementedError("a row of notifications is no stream")


NOTIFICATIONS: Final = Table(
    NAME,
    KIND,
    notification.evolve,
    _load,
    _save,
    weigh=lambda source: 60 * len(getattr(source, "members", ())),
    columns=("user_id", "position", "reason", "event", "task_id", "comment_id", "actor", "at"),
    wakes=frozenset({"task", "comment", "inbox", "reminder"}),
    folding=NotificationFolding,
    windows=windows,
    rest=0.05,
    least=300,
)
