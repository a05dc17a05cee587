"""Lists of the past: for any history, moment, reader, filter and sort they are the pure fold, filtered and sorted."""

import random
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest
from msgspec.json import encode
from redis.asyncio import Redis

import domain.team
from domain.errors import Invalid
from domain.events import Recorded
from domain.policy import Eyes, audience
from domain.project import Project
from domain.task import ERASED_TITLE, Task, TaskAssigned, TaskDeleted, TaskEdited
from domain.task_fields import Assignee
from domain.user import Role
from projections import past
from projections.cursors import AsOf
from projections.database import Pool
from projections.queries import NOTHING, Asked, with_words
from projections.task_list import SORTS, TaskQuery
from projections.wording import Wanted
from tests.commands.desk import Connection, Desk, Team, log_of, states
from tests.projections.histories import DUES, STARTS, TAGS, History
from tests.projections.reading import catch_up, creation, log_events, worker

RANKS = {"low": 0, "normal": 1, "high": 2, "urgent": 3}
END = "~"  # sorts after every instant

# What each filter means, said a second time.
HOLDS: dict[str, Callable[[Task, Any], bool]] = {
    "status": lambda task, value: task.status in value,
    "category": lambda task, value: task.category in value,
    "priority": lambda task, value: task.priority in value,
    "assignee": lambda task, value: task.assignee is not None and task.assignee.id == value,
    "unassigned": lambda task, _: task.assignee is None,
    "created_by": lambda task, value: task.created_by == value,
    "tag": lambda task, value: set(value) <= set(task.tags),
    "due_before": lambda task, value: task.due_at is not None and task.due_at < value,
    "due_after": lambda task, value: task.due_at is not None and task.due_at > value,
    "start_before": lambda task, value: task.start_at is not None and task.start_at < value,
    "start_after": lambda task, value: task.start_at is not None and task.start_at > value,
    "overdue": lambda task, value: value is (task.overdue_since is not None and not task.is_closed),
    "updated_after": lambda task, value: task.updated_at > value,
}
WORDS = ("write", "quotes")
KEYS: dict[str, Callable[[Task], Any]] = {
    "priority": lambda task: RANKS[task.priority],
    "-priority": lambda task: -RANKS[task.priority],
    "start_at": lambda task: task.start_at or END,
    "due_at": lambda task: task.due_at or END,
    "created_at": lambda task: task.created_at,
    "updated_at": lambda task: task.updated_at,
    "title": lambda task: task.title.encode(),
}


def at(log: Iterable[Recorded], position: int) -> dict[str, Task]:
    """Every task at a position, by the pure fold."""
    last = {id_: state for (id_, _), state in states(islice(log, position)).items()}
    return {id_: state for id_, state in last.items() if isinstance(state, Task)}


def asking_for(word: str) -> Asked:
    """A query of one word."""
    lexeme = f"'{word}'"
    return with_words(NOTHING, Wanted(lexeme, None, lexeme), past=True)


class Cases:
    """Lists that somebody may ask for, from a seed."""

    def __init__(self, team: Team, log: list[Recorded], dice: random.Random) -> None:
        self._team, self._log, self._dice = team, log, dice
        last = {id_: state for (id_, _), state in states(log).items()}
        self._groups = sorted(id_ for id_, state in last.items() if isinstance(state, domain.team.Team | Project))

    def query(self) -> TaskQuery:
        """One of them."""
        dice, position = self._dice, self._dice.randint(0, len(self._log))
        ids = frozenset({dice.choice(self._team[1:]), *dice.sample(self._groups, dice.randint(0, len(self._groups)))})
        return TaskQuery(
            self._team.workspace_id,
            Eyes(dice.choice([Role.MEMBER, Role.MEMBER, Role.AUDITOR]), ids),
            {name: self._value(name) for name in dice.sample(sorted(HOLDS), dice.choice([0, 0, 1, 1, 2]))},
            (dice.choice(sorted(KEYS)),) if dice.random() < 0.7 else ("-created_at",),
            trashed=dice.random() < 0.3,
            limit=dice.choice([1, 3, 50]),
            as_of=AsOf(str(position), position),
            asked=asking_for(dice.choice(WORDS)) if dice.random() < 0.1 else NOTHING,
        )

    def _value(self, name: str) -> Any:
        dice = self._dice
        values: dict[str, Callable[[], Any]] = {
            "status": lambda: dice.sample(["todo", "in_progress", "done"], 2),
            "category": lambda: [dice.choice(["open", "active", "done", "cancelled"])],
            "priority": lambda: dice.sample(sorted(RANKS), 2),
            "assignee": lambda: dice.choice([*self._team[1:], *self._groups]),
            "unassigned": lambda: True,
            "created_by": lambda: dice.choice(self._team[1:]),
            "tag": lambda: [dice.choice(TAGS[:-1])],
            "due_before": lambda: dice.choice(DUES[1:]),
            "due_after": lambda: dice.choice(DUES[1:]),
            "start_before": lambda: dice.choice(STARTS[1:]),
            "start_after": lambda: dice.choice(STARTS[1:]),
            "overdue": lambda: dice.choice([True, False]),
            "updated_after": lambda: dice.choice(self._log).recorded_at,
        }
        return values[name]()

    def expected(self, query: TaskQuery) -> list[dict[str, Any]]:
        """What the list has to hold, from nothing but the log: today's permissions, and the states of then."""
        assert query.as_of is not None
        today = at(self._log, len(self._log))
        found = [
            task
            for id_, task in at(self._log, query.as_of.position).items()
            if query.eyes.see(audience(today[id_]))
            and (task.deleted_at is not None) == query.trashed
            and all(HOLDS[name](task, value) for name, value in query.filters.items())
            and query.asked.found.strip("'")
            in ("", *re.findall(r"\w+", f"{task.title} {task.tags} {task.description}"))
        ]
        (name,) = query.sort
        descending = name == "-created_at"
        found.sort(key=lambda task: task.id, reverse=name.startswith("-"))
        found.sort(key=KEYS[name.lstrip("-") if descending else name], reverse=descending)
        return [orjson.loads(encode(task)) for task in found]


async def read(pool: Pool, query: TaskQuery) -> list[dict[str, Any]]:
    """Every page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    async with pool.connection() as connection:
        while True:
            asked = TaskQuery(**{**{name: getattr(query, name) for name in query.__slots__}, "cursor": cursor})
            page, reached = await past.page(connection, asked)
            assert query.as_of is not None
            assert page.position == query.as_of.position <= reached
            found += map(orjson.loads, page.documents)
            cursor = page.next_cursor
            if cursor is None:
                return found


def test_every_sort_and_filter_is_compared() -> None:
    assert {name.lstrip("-") for name in KEYS} == {name.lstrip("-") for name in SORTS} - {"rank"}
    assert {name for name in HOLDS if name in past.FIXED} == set(past.FIXED)


@pytest.mark.parametrize("seed", range(2))
async def test_a_list_of_the_past_is_the_fold_of_the_log_up_to_there(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    await History(desk, team, 700 + seed).go_on(260)
    log = await log_of(owner, team.workspace_id)
    await catch_up(worker(pool, redis), team.workspace_id)
    cases = Cases(team, log, dice)
    filled = 0
    for number in range(150):
        query = cases.query()
        steady = tuple(query.sort) in past.STEADY
        # However little is folded at once, and whichever way the changed ones are found, nothing else comes out.
        monkeypatch.setattr(past, "MOST_TASKS", dice.choice([2, 5, 5_000]) if steady else 5_000)
        monkeypatch.setattr(past, "MOST_EVENTS", dice.choice([9, 25_000]) if steady else 25_000)
        monkeypatch.setattr(past, "AT_ONCE", dice.choice([4, 1_000]))
        monkeypatch.setattr(past, "NEAR", dice.choice([0, 20_000]))
        found, expected = await read(pool, query), cases.expected(query)
        assert found == expected, (number, query)
        filled += bool(expected)
    assert filled > 40


async def test_what_a_list_sorted_by_what_changes_may_fold_is_bounded(
    owner: Connection, team: Team, pool: Pool, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"01a1fc40-0f7f-7b37-92a4-3b161b1b83{n:02}" for n in range(4)]
    for id_ in ids:
        await log_events(owner, team, id_, creation(id_[-2:]), TaskEdited(description="x" * 1_000))
    then = await log_events(owner, team, ids[0], TaskEdited(title="00!"), after=2)
    for id_ in ids[1:]:
        await log_events(owner, team, id_, TaskDeleted(), after=2)
    await catch_up(worker(pool, redis), team.workspace_id)
    bounds = {"MOST_TASKS": 2, "MOST_EVENTS": 2, "MOST_BYTES": 1_500}
    for name, most in bounds.items():
        with monkeypatch.context() as patch:
            patch.setattr(past, name, most)
            patch.setattr(past, "AT_ONCE", 1)
            for sort, expected in (
                ("-created_at", ["03", "02", "01", "00!"]),
                ("created_at", ["00!", "01", "02", "03"]),
            ):
                query = TaskQuery(team.workspace_id, Eyes(Role.ADMIN, frozenset()), sort=(sort,), as_of=AsOf("", then))
                assert [task["title"] for task in await read(pool, query)] == expected
            with pytest.raises(Invalid) as refused:
                await read(pool, TaskQuery(team.workspace_id, query.eyes, sort=("title",), as_of=AsOf("", then)))
            assert refused.value.code == "as_of.too_much"


async def test_a_time_is_the_position_of_the_last_event_up_to_it(
    desk: Desk, owner: Connection, team: Team, pool: Pool
) -> None:
    await History(desk, team, 9).go_on(40)
    log = await log_of(owner, team.workspace_id)
    moments = [datetime.fromisoformat(event.recorded_at) for event in log]
    async with pool.connection() as connection:
        for moment in {*moments, *(moment - timedelta(microseconds=1) for moment in moments)}:
            expected = sum(1 for other in moments if other <= moment)
            assert await past.position_at(connection, team.workspace_id, moment) == expected
        far = moments[-1] + timedelta(days=1)
        assert await past.position_at(connection, team.workspace_id, far) is None
        assert await past.position_at(connection, log[0].stream_id[:-4] + "0000", moments[-1]) == 0


async def test_what_was_erased_since_is_erased_in_the_past_too(
    owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    ids = ["01a1fc40-0f7f-7b37-92a4-3b161b1b8301", "01a1fc40-0f7f-7b37-92a4-3b161b1b8302"]
    created = await log_events(owner, team, ids[0], creation("a secret"))
    given = TaskAssigned(assignee=Assignee(type="user", id=team.member))
    assigned = await log_events(owner, team, ids[0], given, after=1)
    last = await log_events(owner, team, ids[0], TaskEdited(tags=("x",)), after=2)
    for position in (created, assigned):
        await owner.execute("SELECT erase(%s, %s, 'asked to')", (team.workspace_id, position))
    await catch_up(worker(pool, redis), team.workspace_id)
    eyes = Eyes(Role.ADMIN, frozenset())
    for position in range(created, last + 1):
        query = TaskQuery(team.workspace_id, eyes, as_of=AsOf(str(position), position))
        (task,) = await read(pool, query)
        assert (task["title"], task["assignee"], task["version"]) == (ERASED_TITLE, None, position - created + 1)
