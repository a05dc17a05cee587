"""Personal access tokens: what a person gives a program instead of a password. Only hashes are stored.

A token is `tfp_`, 43 random characters (256 bits) and a checksum of 6: scanners of secrets find it, and one that was
mistyped or made up is refused without a look at the database.
"""

import hashlib
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from psycopg.rows import class_row

from commands.event_store import Pool
from commands.ids import new_id
from domain.errors import Conflict, NotFound, Unauthenticated
from domain.text import check_line

PREFIX: Final = "tfp_"
ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM: Final = 43  # characters: 62 ** 43 is more than 2 ** 256
CHECKSUM: Final = 6  # characters: 62 ** 6 is more than 2 ** 32
NAME_MAX: Final = 100
DAYS: Final = 90
DAYS_MAX: Final = 366
KEPT_DAYS: Final = 30  # after it has ended
MOST: Final = 100  # living tokens of one user


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """What a list shows of a token: never the token."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str
    last_used_at: str | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token speaks for, and how far. `expires_at` is in seconds since 1970."""

    token_id: str
    workspace_id: str
    user_id: str
    scopes: list[str]
    expires_at: float
    revoked: bool
    expired: bool


class PersonalTokens:
    """Makes, lists, finds and revokes them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, workspace_id: str, user_id: str, *, name: str, scopes: Sequence[str], days: int = DAYS
    ) -> tuple[PersonalToken, str]:
        """A new token and what is shown of it ever after. Those that ended a month ago are deleted.

        Raises `Conflict` `token.too_many`, `Invalid`.
        """
        check_line(name, "/name", most=NAME_MAX)
        token = make()
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(  # one at a time, or two would count the same
                "SELECT FROM accounts WHERE workspace_id = %s AND user_id = %s FOR NO KEY UPDATE",
                (workspace_id, user_id),
            )
            await connection.execute(
                """
                DELETE FROM personal_tokens
                WHERE workspace_id = %s AND user_id = %s
                  AND least(expires_at, revoked_at) < clock_timestamp() - make_interval(days => %s)
                """,
                (workspace_id, user_id, KEPT_DAYS),
            )
            cursor = await connection.execute(
                """
                SELECT count(*) FROM personal_tokens
                WHERE workspace_id = %s AND user_id = %s AND revoked_at IS NULL AND expires_at > clock_timestamp()
                """,
                (workspace_id, user_id),
            )
            if (row := await cursor.fetchone()) is not None and row[0] >= MOST:
                raise Conflict("token.too_many", f"a user has at most {MOST} personal access tokens; revoke some")
            cursor = await connection.execute(
                """
                INSERT INTO personal_tokens (token_id, token_hash, workspace_id, user_id, name, scopes, expires_at)
                VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(days => %s))
                RETURNING token_id::text, name, scopes, instant(created_at), instant(expires_at), instant(last_used_at)
                """,
                (new_id(), _hash(token), workspace_id, user_id, name, sorted(set(scopes)), days),
            )
            row = await cursor.fetchone()
        assert row is not None
        return PersonalToken(*row), token

    async def page(self, workspace_id: str, user_id: str, before: str | None, limit: int) -> list[PersonalToken]:
        """The tokens of a user that were not revoked, expired ones too, the newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT token_id::text, name, scopes, instant(created_at), instant(expires_at), instant(last_used_at)
                FROM personal_tokens
                WHERE workspace_id = %s AND user_id = %s AND revoked_at IS NULL AND (%s::uuid IS NULL OR token_id < %s)
                ORDER BY token_id DESC LIMIT %s
                """,
                (workspace_id, user_id, before, before, limit),
            )
            return [PersonalToken(*row) for row in await cursor.fetchall()]

    async def revoke(self, workspace_id: str, user_id: str, token_id: str) -> None:
        """End a token of a user. Raises `NotFound` `token.not_found`, also for one that has ended before."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE personal_tokens SET revoked_at = clock_timestamp()
                WHERE token_id = %s AND workspace_id = %s AND user_id = %s AND revoked_at IS NULL
                """,
                (token_id, workspace_id, user_id),
            )
        if cursor.rowcount == 0:
            raise NotFound("token.not_found", "you have no personal access token with this id")

    async def find(self, token: str) -> Bearer:
        """Whom a token speaks for; that it was used is noted, once a minute.

        Raises `Unauthenticated` `auth.token_invalid`, `auth.token_revoked` or `auth.token_expired`.
        """
        async with self._pool.connection() as connection:
            cursor: Any = connection.cursor(row_factory=class_row(Bearer))
            await cursor.execute(
                """
                WITH used AS (
                    UPDATE personal_tokens SET last_used_at = clock_timestamp()
                    WHERE token_hash = %(hash)s AND revoked_at IS NULL AND expires_at > clock_timestamp()
                      AND coalesce(last_used_at < clock_timestamp() - interval '1 minute', true))
                SELECT token_id::text, workspace_id::text, user_id::text, scopes,
                       extract(epoch FROM expires_at)::double precision AS expires_at,
                       revoked_at IS NOT NULL AS revoked, expires_at <= clock_timestamp() AS expired
                FROM personal_tokens WHERE token_hash = %(hash)s
                """,
                {"hash": _hash(token)},
            )
            bearer: Bearer | None = await cursor.fetchone()
        if bearer is None:
            raise Unauthenticated("auth.token_invalid", "the access token is not one of ours")
        if bearer.revoked:
            raise Unauthenticated("auth.token_revoked", "the personal access token was revoked")
        if bearer.expired:
            raise Unauthenticated("auth.token_expired", "the personal access token has expired; make another")
        return bearer


def make(prefix: str = PREFIX) -> str:
    """A new token, or another secret with a prefix of its own."""
    token = prefix + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return token + _checksum(token)


def is_whole(token: str, prefix: str = PREFIX) -> bool:
    """Whether a text that begins with the prefix can be a token: of the right length, with the right checksum."""
    if len(token) != len(prefix) + RANDOM + CHECKSUM or not token.isascii() or not token.startswith(prefix):
        return False
    return _checksum(token[:-CHECKSUM]) == token[-CHECKSUM:]


def _checksum(text: str) -> str:
    rest, digits = crc32(text.encode()), ""
    for _ in range(CHECKSUM):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
