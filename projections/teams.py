"""The projection `teams`: one row a team, also of those that are deleted; and the queries."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from domain.team import Team, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "teams"
KIND: Final = "team"

decode: Final = msgspec.json.Decoder(Team).decode


async def load(connection: Connection, workspace_id: str, build: int, team_ids: Collection[str]) -> dict[str, Any]:
    """The states of some teams in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT team_id::text, team_document(t)::text FROM teams t
        WHERE workspace_id = %s AND build = %s AND team_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(team_ids)),
    )
    return {team_id: decode(document) for team_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, teams: Collection[Any]) -> None:
    """Write each team of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO teams (workspace_id, build, team_id, version, position, name, description, members,
                           created_at, updated_at, deleted_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, name, description, members,
               created_at, updated_at, deleted_at
        FROM moved, json_to_recordset(%(rows)s::json) AS t(
            id uuid, version integer, position bigint, name text, description text, members jsonb,
            created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
        ON CONFLICT (workspace_id, build, team_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, name = excluded.name,
            description = excluded.description, members = excluded.members, updated_at = excluded.updated_at,
            deleted_at = excluded.deleted_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(teams),
    )


TEAMS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda team: len(team.description) + 60 * len(team.members),
    columns=(
        "version",
        "position",
        "name",
        "description",
        "members",
        "created_at",
        "updated_at",
        "deleted_at",
    ),
    wakes=frozenset({"team"}),
)


_TEAMS: Final = """
    SELECT c.position, CASE WHEN t.team_id IS NOT NULL THEN team_document(t)::text END
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT * FROM teams t
        WHERE t.workspace_id = c.workspace_id AND t.build = c.build AND t.deleted_at IS NULL
          AND ({where}) AND (%(member)s::text IS NULL OR t.members ? %(member)s)
        ORDER BY t.team_id LIMIT %(limit)s) t ON true
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'teams' AND c.live
    ORDER BY t.team_id
"""
PAGE: Final = _TEAMS.format(where="t.team_id > %(after)s")
ONE: Final = _TEAMS.format(where="t.team_id = %(after)s")


async def page(
    connection: Connection, workspace_id: str, after: str | None, limit: int, member: str | None = None
) -> tuple[list[Team], int]:
    """Teams in the order of their making, of one member or all; and the position of the projection."""
    return await _read(connection, PAGE, workspace_id, after or FIRST, limit, member)


async def get(connection: Connection, workspace_id: str, team_id: str) -> tuple[Team | None, int]:
    """One team that is there, and the position of the projection."""
    teams, position = await _read(connection, ONE, workspace_id, team_id, 1, None)
    return (teams[0] if teams else None), position


async def _read(
    connection: Connection, query: str, workspace_id: str, after: str, limit: int, member: str | None
) -> tuple[list[Team], int]:
    cursor = await connection.execute(
        query.encode(), {"workspace": workspace_id, "after": after, "limit": limit, "member": member}
    )
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [decode(row[1]) for row in rows if row[1] is not None], position


async def named(connection: Connection, workspace_id: str, name: str) -> list[str]:
    """The ids of the teams of a name, two at most."""
    cursor = await connection.execute(
        """
        SELECT t.team_id::text FROM checkpoints c
        JOIN teams t ON t.workspace_id = c.workspace_id AND t.build = c.build
        WHERE c.workspace_id = %s AND c.projection = %s AND c.live AND t.deleted_at IS NULL AND t.name = %s
        LIMIT 2
        """,
        (workspace_id, NAME, name),
    )
    return [row[0] for row in await cursor.fetchall()]
