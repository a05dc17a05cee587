"""A long log at once, as appends would have left it: rows, sizes, digests and order on the disk, in a few seconds.

The owner writes the tables, each over a connection of its own, with all keys and checks on; nobody may read or append
meanwhile. So many tasks live side by side, each through `LIFE`; ids are UUIDs of version 7 by the time of their
position, as the program makes them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import psycopg

from bench.servers import Database
from bench.subject import DESCRIPTION, TITLE
from domain.events import NAMES, Event, encode
from domain.task import TaskAssigned, TaskCompleted, TaskCreated, TaskEdited, TaskStarted
from domain.task_fields import Assignee
from domain.workflow import Category

ALIVE: Final = 20_000  # tasks that live side by side

# The life of a task: 250 bytes of data an event. `#` stands for the number of the task, `@` for its actor.
LIFE: Final[Sequence[Event]] = (
    TaskCreated(title=f"Task #: {TITLE}", description=DESCRIPTION * 3, status="todo", category=Category.OPEN),
    TaskAssigned(assignee=Assignee(type="user", id="@")),
    TaskStarted(status="in_progress", category=Category.ACTIVE),
    TaskEdited(title=f"Task # again: {TITLE}", description=DESCRIPTION * 5),
    TaskCompleted(status="done", category=Category.DONE),
)

_ID: Final = """
    CREATE FUNCTION pg_temp.id(milliseconds bigint, seed bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN ('0' || to_hex(milliseconds) || '7' || left(md5(int8send(seed)), 3)
            || '8' || right(md5(int8send(seed)), 15))::uuid
"""
# One row an event, 10 ms after the one before; the last one is of now.
_SOURCE: Final = """
    (SELECT n, place.version, place.task,
            to_timestamp((%(begun)s + n * 10) / 1000.0) AS at,
            pg_temp.id(%(begun)s + place.born * 10, -place.task) AS stream_id,
            pg_temp.id(%(begun)s + n * 10, n) AS command_id,
            (%(actors)s::uuid[])[1 + place.task %% cardinality(%(actors)s::uuid[])] AS actor
     FROM generate_series(0::bigint, %(events)s - 1) n,
          LATERAL (SELECT n / (%(alive)s * %(length)s) AS block, n %% (%(alive)s * %(length)s) AS off) part,
          LATERAL (SELECT part.off / %(alive)s + 1 AS version,
                          part.block * %(alive)s + part.off %% %(alive)s AS task,
                          part.block * %(alive)s * %(length)s + part.off %% %(alive)s AS born) place) e
"""
_EVENTS: Final = f"""
    INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                        digest, salt, meta, data)
    SELECT %(workspace)s, %(head)s + n + 1, stream_id, version, 1, at, (%(names)s::text[])[version],
           sha256(said.salt || convert_to(said.data, 'UTF8')), said.salt,
           format('{{"actor":"%%s","correlation_id":"%%s","causation_id":"%%s"}}', actor, command_id, command_id)::json,
           said.data::json
    FROM {_SOURCE},
         LATERAL (SELECT replace(replace((%(datas)s::text[])[version], '#', task::text), '@', actor::text) AS data,
                         decode(md5('salt' || n), 'hex') AS salt) said
"""
# Every other client brings a key of its own, a random one, and a fingerprint goes with it.
_KEYS: Final = f"""
    INSERT INTO keys (workspace_id, principal, key, command_id, fingerprint, stream_id, version, position, recorded_at)
    SELECT %(workspace)s, actor,
           md5('key' || n)::uuid::text, command_id, sha256(int8send(n)), stream_id, version, %(head)s + n + 1, at
    FROM {_SOURCE} WHERE n %% 2 = 1
"""


class Filled(NamedTuple):
    """What a log holds now: each of the streams has the version `len(LIFE)`."""

    head: int
    streams: int


def fill(database: Database, actors: Sequence[str], events: int) -> Filled:
    """Put so many events behind those that are there. `events` must be lives of as many tasks as live side by side."""
    alive = min(ALIVE, events // len(LIFE))
    if events % (alive * len(LIFE)):
        raise ValueError(f"expected a multiple of {alive * len(LIFE)} events, got {events}")
    with database.owner() as owner:
        row: tuple[int, int] | None = owner.execute(
            "SELECT position, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM logs WHERE workspace_id = %s",
            (database.workspace_id,),
        ).fetchone()
        assert row is not None
        head, now = row
        values = {
            "workspace": database.workspace_id,
            "head": head,
            "begun": now - events * 10,
            "events": events,
            "alive": alive,
            "length": len(LIFE),
            "actors": list(actors),
            "names": [NAMES[type(event)][0] for event in LIFE],
            "datas": [encode(event).decode() for event in LIFE],
        }
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda statement: _write(database, statement, values), (_EVENTS, _KEYS)))
        owner.execute(
            "UPDATE logs SET position = %s, recorded_at = clock_timestamp() WHERE workspace_id = %s",
            (head + events, database.workspace_id),
        )
        owner.execute("VACUUM (ANALYZE) events, keys")
    return Filled(head + events, events // len(LIFE))


def stream_ids(database: Database, most: int) -> list[str]:
    """Some of the streams of tasks, from all over the log."""
    with database.owner() as owner:
        rows = owner.execute(
            """
            SELECT stream_id::text FROM events WHERE workspace_id = %s AND version = %s
            ORDER BY md5(stream_id::text) LIMIT %s
            """,
            (database.workspace_id, len(LIFE), most),
        ).fetchall()
    return [row[0] for row in rows]


def _write(database: Database, statement: str, values: dict[str, object]) -> None:
    with psycopg.connect(database.owner_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_ID)
        connection.execute(statement.encode(), values)
