"""All tasks of a list, however many: which they are is read at once, what they are is read part by part.

Nothing is held in between, no transaction and no connection. That all parts show one position comes from the log: a row
that has not moved since is what it was then, and of any other the stream is folded up to there.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from domain.comment import Comment
from domain.comment import evolve as evolve_comment
from domain.task import evolve
from projections import comments, tasks
from projections.database import Connection, Pool
from projections.folding import folded
from projections.task_list import (
    PRESENT,
    VISIBLE,
    TaskQuery,
    conditions_of,
    keys_of,
    order_of,
    parameters_of,
)

AT_ONCE: Final = 500  # tasks of a part
MOST_BYTES: Final = 2_000_000  # of their descriptions, about
COMMENTS_AT_ONCE: Final = 100

_ID_BYTES: Final = 16


class Snapshot(NamedTuple):
    """Which tasks there are at a position, by their ids, 16 bytes each. `said` is how far what is
    said about tasks is known, by whose words they may have been found."""

    position: int
    said: int
    at: str
    ids: bytes

    @property
    def tasks(self) -> int:
        """How many there are."""
        return len(self.ids) // _ID_BYTES

    def some(self, start: int) -> list[str]:
        """At most `AT_ONCE` of their ids, from the one with this number."""
        part = self.ids[start * _ID_BYTES : (start + AT_ONCE) * _ID_BYTES]
        return [str(UUID(bytes=part[n : n + _ID_BYTES])) for n in range(0, len(part), _ID_BYTES)]


async def snapshot(connection: Connection, query: TaskQuery) -> Snapshot:
    """All tasks that a query finds in the present, in its order; its limit and its cursor mean nothing here."""
    conditions = ["t.workspace_id = c.workspace_id AND t.build = c.build", *conditions_of(query, PRESENT)]
    if not query.eyes.see_all:
        conditions.append(VISIBLE)
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        f"""
        SELECT c.position,
               coalesce((SELECT k.position FROM checkpoints k
                         WHERE k.workspace_id = c.workspace_id AND k.projection = 'comments' AND k.live), 0),
               instant(statement_timestamp()), (
            SELECT string_agg(uuid_send(t.task_id), ''::bytea ORDER BY {order_of(keys_of(query))})
            FROM tasks t WHERE {" AND ".join(conditions)})
        FROM checkpoints c
        WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        """.encode(),  # noqa: S608 (every part is from the tables of `task_list`; values are parameters)
        parameters_of(query),
    )
    row = await cursor.fetchone()
    return Snapshot(0, 0, "", b"") if row is None else Snapshot(int(row[0]), int(row[1]), row[2], bytes(row[3] or b""))


async def now(connection: Connection) -> str:
    """What time it is where the log is."""
    row = await (await connection.execute("SELECT instant(statement_timestamp())")).fetchone()
    assert row is not None
    return str(row[0])


async def documents(pool: Pool, workspace_id: str, task_ids: Sequence[str], position: int) -> list[str]:
    """The documents of the first of these tasks, as they were at a position: as many as are read at once.

    Those that were not there then stand as empty text, so that each has its place.
    """
    if not task_ids:
        return []
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT f.id::text, CASE WHEN c.position >= %(position)s AND t.position <= %(position)s
                                    THEN task_document(t)::text END
            FROM (
                SELECT w.id, w.n, sum(coalesce(octet_length(r.description), 0)) OVER (ORDER BY w.n) AS bytes
                FROM unnest(%(tasks)s::uuid[]) WITH ORDINALITY AS w(id, n)
                LEFT JOIN checkpoints l ON l.workspace_id = %(workspace)s AND l.projection = 'tasks' AND l.live
                LEFT JOIN tasks r ON r.workspace_id = l.workspace_id AND r.build = l.build AND r.task_id = w.id) f
            LEFT JOIN checkpoints c ON c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
            LEFT JOIN tasks t ON t.workspace_id = c.workspace_id AND t.build = c.build AND t.task_id = f.id
            WHERE f.n = 1 OR f.bytes <= %(bytes)s
            ORDER BY f.n
            """,
            {"tasks": list(task_ids), "workspace": workspace_id, "position": position, "bytes": MOST_BYTES},
        )
        rows = await cursor.fetchall()
    moved = [task_id for task_id, document in rows if document is None]
    then = {
        task.id: msgspec.json.encode(task).decode()
        async for task in folded(pool, workspace_id, moved, position, evolve, tasks.NAME)
    }
    return [then.get(task_id, "") if document is None else document for task_id, document in rows]


async def comments_of(
    pool: Pool, workspace_id: str, task_ids: Collection[str], position: int
) -> AsyncIterator[list[Comment]]:
    """What is said about some tasks at a position and was not deleted, oldest first, some at a time."""
    after = ("00000000-0000-0000-0000-000000000000",) * 2
    while True:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT m.task_id::text, m.comment_id::text,
                       CASE WHEN m.position <= %(position)s THEN comment_document(m)::text END
                FROM checkpoints k
                JOIN comments m ON m.workspace_id = k.workspace_id AND m.build = k.build
                WHERE k.workspace_id = %(workspace)s AND k.projection = 'comments' AND k.live
                  AND m.task_id = ANY (%(tasks)s::uuid[])
                  AND (m.task_id, m.comment_id) > (%(task)s::uuid, %(comment)s::uuid)
                ORDER BY m.task_id, m.comment_id LIMIT %(limit)s
                """,
                {
                    "workspace": workspace_id,
                    "tasks": list(task_ids),
                    "position": position,
                    "task": after[0],
                    "comment": after[1],
                    "limit": COMMENTS_AT_ONCE,
                },
            )
            rows: list[Any] = await cursor.fetchall()
        moved = [row[1] for row in rows if row[2] is None]
        then = {one.id: one async for one in folded(pool, workspace_id, moved, position, evolve_comment, comments.NAME)}
        found = [then.get(row[1]) if row[2] is None else comments.decode(row[2]) for row in rows]
        yield [comment for comment in found if comment is not None and comment.body is not None]
        if len(rows) < COMMENTS_AT_ONCE:
            return
        after = rows[-1][:2]


class Named(NamedTuple):
    """What ids stand for: `(id, key, name)`, `(id, name)` and `(id, email, display_name)`."""

    projects: list[tuple[str, str, str]]
    teams: list[tuple[str, str]]
    users: list[tuple[str, str, str]]


async def named(
    pool: Pool, workspace_id: str, projects: Collection[str], teams: Collection[str], users: Collection[str]
) -> Named:
    """The names of some projects, teams and users as they are now."""
    asked = {
        "workspace": workspace_id,
        "projects": sorted(projects),
        "teams": sorted(teams),
        "users": sorted(users),
    }
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT 'project', p.project_id::text, p.key, p.name
            FROM checkpoints c JOIN projects p ON p.workspace_id = c.workspace_id AND p.build = c.build
            WHERE c.workspace_id = %(workspace)s AND c.projection = 'projects' AND c.live
              AND p.project_id = ANY (%(projects)s::uuid[])
            UNION ALL
            SELECT 'team', t.team_id::text, t.name, NULL
            FROM checkpoints c JOIN teams t ON t.workspace_id = c.workspace_id AND t.build = c.build
            WHERE c.workspace_id = %(workspace)s AND c.projection = 'teams' AND c.live
              AND t.team_id = ANY (%(teams)s::uuid[])
            UNION ALL
            SELECT 'user', a.user_id::text, a.email, a.display_name
            FROM accounts a WHERE a.workspace_id = %(workspace)s AND a.user_id = ANY (%(users)s::uuid[])
            """,
            asked,
        )
        rows = await cursor.fetchall()
    return Named(
        [(row[1], row[2], row[3]) for row in rows if row[0] == "project"],
        [(row[1], row[2]) for row in rows if row[0] == "team"],
        [(row[1], row[2], row[3]) for row in rows if row[0] == "user"],
    )
