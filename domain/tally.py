"""A histogram of plain numbers, cheap enough to stand in the way of every command."""

from bisect import bisect_left
from collections.abc import Sequence


class Tally:
    """How many values fell below each of some bounds, and their sum.

    `counts[i]` is the number of values in (`bounds[i - 1]`, `bounds[i]`], the last one that of the values past all
    bounds. Whoever reads it takes what is there: nothing is locked, one thread adds.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merge(self, other: "Tally") -> None:
        """Take in what another one with the same bounds has counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)
