"""What somebody comes to see, and what they cease to see, at the position at which their role or their teams change.

Like all changes it is computed from the log, and nothing is stored for it: rows that have not moved since that position
are what they were, the streams of others are folded up to it.
"""

from typing import Final

import msgspec

from domain.messages import TaskChange
from domain.policy import Eyes, audience
from domain.task import Task
from domain.user import User, evolve
from projections import log
from projections.database import Connection
from projections.past import states_at
from projections.task_list import own
from projections.tasks import NAME, decode, encode

MOST: Final = 200  # tasks that are told one by one; who gains or loses more reads the lists again
MOST_FOLDED: Final = 2_000  # that may have been among them; past that too the lists are cheaper

_ALL: Final = 2**31 - 1


async def changes(
    connection: Connection, workspace_id: str, position: int, before: Eyes, after: Eyes
) -> list[TaskChange] | None:
    """The tasks that eyes `after` see at a position and eyes `before` do not, and the other way round, by their ids.

    Of a task that ceases to be seen `after` is None, of one that comes to be seen `before` is. None when they are more
    than `MOST`.
    """
    if before == after or (before.see_all and after.see_all):
        return []
    found = await _candidates(connection, workspace_id, position, before, after)
    if found is None:
        return None
    same, moved = found
    states = await states_at(connection, workspace_id, moved, position)
    told = [
        change
        for task in (*same, *states.values())
        if task.deleted_at is None and (change := _change(task, position, before, after)) is not None
    ]
    return None if len(told) > MOST else sorted(told, key=lambda change: change.task_id)


def _change(task: Task, position: int, before: Eyes, after: Eyes) -> TaskChange | None:
    owners = audience(task)
    could, can = before.see(owners), after.see(owners)
    if could == can:
        return None
    return TaskChange(position, task.id, msgspec.Raw(encode(task)), owners if could else None, owners if can else None)


def _seen(name: str) -> str:
    """Whether eyes see a row of `tasks`, as SQL."""
    return f"(%({name}_all)s OR coalesce({own(f'{name}_ids')}, false))"


async def _candidates(
    connection: Connection, workspace_id: str, position: int, before: Eyes, after: Eyes
) -> tuple[list[Task], list[str]] | None:
    """The rows that are told and are what they were then; and the tasks that are not, and may be told. None: too many.

    Rows stand after the position where somebody resumes, and before it where a crash of the server has set them back:
    what has moved are the tasks of the events in between.
    """
    # Where only teams and projects differ, what is told was assigned to one of them, or in it, once: some event says
    # so, however it says it.
    groups = sorted(before.ids ^ after.ids) if before.see_all == after.see_all else None
    of_groups = (
        ""
        if groups is None
        else "AND (t.assignee_id = ANY (%(groups)s::uuid[]) OR t.project_id = ANY (%(groups)s::uuid[]))"
    )
    naming = "" if groups is None else "AND e.data::text LIKE ANY (%(patterns)s::text[])"
    cursor = await connection.execute(
        f"""
        WITH live AS MATERIALIZED (
            SELECT c.workspace_id, c.build, c.position FROM checkpoints c
            WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        ), moved AS MATERIALIZED (
            SELECT DISTINCT e.stream_id FROM events e
            WHERE e.workspace_id = %(workspace)s AND e.name LIKE 'task.%%'
              AND e.position > (SELECT least(position, %(at)s) FROM live)
              AND e.position <= (SELECT greatest(position, %(at)s) FROM live)
        ), same AS (
            SELECT t.task_id, task_document(t)::text AS document
            FROM live c JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build
            WHERE t.position <= %(at)s AND t.deleted_at IS NULL AND t.task_id NOT IN (SELECT stream_id FROM moved)
              {of_groups}
              AND {_seen("before")} <> {_seen("after")}
            LIMIT %(most)s + 1
        ), touched AS (
            SELECT m.stream_id AS task_id FROM moved m
            WHERE EXISTS (
                SELECT FROM events e
                WHERE e.workspace_id = %(workspace)s AND e.stream_id = m.stream_id AND e.position <= %(at)s {naming})
            LIMIT %(folded)s + 1
        )
        SELECT task_id::text, document FROM same UNION ALL SELECT task_id::text, NULL FROM touched
        """.encode(),  # noqa: S608 (constants of ours)
        {
            "workspace": workspace_id,
            "at": position,
            "groups": groups,
            "patterns": [f"%{group}%" for group in groups or ()],
            "before_all": before.see_all,
            "before_ids": list(before.ids),
            "after_all": after.see_all,
            "after_ids": list(after.ids),
            "most": MOST,
            "folded": MOST_FOLDED,
        },
    )
    rows = await cursor.fetchall()
    same = [decode(document) for _, document in rows if document is not None]
    moved = [task_id for task_id, document in rows if document is None]
    return None if len(same) > MOST or len(moved) > MOST_FOLDED else (same, moved)


async def user_at(connection: Connection, workspace_id: str, user_id: str, position: int) -> User | None:
    """A user as they were at a position, or when they joined if that was later; None where there is no such user."""
    user: User | None = None
    for event in await log.streams(connection, workspace_id, {user_id: _ALL}, projection=NAME):
        if user is None or event.position <= position:
            user = evolve(user, event)
    return user
