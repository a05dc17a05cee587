"""Accounts: e-mail, password and profile, outside the log. What of them is a fact goes into it by id only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import orjson
from psycopg.errors import UniqueViolation

from commands.beside import beside
from commands.event_store import CHANGE_ACCOUNT, REGISTER, Pool
from commands.execute import Call, Executor, Receipt
from commands.ids import new_id
from commands.passwords import Passwords
from commands.user import ChangeProfile, DeactivateUser, JoinWorkspace
from domain.errors import Conflict, Forbidden, Invalid, Unauthenticated
from domain.text import check_line
from domain.user import Role, User

EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
DISPLAY_NAME_MAX: Final = 200
PREFERENCES_MAX: Final = 10_000
MAIN: Final = "main"


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
    workspace: str = MAIN


class Accounts:
    """Registers, finds and changes accounts."""

    def __init__(self, pool: Pool, executor: Executor, passwords: Passwords) -> None:
        self._pool = pool
        self._executor = executor
        self._passwords = passwords

    async def register(self, registration: Registration, correlation_id: str) -> tuple[str, Receipt]:
        """Join `main`, or found a workspace. Answers the workspace's id and the receipt of the user.

        Raises `Conflict` `account.email_taken`, `Forbidden` `auth.invite_required` for a workspace that others
        founded, `Invalid` for values that break a rule.
        """
        email, slug = check_email(registration.email), _check_slug(registration.workspace)
        check_line(registration.display_name, "/display_name", most=DISPLAY_NAME_MAX)
        password_hash = await self._passwords.hash(registration.password)
        for _ in range(3):  # founding may meet another founder
            workspace_id = await self._workspace(slug)
            if workspace_id is not None and slug != MAIN:
                raise Forbidden("auth.invite_required", f"the workspace {slug!r} exists; joining it needs an invite")
            account = {
                "slug": slug if workspace_id is None else None,
                "user_id": new_id(),
                "email": email,
                "display_name": registration.display_name,
                "password_hash": password_hash,
            }
            try:
                return await self._join(workspace_id or new_id(), account, correlation_id)
            except UniqueViolation as error:
                if error.diag.constraint_name == "accounts_email":
                    detail = "an account with this e-mail address exists in this workspace"
                    raise Conflict("account.email_taken", detail) from error
        raise Conflict("workspace.slug_taken", f"the workspace {slug!r} was founded by somebody else just now")

    async def found(self, registration: Registration, correlation_id: str) -> Receipt:
        """Be the first in a workspace, and so its admin. Raises as `register` does, `Conflict` where others are."""
        if await self._workspace(_check_slug(registration.workspace)) is not None:
            detail = f"the workspace {registration.workspace!r} has members; an admin of it can make another one"
            raise Conflict("workspace.slug_taken", detail)
        receipt = (await self.register(registration, correlation_id))[1]
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
            raise Unauthenticated("auth.bad_credentials", "no account has this e-mail address and password")
        return account

    async def profile(self, workspace_id: str, user_id: str) -> dict[str, Any]:
        """The profile values of a user."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT email, display_name, preferences FROM accounts WHERE workspace_id = %s AND user_id = %s
                """,
                (workspace_id, user_id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise Unauthenticated("auth.unknown_user", "the user of this token has no account")
        return {"email": row[0], "display_name": row[1], "preferences": row[2]}

    async def change_profile(self, call: Call, values: Mapping[str, Any]) -> Receipt:
        """Give one's own profile new values; those that it has already change nothing."""
        if "display_name" in values:
            check_line(values["display_name"], "/display_name", most=DISPLAY_NAME_MAX)
        if "preferences" in values:
            _check_preferences(values["preferences"])
        current = await self.profile(call.workspace_id, call.actor_id)
        new = {field: value for field, value in values.items() if value != current[field]}
        command = ChangeProfile(user_id=call.actor_id, fields=tuple(sorted(new)))
        appender = beside(self._pool, CHANGE_ACCOUNT, {"user_id": call.actor_id, **new})
        return await self._executor.execute(command, call, appender)

    async def deactivate(self, call: Call, user_id: str, reason: str | None) -> Receipt:
        """Shut a member out: no session of theirs outlives it. Raises as `DeactivateUser` does."""
        account = {"user_id": user_id, "shut_out": True}
        return await self._executor.execute(
            DeactivateUser(user_id, reason), call, beside(self._pool, CHANGE_ACCOUNT, account)
        )

    async def _workspace(self, slug: str) -> str | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT workspace_id::text FROM workspaces WHERE slug = %s", (slug,))
            row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def _join(self, workspace_id: str, account: Mapping[str, Any], correlation_id: str) -> tuple[str, Receipt]:
        user_id = str(account["user_id"])
        call = Call(workspace_id, user_id, correlation_id)
        appender = beside(self._pool, REGISTER, account)
        return workspace_id, await self._executor.execute(JoinWorkspace(user_id=user_id), call, appender)


def check_email(email: str) -> str:
    """An e-mail address, roughly: only a mail that arrives proves one."""
    stripped = email.strip()
    check_line(stripped, "/email", least=3, most=254)
    if EMAIL.fullmatch(stripped) is None:
        raise Invalid("email.malformed", "/email", "must be an e-mail address, name@host", email)
    return stripped


def _check_preferences(preferences: Mapping[str, Any]) -> None:
    try:
        size = len(orjson.dumps(preferences))
    except TypeError as error:  # a number that 64 bits do not hold
        raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {error}") from error
    if size > PREFERENCES_MAX:
        detail = f"must be at most {PREFERENCES_MAX} bytes of JSON, got {size}"
        raise Invalid("value.length", "/preferences", detail)
    for value in _values(preferences):
        if isinstance(value, str) and "\x00" in value:  # PostgreSQL has no such text
            raise Invalid("value.character", "/preferences", "must not contain U+0000")
        if isinstance(value, float) and not isfinite(value):
            raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {value} is no number of it")


def _values(value: object) -> Iterator[object]:
    """Every key and every value inside a JSON value."""
    if isinstance(value, dict):
        yield from value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None:
        yield value
    for item in inside or ():
        yield from _values(item)


def _check_slug(slug: str) -> str:
    if SLUG.fullmatch(slug) is None:
        detail = "must be 1 to 40 of a-z, 0-9 and -, and neither begin nor end with -"
        raise Invalid("workspace.slug", "/workspace", detail, slug[:200])
    return slug
