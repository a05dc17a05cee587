"""Which tasks a filter finds: their ids alone, all at one position."""

from typing import NamedTuple

from projections.database import Connection
from projections.task_list import PRESENT, VISIBLE, TaskQuery, conditions_of, parameters_of


class Chosen(NamedTuple):
    """The ids of tasks in the order of their making, at a position of the projection."""

    task_ids: list[str]
    position: int


async def choose(connection: Connection, query: TaskQuery) -> Chosen:
    """Those that the eyes of the query see: at most its `limit`, and one more where there are more."""
    conditions = ["t.workspace_id = c.workspace_id AND t.build = c.build", *conditions_of(query, PRESENT)]
    if not query.eyes.see_all:
        conditions.append(VISIBLE)
    cursor = await connection.execute(
        f"""
        SELECT c.position, ARRAY(
            SELECT t.task_id::text FROM tasks t WHERE {" AND ".join(conditions)}
            ORDER BY t.created_at, t.task_id LIMIT %(limit)s)
        FROM checkpoints c WHERE c.workspace_id = %(workspace)s AND c.projection = 'tasks' AND c.live
        """.encode(),  # noqa: S608 (every part is from the tables of `task_list`; values are parameters)
        parameters_of(query),
    )
    row = await cursor.fetchone()
    return Chosen([], 0) if row is None else Chosen(list(row[1]), int(row[0]))
