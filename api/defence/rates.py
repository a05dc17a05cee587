"""Rate limits of an address, an account and a token, counted in this process; `sharing` adds up the processes.

A request is counted in less than two microseconds, and without asking anybody. Counters live in two generations: the
present bucket's and the last one's, which is dropped whole when the next bucket begins.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from time import time
from typing import Final

from api.defence.windows import Window
from domain.errors import Throttled

SHARED_FROM: Final = 32  # a counter is shared once it has reached this part of its limit
MOST: Final = 100_000  # counters of one kind and generation


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed in a window of so many seconds."""

    seconds: float
    token: int
    account: int
    address: int

    @property
    def policy(self) -> bytes:
        """The field `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers)."""
        kinds = (("token", self.token), ("account", self.account), ("address", self.address))
        return ", ".join(f'"{name}";q={limit};w={ceil(self.seconds)}' for name, limit in kinds).encode()


class RateLimited(Throttled):
    """A limit is reached. `field` is the value of `RateLimit` that goes with it."""

    def __init__(self, kind: "Kind", seconds: int, detail: str) -> None:
        super().__init__("rate.limited", detail, seconds)
        self.field = b'"%b";r=0;t=%d' % (kind.label, seconds)


class Counter:
    """How many requests somebody has made: in the bucket before, in this one by all processes, and here since then."""

    __slots__ = ("before", "fresh", "key", "kind", "shared")

    def __init__(self, kind: "Kind", key: str | bytes, before: int = 0) -> None:
        self.kind = kind
        self.key = key
        self.before = before
        self.shared = 0
        self.fresh = 0


class Kind:
    """The counters of one kind."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.label = name.encode()
        self.cool = limit - limit / SHARED_FROM  # who has less left is to be shared
        self.young: dict[str | bytes, Counter] = {}
        self.old: dict[str | bytes, Counter] = {}

    def counter(self, key: str | bytes) -> Counter:
        """The one that is not among the young ones yet."""
        if len(self.young) >= MOST:  # somebody has more addresses than we have room for: the first ones are forgotten
            del self.young[next(iter(self.young))]
        last = self.old.pop(key, None)
        counter = self.young[key] = Counter(self, key, last.shared + last.fresh if last else 0)
        return counter

    def turn(self, by: int) -> None:
        """So many buckets have passed."""
        self.old = self.young if by == 1 else {}
        self.young = {}


class Rates:
    """Says of each request whether it may go on, and what to tell the client of its limits."""

    def __init__(self, limits: Limits, secret: str, clock: Callable[[], float] = time) -> None:
        self.limits = limits
        self.bucket = 0
        self.hot: dict[Counter, None] = {}
        self.tokens = Kind("token", limits.token)
        self.accounts = Kind("account", limits.account)
        self.addresses = Kind("address", limits.address)
        self._owners: dict[bytes, str] = {}  # whose a token is that was verified in this bucket
        self._owners_before: dict[bytes, str] = {}  # or in the one before
        self._pairs: dict[bytes, tuple[Counter, Counter]] = {}  # the counters of a token and of its account
        self._clock = clock
        self._ends = 0.0
        self._key = hashlib.sha256(b"taskfold rates\0" + secret.encode()).digest()
        self._turn(clock())

    def admit(self, address: str, authorization: bytes | None) -> bytes:
        """Count a request. Answers the value of the field `RateLimit`; raises `RateLimited`.

        A token counts once it was verified here: nobody can use up another one's limit, or memory, with made-up ones.
        Written out for speed: of three counters in a loop it costs half as much again.
        """
        now = self._clock()
        if now >= self._ends:
            self._turn(now)
        seconds = self._ends - now
        left = seconds / self.limits.seconds
        kind = self.addresses
        tightest = first = kind.young.get(address) or kind.counter(address)
        least = kind.limit - first.before * left - first.shared - first.fresh
        hot = least < kind.cool
        pair = None if authorization is None else self._pairs.get(authorization) or self._pair(authorization)
        if pair is not None:
            second, third = pair
            rest = second.kind.limit - second.before * left - second.shared - second.fresh
            hot |= rest < second.kind.cool
            if rest < least:
                least, tightest = rest, second
            rest = third.kind.limit - third.before * left - third.shared - third.fresh
            hot |= rest < third.kind.cool
            if rest < least:
                least, tightest = rest, third
        if least < 1:
            raise self._refusal(tightest, left)
        first.fresh += 1
        if pair is not None:
            second.fresh += 1
            third.fresh += 1
        if hot:
            self._heat((first, *(pair or ())), left)
        return b'"%b";r=%d;t=%d' % (tightest.kind.label, least - 1, seconds + 0.999)

    def charge(self, address: str, authorization: bytes, more: int, *, at_most: bool = False) -> bytes:
        """Count so many requests more, which came as one; `at_most`: no more than are left. As `admit` does."""
        left = (self._ends - self._clock()) / self.limits.seconds
        first = self.addresses.young.get(address) or self.addresses.counter(address)
        counters = (first, *(self._pairs.get(authorization) or self._pair(authorization) or ()))
        rests = [one.kind.limit - one.before * left - one.shared - one.fresh for one in counters]
        least = min(rests)
        tightest = counters[rests.index(least)]
        more = min(more, max(0, int(least))) if at_most else more
        if least < more:
            raise self._refusal(tightest, left, more + 1)  # sent again it is counted again, and then these
        for counter in counters:
            counter.fresh += more
        self._heat(counters, left)
        return b'"%b";r=%d;t=%d' % (tightest.kind.label, least - more, max(0.0, self._ends - self._clock()) + 0.999)

    def learn(self, authorization: bytes, owner: str) -> None:
        """The header was verified and names this user."""
        if authorization not in self._owners:
            if len(self._owners) >= MOST:
                self._owners.clear()
            self._owners[authorization] = owner

    def digest(self, counter: Counter) -> str:
        """Whose a counter is, as others are told: neither tokens nor addresses leave the process."""
        key = counter.key.encode() if isinstance(counter.key, str) else counter.key
        return f"{counter.kind.name}:{hmac.digest(self._key, key, 'sha256').hex()[:32]}"

    def _pair(self, authorization: bytes) -> tuple[Counter, Counter] | None:
        """The counters of a token that was verified lately."""
        owner = self._owners.get(authorization) or self._owners_before.get(authorization)
        if owner is None:
            return None
        account = self.accounts.young.get(owner) or self.accounts.counter(owner)
        pair = self.tokens.young.get(authorization) or self.tokens.counter(authorization), account
        if len(self._pairs) >= MOST:
            self._pairs.clear()
        self._pairs[authorization] = pair
        return pair

    def _heat(self, counters: Sequence[Counter], left: float) -> None:
        """Have those shared that are near their limits."""
        for counter in counters:
            if counter.kind.limit - counter.before * left - counter.shared - counter.fresh < counter.kind.cool:
                self.hot[counter] = None

    def _turn(self, now: float) -> None:
        bucket = int(now // self.limits.seconds)
        for kind in (self.tokens, self.accounts, self.addresses):
            kind.turn(bucket - self.bucket)
        self._owners_before = self._owners if bucket == self.bucket + 1 else {}
        self._owners = {}
        self._pairs = {}
        self.hot = {}
        self.bucket = bucket
        self._ends = (bucket + 1) * self.limits.seconds

    def _refusal(self, counter: Counter, left: float, cost: int = 1) -> RateLimited:
        kind = counter.kind
        window = Window(self.limits.seconds, kind.limit)
        wait = window.wait(counter.before, counter.shared + counter.fresh, 1 - left, min(cost, kind.limit))
        seconds = max(1, ceil(wait))
        detail = f"at most {kind.limit} requests in {self.limits.seconds:g} s are allowed for this {kind.name}"
        if cost > 1:
            detail += f"; this one counts as {cost}"
        return RateLimited(kind, seconds, detail)
