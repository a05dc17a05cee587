"""Invites: to whom they go and the tokens that they are used with, beside the facts in the log."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg.errors import UniqueViolation

from commands.beside import beside
from commands.checking import check_email, email_taken
from commands.event_store import CHANGE_INVITE, Pool
from commands.execute import Call, Executor, Receipt
from commands.ids import new_id
from commands.invite import CreateInvite, WithdrawInvite, invite_invalid
from commands.links import new_token, token_hash
from commands.mails import INVITE_DAYS, Mails
from domain.errors import Conflict
from domain.instant import instant
from domain.user import Role


class OpenInvite(NamedTuple):
    """An invite that waits."""

    id: str
    email: str
    role: str
    created_by: str
    created_at: str
    expires_at: str


class Door(NamedTuple):
    """Where an invite leads to."""

    workspace_id: str
    workspace: str
    invite_id: str
    email: str


class Invites:
    """Makes, lists and withdraws invites."""

    def __init__(self, pool: Pool, executor: Executor, mails: Mails) -> None:
        self._pool = pool
        self._executor = executor
        self._mails = mails

    async def create(self, call: Call, email: str, role: Role) -> Receipt:
        """Invite an address: the mail goes out with the fact. Raises `Conflict`: it has an account, or an invite."""
        address, token, invite_id = check_email(email), new_token(), new_id()
        expires_at = instant(datetime.now(UTC) + timedelta(days=INVITE_DAYS))
        invite = {
            "invite_id": invite_id,
            "token_hash": token_hash(token).hex(),
            "email": address,
            "role": role,
            "created_by": call.actor_id,
            "expires_at": expires_at,
            "mails": [self._mails.invite(address, await self._slug(call.workspace_id), token).row()],
        }
        try:
            return await self._executor.execute(
                CreateInvite(invite_id, role, expires_at), call, beside(self._pool, CHANGE_INVITE, invite)
            )
        except UniqueViolation as error:
            if error.diag.constraint_name == "invites_email":
                detail = "this address has an open invite; withdraw it to make another"
                raise Conflict("invite.exists", detail) from error
            raise email_taken() from error

    async def withdraw(self, call: Call, invite_id: str) -> Receipt:
        """Let nobody join by it any more. Raises as `WithdrawInvite` does."""
        invite = {"invite_id": invite_id}
        return await self._executor.execute(WithdrawInvite(invite_id), call, beside(self._pool, CHANGE_INVITE, invite))

    async def open(self, workspace_id: str, invite_id: str | None = None) -> list[OpenInvite]:
        """The open ones, oldest first, or the one with an id; those that have run out are none."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT invite_id::text, email, role, created_by::text, instant(created_at), instant(expires_at)
                FROM invites
                WHERE workspace_id = %(workspace)s AND expires_at > clock_timestamp()
                  AND (%(invite)s::uuid IS NULL OR invite_id = %(invite)s::uuid)
                ORDER BY invite_id
                """,
                {"workspace": workspace_id, "invite": invite_id},
            )
            return [OpenInvite(*row) for row in await cursor.fetchall()]

    async def _slug(self, workspace_id: str) -> str:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT slug FROM workspaces WHERE workspace_id = %s", (workspace_id,))
            row = await cursor.fetchone()
        assert row is not None
        return str(row[0])


async def find_invite(pool: Pool, token: str) -> Door:
    """Where a token leads to. Raises `Forbidden` `auth.invite_invalid`."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT i.workspace_id::text, w.slug, i.invite_id::text, i.email
            FROM invites i JOIN workspaces w USING (workspace_id)
            WHERE i.token_hash = %s AND i.expires_at > clock_timestamp()
            """,
            (token_hash(token),),
        )
        row = await cursor.fetchone()
    if row is None:
        raise invite_invalid()
    return Door(*row)
