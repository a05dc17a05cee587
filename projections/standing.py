"""How far each projection is behind the logs, over all workspaces: what operators watch."""

from typing import NamedTuple

from projections.database import Connection


class Standing(NamedTuple):
    """A projection beside the logs of all workspaces.

    `lag` is in positions, summed; `seconds` is the age of the oldest event that it has not taken in, 0 when there is
    none; `behind`, `failing`, `leased` and `rebuilding` count workspaces. All that is of the live builds, but for the
    last. `passed_over` counts events that somebody decided to leave out.
    """

    projection: str
    lag: int
    seconds: float
    behind: int
    failing: int
    leased: int
    rebuilding: int
    passed_over: int


class Logs(NamedTuple):
    """How many logs there are, and how many events in all of them."""

    workspaces: int
    events: int


async def standings(connection: Connection, projections: list[str]) -> list[Standing]:
    """Where the projections stand."""
    cursor = await connection.execute(
        """
        SELECT p.projection,
               coalesce(sum(greatest(0, l.position - coalesce(c.position, 0))), 0)::bigint,
               coalesce(greatest(0, max(extract(epoch FROM clock_timestamp() - e.recorded_at))), 0)::float8,
               count(*) FILTER (WHERE l.position > coalesce(c.position, 0)),
               count(c.error),
               count(*) FILTER (WHERE c.lease IS NOT NULL AND c.leased_until > clock_timestamp()),
               (SELECT count(DISTINCT b.workspace_id) FROM checkpoints b
                WHERE b.projection = p.projection AND b.state = 'filling'),
               (SELECT count(*) FROM passed_over o WHERE o.projection = p.projection)
        FROM unnest(%s::text[]) AS p(projection)
        LEFT JOIN logs l ON true
        LEFT JOIN checkpoints c ON c.workspace_id = l.workspace_id AND c.projection = p.projection AND c.live
        LEFT JOIN events e ON e.workspace_id = l.workspace_id AND e.position = coalesce(c.position, 0) + 1
        GROUP BY p.projection ORDER BY p.projection
        """,
        (projections,),
    )
    return [Standing(*row) for row in await cursor.fetchall()]


async def logs(connection: Connection) -> Logs:
    """How much there is."""
    cursor = await connection.execute("SELECT count(*), coalesce(sum(position), 0)::bigint FROM logs")
    row = await cursor.fetchone()
    assert row is not None
    return Logs(*row)
