"""How large the batches of a worker are, and how long what failed rests."""

from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from projections.checkpoints import LEASE_SECONDS
from projections.log import MOST_BYTES

FEWEST: Final = 25  # positions in a batch of a build that is filled: fewer cost more than they spare
SMALL: Final = 1_000  # positions: a batch of so many is no reason to make smaller ones


def pause_after(seconds: float, share: float) -> float:
    """How long to rest after so much work, to have worked that share of the time."""
    return seconds * (1 / share - 1)


class Lane(NamedTuple):
    """What is projected batch after batch: a build of a projection of a workspace; None: the live one."""

    workspace_id: str
    projection: str
    build: int | None = None


class Pause(NamedTuple):
    """A lane that failed rests for `seconds`, up to a time, unless somebody asks for another try (`tries`)."""

    until: float
    seconds: float
    tries: int


@dataclass(frozen=True, slots=True)
class ProjectorSettings:
    """`poll_seconds`: how long a lost hint may delay a change; `most` and `most_bytes`: positions, and bytes of data,
    in one batch, fewer after a failure; `lanes`: workspaces that are projected at the same time; `turn`: batches that
    one of them may do while others wait; `batch_seconds`: one that takes longer makes the next ones smaller, because a
    statement has its time limit; `retry_seconds`: the pause after a failure, twice as long after the next one, up to
    `longest_retry_seconds`; `lease_seconds`: how long a worker that says nothing keeps others away.

    `share`: the part of its time that a worker spends on builds that are not live, unless the build says otherwise;
    `filling_most`: positions in one batch of these, fewer when it takes longer than `filling_seconds`.
    """

    poll_seconds: float = 0.25
    most: int = 40_000
    most_bytes: int = MOST_BYTES
    lanes: int = 4
    turn: int = 1
    batch_seconds: float = 2.0
    retry_seconds: float = 1.0
    longest_retry_seconds: float = 30.0
    lease_seconds: float = LEASE_SECONDS
    share: float = 1 / 3
    filling_most: int = 2_000
    filling_seconds: float = 0.01  # with 0.05 it was a sixth faster, and others waited half as long again


class Pace:
    """What is known of the lanes of one worker that failed, or took long, and have not recovered yet."""

    def __init__(self, settings: ProjectorSettings) -> None:
        self._settings = settings
        self._most: dict[Lane, int] = {}
        self._pauses: dict[Lane, Pause] = {}

    def positions(self, lane: Lane) -> int:
        """How many positions the next batch may have."""
        return self._most.get(lane, self._whole(lane))

    def _whole(self, lane: Lane) -> int:
        return self._settings.most if lane.build is None else min(self._settings.most, self._settings.filling_most)

    def at_most(self, lane: Lane, positions: int) -> None:
        """So many positions further it is known to fail."""
        self._most[lane] = min(self.positions(lane), max(1, positions))

    def failed(self, lane: Lane) -> None:
        """A batch that was too much for the time or the memory there is gets through in parts, and what comes before an
        event that cannot be read is not kept waiting by it.
        """
        self._most[lane] = max(1, self.positions(lane) // 10)

    def went(self, lane: Lane, positions: int, seconds: float) -> None:
        """A batch of so many positions took so long. Whole ones come back step by step."""
        self._pauses.pop(lane, None)
        if seconds > self._settings.batch_seconds:
            self._most[lane] = min(self.positions(lane), max(SMALL, positions // 2))
        elif lane in self._most and 2 * seconds <= self._settings.batch_seconds:
            self._most[lane] *= 2
            if self._most[lane] >= self._whole(lane):
                del self._most[lane]

    def filled(self, lane: Lane, positions: int, seconds: float) -> None:
        """A batch of a build that is not live, of at most so many positions, took so long, and others waited."""
        if seconds > self._settings.filling_seconds:
            self._most[lane] = max(min(positions, FEWEST), positions // 2)
        else:
            further = positions if 2 * seconds > self._settings.filling_seconds else 2 * positions
            self._most[lane] = min(self._whole(lane), further)

    def pause(self, lane: Lane, most: int, tries: int) -> None:
        """A smaller batch is tried after the usual pause, a single position less and less often."""
        before = self._pauses.get(lane)
        seconds = self._settings.retry_seconds
        if most == 1 and before is not None:
            seconds = min(2 * before.seconds, self._settings.longest_retry_seconds)
        self._pauses[lane] = Pause(monotonic() + seconds, seconds, tries)

    def rests(self, lane: Lane, tries: int | None = None) -> bool:
        """Whether a lane that failed is to be left alone for now."""
        pause = self._pauses.get(lane)
        return pause is not None and monotonic() < pause.until and tries in (None, pause.tries)
