"""Throttling of what guesses secrets or costs much: logins, refreshes, registrations, mails.

Failures are counted for an account from one address, for an account from one network, for an account from
everywhere, and for a network. Only the first one refuses somebody who has logged in to that account from that address
before: else whoever guesses at an account would shut its owner out (OWASP Authentication Cheat Sheet, account lockout).
"""

import hashlib
import hmac
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from time import time
from typing import Final

from api.defence.addresses import holder_of, network_of
from api.defence.counts import Counts
from api.defence.windows import Window
from commands.places import KnownPlaces
from domain.errors import MoreProof, Throttled, Unauthenticated, WrongPassword

SECONDS: Final = 900.0
AT_ONCE: Final = 30  # attempts under way that are not counted yet may exceed a limit by so many, in each process


@dataclass(frozen=True, slots=True)
class Guard:
    """The limits of one kind of attempt, in fifteen minutes; 0: not counted. `every`: what succeeds counts too."""

    name: str
    alone: int = 0  # of an account, wherever it is; spares nobody
    pair: int = 0  # of an account from one address, and from one network
    account: int = 0  # of an account from everywhere
    network: int = 0
    every: bool = False


@dataclass(frozen=True, slots=True)
class Guards:
    """The kinds of attempts."""

    login: Guard
    refresh: Guard
    register: Guard
    mail: Guard
    invite: Guard  # by whom
    invited: Guard  # to which address, of whatever workspace: anybody may found many

    @classmethod
    def of(cls, login_failures: int, registrations: int, invites: int) -> "Guards":
        """As the settings say."""
        return cls(
            login=Guard("login", pair=login_failures, account=5 * login_failures, network=10 * login_failures),
            refresh=Guard("refresh", network=10 * login_failures),
            register=Guard("register", network=registrations, every=True),
            mail=Guard("mail", account=login_failures, network=10 * login_failures, every=True),
            invite=Guard("invite", alone=invites, every=True),
            invited=Guard("invited", alone=max(1, invites // 20), every=True),
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    """One counter of an attempt. `spares`: it refuses nobody who is known here."""

    name: str
    limit: int
    spares: bool


class Throttle:
    """Counts attempts and refuses those that are too many. Names of accounts are kept as keyed digests only."""

    def __init__(self, counts: Counts, places: KnownPlaces, secret: str, guards: Guards) -> None:
        self._counts = counts
        self._places = places
        self._key = hashlib.sha256(b"taskfold throttle\0" + secret.encode()).digest()
        self._under_way: Counter[str] = Counter()
        self.guards = guards

    @asynccontextmanager
    async def attempt(self, guard: Guard, address: str, account: str = "") -> AsyncIterator[None]:
        """Around the attempt: `async with throttle.attempt(throttle.guards.login, address, account_name(…)):`.

        Raises `Throttled` before it begins where there were too many. An attempt that ends in `Unauthenticated` or
        `WrongPassword` is a failure; one that ends well clears the count of its own address and makes that known to
        the account.
        """
        counted = self._counted(guard, address, account)
        names = [one.name for one in counted]
        await self._check(counted, address, account)
        if guard.every:
            await self._counts.add(names, _window(1).bucket(time())[0])
        self._under_way.update(names)
        try:
            yield
        except (Unauthenticated, WrongPassword) as error:
            if not guard.every and not isinstance(error, MoreProof):
                await self._counts.add(names, _window(1).bucket(time())[0])
            raise
        finally:
            self._under_way.subtract(names)
            self._under_way += Counter()  # drops those at zero
        if guard.pair:
            await self._counts.clear(counted[0].name, _window(1).bucket(time())[0])
            await self.remember(address, account)

    async def remember(self, address: str, account: str) -> None:
        """The account was used from there, by somebody who proved to be its owner."""
        await self._places.remember(self._digest("place", holder_of(address), account))

    async def _check(self, counted: list[_Counted], address: str, account: str) -> None:
        bucket, passed = _window(1).bucket(time())
        found = await self._counts.read([one.name for one in counted], bucket)
        known: bool | None = None
        for one, (before, count) in zip(counted, found, strict=True):
            window, under_way = _window(one.limit), self._under_way[one.name]
            seconds = window.wait(before, count, passed)
            if not seconds and not _window(one.limit + AT_ONCE).is_full(before, count + under_way, passed):
                continue
            if one.spares and account:
                if known is None:
                    known = await self._places.knows(self._digest("place", holder_of(address), account))
                if known:
                    continue
            raise Throttled("auth.throttled", "too many attempts; wait before the next one", max(1, ceil(seconds)))

    def _counted(self, guard: Guard, address: str, account: str) -> list[_Counted]:
        network = network_of(address)
        counters = [
            (guard.alone, ("alone", account), False),
            (guard.pair, ("address", holder_of(address), account), False),
            (guard.pair, ("pair", network, account), True),
            (guard.account, ("account", account), True),
            (guard.network, ("network", network), True),
        ]
        return [
            _Counted(f"{guard.name}:{self._digest(*parts).hex()[:32]}", limit, spares)
            for limit, parts, spares in counters
            if limit
        ]

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(errors="surrogatepass"), "sha256")


def account_name(workspace: str, email: str) -> str:
    """An account, known or not, by what a login says: all spellings that the database takes for one are one."""
    return f"{workspace}\0{unicodedata.normalize('NFKC', email).casefold().strip()}"


def _window(limit: int) -> Window:
    return Window(SECONDS, limit)
