"""Passwords and addresses change: by who knows the password, or by who reads the account's mail."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from psycopg.errors import NoDataFound, UniqueViolation

from commands.beside import beside
from commands.checking import MAIN, check_email, check_slug, email_taken
from commands.event_store import CHANGE_ACCOUNT, Pool
from commands.execute import Call, Executor
from commands.ids import new_id
from commands.links import new_token, token_hash
from commands.mails import EMAIL_HOURS, RESET_MINUTES, Mails
from commands.outbox import post
from commands.passwords import Passwords
from commands.user import ChangePassword, ChangeProfile
from domain.errors import Unauthenticated, WrongPassword

RESETS_MAX: Final = 5  # links for a password that are good at the same time: a mailbox is not to be flooded


class Owner(NamedTuple):
    """Whose account it is."""

    workspace_id: str
    user_id: str
    email: str
    display_name: str
    password_hash: str


class Credentials:
    """Changes passwords and addresses. Each change ends what the former value might have let in."""

    def __init__(self, pool: Pool, executor: Executor, passwords: Passwords, mails: Mails) -> None:
        self._pool = pool
        self._executor = executor
        self._passwords = passwords
        self._mails = mails

    async def change_password(self, call: Call, session_id: str, current: str, new: str) -> None:
        """Have another password; all sessions end but this one. Raises `WrongPassword`, `Invalid`."""
        owner = await self._owner(call.workspace_id, call.actor_id)
        await self._passwords.check(new, (owner.email, owner.display_name), "/new_password")
        await self._prove(owner, current)
        account = {"revoke": "sessions", "but": session_id}
        await self._set_password(owner, new, ChangePassword(owner.user_id), call, account)

    async def prove(self, workspace_id: str, user_id: str, password: str) -> None:
        """See whether it is the user's password. Raises `WrongPassword`."""
        await self._prove(await self._owner(workspace_id, user_id), password)

    async def forget_password(self, workspace: str | None, email: str) -> None:
        """Send a link to whom the account belongs, if there is one: the statement does as much where there is none."""
        address, slug, token = check_email(email), check_slug(workspace or MAIN), new_token()
        subject, body = self._mails.reset(token)
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                WITH swept AS (
                    DELETE FROM account_tokens WHERE token_hash IN (
                        SELECT token_hash FROM account_tokens WHERE expires_at < clock_timestamp()
                        FOR UPDATE SKIP LOCKED)
                ), found AS (
                    SELECT a.workspace_id, a.user_id, a.email
                    FROM workspaces w JOIN accounts a ON a.workspace_id = w.workspace_id
                    WHERE w.slug = %(slug)s AND lower(a.email) = lower(%(address)s) AND %(most)s > (
                        SELECT count(*) FROM account_tokens t
                        WHERE t.workspace_id = a.workspace_id AND t.user_id = a.user_id AND t.purpose = 'password'
                          AND t.expires_at > clock_timestamp())
                ), kept AS (
                    INSERT INTO account_tokens (token_hash, purpose, workspace_id, user_id, expires_at)
                    SELECT %(hash)s, 'password', f.workspace_id, f.user_id,
                           clock_timestamp() + make_interval(mins => %(minutes)s)
                    FROM (SELECT) always LEFT JOIN found f ON true)
                INSERT INTO outbox (mail_id, recipient, subject, body)
                SELECT %(mail)s, f.email, %(subject)s, %(body)s FROM (SELECT) always LEFT JOIN found f ON true
                """,
                {
                    "slug": slug,
                    "address": address,
                    "most": RESETS_MAX,
                    "hash": token_hash(token),
                    "minutes": RESET_MINUTES,
                    "mail": new_id(),
                    "subject": subject,
                    "body": body,
                },
            )

    async def reset_password(self, token: str, new: str, correlation_id: str) -> str:
        """Have another password, for who has a link; everything ends. Answers the user's id.

        Raises `Unauthenticated` `auth.link_invalid`.
        """
        owner, _ = await self._linked(token, "password")
        await self._passwords.check(new, (owner.email, owner.display_name), "/new_password")
        call = Call(owner.workspace_id, owner.user_id, correlation_id)
        account = {"revoke": "all", "token_hash": token_hash(token).hex()}
        await self._set_password(owner, new, ChangePassword(owner.user_id, reset=True), call, account)
        return owner.user_id

    async def request_email(self, call: Call, new_email: str, password: str) -> None:
        """Ask for another address: it changes when its reader says so, and the reader of the old one hears of it.

        Raises `WrongPassword`, `Conflict` `account.email_taken`, `Invalid`.
        """
        address, token = check_email(new_email), new_token()
        owner = await self._owner(call.workspace_id, call.actor_id)
        await self._prove(owner, password)
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                """
                INSERT INTO account_tokens (token_hash, purpose, workspace_id, user_id, email, expires_at)
                SELECT %(hash)s, 'email', %(workspace)s, %(user)s, %(email)s,
                       clock_timestamp() + make_interval(hours => %(hours)s)
                WHERE NOT EXISTS (
                    SELECT FROM accounts WHERE workspace_id = %(workspace)s AND lower(email) = lower(%(email)s))
                """,
                {
                    "hash": token_hash(token),
                    "workspace": owner.workspace_id,
                    "user": owner.user_id,
                    "email": address,
                    "hours": EMAIL_HOURS,
                },
            )
            if cursor.rowcount == 0:
                raise email_taken()
            await post(connection, self._mails.confirm_email(address, token), self._mails.email_changing(owner.email))

    async def confirm_email(self, token: str, correlation_id: str) -> str:
        """Have the address to which this token went. Answers the user's id.

        Raises `Unauthenticated` `auth.link_invalid`, `Conflict`.
        """
        owner, email = await self._linked(token, "email")
        account = {"user_id": owner.user_id, "email": email, "token_hash": token_hash(token).hex()}
        call = Call(owner.workspace_id, owner.user_id, correlation_id)
        try:
            await self._executor.execute(
                ChangeProfile(owner.user_id, ("email",)), call, beside(self._pool, CHANGE_ACCOUNT, account)
            )
        except NoDataFound as error:
            raise _link_invalid() from error
        except UniqueViolation as error:
            raise email_taken() from error
        return owner.user_id

    async def _set_password(
        self, owner: Owner, new: str, command: ChangePassword, call: Call, account: Mapping[str, str]
    ) -> None:
        values = {
            **account,
            "user_id": owner.user_id,
            "password_hash": await self._passwords.hash(new),
            "mails": [self._mails.password_changed(owner.email).row()],
        }
        try:
            await self._executor.execute(command, call, beside(self._pool, CHANGE_ACCOUNT, values))
        except NoDataFound as error:
            raise _link_invalid() from error

    async def _prove(self, owner: Owner, password: str) -> None:
        if not await self._passwords.verify(owner.password_hash, password):
            raise WrongPassword("auth.wrong_password", "this is not the password of your account")

    async def _owner(self, workspace_id: str, user_id: str) -> Owner:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT workspace_id::text, user_id::text, email, display_name, password_hash
                FROM accounts WHERE workspace_id = %s AND user_id = %s
                """,
                (workspace_id, user_id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Unauthenticated("auth.unknown_user", "the user of this token has no account")
        return Owner(*row)

    async def _linked(self, token: str, purpose: str) -> tuple[Owner, str | None]:
        """Whose a token is, and the address that it proves."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT a.workspace_id::text, a.user_id::text, a.email, a.display_name, a.password_hash, t.email
                FROM account_tokens t JOIN accounts a ON a.workspace_id = t.workspace_id AND a.user_id = t.user_id
                WHERE t.token_hash = %s AND t.purpose = %s AND t.expires_at > clock_timestamp()
                """,
                (token_hash(token), purpose),
            )
            row = await cursor.fetchone()
        if row is None:
            raise _link_invalid()
        return Owner(*row[:5]), row[5]


def _link_invalid() -> Unauthenticated:
    return Unauthenticated("auth.link_invalid", "the link is unknown, used, expired or of another kind")
