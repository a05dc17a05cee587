"""The outbox: mails on their way, which were written in the transaction of what they tell of.

A mail goes out at least once. Whoever takes one has it until it is due again, so that several workers never send the
same one at the same time, and one whose worker dies is sent by another. Its text may hold a token, so it goes when the
mail is sent, and whatever is left goes after some days.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from commands.event_store import Connection, Pool
from commands.mails import Mail

KEPT_DAYS: Final = 7
RETRY_SECONDS: Final = 120  # after the first try; then twice as long each time, up to an hour
ERROR_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Posted:
    """A mail in the outbox; `tries` are those so far. Without a body it was sent."""

    mail_id: str
    recipient: str
    subject: str
    body: str | None
    made_at: datetime
    sent_at: datetime | None
    tries: int
    error: str | None


async def post(connection: Connection, *mails: Mail) -> None:
    """Put mails into the outbox, in the transaction that is under way."""
    rows = orjson.dumps([mail.row() for mail in mails]).decode()
    await connection.execute("SELECT post(%s::json)", (rows,))


class Outbox:
    """Takes mails out, and says what became of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self) -> Posted | None:
        """A mail that is due, for whoever asks first; it is due again after a while."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE outbox
                SET tries = tries + 1,
                    due_at = clock_timestamp() + make_interval(secs => least(%s * 2 ^ least(tries, 10), 3600))
                WHERE mail_id = (
                    SELECT mail_id FROM outbox
                    WHERE sent_at IS NULL AND recipient IS NOT NULL AND due_at <= clock_timestamp()
                    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                RETURNING mail_id::text, recipient, subject, body, made_at, sent_at, tries, error
                """,
                (RETRY_SECONDS,),
            )
            row = await cursor.fetchone()
        return None if row is None else Posted(*row)

    async def sent(self, mail_id: str) -> None:
        """It has been handed over; what it said is forgotten."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE outbox SET sent_at = clock_timestamp(), body = NULL, error = NULL WHERE mail_id = %s",
                (mail_id,),
            )

    async def failed(self, mail_id: str, error: str, *, for_good: bool) -> None:
        """It has not been handed over; `for_good`: trying again would not help."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                UPDATE outbox SET error = %s, due_at = CASE WHEN %s THEN 'infinity' ELSE due_at END WHERE mail_id = %s
                """,
                (error[:ERROR_MAX].replace("\x00", " "), for_good, mail_id),
            )

    async def sweep(self) -> int:
        """Delete what is older than some days, sent or not; what is for nobody, after an hour. Answers how many."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                DELETE FROM outbox WHERE mail_id IN (
                    SELECT mail_id FROM outbox
                    WHERE made_at < clock_timestamp() - make_interval(days => %s)
                       OR (recipient IS NULL AND made_at < clock_timestamp() - interval '1 hour')
                    FOR UPDATE SKIP LOCKED)
                """,
                (KEPT_DAYS,),
            )
            return cursor.rowcount


class Waiting(NamedTuple):
    """How many mails wait for somebody to take them, and since when the oldest does. Those given up wait no more."""

    mails: int
    seconds: float


async def waiting(connection: Connection) -> Waiting:
    """What is still to go out."""
    cursor = await connection.execute(
        """
        SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(made_at)), 0)::double precision
        FROM outbox WHERE sent_at IS NULL AND recipient IS NOT NULL AND due_at < 'infinity'
        """
    )
    row = await cursor.fetchone()
    assert row is not None
    return Waiting(*row)


async def listed(connection: Connection, *, unsent: bool) -> list[Posted]:
    """The mails in the order of their making; `unsent`: those that wait alone."""
    cursor = await connection.execute(
        """
        SELECT mail_id::text, recipient, subject, body, made_at, sent_at, tries, error
        FROM outbox
        WHERE recipient IS NOT NULL AND (sent_at IS NULL OR NOT %s)
        ORDER BY mail_id
        """,
        (unsent,),
    )
    return [Posted(*row) for row in await cursor.fetchall()]
