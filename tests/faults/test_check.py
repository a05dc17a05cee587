"""The checker itself: a good run has no violation, and each planted one is named."""

import asyncio
import copy
from collections.abc import Callable

import psycopg
import pytest

from tests.faults.check import check, report
from tests.faults.promises import Promise
from tests.faults.recording import Recording, read
from tests.faults.run import Crowd, Plan, record
from tests.faults.spoils import PLANTS, session_of, superseded
from tests.house import Database, House, Servers

_recorded: list[Recording] = []


async def _short_run(database: Database, servers: Servers) -> Recording:
    async def during(crowd: Crowd) -> None:
        assert await crowd.load.more(150)

    async with House.open(database, servers, access_token_seconds=3600) as house:
        return await record(
            [house.base], database.owner_url, Plan("plant", writers=8), during, redis_url=servers.redis_url
        )


@pytest.fixture
def recording(request: pytest.FixtureRequest, servers: Servers) -> Recording:
    """A good run without faults, made once; each test gets a copy to spoil."""
    if not _recorded:
        _recorded.append(asyncio.run(_short_run(request.getfixturevalue("database"), servers)))
    return copy.deepcopy(_recorded[0])


def test_a_good_run_has_no_violation(recording: Recording) -> None:
    assert not check(recording), report(check(recording))
    assert recording.head > 100
    assert all(entry.answers for entry in recording.ledger)
    assert all(watched.finished >= recording.head for watched in recording.watched)


def test_every_promise_has_a_plant() -> None:
    assert set(PLANTS.values()) == set(Promise)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_named(recording: Recording, plant: Callable[[Recording], None]) -> None:
    plant(recording)
    assert PLANTS[plant] in {violation.promise for violation in check(recording)}


def test_a_change_that_is_conflated_and_counted_is_no_hole(recording: Recording) -> None:
    frames, dropped = session_of(recording).frames, superseded(recording)
    frames.remove(dropped)
    watermark = next(frame for frame in frames if frame.type == "through" and frame.position >= dropped.position)
    watermark.conflated += 1
    assert not check(recording), report(check(recording))


async def test_what_the_owner_alters_in_the_database_is_named(database: Database, servers: Servers) -> None:
    await _short_run(database, servers)
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE tasks SET title = 'altered' WHERE ctid = (SELECT ctid FROM tasks LIMIT 1)")
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute(
            """UPDATE events SET data = '{"role":"admin"}' WHERE name = 'user.joined' AND position = 3"""
        )
        connection.execute("ALTER TABLE events ENABLE TRIGGER ALL")
    named = {violation.promise for violation in check(read(database.owner_url))}
    assert named >= {Promise.ROWS_ARE_THE_FOLD, Promise.TRUE_DIGESTS}
