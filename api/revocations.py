"""Revoked sessions and personal tokens, known to every API process within half a second, with or without Redis."""

import asyncio
import logging
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from api.recognition import KNOWN_SECONDS
from commands.sessions import Sessions
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.4
SPARE_SECONDS: Final = 60.0  # for a revocation that took long to commit, and for clocks


class Revocations:
    """What must no longer work although memory knows it and it is not expired."""

    def __init__(self, sessions: Sessions, token_seconds: int) -> None:
        self._sessions = sessions
        self._seconds = max(token_seconds, KNOWN_SECONDS) + SPARE_SECONDS
        self._revoked: set[str] = set()
        self._read_at = monotonic()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read them all once, then go on looking."""
        await self.run_once()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking."""
        await end(self._task)

    def add(self, *ids: str) -> None:
        """This process revoked some itself and need not wait to see it."""
        self._revoked.update(ids)

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._revoked

    async def run_once(self) -> None:
        """Read those of the time in which something may still be remembered, and since the last look.

        A socket lives as long as its personal token, so nothing that happened while nobody could look may be missed.
        """
        began = monotonic()
        self._revoked = await self._sessions.revoked(self._seconds + began - self._read_at)
        self._read_at = began

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.run_once()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("revocations not read", extra={"error": str(error)})
