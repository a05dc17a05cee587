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

    def is_full(self, before: int, count: int, passed: float) -> bool:
        """Whether one more would exceed the limit."""
        return before * (1 - passed) + count > self.limit - 1

    def wait(self, before: int, count: int, passed: float) -> float:
        """In how many seconds one more fits, if nothing else comes."""
        if not self.is_full(before, count, passed):
            return 0.0
        room = self.limit - 1 - count
        if room >= 0:  # what is too much stems from the last window, and fades in this one
            return (1 - room / before - passed) * self.seconds
        return (1 - passed + 1 - (self.limit - 1) / count) * self.seconds
