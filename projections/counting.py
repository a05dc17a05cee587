"""What a worker has projected since it started, as plain numbers."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from domain.tally import Tally

BATCH_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Projected:
    """The numbers of one projection, over all workspaces.

    `positions` were read; batches `failed`, or were given up to another worker (`fenced`).
    """

    positions: int = 0
    failed: int = 0
    fenced: int = 0
    seconds: Tally = field(default_factory=lambda: Tally(BATCH_SECONDS))


class Projections:
    """The numbers by projection."""

    def __init__(self) -> None:
        self.by_name: defaultdict[str, Projected] = defaultdict(Projected)

    def batch(self, projection: str, positions: int, seconds: float) -> None:
        """Count a batch that was committed."""
        mine = self.by_name[projection]
        mine.positions += positions
        mine.seconds.add(seconds)

    def failed(self, projection: str) -> None:
        """Count a batch that failed."""
        self.by_name[projection].failed += 1

    def fenced(self, projection: str) -> None:
        """Count a batch that came to nothing because another worker had taken over."""
        self.by_name[projection].fenced += 1
