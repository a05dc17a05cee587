"""Second factors: added by who proves to have it, asked for at each login, removed by who has both, or by an admin."""

from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Any, NamedTuple

from psycopg.errors import NoDataFound

from commands import one_time
from commands.beside import beside
from commands.event_store import CHANGE_ACCOUNT, Connection, Pool
from commands.execute import Call, Executor, Receipt
from commands.mails import Mails
from commands.user import AddSecondFactor, RemoveSecondFactor
from domain.errors import Conflict, MoreProof, NotFound, Unauthenticated, WrongPassword


class Enrolment(NamedTuple):
    """What an authenticator is to know, shown once."""

    secret: str
    otpauth_uri: str


class Standing(NamedTuple):
    """The second factor of a user: since when it is asked for, and how many recovery codes are left."""

    added_at: str
    recovery_codes: int


class SecondFactors:
    """`secret` is the installation's. `clock` is the time in seconds since 1970."""

    def __init__(self, pool: Pool, executor: Executor, mails: Mails, secret: str) -> None:
        self._pool = pool
        self._executor = executor
        self._mails = mails
        self._vault = one_time.Vault(secret)
        self.clock: Callable[[], float] = time

    async def begin(self, workspace_id: str, user_id: str, account: str) -> Enrolment:
        """A new secret, which is asked for by nobody before it is confirmed. Raises `Conflict` where there is one."""
        secret = one_time.new_secret()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO second_factors AS f (workspace_id, user_id, secret) VALUES (%s, %s, %s)
                ON CONFLICT (workspace_id, user_id) DO UPDATE SET secret = excluded.secret WHERE f.added_at IS NULL
                """,
                (workspace_id, user_id, self._vault.seal(secret, _owner(workspace_id, user_id))),
            )
        if cursor.rowcount == 0:
            raise Conflict("second_factor.exists", "you have a second factor; remove it to have another")
        return Enrolment(one_time.as_text(secret), one_time.as_uri(secret, account))

    async def confirm(self, call: Call, code: str) -> list[str]:
        """Ask for it from now on. Answers the recovery codes, which are not shown again.

        Raises `WrongPassword` `auth.wrong_otp`, `NotFound` where none was begun.
        """
        async with self._pool.connection() as connection:
            found = await _secret(connection, call.workspace_id, call.actor_id, added=False)
        if found is None:
            raise _none()
        step = self._step(call.workspace_id, call.actor_id, found[0], code)
        if step is None:
            raise _wrong()
        codes = one_time.new_recovery_codes()
        factor = {"sealed": found[0].hex(), "step": step, "recovery_codes": _hashes(codes)}
        await self._change(AddSecondFactor(call.actor_id), call, {"second_factor": factor})
        return codes

    async def check(self, workspace_id: str, user_id: str, code: str | None) -> None:
        """At a login, after the password was right. Raises `MoreProof`, `Unauthenticated`; never where none is."""
        async with self._pool.connection() as connection:
            if await _secret(connection, workspace_id, user_id, added=True) is None:
                return
        refused: Unauthenticated | None = None
        if code is None:
            refused = MoreProof("auth.otp_needed", "send `otp` too: the code of your authenticator, or a recovery code")
        elif not await self._spend(workspace_id, user_id, code):
            refused = Unauthenticated("auth.bad_otp", "this is no code of your authenticator now, or was used before")
        if refused is not None:
            refused.about = user_id
            raise refused

    async def prove(self, workspace_id: str, user_id: str, code: str) -> None:
        """Spend a code. Raises `WrongPassword` `auth.wrong_otp`, `NotFound` where there is no second factor."""
        if await self.standing(workspace_id, user_id) is None:
            raise _none()
        if not await self._spend(workspace_id, user_id, code):
            raise _wrong()

    async def remove(self, call: Call, user_id: str, *, reset: bool = False) -> Receipt:
        """Ask for none any more; `reset`: an admin does so for somebody else. Raises `NotFound` where there is none."""
        return await self._change(
            RemoveSecondFactor(user_id, reset), call, {"user_id": user_id, "second_factor": None, "factor": "off"}
        )

    async def renew(self, workspace_id: str, user_id: str) -> list[str]:
        """New recovery codes; those of before are good no longer."""
        codes = one_time.new_recovery_codes()
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(  # one at a time, or the codes of both would be good
                "SELECT FROM second_factors WHERE workspace_id = %s AND user_id = %s FOR UPDATE",
                (workspace_id, user_id),
            )
            await connection.execute(
                "DELETE FROM recovery_codes WHERE workspace_id = %s AND user_id = %s", (workspace_id, user_id)
            )
            await connection.execute(
                """
                INSERT INTO recovery_codes (workspace_id, user_id, code_hash)
                SELECT f.workspace_id, f.user_id, decode(code, 'hex')
                FROM second_factors f, unnest(%s::text[]) AS code
                WHERE f.workspace_id = %s AND f.user_id = %s AND f.added_at IS NOT NULL
                """,
                (_hashes(codes), workspace_id, user_id),
            )
        return codes

    async def standing(self, workspace_id: str, user_id: str) -> Standing | None:
        """What the user has; None for no second factor that is asked for."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT instant(f.added_at), (
                    SELECT count(*) FROM recovery_codes c
                    WHERE c.workspace_id = f.workspace_id AND c.user_id = f.user_id)
                FROM second_factors f WHERE f.workspace_id = %s AND f.user_id = %s AND f.added_at IS NOT NULL
                """,
                (workspace_id, user_id),
            )
            row = await cursor.fetchone()
        return None if row is None else Standing(*row)

    async def _spend(self, workspace_id: str, user_id: str, code: str) -> bool:
        """Whether the code was good: it is not any more (RFC 6238, section 5.2; OWASP ASVS 5.0, 6.5.1)."""
        owner = (workspace_id, user_id)
        async with self._pool.connection() as connection:
            if not one_time.is_code(code):
                cursor = await connection.execute(
                    "DELETE FROM recovery_codes WHERE workspace_id = %s AND user_id = %s AND code_hash = %s",
                    (*owner, one_time.recovery_hash(code)),
                )
                return cursor.rowcount == 1
            found = await _secret(connection, *owner, added=True)
            step = None if found is None else self._step(*owner, found[0], code)
            if found is None or step is None:
                return False
            cursor = await connection.execute(
                """
                UPDATE second_factors SET step = %s
                WHERE workspace_id = %s AND user_id = %s AND secret = %s AND step < %s
                """,
                (step, *owner, found[0], step),
            )
            return cursor.rowcount == 1

    def _step(self, workspace_id: str, user_id: str, sealed: bytes, code: str) -> int | None:
        secret = self._vault.open(sealed, _owner(workspace_id, user_id))
        return None if secret is None or not one_time.is_code(code) else one_time.step_of(secret, code, self.clock())

    async def _change(
        self, command: AddSecondFactor | RemoveSecondFactor, call: Call, account: Mapping[str, Any]
    ) -> Receipt:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT email FROM accounts WHERE workspace_id = %s AND user_id = %s",
                (call.workspace_id, command.user_id),
            )
            row = await cursor.fetchone()
        added = isinstance(command, AddSecondFactor)
        mails = [] if row is None else [self._mails.second_factor(row[0], added=added).row()]
        values = {"factor": "on", "user_id": command.user_id, "mails": mails, **account}
        try:
            return await self._executor.execute(command, call, beside(self._pool, CHANGE_ACCOUNT, values))
        except NoDataFound as error:
            raise _none() from error


async def _secret(connection: Connection, workspace_id: str, user_id: str, *, added: bool) -> tuple[bytes] | None:
    """What is stored of one that is asked for, or of one that was only begun."""
    cursor = await connection.execute(
        """
        SELECT secret FROM second_factors
        WHERE workspace_id = %s AND user_id = %s AND (added_at IS NOT NULL) = %s
        """,
        (workspace_id, user_id, added),
    )
    return await cursor.fetchone()


def _owner(workspace_id: str, user_id: str) -> str:
    return f"{workspace_id}/{user_id}"


def _hashes(codes: Sequence[str]) -> list[str]:
    return [one_time.recovery_hash(code).hex() for code in codes]


def _none() -> NotFound:
    return NotFound("second_factor.not_found", "there is no second factor")


def _wrong() -> WrongPassword:
    return WrongPassword("auth.wrong_otp", "this is no code of your authenticator now, or was used before")
