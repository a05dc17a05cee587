"""Revoked sessions, known to every API process within half a second, with or without Redis."""

import asyncio
import logging
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from commands.sessions import Sessions
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.4


class Revocations:
    """The sessions whose access tokens must no longer work although they are not expired."""

    def __init__(self, sessions: Sessions, token_seconds: int) -> None:
        self._sessions = sessions
        self._token_seconds = token_seconds
        self._revoked: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read them all once, then go on looking."""
        self._revoked = await self._sessions.revoked(self._token_seconds)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking."""
        await end(self._task)

    def add(self, session_id: str) -> None:
        """This process revoked one itself and need not wait to see it."""
        self._revoked.add(session_id)

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._revoked

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                self._revoked = await self._sessions.revoked(self._token_seconds)
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("revocations not read", extra={"error": str(error)})
