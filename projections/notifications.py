"""The rows of the projection `notifications`: one for each event and each who is told of it; and the queries."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

from domain.inbox import MARKED_MAX, Inbox
from domain.notification import Reason
from domain.policy import Eyes
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.log import LAST
from projections.task_list import VISIBLE

COUNTED: Final = 1_000  # of what is unread no more are counted
NAME: Final = "notifications"


def listener(user_id: str, reason: str) -> str:
    """As whom the sockets of a user listen who want to be told for this reason."""
    return f"{user_id} {reason}"


class Notification(NamedTuple):
    """A row."""

    user_id: str
    position: int
    reason: Reason
    event: str
    task_id: str
    comment_id: str | None
    actor: str
    at: str

    @property
    def id(self) -> str:
        """Follows from the rest, so that it is the same in every build."""
        return str(uuid5(UUID(self.user_id), str(self.position)))

    def document(self) -> dict[str, Any]:
        """As clients get it; `notification_document` in the schema says the same."""
        fields = self._asdict()
        del fields["user_id"]
        return fields


async def save(connection: Connection, move: Move, rows: Collection[Notification]) -> None:
    """Write the rows of a build. One that is there already is the same: it was written before a crash took back the
    checkpoint.
    """
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO notifications (workspace_id, build, notification_id, user_id, position, reason, event, task_id,
                                   comment_id, actor, at)
        SELECT %(workspace_id)s, %(build)s, id, user_id, position, reason, event, task_id, comment_id, actor, at
        FROM moved, json_to_recordset(%(rows)s::json) AS n(
            id uuid, user_id uuid, position bigint, reason text, event text, task_id uuid, comment_id uuid, actor text,
            at timestamptz)
        ON CONFLICT (workspace_id, build, notification_id) DO NOTHING
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows({"id": row.id, **row._asdict()} for row in rows),
    )


def framed(position: int, document: bytes) -> bytes:
    """A notification as sockets get it."""
    return b'{"type":"change","op":"upsert","position":%d,"notification":%b}' % (position, document)


class Reader(NamedTuple):
    """Who reads their notifications: as whom they see tasks today, which reasons they want to be told for, and what
    they have read.
    """

    user_id: str
    eyes: Eyes
    reasons: Collection[str]
    inbox: Inbox | None = None


class Page(NamedTuple):
    """A page, newest first: documents; whether there are more; how many are unread; and the position that it shows."""

    items: list[dict[str, Any]]
    more: bool
    unread: int
    position: int


# What somebody wants to be told and may see today: `tasks` may be a moment behind, then it is as when it happened.
_SHOWN: Final = f"""
    FROM notifications n
    LEFT JOIN checkpoints k ON k.workspace_id = n.workspace_id AND k.projection = 'tasks' AND k.live
    LEFT JOIN tasks t ON t.workspace_id = k.workspace_id AND t.build = k.build AND t.task_id = n.task_id
    WHERE n.workspace_id = c.workspace_id AND n.build = c.build AND n.user_id = %(user)s
      AND n.reason = ANY (%(reasons)s)
      AND (%(all)s OR t.task_id IS NULL OR n.position > k.position OR {VISIBLE})
"""
_UNREAD: Final = """
    (n.position > %(through)s AND n.position <> ALL (%(read)s::bigint[]) OR n.position = ANY (%(unread)s::bigint[]))
"""
_PAGE: Final = f"""
    SELECT c.position, (SELECT count(*) FROM (SELECT {_SHOWN} AND {_UNREAD} LIMIT %(counted)s) u), p.*
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT n.position AS at, notification_document(n)::text, {_UNREAD}, t.title, t.key
        {_SHOWN} AND n.position < %(before)s AND (NOT %(only)s OR {_UNREAD})
        ORDER BY n.position DESC LIMIT %(limit)s + 1) p ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'notifications' AND c.live
    ORDER BY p.at DESC
"""  # noqa: S608  (as above)


async def page(
    connection: Connection,
    workspace_id: str,
    reader: Reader,
    limit: int,
    before: int = LAST,
    *,
    only_unread: bool = False,
) -> Page:
    """The notifications of somebody before a position, newest first, each with what its task is called today."""
    inbox = reader.inbox or Inbox(id="", version=0, position=0)
    cursor = await connection.execute(
        _PAGE.encode(),
        {
            **_parameters(workspace_id, reader),
            "through": inbox.through,
            "read": list(inbox.read),
            "unread": list(inbox.unread),
            "only": only_unread,
            "counted": COUNTED,
            "before": before,
            "limit": limit,
        },
    )
    rows = await cursor.fetchall()
    items = [
        {
            **msgspec.json.decode(text),
            "read": not unread,
            "task": None if title is None else {"title": title, "key": key},
        }
        for _, _, _, text, unread, title, key in rows
        if text is not None
    ]
    count, position = (int(rows[0][1]), int(rows[0][0])) if rows else (0, 0)
    return Page(items[:limit], len(items) > limit, count, position)


async def unread(
    connection: Connection, workspace_id: str, user_id: str, inbox: Inbox | None, through: int
) -> list[int]:
    """The positions up to one at which somebody was told of what they had not read, as an inbox says; the first ones,
    one more than can be marked one by one.
    """
    inbox = inbox or Inbox(id="", version=0, position=0)
    cursor = await connection.execute(
        f"""
        SELECT n.position
        FROM checkpoints c JOIN notifications n ON n.workspace_id = c.workspace_id AND n.build = c.build
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'notifications' AND c.live
          AND n.user_id = %(user)s AND n.position <= %(to)s AND {_UNREAD}
        ORDER BY n.position LIMIT %(most)s
        """.encode(),  # noqa: S608  (a constant of ours)
        {
            "workspace": workspace_id,
            "user": user_id,
            "to": through,
            "most": MARKED_MAX + 1,
            "through": inbox.through,
            "read": list(inbox.read),
            "unread": list(inbox.unread),
        },
    )
    return [int(row[0]) for row in await cursor.fetchall()]


async def missed(
    connection: Connection, workspace_id: str, reader: Reader, after: int, to: int, most: int
) -> tuple[list[tuple[int, bytes]], int]:
    """What somebody was told in (`after`, `to`], oldest first, at most so many, as sockets get it by positions; and up
    to where the rows reach.
    """
    cursor = await connection.execute(
        f"""
        SELECT c.position, p.* FROM checkpoints c
        LEFT JOIN LATERAL (
            SELECT n.position AS at, notification_document(n)::text
            {_SHOWN} AND n.position > %(after)s AND n.position <= %(to)s
            ORDER BY n.position LIMIT %(most)s) p ON true
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'notifications' AND c.live
        ORDER BY p.at
        """.encode(),  # noqa: S608  (constants of ours)
        {**_parameters(workspace_id, reader), "after": after, "to": to, "most": most},
    )
    rows = await cursor.fetchall()
    found = [(int(at), framed(int(at), text.encode())) for _, at, text in rows if text is not None]
    return found, int(rows[0][0]) if rows else 0


def _parameters(workspace_id: str, reader: Reader) -> dict[str, Any]:
    return {
        "workspace": workspace_id,
        "user": reader.user_id,
        "reasons": list(reader.reasons),
        "all": reader.eyes.see_all,
        "eyes": list(reader.eyes.ids),
    }
