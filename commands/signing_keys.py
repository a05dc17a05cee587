"""The rows from which the keys that sign access tokens are derived. All processes derive the same keys from them."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import class_row

from commands.event_store import Connection

ANNOUNCED_SECONDS: Final = 5.0  # between making a key and signing with it: every process has read it by then
SPARE_SECONDS: Final = 60.0  # after the last token of a key has expired, for clocks
_ROTATING: Final = 7_402_118_533_094_617  # an advisory lock: one rotates at a time


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is stored. `signs`: its time has come."""

    key_id: int
    salt: bytes
    created_at: str
    signs_from: str
    retired_at: str | None
    signs: bool
    retired: bool


async def read(connection: Connection) -> list[KeyRow]:
    """All keys that ever were, the newest last."""
    cursor: Any = connection.cursor(row_factory=class_row(KeyRow))
    await cursor.execute(
        """
        SELECT key_id, salt, instant(created_at) AS created_at, instant(signs_from) AS signs_from,
               instant(retired_at) AS retired_at, signs_from <= clock_timestamp() AS signs,
               coalesce(retired_at <= clock_timestamp(), false) AS retired
        FROM signing_keys ORDER BY key_id
        """
    )
    rows: list[KeyRow] = await cursor.fetchall()
    return rows


async def rotate(connection: Connection, token_seconds: int, *, at_once: bool = False) -> int:
    """Make a key. It signs in some seconds; the others are retired when what they have signed by then has expired.

    `at_once` is for keys that others may know: it signs now, and whatever they signed is refused. `token_seconds` is
    how long an access token lives. Answers the key's id.
    """
    announced = 0.0 if at_once else ANNOUNCED_SECONDS
    lives = 0.0 if at_once else ANNOUNCED_SECONDS + token_seconds + SPARE_SECONDS
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ROTATING,))
        await connection.execute(
            """
            UPDATE signing_keys SET retired_at = clock_timestamp() + make_interval(secs => %(lives)s)
            WHERE retired_at IS NULL OR retired_at > clock_timestamp() + make_interval(secs => %(lives)s)
            """,
            {"lives": lives},
        )
        cursor = await connection.execute(
            """
            INSERT INTO signing_keys (signs_from) VALUES (clock_timestamp() + make_interval(secs => %s))
            RETURNING key_id
            """,
            (announced,),
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
