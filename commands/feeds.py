"""Feeds: secret addresses under which calendars read what is due to somebody. Only hashes are stored.

The secret is made as that of a personal token is (256 random bits and a checksum), and good for nothing else.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from commands.event_store import Pool
from commands.ids import new_id
from commands.personal_tokens import is_whole, make
from domain.errors import Conflict, NotFound
from domain.text import check_line

PREFIX: Final = "tff_"
NAME_MAX: Final = 100
MOST: Final = 20  # of one user


@dataclass(frozen=True, slots=True)
class Feed:
    """What a list shows of a feed: never the secret."""

    id: str
    name: str
    teams: bool
    created_at: str
    last_used_at: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """Whose feed a secret opens. `teams`: it shows what the teams of the user have, too."""

    workspace_id: str
    user_id: str
    name: str
    teams: bool


class Feeds:
    """Makes, lists, finds and withdraws them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, workspace_id: str, user_id: str, name: str, teams: bool) -> tuple[Feed, str]:
        """A new feed, and its secret. Raises `Conflict` `feed.too_many`, `Invalid`."""
        check_line(name, "/name", most=NAME_MAX)
        secret = make(PREFIX)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(  # one at a time, or two would count the same
                "SELECT FROM accounts WHERE workspace_id = %s AND user_id = %s FOR NO KEY UPDATE",
                (workspace_id, user_id),
            )
            cursor = await connection.execute(
                """
                INSERT INTO feeds (feed_id, secret_hash, workspace_id, user_id, name, teams)
                SELECT %(id)s, %(hash)s, %(workspace)s, %(user)s, %(name)s, %(teams)s
                WHERE (SELECT count(*) FROM feeds WHERE workspace_id = %(workspace)s AND user_id = %(user)s) < %(most)s
                RETURNING feed_id::text, name, teams, instant(created_at), instant(last_used_at)
                """,
                {
                    "id": new_id(),
                    "hash": _hash(secret),
                    "workspace": workspace_id,
                    "user": user_id,
                    "name": name,
                    "teams": teams,
                    "most": MOST,
                },
            )
            row = await cursor.fetchone()
        if row is None:
            raise Conflict("feed.too_many", f"a user has at most {MOST} feeds; withdraw some")
        return Feed(*row), secret

    async def page(self, workspace_id: str, user_id: str, before: str | None, limit: int) -> list[Feed]:
        """The feeds of a user, the newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT feed_id::text, name, teams, instant(created_at), instant(last_used_at) FROM feeds
                WHERE workspace_id = %s AND user_id = %s AND (%s::uuid IS NULL OR feed_id < %s)
                ORDER BY feed_id DESC LIMIT %s
                """,
                (workspace_id, user_id, before, before, limit),
            )
            return [Feed(*row) for row in await cursor.fetchall()]

    async def withdraw(self, workspace_id: str, user_id: str, feed_id: str) -> None:
        """End a feed of a user. Raises `NotFound` `feed.not_found`, also for one that has ended before."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM feeds WHERE feed_id = %s AND workspace_id = %s AND user_id = %s",
                (feed_id, workspace_id, user_id),
            )
        if cursor.rowcount == 0:
            raise feed_not_found()

    async def find(self, secret: str) -> Held:
        """Whose feed it is; that it was read is noted, once a minute. Raises `NotFound` `feed.not_found`."""
        if not is_whole(secret, PREFIX):
            raise feed_not_found()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                WITH used AS (
                    UPDATE feeds SET last_used_at = clock_timestamp()
                    WHERE secret_hash = %(hash)s
                      AND coalesce(last_used_at < clock_timestamp() - interval '1 minute', true))
                SELECT workspace_id::text, user_id::text, name, teams FROM feeds WHERE secret_hash = %(hash)s
                """,
                {"hash": _hash(secret)},
            )
            row = await cursor.fetchone()
        if row is None:
            raise feed_not_found()
        return Held(*row)


def feed_not_found() -> NotFound:
    """The one answer to every secret, and every id, that opens nothing."""
    return NotFound("feed.not_found", "there is no such feed")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
