"""A board of many tasks: a log of ten events a task, as appends would have left it, read by our projector.

Eight events are the task's own, two are comments. The titles, descriptions and comments are of 5,000 words, few of
them frequent; tags, people and projects alike. Most tasks are done, half have a due date, one in ten has a start, some
lie in the trash. Tasks are written down all over 700 days; most of what happens to one happens soon, and the last of it
at any time since. A smaller board of another workspace lies beside.
"""

import asyncio
from typing import Final, NamedTuple

import uvloop

from api.database import make_pool
from api.services import make_redis
from bench import board_log
from bench.board_log import Cast
from bench.servers import Database, Servers
from commands.ids import new_id
from projections.pacing import ProjectorSettings
from projections.projector import Projector

READ: Final = (("tasks",), ("users", "projects", "comments"))  # by pages and their readers; side by side, one by one

BATCH: Final = 10_000  # positions: all at once would be a statement of many seconds where others use the machine


class Board(NamedTuple):
    """A board that was filled: who is there, and the projects, the largest first."""

    database: Database
    tasks: int
    people: list[str]
    projects: list[str]


def fill(servers: Servers, database: Database, tasks: int) -> Board:
    """Write the log, let it be read, and let the planner know of it."""
    cast, other = Cast.made(), new_id()
    with database.owner() as owner:
        owner.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (%s, 'other')", (other,))
        owner.execute("INSERT INTO logs (workspace_id) VALUES (%s)", (other,))
        heads = {
            database.workspace_id: board_log.write(owner, database.workspace_id, cast, tasks),
            other: board_log.write(owner, other, Cast.made(), max(100, tasks // 20)),
        }
        owner.execute("VACUUM ANALYZE events")
        uvloop.run(_project(servers, database, heads))
        owner.execute("VACUUM ANALYZE")
        _check(database, tasks)
    return Board(database, tasks, list(cast.people), list(cast.projects))


async def _project(servers: Servers, database: Database, heads: dict[str, int]) -> None:
    """From the start of each log to its end."""
    pool, redis = make_pool(database.serving_url, 2 * len(READ)), make_redis(servers.redis_url)
    await pool.open(wait=True)
    projector = Projector(pool, redis, new_id(), ProjectorSettings(most=BATCH))

    async def read(names: tuple[str, ...]) -> None:
        for workspace_id, head in heads.items():
            for name in names:
                left = head
                while left > 0:
                    left -= await projector.run_once(workspace_id, name)

    try:
        await asyncio.gather(*map(read, READ))
    finally:
        await redis.aclose()
        await pool.close()


def _check(database: Database, tasks: int) -> None:
    """Raises `RuntimeError` where the tables are not what the log says."""
    with database.owner() as owner:
        row = owner.execute(
            """
            SELECT (SELECT count(*) FROM tasks WHERE workspace_id = %(workspace)s AND version = %(own)s),
                   (SELECT count(*) FROM comments WHERE workspace_id = %(workspace)s)
            """,
            {"workspace": database.workspace_id, "own": board_log.OWN},
        ).fetchone()
    if row != (tasks, tasks * board_log.SAID):
        raise RuntimeError(f"the projections are not what the log says: {row}")
