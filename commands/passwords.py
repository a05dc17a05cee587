"""Passwords: argon2id, off the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import Invalid

SHORTEST: Final = 8
LONGEST: Final = 256

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified when there is no account, so that an unknown e-mail takes as long as a wrong password.
_NOBODY: Final = _HASHER.hash("nobody has this password")


class Passwords:
    """Hashes and verifies in a few threads of its own: no login holds up a command."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises `Invalid` for a password that is too short, too long or not text."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid("password.length", "/password", f"must be {SHORTEST} to {LONGEST} characters")
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password of this hash; never of None."""
        verdict = await asyncio.get_running_loop().run_in_executor(
            self._threads, _verify, password_hash or _NOBODY, password
        )
        return verdict and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
