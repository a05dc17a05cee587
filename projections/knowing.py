"""What is known at a position of the streams around some events: whose a task is, who watches, who is in the team, who
sees what. It is folded from these streams, so that it is the same whenever it is asked for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from domain import notification
from domain.events import LoggedRow, Recorded, name_of, recorded
from domain.notification import Held, Said, Source
from domain.reminder import ReminderFired
from domain.streams import kind_of
from domain.task import TaskAssigned
from domain.task_fields import Assignee
from domain.team import Team, TeamMemberAdded
from domain.watching import WatcherAdded, Watching
from projections.database import Connection

LOADED_AT_ONCE: Final = 500  # streams
LARGE: Final = 2_000  # bytes of data as they are stored, past which the words of a task are left out

Known = dict[str, Source | None]  # by stream; None: one without events so far


class _Needs:
    """Finds out what is known of streams as they were at a position, from memory or from the log."""

    def __init__(self, connection: Connection, workspace_id: str, position: int, held: Mapping[str, Any]) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._position = position
        self._held = held
        self.known: Known = {}

    async def want(self, stream_ids: Iterable[str]) -> None:
        """Know these, None of what has no events yet."""
        missing = []
        for id_ in dict.fromkeys(stream_ids):
            if id_ in self._held:
                self.known.setdefault(id_, self._held[id_])
            elif id_ not in self.known:
                missing.append(id_)
        self.known.update(dict.fromkeys(missing))
        for at in range(0, len(missing), LOADED_AT_ONCE):
            some = missing[at : at + LOADED_AT_ONCE]
            self.known.update(await load_at(self._connection, self._workspace_id, self._position, some))


async def known_at(
    connection: Connection, workspace_id: str, position: int, held: Mapping[str, Any], events: Sequence[Recorded]
) -> Known:
    """What was known at a position of all streams that matter for the events that follow it."""
    needs = _Needs(connection, workspace_id, position, held)
    first = {event.stream_id: event.version for event in reversed(events) if kind_of(name_of(event.event)) != "inbox"}
    needs.known.update({id_: None for id_, version in first.items() if version == 1})
    await needs.want(first)
    tasks = _tasks(events, needs.known)
    await needs.want([*tasks, *(notification.watching_of(task_id) for task_id in tasks)])
    assignees = [*_assigned(events), *_holders(tasks, needs.known)]
    await needs.want(assignee.id for assignee in assignees if assignee.type == "team")
    await needs.want(_people(events, tasks, assignees, needs.known))
    return needs.known


def _tasks(events: Sequence[Recorded], known: Known) -> dict[str, None]:
    """The tasks whose people are told of some event."""
    said: dict[str, Any] = {}
    found: dict[str, None] = {}
    for event in events:
        id_ = event.stream_id
        if kind_of(name_of(event.event)) == "comment":
            before = said.get(id_, known.get(id_))
            said[id_] = notification.evolve(before, event)
            task_id = notification.task_of(event, before if isinstance(before, Said) else None)
        else:
            task_id = notification.task_of(event, None)
        if task_id is not None:
            found[task_id] = None
    return found


def _assigned(events: Sequence[Recorded]) -> list[Assignee]:
    return [event.event.assignee for event in events if isinstance(event.event, TaskAssigned)]


def _holders(tasks: Iterable[str], known: Known) -> list[Assignee]:
    """To whom tasks are given that were there already."""
    held = (known[task_id] for task_id in tasks)
    return [task.assignee for task in held if isinstance(task, Held) and task.assignee is not None]


def _people(
    events: Sequence[Recorded], tasks: Collection[str], assignees: Sequence[Assignee], known: Known
) -> Iterable[str]:
    """Everybody who is something to these tasks, or becomes it by these events."""
    for task_id in tasks:
        task = known[task_id]
        if isinstance(task, Held):
            yield task.created_by
        watched = known[notification.watching_of(task_id)]
        yield from watched.added if isinstance(watched, Watching) else ()
    for assignee in assignees:
        crew = known.get(assignee.id)
        if assignee.type == "user":
            yield assignee.id
        yield from crew.members if isinstance(crew, Team) else ()
    for event in events:
        match event.event:
            case WatcherAdded() | TeamMemberAdded() | ReminderFired():
                yield event.event.user_id
            case _:
                if event.version == 1 and event.stream_id in tasks:
                    yield getattr(event.event, "created_by", None) or event.meta.actor
                yield from getattr(event.event, "mentions", ())


async def load_at(
    connection: Connection, workspace_id: str, position: int, stream_ids: Collection[str]
) -> dict[str, Any]:
    """What was known of some streams at a position. Of tasks just the events that say whose they are are read."""
    cursor = await connection.execute(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at), e.name, e.schema_version, e.meta::text,
               CASE WHEN e.name LIKE 'task.%%' AND pg_column_size(e.data) > %(large)s
                    THEN (e.data::jsonb - 'description')::text ELSE e.data::text END
        FROM unnest(%(ids)s::uuid[]) AS wanted(stream_id)
        JOIN events e ON e.workspace_id = %(workspace)s AND e.stream_id = wanted.stream_id
                     AND e.position <= %(position)s
        WHERE (e.name NOT LIKE 'task.%%' OR e.name = ANY (%(holds)s))
          AND e.position <> ALL (ARRAY(
              SELECT p.position FROM passed_over p WHERE p.workspace_id = %(workspace)s AND p.projection = %(name)s))
        ORDER BY e.stream_id, e.version
        """,
        {
            "workspace": workspace_id,
            "ids": list(stream_ids),
            "position": position,
            "holds": list(notification.HOLDS),
            "large": LARGE,
            "name": "notifications",
        },
    )
    found: dict[str, Any] = {}
    rows: list[LoggedRow] = await cursor.fetchall()
    for event in map(recorded, rows):
        found[event.stream_id] = notification.evolve(found.get(event.stream_id), event)
    return found
