"""What clients missed: read once for many, given whole to slow ones too, and without end to none."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson

from api.migrations import migrate
from api.sockets import missed
from api.sockets.connection import Connection
from api.sockets.missed import Missed
from domain.policy import Eyes
from domain.user import Role
from tests.api.slow import deaf, listen, rewrite
from tests.house import Client, Database, House, Servers, until


@dataclass
class Viewer:
    """For whom is read."""

    user_id: str
    eyes: Eyes
    changed_at: int = 0


def _viewer(user_id: str, role: Role) -> Viewer:
    return Viewer(user_id, Eyes(role, frozenset((user_id,))))


async def _read(reader: Missed, viewer: Viewer, workspace_id: str, after: int, to: int) -> list[Any]:
    frames = [frame async for frame in reader.frames(viewer, workspace_id, after, to)]
    return [orjson.loads(frame[frame.index(b"{") :]) for frame in frames]


def _workspace(house: House, client: Client) -> str:
    return house.services.identify(client.headers["Authorization"]).workspace_id


async def _tasks(client: Client, count: int, **fields: Any) -> list[dict[str, Any]]:
    """So many new tasks, in the order of the log."""
    made = await asyncio.gather(*[client.task(str(n), **fields) for n in range(count)])
    return sorted(made, key=lambda task: int(task["position"]))


async def _connection(house: House) -> Connection:
    """The only socket, as the server sees it."""
    await until(lambda: house.services.hub.counts.open == 1)
    (connection,) = house.services.ticker.connections
    return connection


async def test_readers_at_the_same_time_share_pages_and_each_gets_its_own(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    for n in range(5):
        await ada.task(str(n), assignee={"id": bob.id})
        await _tasks(ada, 24)
    to = await house.head()
    workspace_id = _workspace(house, ada)
    everybody = [(_viewer(*who), after) for after in range(to) for who in ((ada.id, Role.ADMIN), (bob.id, Role.MEMBER))]
    together = Missed(house.pool)
    shared = await asyncio.gather(*[_read(together, viewer, workspace_id, after, to) for viewer, after in everybody])
    assert together.pages < len(everybody) / 10
    assert (together.waiting, together.served) == (0, len(everybody))
    whole = {
        viewer.user_id: await _read(Missed(house.pool), viewer, workspace_id, 0, to) for viewer, _ in everybody[:2]
    }
    assert [len(frames) for frames in whole.values()] == [130, 5]  # a task for Bob is created, then assigned
    for (viewer, after), frames in zip(everybody, shared, strict=True):
        assert frames == [frame for frame in whole[viewer.user_id] if frame["position"] > after]


async def test_a_page_that_others_read_before_the_log_grew_is_not_the_end(house: House) -> None:
    ada = await house.user()
    viewer, workspace_id = _viewer(ada.id, Role.ADMIN), _workspace(house, ada)
    first = await ada.task("first")
    reader = Missed(house.pool)
    reader.waiting = 1  # as if somebody else read at the same time
    assert len(await _read(reader, viewer, workspace_id, 0, first["position"])) == 1
    second = await ada.task("second")
    for after in (0, first["position"]):
        told = await _read(reader, viewer, workspace_id, after, second["position"])
        assert [frame["task_id"] for frame in told][-1] == second["id"]
    assert reader.pages == 2


async def test_a_page_of_many_bytes_ends_early_and_nothing_is_lost(house: House, monkeypatch: Any) -> None:
    ada = await house.user()
    made = await _tasks(ada, 12, description="word " * 400)
    monkeypatch.setattr(missed, "PAGE_BYTES", 5_000)
    reader = Missed(house.pool)
    told = await asyncio.gather(
        *[_read(reader, _viewer(ada.id, Role.ADMIN), _workspace(house, ada), 0, made[-1]["position"]) for _ in range(3)]
    )
    assert told[0] == told[1] == told[2]
    assert [frame["task"] for frame in told[0]] == made
    assert reader.pages >= 4


async def test_what_is_too_much_to_wait_during_a_catch_up_is_fetched_from_the_log(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, socket_buffer=5) as house:
        ada = await house.user()
        first = await ada.task("first")
        await rewrite(ada, first, 60)
        await ada.items("/tasks", min_position=await house.head())
        async with deaf(house, ada, after=first["position"]) as slow:
            connection = await _connection(house)
            made = await _tasks(ada, 20)
            await until(lambda: connection._outbox.overrun)
            listen(slow)
            changes = await slow.changes(made[-1]["position"])
        assert [change["position"] for change in changes] == list(range(first["position"] + 1, await house.head() + 1))
        assert [change["task"] for change in changes[-20:]] == made
        assert not any("conflated" in frame for frame in slow.frames)
        assert house.services.hub.counts.closed[4413] == 0


async def test_a_restore_during_a_catch_up_ends_it(database: Database, servers: Servers) -> None:
    async with House.open(database, servers) as house:
        ada = await house.user()
        task = await ada.task()
        last = await rewrite(ada, task, 60)
        await ada.items("/tasks", min_position=last)
        async with deaf(house, ada, after=0) as slow:
            await _connection(house)
            migrate(database.owner_url, database.serving_url, restored=True)
            await until(lambda: house.services.hub.counts.resyncs == 1)
            listen(slow)
            while (told := await slow.receive())["type"] != "resync":
                pass
            assert (told["reason"], told["epoch"]) == ("epoch_changed", house.services.epoch)
            assert len([frame for frame in slow.frames if frame["type"] == "change"]) < 60
            new = await ada.task("new")
            frames = await slow.until(new["position"])
        assert [frame["task"]["title"] for frame in frames if frame["type"] == "change"] == ["new"]


async def test_who_comes_back_together_gets_everything_and_leaves_room_for_others(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, pool_size=4) as house:
        ada = await house.user()
        made = await _tasks(ada, 100)
        await ada.items("/tasks", min_position=made[-1]["position"])
        before = house.services.missed.pages

        async def come_back(number: int) -> list[dict[str, Any]]:
            async with ada.socket(after=number % 50, epoch=house.services.epoch) as socket:
                return await socket.changes(made[-1]["position"])

        coming = [asyncio.create_task(come_back(number)) for number in range(200)]
        await until(lambda: house.services.missed.served > 0)
        during = await ada.task("meanwhile")
        for number, changes in enumerate(await asyncio.gather(*coming)):
            told = [change["position"] for change in changes if change["position"] < during["position"]]
            assert told == [task["position"] for task in made if task["position"] > number % 50]
        assert house.services.missed.pages - before < 100
        assert house.services.hub.counts.closed.total() == 0


async def test_a_hole_larger_than_a_buffer_reaches_who_reads_beside_who_does_not(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False, socket_buffer=600, socket_ping_seconds=300) as house:
        ada = await house.user()
        await house.project()
        async with deaf(house, ada) as reading, deaf(house, ada):
            listen(reading)
            hello = await reading.receive()
            await until(lambda: house.services.hub.counts.open == 2)
            for _ in range(16):
                made = await _tasks(ada, 100, description="word " * 1_000)
            last = made[-1]["position"]
            await house.project()  # one batch: too much to publish
            changes = await reading.changes(last)
        assert [change["position"] for change in changes] == list(range(hello["position"] + 1, last + 1))
        assert not any("conflated" in frame for frame in reading.frames)
