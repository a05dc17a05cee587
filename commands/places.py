"""From which addresses an account has been used: whoever comes from there again is not shut out by strangers' failures.

Only keyed digests of account and address are kept, and no longer than half a year after they were last seen.
"""

from typing import Final

from commands.event_store import Pool

KEPT_DAYS: Final = 180


class KnownPlaces:
    """Remembers digests."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def remember(self, digest: bytes) -> None:
        """It was seen now; one that was seen today already is not written again."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                WITH swept AS (
                    DELETE FROM known_places WHERE digest IN (
                        SELECT digest FROM known_places
                        WHERE seen_at < clock_timestamp() - make_interval(days => %(days)s) AND digest <> %(digest)s
                        FOR UPDATE SKIP LOCKED))
                INSERT INTO known_places (digest) VALUES (%(digest)s)
                ON CONFLICT (digest) DO UPDATE SET seen_at = clock_timestamp()
                WHERE known_places.seen_at < clock_timestamp() - interval '1 day'
                """,
                {"digest": digest, "days": KEPT_DAYS},
            )

    async def knows(self, digest: bytes) -> bool:
        """Whether it was seen in the last half year."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT EXISTS (SELECT FROM known_places
                               WHERE digest = %s AND seen_at >= clock_timestamp() - make_interval(days => %s))
                """,
                (digest, KEPT_DAYS),
            )
            row = await cursor.fetchone()
        return bool(row and row[0])
