"""New ids: UUID version 7 (RFC 9562 §5.7), so that what is made together lies together in an index."""

import os
from collections.abc import Callable
from functools import cache
from time import time_ns
from typing import Final

_AT_ONCE: Final = 256  # the kernel is asked for so much randomness at a time: a call each cost 15 µs a command

_random: list[str] = []
os.register_at_fork(after_in_child=_random.clear)  # parent and child must not make the same ids


def new_id() -> str:
    """A new UUID version 7, as canonical text."""
    try:
        tail = _random.pop()
    except IndexError:
        tail = _refill()
    text = f"{time_ns() // 1_000_000:012x}"
    return f"{text[:8]}-{text[8:]}-7{tail}"


def named_ids() -> Callable[[str], str]:
    """New ids by names of one's own: for a decision that needs many, and may run again."""
    return cache(lambda _: new_id())


def _refill() -> str:
    """The rest of an id after its version, so many times; with the variant in its place."""
    digits = os.urandom(10 * _AT_ONCE).hex()
    for at in range(0, len(digits), 20):
        part = digits[at : at + 20]
        variant = "89ab"[int(part[3], 16) & 3]
        _random.append(f"{part[:3]}-{variant}{part[4:7]}-{part[7:19]}")
    return _random.pop()
