"""All that a run leaves behind, as data: the log and the tables from PostgreSQL, the ledger, and the frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import psycopg

from domain import user
from domain.events import Recorded, recorded
from domain.policy import Eyes
from tests.faults.folds import Change, Folds
from tests.faults.ledger import Entry
from tests.faults.reads import Read
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


MOST_TOLD: Final = 200  # tasks that come or go at once, one by one; for more there is a resync


class View(NamedTuple):
    """How somebody looks at tasks from a position on, and what comes to be seen or ceases to be seen there.

    `reason` is that of its resync; without one it is empty, and `told` are the changes of each task.
    """

    position: int
    eyes: Eyes
    reason: str
    told: Mapping[str, Change] = MappingProxyType({})


@dataclass
class Recording:
    """One workspace after everything has come to rest.

    `crashes` are the moments of the run's clock at which PostgreSQL was killed. It may then take back what projections
    had committed (rows and checkpoint together), so what reads show begins anew there. `early` is what was published
    before it was committed, `overlaps` what was published twice.
    """

    epoch: str
    head: int
    events: list[EventRow]
    keys: list[KeyRow]
    tasks: dict[str, bytes]
    users: dict[str, tuple[int, int, str]]
    checkpoints: dict[str, tuple[int, str | None]]
    ledger: list[Entry] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @cached_property
    def decoded(self) -> list[Recorded]:
        """The events, decoded, in the order of the log."""
        return [event.recorded for event in self.events]

    @cached_property
    def folds(self) -> Folds:
        """What the log folds to: every state there ever was."""
        return Folds(self.decoded)

    @cached_property
    def views(self) -> dict[str, list[View]]:
        """How each user looks at tasks, each with the position from which on it holds."""
        views: dict[str, list[View]] = {}
        last: dict[str, Change] = {}
        for event in self.decoded:
            if (change := self.folds.changes.get((event.position, event.stream_id))) is not None:
                last[event.stream_id] = change
            before = views[event.stream_id][-1].eyes if event.stream_id in views else None
            if (view := _view(before, event)) is not None:
                told = {} if before is None else _told(last, before, view.eyes)
                view = view._replace(reason="") if len(told) <= MOST_TOLD else view
                views.setdefault(event.stream_id, []).append(view if view.reason else view._replace(told=told))
        return views


def _view(before: Eyes | None, event: Recorded) -> View | None:
    """How a user looks at tasks after an event that changes it."""
    match event.event:
        case user.UserJoined(role=role):
            return View(event.position, Eyes(role, frozenset((event.stream_id,))), "")
        case user.UserRoleChanged(role=role) if before is not None:
            return View(event.position, before._replace(role=role), "role_changed")
        case user.UserTeamJoined(team_id=team_id) if before is not None:
            eyes = before._replace(ids=before.ids | {team_id})
        case user.UserTeamLeft(team_id=team_id) if before is not None:
            eyes = before._replace(ids=before.ids - {team_id})
        case _:
            return None
    return View(event.position, eyes, "teams_changed")


def _told(tasks: Mapping[str, Change], before: Eyes, after: Eyes) -> dict[str, Change]:
    """The tasks, as their last changes left them, that one pair of eyes sees and the other does not."""
    told: dict[str, Change] = {}
    for task_id, change in tasks.items():
        owners = change.after
        if owners is not None and before.see(owners) != after.see(owners):
            told[task_id] = (
                Change(change.task, owners, None) if before.see(owners) else Change(change.task, None, owners)
            )
    return told


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
            tasks={row[0]: row[1].encode() for row in rows(_TASKS)},
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
_TASKS = """
    SELECT t.task_id::text, task_document(t)::text
    FROM checkpoints c JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
    WHERE c.workspace_id = %(w)s AND c.projection = 'tasks' AND c.live
"""
_USERS = """
    SELECT u.user_id::text, u.version, u.position, u.role
    FROM checkpoints c JOIN users u ON u.workspace_id = c.workspace_id AND u.build = c.build
    WHERE c.workspace_id = %(w)s AND c.projection = 'users' AND c.live
"""
_CHECKPOINTS = "SELECT projection, position, error FROM checkpoints WHERE workspace_id = %(w)s AND live"
