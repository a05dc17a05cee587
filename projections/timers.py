"""The rows of the projection `timers`: the next moment of each thing; and the query for what is due."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from domain.timers import CLOCKWORKS, Timing, decoded
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.projects import ARCHIVED

NAME: Final = "timers"


class Timer(NamedTuple):
    """A row. `position` is that of the last event that changed its state."""

    id: str
    kind: str
    position: int
    state: Timing

    def evolved(self, position: int, state: Timing) -> "Timer":
        """The row after an event at a position; itself where that changes nothing."""
        return self if state is self.state or state == self.state else Timer(self.id, self.kind, position, state)

    def document(self) -> dict[str, Any]:
        """As the row stands in its table."""
        state = self.state
        moments = {"fires_at": state.fires_at, "rests_with": state.rests_with, "emptied_from": state.emptied_from}
        return {"kind": self.kind, "position": self.position, **moments, "state": msgspec.to_builtins(state)}


def blank(kind: str, id_: str) -> Timer:
    """The row of a thing of which nothing is known. There is none in the table."""
    return Timer(id_, kind, 0, CLOCKWORKS[kind].blank)


async def load(connection: Connection, workspace_id: str, build: int, ids: Collection[str]) -> dict[str, Timer]:
    """The rows of some things in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT t.timer_id::text, t.kind, t.position, t.state::text FROM timers t
        WHERE t.workspace_id = %s AND t.build = %s AND t.timer_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(ids)),
    )
    return {
        id_: Timer(id_, kind, position, decoded(kind, msgspec.json.decode(state)))
        for id_, kind, position, state in await cursor.fetchall()
    }


async def save(connection: Connection, move: Move, timers: Collection[Timer]) -> None:
    """Write each row of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO timers (workspace_id, build, timer_id, kind, position, fires_at, rests_with, emptied_from, state)
        SELECT %(workspace_id)s, %(build)s, id, kind, position, fires_at, rests_with, emptied_from, state
        FROM moved, json_to_recordset(%(rows)s::json) AS t(
            id uuid, kind text, position bigint, fires_at timestamptz, rests_with uuid, emptied_from timestamptz,
            state jsonb)
        ON CONFLICT (workspace_id, build, timer_id) DO UPDATE SET
            kind = excluded.kind, position = excluded.position, fires_at = excluded.fires_at,
            rests_with = excluded.rests_with, emptied_from = excluded.emptied_from, state = excluded.state
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows({"id": timer.id, **timer.document()} for timer in timers),
    )


class Due(NamedTuple):
    """A moment of a thing: when it is to be woken, or (`empties`) when it has lain in the trash for long enough.

    The rows that say so are those at `position`, the checkpoint; `ours`: it was the asker's own worker that wrote them.
    """

    at: datetime
    id: str
    kind: str
    empties: bool
    workspace_id: str
    position: int
    ours: bool


class Look(NamedTuple):
    """What comes next, in order, as it was known at the time `now`."""

    now: datetime
    moments: list[Due]


# The checkpoint of a row, if its build is live. LIMIT makes PostgreSQL look it up row by row, in the order of the rows:
# as a join, of which it expected one row, it came after all timers were read and sorted.
_LIVE: Final = """
    SELECT c.position, c.lease FROM checkpoints c
    WHERE c.workspace_id = t.workspace_id AND c.projection = 'timers' AND c.live AND c.build = t.build LIMIT 1
"""

# Whether a row is not left alone in an archived project. These are read once, and not for each row.
_AWAKE: Final = f"(t.rests_with IS NULL OR t.rests_with <> ALL (ARRAY({ARCHIVED})))"


async def look(
    connection: Connection,
    *,
    now: datetime | None,
    most: int,
    trash: timedelta | None,
    after: Due | None = None,
    lease: str | None = None,
) -> Look:
    """The next `most` moments of all workspaces, due or still to come; `after` one of them: those that follow it.

    `now` None: by the clock of the database, which is one for all who ask. `trash` is how long things lie there before
    it is emptied; None: for ever. `lease` is that of the asker's own worker; None: all is theirs.
    """
    cursor = await connection.execute(
        f"""
        SELECT clock.now, n.at, n.timer_id::text, n.kind, n.empties, n.workspace_id::text, n.position,
               %(lease)s::uuid IS NULL OR coalesce(n.lease = %(lease)s::uuid, false)
        FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) clock
        LEFT JOIN LATERAL (
            (SELECT t.fires_at AS at, t.timer_id, t.kind, false AS empties, t.workspace_id, c.position, c.lease
             FROM timers t
             CROSS JOIN LATERAL ({_LIVE}) c
             WHERE t.fires_at IS NOT NULL AND (t.fires_at, t.timer_id) > (%(at)s::timestamptz, %(id)s::uuid)
               AND {_AWAKE}
             ORDER BY t.fires_at, t.timer_id LIMIT %(most)s)
            UNION ALL
            (SELECT t.emptied_from + %(trash)s::interval, t.timer_id, t.kind, true, t.workspace_id, c.position, c.lease
             FROM timers t
             CROSS JOIN LATERAL ({_LIVE}) c
             WHERE t.emptied_from IS NOT NULL AND %(trash)s::interval IS NOT NULL
               AND (t.emptied_from, t.timer_id) > (%(at)s::timestamptz - %(trash)s::interval, %(id)s::uuid)
             ORDER BY t.emptied_from, t.timer_id LIMIT %(most)s)
            ORDER BY at, timer_id LIMIT %(most)s) n ON true
        ORDER BY n.at, n.timer_id
        """.encode(),  # noqa: S608  (a constant of ours)
        {
            "now": now,
            "at": "-infinity" if after is None else after.at,
            "id": FIRST if after is None else after.id,
            "most": most,
            "trash": trash,
            "lease": lease,
        },
    )
    rows = await cursor.fetchall()
    return Look(rows[0][0], [Due(*row[1:]) for row in rows if row[1] is not None])


async def late(connection: Connection) -> float:
    """For how many seconds the oldest moment that has come waits; 0 when none does."""
    cursor = await connection.execute(
        f"""
        SELECT coalesce(extract(epoch FROM greatest(clock_timestamp() - min(n.fires_at), interval '0')), 0)::float8
        FROM (SELECT t.fires_at FROM timers t
              CROSS JOIN LATERAL ({_LIVE}) c
              WHERE t.fires_at IS NOT NULL AND {_AWAKE} ORDER BY t.fires_at LIMIT 1) n
        """.encode()  # noqa: S608  (a constant of ours)
    )
    row = await cursor.fetchone()
    return 0.0 if row is None else float(row[0])


async def windows(connection: Connection, workspace_id: str, build: int, after: int, to: int) -> dict[str, Any]:
    """The rows whose position is in (`after`, `to`], as documents by their ids."""
    cursor = await connection.execute(
        """
        SELECT t.timer_id::text, t.kind, t.position, instant(t.fires_at), t.rests_with::text, instant(t.emptied_from),
               t.state::text
        FROM timers t WHERE t.workspace_id = %s AND t.build = %s AND t.position > %s AND t.position <= %s
        """,
        (workspace_id, build, after, to),
    )
    names = ("kind", "position", "fires_at", "rests_with", "emptied_from")
    return {
        row[0]: {**dict(zip(names, row[1:6], strict=True)), "state": msgspec.json.decode(row[6])}
        for row in await cursor.fetchall()
    }
