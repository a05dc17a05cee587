"""Keys: each command is sent several times under its key, in turn and in parallel, across cuts: one effect."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import orjson

from domain import failpoints
from tests.faults import check_commands, check_log, check_order, check_rows
from tests.faults.check import report
from tests.faults.kinds import cut_at_answer
from tests.faults.lab import Lab, laboratory
from tests.faults.ledger import Entry
from tests.faults.load import Lines, Load, Style
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording, read
from tests.faults.run import ready, rest, staff, tended
from tests.faults.writer import Writer

ASKERS: Final = 40
BETWEEN: Final = 300  # acknowledged keys between two cuts


@dataclass
class Keys:
    """What became of a round of keys."""

    seed: str
    recording: Recording
    violations: list[Violation]
    faults: dict[str, int]
    story: list[str]
    seconds: float

    def result(self) -> dict[str, Any]:
        """For the file of results."""
        ledger = self.recording.ledger
        return {
            "kind": "keys",
            "seed": self.seed,
            "keys": len(ledger),
            "attempts": sum(entry.attempts for entry in ledger),
            "answers": sum(len(entry.answers) for entry in ledger),
            "replays": sum(answer.replayed for entry in ledger for answer in entry.answers),
            "faults": dict(sorted(self.faults.items())),
            "violations": len(self.violations),
            "seconds": round(self.seconds, 1),
        }

    def explain(self) -> str:
        """For the one who reads about a failure."""
        return f"seed {self.seed}: {' · '.join(self.story)}\n{report(self.violations)}"


async def play(folder: Path, seed: str, count: int) -> Keys:
    """So many keys."""
    began = monotonic()
    async with laboratory(folder, seed, workers=1) as lab:
        rig = lab.rig
        load = Load(rig.bell, seed, rig.bases, Style(patience=5.0))
        async with tended(rig.revive):
            await ready(rig.bases, rig.bell)
            async with staff(rig.bases[0], 5) as clients:
                supply = iter(range(count))
                cutting = asyncio.create_task(_cuts(lab, load))
                async with asyncio.TaskGroup() as group:
                    for number in range(ASKERS):
                        client = clients[number % len(clients)]
                        writer = Writer(client, (), Random(f"{seed}/{number}"), None)
                        group.create_task(_ask(load, rig.bases, writer, number, supply))
                cutting.cancel()
                await asyncio.gather(cutting, return_exceptions=True)
                lab.heal()
                stuck = await rest(clients[0], rig.bases, rig.bell, [], 60.0)
        recording = read(rig.postgres.owner_url)
        recording.ledger, recording.complaints = load.ledger, [*load.complaints, *stuck]
        story = rig.story
    if died := sum("SIGKILL by itself" in line for line in story):
        lab.count("failpoint kill", died)
    return Keys(seed, recording, _check(recording), lab.faults, story, monotonic() - began)


def _check(recording: Recording) -> list[Violation]:
    return [
        *check_log.check(recording),
        *check_commands.check(recording),
        *check_order.check(recording),
        *check_rows.check(recording),
        *(Violation(Promise.HONEST_ANSWERS, complaint) for complaint in recording.complaints),
    ]


async def _ask(load: Load, bases: list[str], writer: Writer, number: int, supply: Iterator[int]) -> None:
    """Key after key, as long as there are some; each is asked for 2 to 10 times, a few of them at the same time."""
    random = writer.random
    ways = [Lines(bases, number + n) for n in range(3)]
    mine: list[str] = []
    for _ in supply:
        entry = _command(writer, mine)
        load.ledger.append(entry)
        times = min(10, 2 + int(random.expovariate(0.9)))
        while times > 0:
            together = min(times, random.choices((1, 2, 3), (6, 3, 1))[0])
            entry.twins = entry.twins or together > 1
            patience = writer.hurry(5.0)
            await asyncio.gather(*(load.settle(writer, way, entry, patience) for way in ways[:together]))
            times -= together
        if entry.receipt is not None and entry.receipt.stream_id is not None:
            mine.append(entry.receipt.stream_id)
    for way in ways:
        way.close()


def _command(writer: Writer, mine: list[str]) -> Entry:
    """A new task, or a change of one's own."""
    random = writer.random
    body = orjson.dumps({"title": f"task {random.getrandbits(32):08x}"})
    key = f"{random.getrandbits(128):032x}"
    if mine and random.random() < 0.5:
        return Entry(key, writer.client.id, "PATCH", f"/tasks/{random.choice(mine)}", body)
    return Entry(key, writer.client.id, "POST", "/tasks", body)


async def _cuts(lab: Lab, load: Load) -> None:
    """Cut after cut, each after a commit and before its answer."""
    lab.rig.on_crash = lambda: load.crashes.append(load.tick())
    while True:
        await load.more(lab.random.randint(1, BETWEEN))
        if lab.random.random() < 0.7:
            await cut_at_answer(lab, load)
        else:
            await _die_after_commit(lab, load)


async def _die_after_commit(lab: Lab, load: Load) -> None:
    """A process of the API begins anew, and kills itself between a commit and its answers."""
    part = lab.random.choice(lab.rig.apis)
    plan = f"{failpoints.COMMITTER_COMMITTED}=kill@{lab.random.randint(1, 60)}"
    lab.rig.kill(part)
    lab.count("kill API")
    lab.rig.set(part, TASKFOLD_FAILPOINTS=plan)
    lab.rig.tell(f"{part} {plan}")
    lab.rig.start(part)
    await load.tried(500, most=2.0)
