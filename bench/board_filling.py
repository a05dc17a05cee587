"""A board of many tasks at once: the read tables as projectors would have left them, written by the owner in SQL.

The titles, descriptions and comments are of 5,000 words, few of them frequent; tags, people and projects alike. Most
tasks are done, half have a due date, and there are two comments to a task. A smaller board of another workspace lies
beside.
"""

from typing import Final, NamedTuple

from bench.servers import Database
from commands.ids import new_id

WORDS: Final = 5_000
PEOPLE: Final = 200
PROJECTS: Final = 50
TAGS: Final = 300
SAID: Final = 2  # comments to a task
EVENTS: Final = 10  # in the life of a task

_FUNCTIONS: Final = """
    CREATE FUNCTION pg_temp.word(n integer) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN translate(left(md5(n::text), 4 + n % 5), '0123456789', 'ghijklmnop');
    CREATE FUNCTION pg_temp.some(count integer, seed integer) RETURNS text LANGUAGE sql VOLATILE
    RETURN (SELECT string_agg(pg_temp.word((5000 * power(random(), 3))::integer + 0 * seed), ' ')
            FROM generate_series(1, count));
"""
_TASKS: Final = """
    INSERT INTO tasks (workspace_id, build, task_id, version, position, title, description, status, category, priority,
                       due_at, assignee_type, assignee_id, project_id, key, parent_id, subtasks, links, tags,
                       estimate_minutes, created_by, created_at, updated_at, completed_at, deleted_at)
    SELECT %(workspace)s, 1,
           ('0' || to_hex((extract(epoch FROM at) * 1000)::bigint) || '7' || left(md5(n::text), 3)
            || '8' || right(md5(n::text), 15))::uuid,
           10, n * 10, 'Task ' || pg_temp.some(6, n), pg_temp.some(40, n), s.status, s.category, s.priority,
           CASE WHEN n %% 2 = 0 THEN now() + (random() - 0.7) * interval '200 days' END,
           CASE WHEN n %% 3 > 0 THEN 'user' END,
           CASE WHEN n %% 3 > 0 THEN (%(people)s::uuid[])[1 + ((%(some)s - 1) * power(random(), 2))::integer] END,
           s.project, CASE WHEN s.project IS NOT NULL THEN 'P' || s.place || '-' || n END, NULL, '[]', '[]',
           CASE WHEN n %% 9000 = 17 THEN ARRAY['rare'] ELSE
               ARRAY(SELECT DISTINCT 't' || (300 * power(random(), 3))::integer FROM generate_series(1, n %% 4)) END,
           CASE WHEN n %% 5 = 0 THEN 30 * (n %% 17) END,
           (%(people)s::uuid[])[1 + n %% %(some)s], at, at + random() * (now() - at),
           CASE WHEN s.category = 'done' THEN now() END, NULL
    FROM (SELECT n, now() - (%(tasks)s - n) * (interval '700 days' / %(tasks)s) AS at
          FROM generate_series(1, %(tasks)s) n) rows,
         LATERAL (SELECT d.status, d.category, d.priority, d.place,
                         CASE WHEN n %% 10 < 7 THEN (%(projects)s::uuid[])[d.place] END AS project
                  FROM (SELECT CASE WHEN r < 0.8 THEN 'done' WHEN r < 0.85 THEN 'cancelled' WHEN r < 0.97 THEN 'todo'
                                    WHEN r < 0.999 THEN 'in_progress' ELSE 'stuck' END AS status,
                               CASE WHEN r < 0.8 THEN 'done' WHEN r < 0.85 THEN 'cancelled' WHEN r < 0.97 THEN 'open'
                                    ELSE 'active' END AS category,
                               CASE WHEN q < 0.1 THEN 0 WHEN q < 0.8 THEN 1 WHEN q < 0.97 THEN 2 ELSE 3 END AS priority,
                               1 + (49 * power(random(), 2))::integer AS place
                        FROM (SELECT random() AS r, random() AS q WHERE n IS NOT NULL) dice) d) s
"""
_COMMENTS: Final = """
    INSERT INTO comments (workspace_id, build, comment_id, version, position, task_id, body, mentions, reply_to,
                          created_by, created_at, updated_at)
    SELECT %(workspace)s, 1, (left(task_id::text, 14) || right(gen_random_uuid()::text, 22))::uuid, 1, position + k,
           task_id, pg_temp.some(15, k), '{}', NULL, created_by,
           updated_at, updated_at
    FROM tasks, generate_series(1, %(said)s) k WHERE workspace_id = %(workspace)s
"""
# The words that are there, as `projections/lexicon.py` writes them.
_LEXICON: Final = """
    INSERT INTO lexicon (workspace_id, projection, build, variant, word)
    SELECT %(workspace)s, 'tasks', 1, v.variant, w.word
    FROM (SELECT DISTINCT pg_temp.word(n) AS word FROM generate_series(0, 5000) n) w,
         LATERAL shortened(w.word) AS v(variant)
    WHERE length(w.word) >= 4 AND w.word !~ '[0-9]'
"""


class Board(NamedTuple):
    """A board that was filled: who is there, and the projects, the largest first."""

    database: Database
    tasks: int
    people: list[str]
    projects: list[str]


def fill(database: Database, tasks: int) -> Board:
    """Write the board, and what the planner knows of it."""
    people, projects = [new_id() for _ in range(PEOPLE)], [new_id() for _ in range(PROJECTS)]
    with database.owner() as owner:
        owner.execute(_FUNCTIONS.encode())
        owner.execute("SELECT setseed(0.5)")
        other = new_id()
        owner.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (%s, 'other')", (other,))
        for workspace, count in ((database.workspace_id, tasks), (other, max(100, tasks // 20))):
            values = {"workspace": workspace, "tasks": count, "people": people, "some": PEOPLE, "projects": projects}
            owner.execute(_TASKS.encode(), values)
            owner.execute(_COMMENTS.encode(), {"workspace": workspace, "said": SAID})
            owner.execute(_LEXICON.encode(), {"workspace": workspace})
            for name in ("tasks", "comments", "projects"):
                owner.execute(
                    """
                    INSERT INTO checkpoints (workspace_id, projection, build, state, position)
                    VALUES (%s, %s, 1, 'live', %s)
                    """,
                    (workspace, name, count * EVENTS),
                )
        owner.execute("UPDATE logs SET position = %s WHERE workspace_id = %s", (tasks * EVENTS, database.workspace_id))
        owner.execute("VACUUM ANALYZE tasks, comments, lexicon, checkpoints")
    return Board(database, tasks, people, projects)
