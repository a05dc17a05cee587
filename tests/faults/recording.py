"""All that a run leaves behind, as data: the log and the tables from PostgreSQL, the ledger, and the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import psycopg

from domain import task, user
from domain.events import Recorded, recorded
from domain.user import Role
from tests.faults.ledger import Entry
from tests.faults.watchers import Watched


class EventRow(NamedTuple):
    """A row of `events`."""

    position: int
    stream_id: str
    version: int
    recorded_at: str
    name: str
    schema_version: int
    meta: str
    data: str
    salt: bytes
    digest: bytes

    @property
    def recorded(self) -> Recorded:
        """The event, decoded."""
        return recorded(self[:8])


class KeyRow(NamedTuple):
    """A row of `keys`."""

    principal: str
    key: str
    command_id: str
    stream_id: str
    version: int
    position: int


@dataclass
class Recording:
    """One workspace after everything has come to rest."""

    epoch: str
    head: int
    events: list[EventRow]
    keys: list[KeyRow]
    streams: dict[str, int]
    tasks: dict[str, str]
    users: dict[str, tuple[int, int, str]]
    checkpoints: dict[str, tuple[int, str | None]]
    ledger: list[Entry] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @cached_property
    def history(self) -> dict[str, list[Recorded]]:
        """The events of each stream, decoded, oldest first."""
        streams: dict[str, list[Recorded]] = {}
        for event in self.events:
            streams.setdefault(event.stream_id, []).append(event.recorded)
        return streams

    @cached_property
    def roles(self) -> dict[str, list[tuple[int, Role]]]:
        """The roles of each user, each with the position from which on it holds."""
        roles: dict[str, list[tuple[int, Role]]] = {}
        for event in self.events:
            record = event.recorded.event
            if isinstance(record, user.UserJoined | user.UserRoleChanged):
                roles.setdefault(event.stream_id, []).append((event.position, record.role))
        return roles

    def task(self, task_id: str, version: int) -> task.Task | None:
        """The pure fold of a task's stream up to a version."""
        return task.fold(event for event in self.history.get(task_id, ()) if event.version <= version)


def document(state: task.Task | None) -> Any:
    """A task as clients get it."""
    return msgspec.json.decode(msgspec.json.encode(state))


def read(owner_url: str, slug: str = "main") -> Recording:
    """Read it, all at one moment."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL TimeZone = 'UTC'")
        row = connection.execute("SELECT workspace_id FROM workspaces WHERE slug = %s", (slug,)).fetchone()
        assert row is not None, f"there is no workspace {slug!r}"
        workspace = row[0]

        def rows(query: str) -> Sequence[Any]:
            return connection.execute(query.encode(), {"w": workspace}).fetchall()

        return Recording(
            epoch=rows("SELECT epoch()")[0][0],
            head=rows("SELECT position FROM logs WHERE workspace_id = %(w)s")[0][0],
            events=[EventRow(*row) for row in rows(_EVENTS)],
            keys=[KeyRow(*row) for row in rows(_KEYS)],
            streams=dict(rows("SELECT stream_id::text, version FROM streams WHERE workspace_id = %(w)s")),
            tasks=dict(rows("SELECT task_id::text, task_document(t)::text FROM tasks t WHERE workspace_id = %(w)s")),
            users={row[0]: tuple(row[1:]) for row in rows(_USERS)},
            checkpoints={row[0]: (row[1], row[2]) for row in rows(_CHECKPOINTS)},
        )


_EVENTS = """
    SELECT position, stream_id::text, version, instant(recorded_at), name, schema_version, meta::text, data::text,
           salt, digest
    FROM events WHERE workspace_id = %(w)s ORDER BY position
"""
_KEYS = """
    SELECT principal::text, key, command_id::text, stream_id::text, version, position
    FROM keys WHERE workspace_id = %(w)s
"""
_USERS = "SELECT user_id::text, version, position, role FROM users WHERE workspace_id = %(w)s"
_CHECKPOINTS = "SELECT projection, position, error FROM checkpoints WHERE workspace_id = %(w)s"
