"""The projection `users`: one row a member with the role at the checkpoint; and the queries, joined with profiles."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from domain.user import User, evolve
from projections.checkpoints import MOVED, Move
from projections.database import Connection
from projections.lookups import FIRST
from projections.table import Table

NAME: Final = "users"
KIND: Final = "user"

decode: Final = msgspec.json.Decoder(User).decode


async def load(connection: Connection, workspace_id: str, build: int, user_ids: Collection[str]) -> dict[str, Any]:
    """The states of some users in a build, at its checkpoint."""
    cursor = await connection.execute(
        """
        SELECT user_id::text, json_build_object(
            'id', user_id, 'version', version, 'position', position, 'role', role, 'active', active,
            'teams', teams, 'projects', projects, 'joined_at', instant(joined_at),
            'updated_at', instant(updated_at))::text
        FROM users WHERE workspace_id = %s AND build = %s AND user_id = ANY (%s::uuid[])
        """,
        (workspace_id, build, list(user_ids)),
    )
    return {user_id: decode(document) for user_id, document in await cursor.fetchall()}


async def save(connection: Connection, move: Move, users: Collection[Any]) -> None:
    """Write each user of a build once."""
    await connection.execute(
        f"""
        {MOVED}
        INSERT INTO users (workspace_id, build, user_id, version, position, role, active, teams, projects,
                           joined_at, updated_at)
        SELECT %(workspace_id)s, %(build)s, id, version, position, role, active, teams, projects, joined_at, updated_at
        FROM moved, json_to_recordset(%(rows)s::json) AS u(
            id uuid, version integer, position bigint, role text, active boolean, teams jsonb, projects jsonb,
            joined_at timestamptz, updated_at timestamptz)
        ON CONFLICT (workspace_id, build, user_id) DO UPDATE SET
            version = excluded.version, position = excluded.position, role = excluded.role,
            active = excluded.active, teams = excluded.teams, projects = excluded.projects,
            updated_at = excluded.updated_at
        """.encode(),  # noqa: S608  (a constant of ours)
        move.with_rows(users),
    )


USERS: Final = Table(
    NAME,
    KIND,
    evolve,
    load,
    save,
    weigh=lambda user: 80 * (len(user.teams) + len(user.projects)),
    columns=("version", "position", "role", "active", "teams", "projects", "joined_at", "updated_at"),
    wakes=frozenset({"user"}),
)


class Member(NamedTuple):
    """A member as the workspace sees one: the log's part and the profile's part."""

    id: str
    version: int
    role: str
    active: bool
    teams: Mapping[str, str]
    joined_at: str
    email: str
    display_name: str
    preferences: dict[str, Any]


_MEMBERS: Final = """
    SELECT c.position, u.user_id::text, u.version, u.role, u.active, u.teams, instant(u.joined_at),
           a.email, a.display_name, a.preferences
    FROM checkpoints c
    LEFT JOIN LATERAL (
        SELECT * FROM users u
        WHERE u.workspace_id = c.workspace_id AND u.build = c.build AND {where}
        ORDER BY u.user_id LIMIT %(limit)s) u ON true
    LEFT JOIN accounts a ON a.workspace_id = u.workspace_id AND a.user_id = u.user_id
    WHERE c.workspace_id = %(workspace)s AND c.projection = 'users' AND c.live
    ORDER BY u.user_id
"""
PAGE: Final = _MEMBERS.format(where="u.user_id > %(after)s")
ONE: Final = _MEMBERS.format(where="u.user_id = %(after)s")


async def page(connection: Connection, workspace_id: str, after: str | None, limit: int) -> tuple[list[Member], int]:
    """Members in the order of their ids (which is that of joining), and the position of the projection."""
    return await _members(connection, PAGE, workspace_id, after or FIRST, limit)


async def get(connection: Connection, workspace_id: str, user_id: str) -> tuple[Member | None, int]:
    """One member, and the position of the projection."""
    members, position = await _members(connection, ONE, workspace_id, user_id, 1)
    return (members[0] if members else None), position


async def _members(
    connection: Connection, query: str, workspace_id: str, after: str, limit: int
) -> tuple[list[Member], int]:
    cursor = await connection.execute(query.encode(), {"workspace": workspace_id, "after": after, "limit": limit})
    rows = await cursor.fetchall()
    position = int(rows[0][0]) if rows else 0
    return [Member(*row[1:]) for row in rows if row[1] is not None], position
