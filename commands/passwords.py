"""Passwords: which are good enough, and argon2id, off the event loop.

Only length, and not to be common, are asked (NIST SP 800-63B §3.1.1.2; OWASP ASVS 5.0, 6.2): no rule of composition.
`common_passwords.txt.gz` holds about 16,000, in lower case and no shorter than what is allowed, from the lists that
Django (BSD) and zxcvbn (MIT) ship.
"""

import asyncio
import gzip
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commands.breached import Breached
from domain.errors import Invalid

SHORTEST: Final = 8
LONGEST: Final = 256

_COMMON: Final = Path(__file__).with_name("common_passwords.txt.gz")

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified when there is no account, so that an unknown e-mail takes as long as a wrong password.
_NOBODY: Final = _HASHER.hash("nobody has this password")


@cache
def common_passwords() -> frozenset[str]:
    """Those that are tried first; in lower case."""
    return frozenset(gzip.decompress(_COMMON.read_bytes()).decode().split())


def check_password(password: str, own: Iterable[str] = (), field: str = "/password") -> str:
    """A password that may be had by somebody whose `own` names and addresses these are; any characters, as they are.

    Raises `Invalid` `password.length`, `password.common`. What it refuses it does not repeat: problems are logged.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid("password.length", field, f"must be {SHORTEST} to {LONGEST} characters")
    folded = password.casefold()
    words = {word.casefold() for text in own for word in (text, text.partition("@")[0])}
    if folded in common_passwords() or folded in words:
        raise Invalid("password.common", field, "must not be a password that many have, nor a name or address of yours")
    return password


class Passwords:
    """Checks, hashes and verifies in a few threads of its own: no login holds up a command."""

    def __init__(self, threads: int = 2, breached: Breached | None = None) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._breached = breached

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def check(self, password: str, own: Iterable[str] = (), field: str = "/password") -> str:
        """As `check_password`, and none that was found in a breach: raises `Invalid` `password.breached` too."""
        check_password(password, own, field)
        if self._breached is not None:
            known = self._breached.__contains__
            if await asyncio.get_running_loop().run_in_executor(self._threads, known, password):
                raise Invalid("password.breached", field, "was found in a breach, so others try it; choose another")
        return password

    async def hash(self, password: str) -> str:
        """The hash to keep of a password that `check` has passed."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password of this hash; never of None."""
        verdict = await asyncio.get_running_loop().run_in_executor(
            self._threads, _verify, password_hash or _NOBODY, password[: LONGEST + 1]
        )
        return verdict and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
