"""Accounts: e-mail, password and profile, outside the log. What of them is a fact goes into it by id only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from psycopg.errors import NoDataFound, UniqueViolation

from commands.beside import beside
from commands.checking import MAIN, check_display_name, check_email, check_slug, email_taken
from commands.event_store import CHANGE_ACCOUNT, REGISTER, Pool
from commands.execute import Call, Executor, Receipt
from commands.ids import new_id
from commands.invite import invite_invalid
from commands.invites import find_invite
from commands.passwords import Passwords
from commands.preferences import check_locale, check_preferences, check_time_zone
from commands.user import ChangeProfile, DeactivateUser, JoinWorkspace
from domain.errors import Conflict, Forbidden, Unauthenticated
from domain.user import Role, User
from domain.zones import names


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in: ids, and the hash to verify against."""

    workspace_id: str
    user_id: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody who joins says."""

    email: str
    password: str
    display_name: str
    workspace: str | None = None  # `main`, or where the invite leads to
    invite: str | None = None


class Joined(NamedTuple):
    """Somebody who joined: where, and the receipt of the user."""

    workspace_id: str
    workspace: str  # its slug
    receipt: Receipt


class Accounts:
    """Registers, finds and changes accounts."""

    def __init__(self, pool: Pool, executor: Executor, passwords: Passwords) -> None:
        self._pool = pool
        self._executor = executor
        self._passwords = passwords

    async def register(self, registration: Registration, correlation_id: str) -> Joined:
        """Join `main`, or where an invite leads to, or found a workspace.

        Raises `Conflict` `account.email_taken`, `Forbidden` `auth.invite_required` for a workspace that others
        founded and `auth.invite_invalid`, `Invalid` for values that break a rule.
        """
        email, slug = check_email(registration.email), check_slug(_workspace_of(registration))
        account = {"email": email, "display_name": check_display_name(registration.display_name)}
        await self._passwords.check(registration.password, (email, registration.display_name, slug))
        if registration.invite is not None:
            return await self._accept(registration, account, correlation_id)
        account["password_hash"] = await self._passwords.hash(registration.password)
        for _ in range(3):  # founding may meet another founder
            workspace_id = await self._workspace(slug)
            if workspace_id is not None and slug != MAIN:
                raise Forbidden("auth.invite_required", f"the workspace {slug!r} exists; joining it needs an invite")
            found = {"slug": slug} if workspace_id is None else {}
            try:
                return await self._join(workspace_id or new_id(), slug, account | found, correlation_id)
            except UniqueViolation as error:
                if error.diag.constraint_name == "accounts_email":
                    raise email_taken() from error
        raise Conflict("workspace.slug_taken", f"the workspace {slug!r} was founded by somebody else just now")

    async def _accept(self, registration: Registration, account: Mapping[str, str], correlation_id: str) -> Joined:
        """Join by an invite, which is spent in the same transaction."""
        door = await find_invite(self._pool, registration.invite or "")
        elsewhere = registration.workspace not in (None, door.workspace)
        if elsewhere or account["email"].lower() != door.email.lower():
            raise invite_invalid()
        password_hash = await self._passwords.hash(registration.password)
        try:
            return await self._join(
                door.workspace_id,
                door.workspace,
                {**account, "password_hash": password_hash, "invite_id": door.invite_id},
                correlation_id,
            )
        except NoDataFound as error:
            raise invite_invalid() from error
        except UniqueViolation as error:
            raise email_taken() from error

    async def found(self, registration: Registration, correlation_id: str) -> Receipt:
        """Be the first in a workspace, and so its admin. Raises as `register` does, `Conflict` where others are."""
        slug = check_slug(_workspace_of(registration))
        if await self._workspace(slug) is not None:
            detail = f"the workspace {slug!r} has members; an admin of it can make another one"
            raise Conflict("workspace.slug_taken", detail)
        receipt = (await self.register(registration, correlation_id)).receipt
        if not isinstance(receipt.state, User) or receipt.state.role is not Role.ADMIN:
            raise Conflict("workspace.slug_taken", "somebody else came first; the account was made, as a member's")
        return receipt

    async def find(self, workspace: str, email: str) -> Account | None:
        """The account of an e-mail address in a workspace."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT w.workspace_id::text, a.user_id::text, a.password_hash
                FROM workspaces w JOIN accounts a ON a.workspace_id = w.workspace_id
                WHERE w.slug = %s AND lower(a.email) = lower(%s)
                """,
                (workspace, email),
            )
            row = await cursor.fetchone()
        return None if row is None else Account(*row)

    async def log_in(self, workspace: str, email: str, password: str) -> Account:
        """The account, where the password is right. Raises `Unauthenticated`, the same and as late for all causes."""
        account = None if "\x00" in workspace + email else await self.find(workspace, email)
        right = await self._passwords.verify(account.password_hash if account else None, password)
        if account is None or not right:
            refused = Unauthenticated("auth.bad_credentials", "no account has this e-mail address and password")
            refused.about = None if account is None else account.user_id
            raise refused
        return account

    async def profile(self, workspace_id: str, user_id: str) -> dict[str, Any]:
        """The profile values of a user."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT email, display_name, preferences, time_zone, locale
                FROM accounts WHERE workspace_id = %s AND user_id = %s
                """,
                (workspace_id, user_id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Unauthenticated("auth.unknown_user", "the user of this token has no account")
        return dict(zip(("email", "display_name", "preferences", "time_zone", "locale"), row, strict=True))

    async def time_zone(self, workspace_id: str, user_id: str) -> str:
        """The time zone of a user's days; UTC where it is no zone that is known today."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT time_zone FROM accounts WHERE workspace_id = %s AND user_id = %s", (workspace_id, user_id)
            )
            row = await cursor.fetchone()
        return row[0] if row is not None and row[0] in names() else "UTC"

    async def change_profile(self, call: Call, values: Mapping[str, Any]) -> Receipt:
        """Give one's own profile new values; those that it has already change nothing."""
        checked = {field: _CHECKS[field](value) for field, value in values.items()}
        current = await self.profile(call.workspace_id, call.actor_id)
        new = {field: value for field, value in checked.items() if value != current[field]}
        command = ChangeProfile(user_id=call.actor_id, fields=tuple(sorted(new)))
        appender = beside(self._pool, CHANGE_ACCOUNT, {"user_id": call.actor_id, **new})
        return await self._executor.execute(command, call, appender)

    async def deactivate(self, call: Call, user_id: str, reason: str | None) -> Receipt:
        """Shut a member out: no session of theirs outlives it. Raises as `DeactivateUser` does."""
        account = {"user_id": user_id, "revoke": "all"}
        return await self._executor.execute(
            DeactivateUser(user_id, reason), call, beside(self._pool, CHANGE_ACCOUNT, account)
        )

    async def _workspace(self, slug: str) -> str | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT workspace_id::text FROM workspaces WHERE slug = %s", (slug,))
            row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def _join(self, workspace_id: str, slug: str, account: Mapping[str, str], correlation_id: str) -> Joined:
        user_id = new_id()
        call = Call(workspace_id, user_id, correlation_id)
        command = JoinWorkspace(user_id=user_id, invite_id=account.get("invite_id"))
        append = beside(self._pool, REGISTER, {**account, "user_id": user_id})
        return Joined(workspace_id, slug, await self._executor.execute(command, call, append))


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "display_name": check_display_name,
    "preferences": check_preferences,
    "time_zone": check_time_zone,
    "locale": check_locale,
}


def _workspace_of(registration: Registration) -> str:
    return MAIN if registration.workspace is None else registration.workspace
