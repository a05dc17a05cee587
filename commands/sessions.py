"""Sessions: families of refresh tokens, their revocation, and single-use socket tickets. Only hashes are stored."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from commands.event_store import Pool
from commands.ids import new_id
from domain import failpoints
from domain.errors import Unauthenticated

SESSION_DAYS: Final = 30
GRACE_SECONDS: Final = 10.0  # parallel tabs and lost answers
TICKET_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Session:
    """A login: whose it is and where."""

    session_id: str
    workspace_id: str
    user_id: str


class Sessions:
    """Opens, continues and ends sessions. `secret` is the installation's."""

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool = pool
        self._secret = hashlib.sha256(b"taskfold refresh tokens\0" + secret.encode()).digest()

    async def open(self, workspace_id: str, user_id: str) -> tuple[Session, str]:
        """A new session and its first refresh token."""
        session, token = Session(new_id(), workspace_id, user_id), secrets.token_urlsafe(32)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO sessions (session_id, workspace_id, user_id, expires_at)
                VALUES (%s, %s, %s, clock_timestamp() + make_interval(days => %s))
                """,
                (session.session_id, workspace_id, user_id, SESSION_DAYS),
            )
            await connection.execute(
                "INSERT INTO refresh_tokens (token_hash, session_id) VALUES (%s, %s)",
                (_hash(token), session.session_id),
            )
        return session, token

    async def refresh(self, token: str) -> tuple[Session, str]:
        """Spend a refresh token for its successor.

        The successor is derived from the token, so whoever spends it again within ten seconds gets the same one.
        Later that means that two parties hold it: the whole family is revoked (RFC 9700 §4.14.2).
        Raises `Unauthenticated` `auth.refresh_invalid` or `auth.refresh_reused`.
        """
        successor = self._successor(token)
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                """
                SELECT s.session_id::text, s.workspace_id::text, s.user_id::text,
                       s.revoked_at IS NULL AND s.expires_at > clock_timestamp(),
                       r.spent_at IS NOT NULL,
                       r.spent_at < clock_timestamp() - make_interval(secs => %s)
                FROM refresh_tokens r JOIN sessions s USING (session_id)
                WHERE r.token_hash = %s FOR UPDATE
                """,
                (GRACE_SECONDS, _hash(token)),
            )
            row = await cursor.fetchone()
            if row is None or not row[3]:
                raise Unauthenticated("auth.refresh_invalid", "the refresh token is unknown, expired or revoked")
            session, spent, late = Session(*row[:3]), row[4], row[5]
            if late:
                await connection.execute(
                    "UPDATE sessions SET revoked_at = clock_timestamp() WHERE session_id = %s", (session.session_id,)
                )
            elif not spent:
                failpoints.reach(failpoints.SESSION_SPENDING)
                await connection.execute(
                    "UPDATE refresh_tokens SET spent_at = clock_timestamp() WHERE token_hash = %s", (_hash(token),)
                )
                await connection.execute(
                    "INSERT INTO refresh_tokens (token_hash, session_id) VALUES (%s, %s)",
                    (_hash(successor), session.session_id),
                )
                await connection.execute(
                    """
                    UPDATE sessions SET expires_at = clock_timestamp() + make_interval(days => %s)
                    WHERE session_id = %s
                    """,
                    (SESSION_DAYS, session.session_id),
                )
        if late:
            raise Unauthenticated("auth.refresh_reused", "the refresh token was spent before; its session is revoked")
        failpoints.reach(failpoints.SESSION_SPENT)
        return session, successor

    async def close(self, token: str) -> str | None:
        """End the session of a refresh token, spent or not. Answers its id, None for an unknown token."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE sessions SET revoked_at = coalesce(revoked_at, clock_timestamp())
                WHERE session_id = (SELECT session_id FROM refresh_tokens WHERE token_hash = %s)
                RETURNING session_id::text
                """,
                (_hash(token),),
            )
            row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def revoked(self, seconds: float) -> set[str]:
        """The sessions, and the personal tokens, that were revoked in the last seconds."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT session_id::text FROM sessions
                WHERE revoked_at > clock_timestamp() - make_interval(secs => %(seconds)s)
                UNION ALL
                SELECT token_id::text FROM personal_tokens
                WHERE revoked_at > clock_timestamp() - make_interval(secs => %(seconds)s)
                """,
                {"seconds": seconds},
            )
            return {row[0] for row in await cursor.fetchall()}

    async def issue_ticket(self, session_id: str) -> str:
        """A ticket that opens one socket within thirty seconds, for clients that cannot send headers."""
        ticket = secrets.token_urlsafe(32)
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                WITH swept AS (DELETE FROM socket_tickets WHERE expires_at < clock_timestamp())
                INSERT INTO socket_tickets (ticket_hash, session_id, expires_at)
                VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
                """,
                (_hash(ticket), session_id, TICKET_SECONDS),
            )
        return ticket

    async def redeem_ticket(self, ticket: str) -> Session:
        """The session of a ticket, once. Raises `Unauthenticated` `auth.ticket_invalid`."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                WITH taken AS (DELETE FROM socket_tickets WHERE ticket_hash = %s RETURNING session_id, expires_at)
                SELECT s.session_id::text, s.workspace_id::text, s.user_id::text
                FROM taken t JOIN sessions s USING (session_id)
                WHERE t.expires_at > clock_timestamp() AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
                """,
                (_hash(ticket),),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Unauthenticated("auth.ticket_invalid", "the ticket is unknown, used or expired")
        return Session(*row)

    def _successor(self, token: str) -> str:
        digest = hmac.digest(self._secret, token.encode(errors="surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
