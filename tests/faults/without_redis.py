"""Redis goes away, by death, by forgetting or by silence, and comes back: all is there, and all soon see the same."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.faults.bell import back_off
from tests.faults.check import check, report
from tests.faults.lab import Lab, laboratory
from tests.faults.load import Style
from tests.faults.promises import Violation
from tests.faults.proxy import Mode
from tests.faults.recording import Recording
from tests.faults.run import Crowd, Plan

MOST: Final = 30.0  # seconds until somebody who is not there yet is a violation
AIM: Final = 5.0  # seconds within which 99 of 100 are there


@dataclass
class Returns:
    """What became of some rounds of Redis. `seconds` are from its return until a watcher was at the end of then."""

    seed: str
    kind: str
    rounds: int
    converged: list[float] = field(default_factory=list)
    recording: Recording | None = None
    violations: list[Violation] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    took: float = 0.0

    def result(self) -> dict[str, Any]:
        """For the file of results."""
        assert self.recording is not None
        return {
            "kind": self.kind,
            "seed": self.seed,
            "rounds": self.rounds,
            "faults": dict(sorted(self.faults.items())),
            "acknowledged": sum(entry.receipt is not None for entry in self.recording.ledger),
            "converged": [round(seconds, 3) for seconds in sorted(self.converged)],
            "p99": round(percentile(self.converged, 0.99), 3),
            "violations": len(self.violations),
            "seconds": round(self.took, 1),
        }

    def explain(self) -> str:
        """For the one who reads about a failure."""
        return f"seed {self.seed}: {' · '.join(self.story)}\n{report(self.violations)}"


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def play(folder: Path, seed: str, rounds: int, silent_seconds: float = 0.0) -> Returns:
    """So many rounds: Redis killed or flushed, or silent for so many seconds, while commands and sockets go on."""
    began = monotonic()
    returns = Returns(seed, "silence" if silent_seconds else "redis", rounds)
    async with laboratory(folder, seed) as lab:

        async def during(crowd: Crowd) -> None:
            for _ in range(rounds):
                if not await crowd.load.more(lab.random.randint(10, 60)):
                    crowd.load.complaints.append(f"no answers after {lab.rig.story[-4:]}")
                    return
                await _away(lab, crowd, silent_seconds)
                await _return(lab, crowd, returns)

        plan = Plan(seed, writers=10, style=Style(shared=60, pace=0.03, patience=5.0), sloth=False)
        returns.recording = await lab.record(plan, during)
    returns.violations, returns.faults, returns.story = check(returns.recording), lab.faults, lab.rig.story
    returns.took = monotonic() - began
    return returns


async def _away(lab: Lab, crowd: Crowd, silent_seconds: float) -> None:
    """It is away for a while. Commands go on meanwhile."""
    before = crowd.load.acknowledged
    if silent_seconds:
        lab.rig.tell("Redis is silent")
        lab.count("silent Redis")
        for way in lab.ways_to("Redis"):
            way.set(Mode.HALF_OPEN)
        await back_off(silent_seconds)
        lab.heal()
    elif lab.random.random() < 0.5:
        lab.rig.kill("Redis")
        lab.count("kill Redis")
        await crowd.load.more(lab.random.randint(1, 100))
        lab.rig.start("Redis")
        await _answers(lab.rig.redis.url)
    else:
        lab.rig.tell("flush Redis")
        lab.count("flush Redis")
        await _flush(lab.rig.redis.url)
        await crowd.load.more(1)
    if crowd.load.acknowledged == before:
        crowd.load.complaints.append("without Redis no command was acknowledged")


async def _return(lab: Lab, crowd: Crowd, returns: Returns) -> None:
    """Measure how long each watcher takes to get where the log ends now."""
    head, back = crowd.load.head, monotonic()
    lab.rig.tell(f"Redis is back, the log is at {head}")

    async def reached(seen: Any) -> None:
        if await lab.rig.bell.until(lambda: bool(seen.finished >= head), MOST):
            returns.converged.append(monotonic() - back)
        else:
            crowd.load.complaints.append(f"{seen.name} is at {seen.finished} of {head}, {MOST:.0f} s after")

    await asyncio.gather(*(reached(watcher.seen) for watcher in crowd.watchers))


async def _answers(url: str) -> None:
    async with asyncio.timeout(MOST):
        while True:
            with suppress(RedisError, OSError):
                async with Redis.from_url(url) as client:
                    await client.ping()
                return
            await back_off(0.005)


async def _flush(url: str) -> None:
    async with Redis.from_url(url) as client:
        await client.flushall()
        await client.client_kill_filter(_type="pubsub")
        await client.client_kill_filter(_type="normal", skipme=True)
