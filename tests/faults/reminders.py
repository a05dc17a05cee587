"""Reminders: thousands are due in one minute, and whoever keeps the time is killed again and again. Each fires once."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import httpx
import psycopg

from api.embedded.process import free_port
from commands.deciding import Command
from commands.ids import new_id
from commands.reminder import AddReminder
from commands.task import CreateTask
from domain import failpoints
from domain.instant import instant
from tests.commands.desk import Connection, Desk, Team, found
from tests.faults.hearing import hearing, next_look
from tests.faults.rig import Rig
from tests.house import Database

AT_ONCE: Final = 128  # commands under way while all is set up
A_SECOND: Final = 300  # of these: a careful guess, so that all is set up before the first one is due
PLANS: Final = (
    f"{failpoints.SCHEDULER_FOUND}=kill@1-3",
    f"{failpoints.EXECUTOR_DECIDED}=kill@1-400",
    f"{failpoints.COMMITTER_SENDING}=kill@1-20",
    f"{failpoints.COMMITTER_COMMITTED}=kill@1-20",
    f"{failpoints.EXECUTOR_APPENDED}=kill@1-400",
    "",
)
PATIENCE: Final = 240.0


@dataclass
class Reminded:
    """What became of a round."""

    seed: str
    count: int
    kills: int = 0
    fired: Counter[str] = field(default_factory=Counter)  # by reminder
    passed: Counter[str] = field(default_factory=Counter)  # by task
    told: int = 0
    late: list[float] = field(default_factory=list)  # seconds
    catch_up: float = 0.0
    ended: int = 0  # workers that killed themselves
    looks: list[float] = field(default_factory=list)  # a worker: how often it asked in ten idle seconds
    violations: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def result(self) -> dict[str, Any]:
        """For the file of results."""
        late = sorted(self.late) or [0.0]
        return {
            "kind": "reminders",
            "seed": self.seed,
            "reminders": self.count,
            "faults": {"kill worker": 2 * self.kills, "failpoint kill": self.ended},
            "fired": sum(self.fired.values()),
            "fired_twice": sum(1 for times in self.fired.values() if times > 1),
            "overdue": sum(self.passed.values()),
            "told": self.told,
            "late_median": round(late[len(late) // 2], 2),
            "late_most": round(late[-1], 2),
            "all_after_the_last_was_due": round(self.catch_up, 2),
            "idle_looks_in_10_s": self.looks,
            "violations": len(self.violations),
            "seconds": round(self.seconds, 1),
        }

    def explain(self) -> str:
        """For the one who reads about a failure."""
        return f"seed {self.seed}: {' · '.join(self.story)}\n" + "\n".join(self.violations)


async def play(folder: Path, seed: str, count: int, kills: int, idle: float, minute: float = 60.0) -> Reminded:
    """So many reminders in a minute, and as many tasks that are due then."""
    began, dice = monotonic(), Random(seed)
    played = Reminded(seed, count)
    with Rig(folder, apis=0, workers=2, drift_seconds=0) as rig:
        ports = {part: free_port() for part in rig.workers}
        for part, port in ports.items():
            rig.set(part, TASKFOLD_WORK_METRICS_PORT=str(port))
        rig.start_programs()
        url = rig.postgres.owner_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner, hearing(rig):
            team = await found(owner)
            first = datetime.now(UTC) + timedelta(seconds=2 * count / A_SECOND + 1)
            await _set_up(Database(url, rig.postgres.serving_url), team, count, first, minute, dice)
            await _kill(rig, owner, played, kills, count, dice)
            await _until(rig, owner, "reminder.fired", count, played)
            await _until(rig, owner, "task.due_passed", count, played)
            played.catch_up = max(0.0, (datetime.now(UTC) - first).total_seconds() - minute)
            await _told(rig, owner, count, played)
            if idle:
                played.looks = await _idle(ports, idle)
            await _read(owner, played)
        played.story = rig.story
        played.ended = sum("SIGKILL by itself" in line for line in rig.story)
    _judge(played)
    played.seconds = monotonic() - began
    return played


async def _set_up(database: Database, team: Team, count: int, first: datetime, minute: float, dice: Random) -> None:
    async with Desk.open(database) as desk:
        room = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            task, due = new_id(), first + timedelta(seconds=dice.uniform(0, minute))
            commands: list[Command] = [
                CreateTask(task, "call", due_at=instant(due)),
                AddReminder(task, new_id(), at=instant(first + timedelta(seconds=dice.uniform(0, minute)))),
            ]
            async with room:
                for command in commands:
                    await desk.do(team, team.admin, command)

        await asyncio.gather(*(one() for _ in range(count)))


async def _kill(rig: Rig, owner: Connection, played: Reminded, kills: int, count: int, dice: Random) -> None:
    """Both workers at once, spread over all that happens; every other time they first plan their own end."""
    for number in range(kills):
        await _until(rig, owner, "reminder.fired", (number + 1) * count // (kills + 2), played)
        plan = dice.choice(PLANS)
        for part in rig.workers:
            rig.kill(part)
            rig.set(part, TASKFOLD_FAILPOINTS=plan, TASKFOLD_FAILPOINTS_SEED=f"{played.seed}/{number}")
            rig.start(part)
        played.kills += 1


async def _until(rig: Rig, owner: Connection, name: str, count: int, played: Reminded) -> None:
    """Until so many events of this name are in the log; who killed itself meanwhile begins anew."""
    deadline = monotonic() + PATIENCE
    while await _count(owner, "SELECT count(*) FROM events WHERE name = %s", name) < count:
        if monotonic() > deadline:
            played.violations.append(f"after {PATIENCE} s there are no {count} events {name}")
            return
        await next_look(rig)


async def _told(rig: Rig, owner: Connection, count: int, played: Reminded) -> None:
    deadline = monotonic() + PATIENCE
    query = "SELECT count(*) FROM notifications WHERE reason = %s"
    while await _count(owner, query, "reminded") < count and monotonic() < deadline:
        await next_look(rig)
    played.told = await _count(owner, query, "reminded")


async def _count(owner: Connection, query: str, value: str) -> int:
    cursor = await owner.execute(query.encode(), (value,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _idle(ports: dict[str, int], seconds: float) -> list[float]:
    """How often each worker asked what is due, in ten seconds in which nothing is."""
    async with httpx.AsyncClient() as http:
        await asyncio.sleep(2.0)  # the last hints
        before = [await _looks(http, port) for port in ports.values()]
        await asyncio.sleep(seconds)
        after = [await _looks(http, port) for port in ports.values()]
    return [round(10 * (late - early) / seconds, 2) for early, late in zip(before, after, strict=True)]


async def _looks(http: httpx.AsyncClient, port: int) -> float:
    text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("taskfold_scheduler_looks_total")]
    return float(line.split()[-1])


async def _read(owner: Connection, played: Reminded) -> None:
    cursor = await owner.execute(
        """
        SELECT name, data->>'reminder_id', stream_id::text,
               extract(epoch FROM recorded_at - (data->>'due_at')::timestamptz)::float8
        FROM events WHERE name IN ('reminder.fired', 'task.due_passed')
        """
    )
    for name, reminder_id, stream_id, late in await cursor.fetchall():
        played.late.append(late)
        if name == "reminder.fired":
            played.fired[reminder_id] += 1
        else:
            played.passed[stream_id] += 1


def _judge(played: Reminded) -> None:
    for what, found_ in (("reminders fired", played.fired), ("tasks were overdue", played.passed)):
        if len(found_) != played.count or set(found_.values()) != {1}:
            played.violations.append(f"{len(found_)} {what}, up to {max(found_.values(), default=0)} times each")
    if played.told != played.count:
        played.violations.append(f"{played.told} of {played.count} notifications")
    if min(played.late, default=0.0) < 0:
        played.violations.append(f"one happened {-min(played.late):.3f} s before it was due")
    if any(looks > 1.5 for looks in played.looks):  # one a ten seconds, and one more that has just begun
        played.violations.append(f"idle workers asked {played.looks} times in 10 s")
