"""Tasks as they were at an earlier position: the rows that have not moved since, and all others folded again.

Nothing is stored for it. A row whose position is not past the one that is asked for is what it was then, word for word;
of the others the streams are folded up to there, and both go through the filters, the sort and the limit of any list.

Who may see what is today's rule over the task as it is today: nobody sees more of the past than the task's history
shows them. What is in the trash today is shown where it was not in the trash then.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import DataError

from domain.errors import Invalid
from domain.task import Task, evolve
from projections import cursors, log, tasks
from projections.cursors import Cursor
from projections.database import Connection
from projections.task_list import (
    VISIBLE,
    Key,
    Page,
    TaskQuery,
    beyond,
    conditions_of,
    cursor_parameters,
    cut,
    keys_of,
    order_of,
    parameters_of,
    statement,
)

# What is folded for one page at the most: about 0.4 s on one core, and some ten megabytes.
MOST_TASKS: Final = 5_000
MOST_EVENTS: Final = 25_000
MOST_BYTES: Final = 16_000_000
AT_ONCE: Final = 1_000  # events
NEAR: Final = 20_000  # positions in which it costs less to look for what has changed than for what has not

# A sort by what never changes: where a page ends does not depend on what tasks were like, so they are folded as far as
# the page needs.
STEADY: Final = (("created_at",), ("-created_at",))
# Filters by what never changes.
FIXED: Final = frozenset({"created_by"})


class PastPage(NamedTuple):
    """A page of the past, and the position up to which the projection had read: that of today's permissions."""

    page: Page
    reached: int


async def position_at(connection: Connection, workspace_id: str, moment: datetime) -> int | None:
    """The position of the last event that was recorded at a moment or before it; None for a moment still to come.

    Positions are in the order of time, so it is found by halves, without an index.
    """
    cursor = await connection.execute(
        """
        WITH RECURSIVE search(low, high) AS (
            SELECT 0::bigint, l.position FROM logs l WHERE l.workspace_id = %(workspace)s
            UNION ALL
            SELECT CASE WHEN e.recorded_at <= %(moment)s THEN s.middle ELSE s.low END,
                   CASE WHEN e.recorded_at <= %(moment)s THEN s.high ELSE s.middle - 1 END
            FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM search WHERE low < high) s
            JOIN events e ON e.workspace_id = %(workspace)s AND e.position = s.middle)
        SELECT low, %(moment)s > clock_timestamp() FROM search WHERE low = high
        """,
        {"workspace": workspace_id, "moment": moment},
    )
    row = await cursor.fetchone()
    if row is None:
        return 0
    return None if row[1] else int(row[0])


async def states_at(
    connection: Connection, workspace_id: str, task_ids: Collection[str], position: int
) -> dict[str, Task]:
    """Tasks as they were at a position; those that were not there yet are missing."""
    before = dict.fromkeys(task_ids, 2**31 - 1)
    states: dict[str, Task] = {}
    for event in await log.streams(connection, workspace_id, before, up_to=position, projection=tasks.NAME):
        states[event.stream_id] = evolve(states.get(event.stream_id), event)
    return states


class _Moved(NamedTuple):
    """A task that has changed since: its id, its version now, and its place in a steady sort."""

    task_id: str
    version: int
    place: list[str]


class _Folded(NamedTuple):
    """Tasks that have changed since, as they were; and the place of the last one, if there are more."""

    tasks: list[Task]
    end: list[str] | None


async def page(connection: Connection, query: TaskQuery) -> PastPage:
    """One page of tasks as they were. It may be short, also empty, and still have a `next_cursor`.

    Raises `Invalid` `cursor.invalid` for a cursor of another sort or moment, `as_of.too_much` where the sort needs to
    know more tasks that have changed since than can be folded for a page.
    """
    assert query.as_of is not None
    try:
        # One snapshot: what moves between two statements would be in neither half.
        async with connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            reached = await _checkpoint(connection, query.workspace_id)
            if reached < query.as_of.position:  # what the log holds beyond is not in the rows: the caller waits for it
                return PastPage(Page([], None, query.as_of.position), reached)
            folded = await _folded(connection, query, reached)
            return PastPage(await _page(connection, query, folded), reached)
    except DataError as error:  # the filters were checked at the edge: only a forged cursor is left
        raise cursors.invalid(query.cursor or "") from error


async def _checkpoint(connection: Connection, workspace_id: str) -> int:
    cursor = await connection.execute(
        "SELECT position FROM checkpoints WHERE workspace_id = %s AND projection = 'tasks' AND live", (workspace_id,)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _folded(connection: Connection, query: TaskQuery, reached: int) -> _Folded:
    """What has changed since, as far as the page needs it. Raises `Invalid` `as_of.too_much`."""
    assert query.as_of is not None
    moved = await _moved(connection, query, reached)
    states: list[Task] = []
    done = weight = shown = 0
    for part in _parts(moved):
        found = await states_at(connection, query.workspace_id, [task.task_id for task in part], query.as_of.position)
        states += found.values()
        done += len(part)
        weight += sum(map(tasks.weigh, found.values()))
        shown += sum(1 for task in found.values() if (task.deleted_at is not None) == query.trashed)
        if weight > MOST_BYTES or (_is_plain(query) and shown > query.limit):
            break
    if done == len(moved):
        return _Folded(states, None)
    if tuple(query.sort) not in STEADY:
        detail = "too many tasks have changed since then for this sort; sort by created_at, or narrow by created_by"
        raise Invalid("as_of.too_much", "/query/as_of", detail, query.as_of.asked)
    return _Folded(states, moved[done - 1].place)


def _is_plain(query: TaskQuery) -> bool:
    """Whether every task is in the list, in an order that is known before they are folded."""
    return tuple(query.sort) in STEADY and FIXED.issuperset(query.filters)


def _parts(moved: Sequence[_Moved]) -> Iterator[Sequence[_Moved]]:
    """Tasks with about `AT_ONCE` events, one after another, up to the most that is folded for a page."""
    begin = events = total = 0
    for n, task in enumerate(moved[:MOST_TASKS], 1):
        events += task.version
        if events >= AT_ONCE or n == min(len(moved), MOST_TASKS):
            yield moved[begin:n]
            total += events
            begin, events = n, 0
            if total > MOST_EVENTS:
                return


async def _moved(connection: Connection, query: TaskQuery, reached: int) -> list[_Moved]:
    """The tasks that may be seen and have changed since, in the order of a steady sort; one more than are folded."""
    assert query.as_of is not None
    keys = keys_of(query) if tuple(query.sort) in STEADY else []
    parameters = {**parameters_of(query), "as_of": query.as_of.position, "reached": reached, "limit": MOST_TASKS + 1}
    conditions = ["t.position > %(as_of)s", _THERE, *([] if query.eyes.see_all else [VISIBLE])]
    conditions += [condition for name, condition in _filters(query) if name in FIXED]
    if reached - query.as_of.position <= NEAR:
        conditions.append(_CHANGED)
    if query.cursor is not None:
        parameters |= cursor_parameters(query, keys_of(query))
        conditions += [beyond(keys), _from(keys[0], "key0")] if keys else []
    texts = ", ".join(f"({key.expression})::text" for key in keys)
    cursor = await connection.execute(
        f"""
        SELECT t.task_id::text, t.version, ARRAY[{texts}]::text[]
        FROM checkpoints c JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live AND {" AND ".join(conditions)}
        {f"ORDER BY {order_of(keys)}" if keys else ""}
        LIMIT %(limit)s
        """.encode(),  # noqa: S608 (every part is from the tables of `task_list`; values are parameters)
        parameters,
    )
    return [_Moved(*row) for row in await cursor.fetchall()]


# What follows only bounds what is read of an index: rows, and events, that cannot be of the page.
_THERE: Final = """t.created_at <= (
    SELECT e.recorded_at FROM events e WHERE e.workspace_id = %(workspace)s AND e.position = %(as_of)s)"""
_CHANGED: Final = """t.task_id IN (
    SELECT e.stream_id FROM events e
    WHERE e.workspace_id = %(workspace)s AND e.position > %(as_of)s AND e.position <= %(reached)s)"""


def _from(key: Key, name: str) -> str:
    return f"{key.expression} {'<=' if key.descending else '>='} %({name})s::{key.type}"


def _filters(query: TaskQuery) -> Iterator[tuple[str, str]]:
    return zip(query.filters, conditions_of(query)[1:], strict=True)


async def _page(connection: Connection, query: TaskQuery, folded: _Folded) -> Page:
    """The page out of what has not changed since and what was folded."""
    assert query.as_of is not None
    keys = keys_of(query)
    parameters: dict[str, Any] = {
        **parameters_of(query),
        "as_of": query.as_of.position,
        "folded": tasks.encode(folded.tasks).decode(),
    }
    conditions = conditions_of(query)
    if query.cursor is not None:
        parameters |= cursor_parameters(query, keys)
        conditions += [beyond(keys), _from(keys[0], "key0")]
    if folded.end is not None:
        parameters |= {f"end{n}": value for n, value in enumerate(folded.end)}
        last = keys[0]._replace(descending=not keys[0].descending)
        conditions += [f"NOT {beyond(keys, 'end')}", _from(last, "end0")]
    source = _source(query, conditions, keys)
    cursor = await connection.execute(statement(keys, conditions, source, "t::tasks").encode(), parameters)
    found = [row[1:] for row in await cursor.fetchall() if row[1] is not None]
    documents, next_cursor = cut(query, found)
    if next_cursor is None and folded.end is not None:
        next_cursor = cursors.encode(Cursor(list(query.sort), folded.end, query.as_of))
    return Page(documents, next_cursor, query.as_of.position)


def _source(query: TaskQuery, conditions: Sequence[str], keys: Sequence[Key]) -> str:
    """The rows that are what they were, as many as the page can need, and those that were folded and may be seen."""
    unmoved = ["t.position <= %(as_of)s", _THERE, *([] if query.eyes.see_all else [VISIBLE]), *conditions]
    searched = "words(title, tags, description)" if "q" in query.filters else "NULL::tsvector"
    return f"""(
        (SELECT t.* FROM tasks t
         WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND {" AND ".join(unmoved)}
         ORDER BY {order_of(keys)} LIMIT %(limit)s)
        UNION ALL
        SELECT c.workspace_id, c.build, id, version, position, title, description, status, category,
               (array_position(ARRAY['low', 'normal', 'high', 'urgent'], priority) - 1)::smallint, start_at,
               due_at, due_on, due_zone, overdue_since,
               assignee->>'type', (assignee->>'id')::uuid, project_id, key, parent_id, subtasks, links, tags,
               estimate_minutes, created_by, created_at, updated_at, completed_at, deleted_at, {searched}
        FROM json_to_recordset(%(folded)s::json) AS f(
            id uuid, version integer, position bigint, title text, description text, status text,
            category text, priority text, start_at timestamptz, due_at timestamptz, due_on date, due_zone text,
            overdue_since timestamptz, assignee json, project_id uuid, key text, parent_id uuid,
            subtasks jsonb, links jsonb, tags text[], estimate_minutes integer,
            created_by uuid, created_at timestamptz, updated_at timestamptz, completed_at timestamptz,
            deleted_at timestamptz)) t"""  # noqa: S608 (as above)
