"""Sessions: families of refresh tokens, their revocation, and single-use socket tickets. Only hashes are stored."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from commands.event_store import Connection, Pool
from commands.ids import new_id
from domain import failpoints
from domain.errors import Forbidden, NotFound, Unauthenticated

SESSION_DAYS: Final = 30  # without a refresh
SESSION_DAYS_MAX: Final = 180  # with any number of them; then one logs in again (OWASP ASVS 5.0, 7.3.2)
KEPT_DAYS: Final = 7  # after it has ended
GRACE_SECONDS: Final = 10.0  # parallel tabs and lost answers
TICKET_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Session:
    """A login: whose it is and where."""

    session_id: str
    workspace_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody logs in from, as far as they may want to know it again: never the whole address."""

    user_agent: str | None = None
    network: str | None = None


UNKNOWN: Final = Device()


@dataclass(frozen=True, slots=True)
class OpenSession:
    """What a list shows of a session that lives."""

    id: str
    created_at: str
    last_used_at: str
    expires_at: str
    user_agent: str | None
    network: str | None
    current: bool


class Sessions:
    """Opens, continues and ends sessions. `secret` is the installation's."""

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool = pool
        self._secret = hashlib.sha256(b"taskfold refresh tokens\0" + secret.encode()).digest()

    async def open(
        self, workspace_id: str, user_id: str, device: Device = UNKNOWN, *, password_hash: str | None = None
    ) -> tuple[Session, str]:
        """A new session and its first refresh token. Those of the user that ended a week ago are deleted.

        `password_hash` is what a password was verified against: where it was changed meanwhile, nobody gets in by the
        old one after all sessions were ended. Raises `Unauthenticated` `auth.bad_credentials`.
        """
        session, token = Session(new_id(), workspace_id, user_id), secrets.token_urlsafe(32)
        async with self._pool.connection() as connection, connection.transaction():
            if password_hash is not None:
                await _check_password(connection, session, password_hash)
            await connection.execute(  # also because nobody needs to know any more where somebody once logged in
                """
                DELETE FROM sessions WHERE session_id IN (
                    SELECT session_id FROM sessions
                    WHERE workspace_id = %s AND user_id = %s
                      AND least(expires_at, revoked_at) < clock_timestamp() - make_interval(days => %s)
                    FOR UPDATE SKIP LOCKED)
                """,
                (workspace_id, user_id, KEPT_DAYS),
            )
            await connection.execute(
                """
                INSERT INTO sessions (session_id, workspace_id, user_id, user_agent, network, expires_at)
                VALUES (%s, %s, %s, %s, %s, clock_timestamp() + make_interval(days => %s))
                """,
                (session.session_id, workspace_id, user_id, device.user_agent, device.network, SESSION_DAYS),
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
                    UPDATE sessions
                    SET last_used_at = clock_timestamp(),
                        expires_at = least(clock_timestamp() + make_interval(days => %s),
                                           created_at + make_interval(days => %s))
                    WHERE session_id = %s
                    """,
                    (SESSION_DAYS, SESSION_DAYS_MAX, session.session_id),
                )
        if late:
            reused = Unauthenticated(
                "auth.refresh_reused", "the refresh token was spent before; its session is revoked"
            )
            reused.about = session.user_id
            raise reused
        failpoints.reach(failpoints.SESSION_SPENT)
        return session, successor

    async def close(self, token: str) -> Session | None:
        """End the session of a refresh token, spent or not. Answers it, None for an unknown token."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE sessions SET revoked_at = coalesce(revoked_at, clock_timestamp())
                WHERE session_id = (SELECT session_id FROM refresh_tokens WHERE token_hash = %s)
                RETURNING session_id::text, workspace_id::text, user_id::text
                """,
                (_hash(token),),
            )
            row = await cursor.fetchone()
        return None if row is None else Session(*row)

    async def page(
        self, workspace_id: str, user_id: str, current: str, before: str | None, limit: int
    ) -> list[OpenSession]:
        """The sessions of a user that live, the newest first. `current` is the one that asks."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT session_id::text, instant(created_at), instant(last_used_at), instant(expires_at),
                       user_agent, network, session_id = %(current)s
                FROM sessions
                WHERE workspace_id = %(workspace)s AND user_id = %(user)s
                  AND revoked_at IS NULL AND expires_at > clock_timestamp()
                  AND (%(before)s::uuid IS NULL OR session_id < %(before)s)
                ORDER BY session_id DESC LIMIT %(limit)s
                """,
                {"current": current, "workspace": workspace_id, "user": user_id, "before": before, "limit": limit},
            )
            return [OpenSession(*row) for row in await cursor.fetchall()]

    async def prove(self, session_id: str) -> None:
        """The password was given again just now."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE sessions SET proved_at = clock_timestamp() WHERE session_id = %s", (session_id,)
            )

    async def check_proved(self, session_id: str, seconds: int) -> None:
        """Raises `Forbidden` `auth.proof_needed` where the password was last given longer ago than that."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT FROM sessions
                WHERE session_id = %s AND proved_at > clock_timestamp() - make_interval(secs => %s)
                """,
                (session_id, seconds),
            )
            if await cursor.fetchone() is None:
                detail = (
                    f"this needs the password, given in the last {seconds} seconds: POST /auth/proof, and try again"
                )
                raise Forbidden("auth.proof_needed", detail, seconds=seconds)

    async def revoke(self, workspace_id: str, user_id: str, session_id: str) -> None:
        """End a session of a user. Raises `NotFound` `session.not_found`, also for one that has ended before."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE sessions SET revoked_at = clock_timestamp()
                WHERE session_id = %s AND workspace_id = %s AND user_id = %s
                  AND revoked_at IS NULL AND expires_at > clock_timestamp()
                """,
                (session_id, workspace_id, user_id),
            )
        if cursor.rowcount == 0:
            raise NotFound("session.not_found", "you have no session with this id")

    async def revoke_all(
        self, workspace_id: str, user_id: str, *, but: str | None = None, tokens: bool = False
    ) -> list[str]:
        """The function `revoke_all` of this module, in a transaction of its own."""
        async with self._pool.connection() as connection:
            return await revoke_all(connection, workspace_id, user_id, but=but, tokens=tokens)

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
                WITH swept AS (
                    DELETE FROM socket_tickets WHERE ticket_hash IN (
                        SELECT ticket_hash FROM socket_tickets WHERE expires_at < clock_timestamp()
                        FOR UPDATE SKIP LOCKED))
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


async def _check_password(connection: Connection, session: Session, password_hash: str) -> None:
    """Who changes the password waits for this transaction, or this one for them: the lock comes before the look."""
    cursor = await connection.execute(
        "SELECT password_hash FROM accounts WHERE workspace_id = %s AND user_id = %s FOR SHARE",
        (session.workspace_id, session.user_id),
    )
    if await cursor.fetchone() != (password_hash,):
        raise Unauthenticated("auth.bad_credentials", "no account has this e-mail address and password")


async def revoke_all(
    connection: Connection, workspace_id: str, user_id: str, *, but: str | None = None, tokens: bool = False
) -> list[str]:
    """End all sessions of a user but one, and where asked for the personal tokens too, in the caller's transaction.

    Answers the ids of what ended. Every process hears of them once it is committed; the one that asked may tell its
    `Revocations` at once.
    """
    cursor = await connection.execute(
        "SELECT id::text FROM revoke_all(%s, %s, %s, %s) AS id", (workspace_id, user_id, but, tokens)
    )
    return [str(row[0]) for row in await cursor.fetchall()]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
