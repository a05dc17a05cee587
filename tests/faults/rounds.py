"""Rounds: the whole program under load and every kind of fault, one seed a round; then every promise is checked."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

from tests.faults import kinds
from tests.faults.check import check, report
from tests.faults.lab import Lab, laboratory
from tests.faults.load import Style
from tests.faults.promises import Violation
from tests.faults.recording import Recording
from tests.faults.run import Crowd, Plan

PATIENCE: Final = 60.0  # seconds within which a program to which something was done must answer again


@dataclass(frozen=True)
class Size:
    """How much is done in a round."""

    commands: int = 25_000
    faults: int = 30
    writers: int = 48
    shared: int = 300


SHORT: Final = Size(commands=150, faults=4, writers=12, shared=24)


@dataclass
class Outcome:
    """What became of a round."""

    seed: str
    recording: Recording
    violations: list[Violation]
    faults: dict[str, int]
    story: list[str]
    logged: str
    seconds: float

    @property
    def kills_and_cuts(self) -> int:
        """How often a process was killed or connections were broken."""
        return sum(count for kind, count in self.faults.items() if kind.startswith(kinds.KILLS))

    @property
    def acknowledged(self) -> int:
        """Commands that took effect, and whose client knows."""
        return sum(entry.receipt is not None for entry in self.recording.ledger)

    def result(self) -> dict[str, Any]:
        """For the file of results."""
        return {
            "kind": "round",
            "seed": self.seed,
            "faults": dict(sorted(self.faults.items())),
            "kills_and_cuts": self.kills_and_cuts,
            "acknowledged": self.acknowledged,
            "attempts": sum(entry.attempts for entry in self.recording.ledger),
            "reads": len(self.recording.reads),
            "sessions": sum(len(watched.sessions) for watched in self.recording.watched),
            "frames": sum(len(session.frames) for watched in self.recording.watched for session in watched.sessions),
            "violations": len(self.violations),
            "seconds": round(self.seconds, 1),
        }

    def explain(self) -> str:
        """For the one who reads about a failure."""
        told = " · ".join(self.story)
        return f"seed {self.seed}: {told}\n{report(self.violations)}\n{self.logged}"


async def play(folder: Path, seed: str, size: Size) -> Outcome:
    """One round. The same seed makes the same choices again."""
    began = monotonic()
    async with laboratory(folder, seed) as lab:
        plan = Plan(seed, size.writers, Style(shared=size.shared, patience=5.0))
        recording = await lab.record(plan, lambda crowd: _faults(lab, crowd, size))
        logged = lab.rig.tracebacks()
    lab.rig.tell("ended")
    if died := sum("SIGKILL by itself" in line for line in lab.rig.story):
        lab.count("failpoint kill", died)
    return Outcome(seed, recording, check(recording), lab.faults, lab.rig.story, logged, monotonic() - began)


async def _faults(lab: Lab, crowd: Crowd, size: Size) -> None:
    """Fault after fault, with commands between them; never the next one before the program answers again."""
    load, random = crowd.load, Random(f"{lab.random.random()}")
    between = size.commands // size.faults
    for _ in range(size.faults):
        if not await load.more(random.randint(between // 2, between), PATIENCE):
            load.complaints.append(f"no answers after {lab.rig.story[-8:]}")
            return
        await kinds.choose(random)(lab, load)
        lab.rig.tell(f"{load.acknowledged} acknowledged")
    lab.heal()
    if not await load.more(max(20, size.commands - load.acknowledged), 4 * PATIENCE):
        load.complaints.append(f"not enough answers after {lab.rig.story[-8:]}")
