"""Sliding windows of two buckets: what the last window counted fades out while the present one fills.

The estimate assumes that the last window's requests came evenly. It needs two numbers a key, where an exact log of
moments needs one a request.
"""

from typing import NamedTuple


class Window(NamedTuple):
    """A length of time in seconds, and what may be counted in it."""

    seconds: float
    limit: int

    def bucket(self, now: float) -> tuple[int, float]:
        """The number of the present bucket, and which part of it has passed, 0 to 1."""
        number, rest = divmod(now, self.seconds)
        return int(number), rest / self.seconds

    def is_full(self, before: int, count: int, passed: float, more: int = 1) -> bool:
        """Whether one more would exceed the limit, or so many more."""
        return before * (1 - passed) + count > self.limit - more

    def wait(self, before: int, count: int, passed: float, more: int = 1) -> float:
        """In how many seconds so many more fit, if nothing else comes: at most as many as the limit."""
        if not self.is_full(before, count, passed, more):
            return 0.0
        room = self.limit - more - count
        if room >= 0:  # what is too much stems from the last window, and fades in this one
            return (1 - room / before - passed) * self.seconds
        return (1 - passed + 1 - (self.limit - more) / count) * self.seconds
