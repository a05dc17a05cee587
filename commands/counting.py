"""What the write side has done since it started, as plain numbers: counting must cost a command next to nothing.

Nobody here knows what becomes of them. One thread adds, and who reads takes what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from commands.appending import Append, Outcome, Verdict
from domain.tally import Tally

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class Commits:
    """The committer's numbers.

    `committed` appends added `events`; `unchanged` ones had none to add; `conflicts` were based on a stream that had
    moved; `known` ones were answered under their key before; `failed` ones were refused by the database. `queue_full`
    counts those that were not let in. `resent` and `locked` are batches that were tried again: without an answer, and
    without the lock of the log. `seconds` are those of the calls that were answered.
    """

    committed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    known: int = 0
    failed: int = 0
    queue_full: int = 0
    events: int = 0
    resent: int = 0
    locked: int = 0
    sizes: Tally = field(default_factory=lambda: Tally(BATCH_SIZES))
    seconds: Tally = field(default_factory=lambda: Tally(COMMIT_SECONDS))

    def batch(self, appends: Sequence[Append], verdicts: Sequence[Verdict], seconds: float) -> None:
        """Count a batch that was answered."""
        self.sizes.add(len(appends))
        self.seconds.add(seconds)
        for append, verdict in zip(appends, verdicts, strict=True):
            outcome = verdict.outcome
            if outcome is Outcome.COMMITTED:
                facts = len(append.facts)
                self.events += facts
                if facts:
                    self.committed += 1
                else:
                    self.unchanged += 1
            elif outcome is Outcome.CONFLICT:
                self.conflicts += 1
            else:
                self.known += 1


@dataclass(slots=True)
class Decisions:
    """The executor's numbers: decisions made again because a stream had moved, and commands that were rejected."""

    retries: int = 0
    rejected: int = 0
