"""Recurrence: series that are behind catch up while whoever makes their occurrences is killed again and again. What was
said to come is what is then there, once each.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import psycopg

from commands.ids import new_id
from commands.recurrence import SetRecurrence, SkipOccurrence
from commands.task import CreateTask
from domain import failpoints
from domain.instant import Instant, instant
from domain.series import CATCH_UP_MAX, Series, series_of
from tests.commands.desk import Connection, Desk, Team, found
from tests.faults.hearing import hearing, next_look
from tests.faults.rig import Rig
from tests.house import Database

PLANS: Final = (
    f"{failpoints.SCHEDULER_FOUND}=kill@1-5",
    f"{failpoints.EXECUTOR_DECIDED}=kill@1-20",
    f"{failpoints.COMMITTER_SENDING}=kill@1-5",
    f"{failpoints.COMMITTER_COMMITTED}=kill@1-5",
    f"{failpoints.EXECUTOR_APPENDED}=kill@1-20",
    f"{failpoints.PROJECTOR_COMMITTED}=kill@1-5",
)
PATIENCE: Final = 240.0


@dataclass
class Recurred:
    """What became of a round."""

    seed: str
    expected: dict[str, list[Instant]] = field(default_factory=dict)  # by series
    found: dict[str, list[Instant]] = field(default_factory=dict)
    kills: int = 0
    violations: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def explain(self) -> str:
        """For the one who reads about a failure."""
        return f"seed {self.seed}: {' · '.join(self.story)}\n" + "\n".join(self.violations)


async def play(folder: Path, seed: str, count: int, behind: int, kills: int) -> Recurred:
    """So many series that are so many days behind."""
    assert behind <= CATCH_UP_MAX
    played, dice = Recurred(seed), Random(seed)
    with Rig(folder, apis=0, workers=2, drift_seconds=0) as rig:
        url = rig.postgres.owner_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner, hearing(rig):
            team = await found(owner)
            await _set_up(Database(url, rig.postgres.serving_url), team, count, behind, played, dice)
            wanted = sum(map(len, played.expected.values()))
            for part in rig.workers:
                _plan(rig, part, f"{seed}/start", dice)
            rig.start_programs()
            for number in range(kills):
                await _until(rig, owner, (number + 1) * wanted // (kills + 1), played)
                for part in rig.workers:
                    rig.kill(part)
                    _plan(rig, part, f"{seed}/{number}", dice)
                    rig.start(part)
                played.kills += 1
            await _until(rig, owner, wanted, played)
            await _settled(rig, owner)
            await _read(owner, played)
        played.story = rig.story
    _judge(played)
    return played


def _plan(rig: Rig, part: str, seed: str, dice: Random) -> None:
    rig.set(part, TASKFOLD_FAILPOINTS=dice.choice(PLANS), TASKFOLD_FAILPOINTS_SEED=seed)


async def _set_up(database: Database, team: Team, count: int, behind: int, played: Recurred, dice: Random) -> None:
    """What is expected is what the series themselves say is to come."""
    now = datetime.now(UTC)
    async with Desk.open(database) as desk:
        for number in range(count):
            task = new_id()
            began = now - timedelta(days=behind, minutes=dice.randrange(1, 1_000))
            rule = f"FREQ=DAILY;COUNT={behind}" if number % 3 == 0 else "FREQ=DAILY"
            await desk.do(team, team.admin, CreateTask(task, "water", due_at=instant(began)))
            series_id = series_of(task)
            command = SetRecurrence(task, series_id, rule, now=instant(began), zone="America/New_York")
            state = (await desk.do(team, team.admin, command)).state
            assert isinstance(state, Series)
            skipped = dice.choice(_due(state, now))
            state = (await desk.do(team, team.admin, SkipOccurrence(task, series_id, skipped))).state
            assert isinstance(state, Series)
            played.expected[series_id] = _due(state, now)


def _due(series: Series, now: datetime) -> list[Instant]:
    """What is to be made by now: all that is past, and the first that is not."""
    due: list[Instant] = []
    for point in series.upcoming():
        due.append(point.at)
        if point.at > instant(now):
            break
    return due


async def _until(rig: Rig, owner: Connection, count: int, played: Recurred) -> None:
    """Until so many occurrences are in the log; who killed itself meanwhile begins anew."""
    deadline = monotonic() + PATIENCE
    while await _count(owner) < count:
        if monotonic() > deadline:
            played.violations.append(f"after {PATIENCE} s there are no {count} occurrences")
            return
        await next_look(rig)


async def _settled(rig: Rig, owner: Connection) -> None:
    """Until nothing is due any more by rows that have taken in the whole log: whoever were to do more would have."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        cursor = await owner.execute(
            """
            SELECT count(*) FILTER (WHERE t.fires_at <= clock_timestamp()),
                   (SELECT max(l.position) FROM logs l) = min(c.position)
            FROM checkpoints c LEFT JOIN timers t USING (workspace_id, build)
            WHERE c.projection = 'timers' AND c.live
            """
        )
        if await cursor.fetchone() == (0, True):
            return
        await next_look(rig)


async def _count(owner: Connection) -> int:
    cursor = await owner.execute("SELECT count(*) FROM events WHERE name = 'series.occurrence_made'")
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _read(owner: Connection, played: Recurred) -> None:
    """The occurrences as tasks, by the events of the tasks themselves."""
    cursor = await owner.execute(
        """
        SELECT j.data->>'series_id', j.data->>'occurrence'
        FROM events c JOIN events j USING (workspace_id, stream_id)
        WHERE c.name = 'task.created' AND c.data->>'created_by' IS NOT NULL AND j.name = 'task.series_joined'
        ORDER BY j.position
        """
    )
    for series_id, occurrence in await cursor.fetchall():
        played.found.setdefault(series_id, []).append(occurrence)


def _judge(played: Recurred) -> None:
    for series_id, expected in played.expected.items():
        made = played.found.get(series_id, [])
        if made != expected:
            played.violations.append(f"{series_id}: {len(expected)} were to come, {len(made)} are there: {made}")
