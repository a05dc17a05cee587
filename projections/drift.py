"""The drift check: rows of the live build beside the fold of their streams, at the same position.

The checkpoint, the rows and the events are read in one snapshot, so a projector at work is no cause of a difference.
What was passed over by decision is left out of the fold, as it is left out of the rows.
"""

from collections.abc import AsyncIterator, Collection, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from domain.events import LoggedRow, recorded
from projections.database import Connection
from projections.lookups import by_index
from projections.table import Table

ROWS_AT_ONCE: Final = 50  # an event may be two megabytes
WINDOW: Final = 50  # positions that are compared at once where a row is not a stream

# A row as JSON, field for field what the state encodes to. Not decoded: a row may hold what no state can.
DOCUMENTS: Final = {
    "tasks": "task_document(r)",
    "users": """json_build_object('id', r.user_id, 'version', r.version, 'position', r.position, 'role', r.role,
                                  'active', r.active, 'teams', r.teams, 'projects', r.projects,
                                  'joined_at', instant(r.joined_at), 'updated_at', instant(r.updated_at))""",
    "teams": "team_document(r)",
    "projects": "project_document(r)",
    "comments": "comment_document(r)",
    "workflows": "workflow_document(r)",
    "templates": "template_document(r)",
    "views": "view_document(r)",
    "attachments": "attachments_document(r)",
}


class Sort(StrEnum):
    """How a row differs from its stream."""

    FIELD = "differs"
    BEHIND = "is behind"
    AHEAD = "is ahead"
    MISSING = "has no row"
    EXTRA = "is no stream"
    UNFOLDED = "cannot be folded"


class Difference(NamedTuple):
    """One difference between a row and the fold of its stream at `position`, the checkpoint.

    A version that differs is `BEHIND` or `AHEAD`. `field` is None where the row or the stream is missing; `row` and
    `folded` are JSON values, or why the stream cannot be folded.
    """

    workspace_id: str
    projection: str
    stream_id: str
    sort: Sort
    field: str | None
    row: Any
    folded: Any
    position: int


class Checked(NamedTuple):
    """What was compared: so many streams, by so many events, at the position of the live build."""

    position: int
    streams: int
    events: int
    differences: list[Difference]


async def check(connection: Connection, workspace_id: str, table: Table, ids: Collection[str]) -> Checked:
    """Compare the rows of some streams with the fold of the log."""
    async with by_index(connection, "REPEATABLE READ"):
        live = await _live(connection, workspace_id, table)
        if live is None:
            return Checked(0, 0, 0, [])
        build, position = live
        if table.windows is not None:
            return await _check_windows(connection, workspace_id, table, build, position, ids)
        rows = await _rows(connection, workspace_id, table, build, ids)
        check = _Check(workspace_id, table.name, position, rows)
        events = 0
        differences: list[Difference] = []
        async for stream in _folds(connection, workspace_id, table, position, ids):
            events += stream.events
            differences += check.compare(stream)
        return Checked(position, len(set(ids)), events, differences + list(check.extra()))


async def _check_windows(
    connection: Connection, workspace_id: str, table: Table, build: int, position: int, begins: Collection[str]
) -> Checked:
    """The same where a row is not a stream: the rows of windows of the log, that begin after these positions."""
    assert table.windows is not None
    events = 0
    differences: list[Difference] = []
    for begin in map(int, begins):
        end = begin + WINDOW
        rows, folded, count = await table.windows(connection, workspace_id, build, begin, end, min(end, position))
        events += count
        check = _Check(workspace_id, table.name, position, rows)
        for id_, state in folded.items():
            differences += check.compare(_Folded(id_, state, 0, None))
        differences += check.extra()
    return Checked(position, len(begins), events, differences)


class _Folded(NamedTuple):
    """A stream folded up to the checkpoint, or why it cannot be."""

    stream_id: str
    state: Any
    events: int
    error: str | None


class _Check:
    """The rows that are still to be compared."""

    def __init__(self, workspace_id: str, projection: str, position: int, rows: dict[str, Any]) -> None:
        self._workspace_id = workspace_id
        self._projection = projection
        self._position = position
        self._rows = rows

    def compare(self, stream: _Folded) -> Iterator[Difference]:
        """How the row of a stream differs from it."""
        row = self._rows.pop(stream.stream_id, None)
        if stream.error is not None:
            yield self._difference(stream.stream_id, Sort.UNFOLDED, None, row, stream.error)
            return
        folded = msgspec.json.decode(msgspec.json.encode(stream.state))
        if row is None:
            yield self._difference(stream.stream_id, Sort.MISSING, None, None, folded)
            return
        for field in folded:
            if row.get(field) != folded[field]:
                sort = _lag(row[field], folded[field]) if field == "version" else Sort.FIELD
                yield self._difference(stream.stream_id, sort, field, row.get(field), folded[field])

    def extra(self) -> Iterator[Difference]:
        """The rows that no stream has left at this position."""
        for stream_id, row in self._rows.items():
            yield self._difference(stream_id, Sort.EXTRA, None, row, None)

    def _difference(self, stream_id: str, sort: Sort, field: str | None, row: Any, folded: Any) -> Difference:
        return Difference(self._workspace_id, self._projection, stream_id, sort, field, row, folded, self._position)


def _lag(row: int, folded: int) -> Sort:
    return Sort.BEHIND if row < folded else Sort.AHEAD


async def _live(connection: Connection, workspace_id: str, table: Table) -> tuple[int, int] | None:
    """The live build of a projection and its position; None before its first batch."""
    cursor = await connection.execute(
        "SELECT build, position FROM checkpoints WHERE workspace_id = %s AND projection = %s AND live",
        (workspace_id, table.name),
    )
    return await cursor.fetchone()


async def _rows(
    connection: Connection, workspace_id: str, table: Table, build: int, ids: Collection[str]
) -> dict[str, Any]:
    """The rows of some streams in a build, as JSON values by id."""
    cursor = await connection.execute(
        f"""
        SELECT r.{table.kind}_id::text, {DOCUMENTS[table.name]}::text FROM {table.name} r
        WHERE r.workspace_id = %s AND r.build = %s AND r.{table.kind}_id = ANY (%s::uuid[])
        """.encode(),  # noqa: S608  (names of ours)
        (workspace_id, build, list(ids)),
    )
    return {id_: msgspec.json.decode(document) for id_, document in await cursor.fetchall()}


async def _folds(
    connection: Connection, workspace_id: str, table: Table, position: int, ids: Collection[str]
) -> AsyncIterator[_Folded]:
    """Some streams, folded one after another; of one that is long no more is held than its state."""
    rows = connection.cursor().stream(
        """
        SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at),
               e.name, e.schema_version, e.meta::text, e.data::text
        FROM events e
        WHERE e.workspace_id = %(workspace)s AND e.stream_id = ANY (%(ids)s::uuid[]) AND e.position <= %(position)s
          AND e.name LIKE %(like)s
          AND e.position <> ALL (ARRAY(
              SELECT p.position FROM passed_over p
              WHERE p.workspace_id = %(workspace)s AND p.projection = %(projection)s))
        ORDER BY e.stream_id, e.version
        """,
        {
            "workspace": workspace_id,
            "ids": list(ids),
            "position": position,
            "like": f"{table.kind}.%",
            "projection": table.name,
        },
        size=ROWS_AT_ONCE,
    )
    stream: _Folded | None = None
    async for row in rows:
        if stream is not None and stream.stream_id != row[1]:
            yield stream
            stream = None
        stream = _fold(table, stream or _Folded(row[1], None, 0, None), row)
    if stream is not None:
        yield stream


def _fold(table: Table, stream: _Folded, row: LoggedRow) -> _Folded:
    if stream.error is not None:
        return stream._replace(events=stream.events + 1)
    try:
        state = table.evolve(stream.state, recorded(row))
    except Exception as error:  # whatever it is, the row cannot be the fold of this
        why = f"position {row[0]}, {row[4]}: {type(error).__name__}: {error}"
        return stream._replace(events=stream.events + 1, error=why)
    return stream._replace(state=state, events=stream.events + 1)
