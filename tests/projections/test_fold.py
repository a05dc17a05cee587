"""Whatever the history and however it is cut into batches: rows equal a pure fold of the log."""

import random
from typing import Any

import msgspec
import pytest
from psycopg import AsyncConnection
from redis.asyncio import Redis

from api.database import Pool
from api.services import make_redis
from commands.ids import new_id
from domain.events import Recorded, name_of
from domain.messages import TaskChange, decode_projected
from projections import changes, drift, log
from projections.pacing import ProjectorSettings
from projections.projector import Projector
from projections.registry import TABLES
from tests.house import Client, Database, House, Servers
from tests.projections.reading import start_over

SAID = ("plain", "ünïcode ✓ 𠀀", "two\nlines\tand a tab", '"quotes" \\back {a,b}')
MOVES = ("start", "pause", "complete", "cancel", "reopen", "restore", "unassign")


async def _wander(house: House, workspace: str, steps: int, seed: int) -> None:
    """A random history of a workspace; what the rules refuse is part of a life, and leaves no event."""
    chance = random.Random(seed)
    people = [await house.user(workspace)]
    if workspace == "main":
        people += [await house.user() for _ in range(2)]
    admin, known = people[0], [await people[0].task("first")]
    comments: list[str] = []
    for step in range(steps):
        path = f"/tasks/{chance.choice(known)['id']}"
        match chance.randrange(10):
            case 8 | 9:
                await _say(chance, admin, path, comments)
            case 0:
                known.append(await people[0].task(f"task {step}", due_at="2027-01-01T00:00:00Z"))
            case 1:
                await admin.call("PATCH", path, {"title": f"t{step}", "tags": [str(step % 3)], "due_at": None})
            case 2:
                await admin.post(f"{path}/assign", {"user_id": chance.choice(people).id})
            case 3:
                await admin.call("DELETE", path)
            case 4:
                role = chance.choice(["member", "manager", "auditor"])
                await admin.call("PUT", f"/users/{chance.choice(people[1:] or people).id}/role", {"role": role})
            case _:
                await admin.post(f"{path}/{chance.choice(MOVES)}")


async def _say(chance: random.Random, by: Client, path: str, comments: list[str]) -> None:
    """Post, edit or delete a comment; `comments` are the paths of those so far."""
    body = {"body": f"{chance.choice(SAID)} @{{{by.id}}}"}
    match chance.randrange(4) if comments else 0:
        case 0 | 1:
            posted = await by.post(f"{path}/comments", body)
            comments += [posted.headers["Location"].removeprefix("/api/v1")] if posted.is_success else []
        case 2:
            await by.call("PATCH", chance.choice(comments), body)
        case _:
            await by.call("DELETE", chance.choice(comments))


async def _logs(pool: Pool) -> dict[str, list[Recorded]]:
    async with pool.connection() as connection:
        rows = await (await connection.execute("SELECT workspace_id::text, position FROM logs")).fetchall()
        return {id_: (await log.read(connection, id_, 0, position, ["%"])).events() for id_, position in rows}


def _folded(events: list[Recorded], kind: str) -> dict[str, Any]:
    evolve = TABLES[kind].evolve
    states: dict[str, Any] = {}
    for event in events:
        if name_of(event.event).startswith(f"{kind[:-1]}."):
            states[event.stream_id] = evolve(states.get(event.stream_id), event)
    return states


async def _rows(pool: Pool, workspace_id: str, name: str) -> dict[str, Any]:
    async with pool.connection() as connection:
        query = f"SELECT {name[:-1]}_id::text FROM {name} WHERE workspace_id = %s"
        ids = [row[0] for row in await (await connection.execute(query.encode(), (workspace_id,))).fetchall()]
        return await TABLES[name].load(connection, workspace_id, 1, ids)


async def _assert_folded(pool: Pool) -> None:
    for workspace_id, events in (await _logs(pool)).items():
        for name, table in TABLES.items():
            folded = _folded(events, name)
            assert await _rows(pool, workspace_id, name) == folded
            async with pool.connection() as connection:
                assert (await drift.check(connection, workspace_id, table, list(folded))).differences == []


@pytest.fixture
async def redis(servers: Servers) -> Any:
    client = make_redis(servers.redis_url)
    yield client
    await client.aclose()


async def _drain(projector: Projector, pool: Pool) -> list[int]:
    """Project all there is; the sizes of the batches."""
    sizes = []
    for workspace_id in await _logs(pool):
        for name in TABLES:
            while size := await projector.run_once(workspace_id, name):
                sizes.append(size)
    return sizes


@pytest.mark.parametrize("seed", range(3))
async def test_rows_equal_the_fold_of_the_log(database: Database, servers: Servers, redis: Redis, seed: int) -> None:
    async with House.open(database, servers, projecting=False) as house:
        for workspace in ("main", "elsewhere"):
            await _wander(house, workspace, 60, seed)
        pool, chance = house.pool, random.Random(seed)
        while True:  # each time another worker, that starts from the checkpoint, with batches of another size
            most = chance.choice([1, 3, 7, 50])
            worker = Projector(pool, redis, new_id(), ProjectorSettings(most=most))
            read = 0
            for workspace_id in await _logs(pool):
                for name in TABLES:
                    read += await worker.run_once(workspace_id, name)
            await worker.stop()
            if not read:
                break
        await _assert_folded(pool)
        before = {id_: {name: await _rows(pool, id_, name) for name in TABLES} for id_ in await _logs(pool)}
        assert max(len(rows["comments"]) for rows in before.values()) > 1
        async with pool.connection() as connection, connection.transaction():
            for name in TABLES:
                await start_over(connection, name)
        for workspace_id in before:
            assert await _rows(pool, workspace_id, "tasks") == {}
        worker = Projector(pool, redis, new_id())
        assert await _drain(worker, pool)
        await worker.stop()
        assert {id_: {name: await _rows(pool, id_, name) for name in TABLES} for id_ in before} == before


async def test_states_that_do_not_fit_in_memory_are_read_from_their_rows(
    database: Database, servers: Servers, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.progress.MOST_HELD_BYTES", 1_200)
    async with House.open(database, servers, projecting=False) as house:
        await _wander(house, "main", 60, seed=5)
        worker = Projector(house.pool, redis, new_id(), ProjectorSettings(most=4))
        await _drain(worker, house.pool)
        assert sum(len(progress.states) for progress in worker._progress.values()) <= 1
        await _assert_folded(house.pool)
        await worker.stop()


async def test_an_erased_event_still_projects(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        created = await ada.task("secret one", description="secret two")
        edited = await ada.task("other")
        await ada.call("PATCH", f"/tasks/{edited['id']}", {"title": "secret three"})
        async with await AsyncConnection.connect(database.owner_url) as owner:
            for position in (created["position"], edited["position"] + 1):
                await owner.execute("SELECT erase(workspace_id, %s, 'asked for') FROM workspaces", (position,))
        await house.project()
        await _assert_folded(house.pool)
        listed = {item["id"]: item for item in await ada.items("/tasks")}
        assert "secret" not in str(listed)
        assert listed[created["id"]]["title"] == "[erased]"
        assert listed[edited["id"]]["title"] == "other"
        assert "secret" not in str(await ada.items(f"/tasks/{created['id']}/history"))


def _comparable(change: TaskChange) -> Any:
    return change.position, change.task_id, msgspec.json.decode(change.task), change.before, change.after


async def test_what_is_read_from_the_log_equals_what_was_published(
    database: Database, servers: Servers, redis: Redis
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        await _wander(house, "main", 80, seed=9)
        worker = Projector(house.pool, redis, new_id(), ProjectorSettings(most=7))
        await _drain(worker, house.pool)  # its sender is not started: the messages stay in the buffer
        published = [message for _, message in worker._sender._buffer]
        await worker.stop()
        (workspace_id,) = await _logs(house.pool)
        messages = map(decode_projected, published)
        told = [one for one in messages if one.projection == "tasks" and one.tasks is not None]
        assert [(one.after, one.to) for one in told[1:]] == [
            (before.to, min(before.to + 7, told[-1].to)) for before in told[:-1]
        ]
        for most in (1, 5, 1_000):
            after, read = 0, []
            roles = []
            while True:
                async with house.pool.connection() as connection:
                    part = await changes.read(connection, workspace_id, after, most)
                read += part.tasks
                roles += part.accesses
                if part.to == part.head:
                    break
                after = part.to
            assert [_comparable(change) for change in read] == [
                _comparable(change) for one in told for change in one.tasks or ()
            ]
            assert roles == [role for one in told for role in one.accesses]


async def test_a_large_catch_up_is_published_without_its_changes(
    database: Database, servers: Servers, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.stream_folding.MOST_PUBLISHED", 5)
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        async with ada.socket() as socket:
            await socket.receive()
            written = [await ada.task(str(n)) for n in range(8)]
            await house.projector.start()
            try:
                told = await socket.changes(written[-1]["position"])
            finally:
                await house.projector.stop()
        assert [change["task"] for change in told] == written
        await _assert_folded(house.pool)


async def test_events_of_other_kinds_move_the_checkpoint_alone(house: House) -> None:
    ada: Client = await house.user()
    changed = await ada.call("PUT", "/users/profile", {"display_name": "A"})
    page = await ada.get("/tasks", min_position=changed.headers["Taskfold-Position"])
    assert page.json()["items"] == []
    assert page.headers["Taskfold-Position"] == changed.headers["Taskfold-Position"]
