"""Clients that read slowly or not at all get the latest of each task, or are told to come back; others never notice."""

import asyncio
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.api.slow import LARGE, deaf, listen, rewrite
from tests.house import Database, House, Servers, until


async def test_who_reads_late_gets_the_latest_of_each_task_and_is_told_how_many_it_did_not_get(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, socket_send_seconds=300) as house:
        ada = await house.user()
        tasks = [await ada.task(str(n)) for n in range(2)]
        async with deaf(house, ada, after=tasks[-1]["position"]) as slow:
            await until(lambda: house.services.hub.counts.open == 1)
            last = 0
            for n in range(60):
                last = await rewrite(ada, tasks[n % 2], 1)
            await ada.items("/tasks", min_position=last)
            listen(slow)
            frames = await slow.until(last)
    got = [frame for frame in frames if frame["type"] == "change"]
    assert [change["position"] for change in got] == sorted(change["position"] for change in got)
    assert [change["position"] for change in got[-2:]] == [last - 1, last]
    assert 0 < len(got) < 60
    assert sum(frame.get("conflated", 0) for frame in frames) == 60 - len(got)


async def test_who_lets_too_many_tasks_wait_must_resume_and_gets_everything_then(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, socket_buffer=20) as house:
        ada = await house.user()
        start = await ada.task()
        async with deaf(house, ada, after=start["position"]) as slow:
            await until(lambda: house.services.hub.counts.open == 1)
            tasks: list[dict[str, Any]] = []
            while house.services.hub.counts.open:  # until the server gives it up
                made = await asyncio.gather(*[ada.task(str(n), description=LARGE) for n in range(10)])
                tasks += sorted(made, key=lambda task: int(task["position"]))
            listen(slow)
            try:
                while True:
                    await slow.receive()
            except ConnectionClosed:
                assert slow.connection.close_code == 4413
        assert house.services.hub.counts.closed[4413] == 1
        last = tasks[-1]["position"]
        await until(lambda: all(feed.position >= last for feed in house.services.hub._feeds.values()))
        finished = [frame["position"] for frame in slow.frames if frame["type"] == "change"][-1] - 1
        async with ada.socket(after=finished, epoch=house.services.epoch) as socket:
            changes = await socket.changes(last)
        assert [change["task"] for change in changes] == [task for task in tasks if task["position"] > finished]


async def test_a_client_that_takes_nothing_is_cut_and_others_never_notice(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, socket_send_seconds=0.05) as house:
        ada = await house.user()
        async with ada.socket() as quick, deaf(house, ada):
            await quick.receive()
            await until(lambda: house.services.hub.counts.open == 2)
            task = await ada.task()
            written = 1
            while house.services.hub.counts.open == 2:
                last = await rewrite(ada, task, 10)
                written += 10
            frames = await quick.until(last)
        changes = [frame["type"] == "change" for frame in frames]
        assert sum(changes) + sum(frame.get("conflated", 0) for frame in frames) == written
        assert house.services.hub.counts.closed[4413] == 1


async def test_a_catch_up_that_is_not_read_is_cut(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, socket_send_seconds=0.05) as house:
        ada = await house.user()
        task = await ada.task()
        last = await rewrite(ada, task, 80)
        await ada.items("/tasks", min_position=last)
        async with deaf(house, ada, after=0):
            await until(lambda: house.services.hub.counts.closed[4413] == 1)
            await until(lambda: house.services.hub.counts.open == 0)


async def test_a_hole_of_thousands_of_changes_reaches_a_client_that_reads(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, socket_buffer=50, socket_ping_seconds=300) as house:
        ada = await house.user()
        await house.project()
        async with ada.socket() as socket:
            hello = await socket.receive()
            made = [await asyncio.gather(*[ada.task(str(n)) for n in range(100)]) for _ in range(15)]
            last = max(int(task["position"]) for tasks in made for task in tasks)
            await house.project()  # one batch: too much to publish
            changes = await socket.changes(last)
    assert [change["position"] for change in changes] == list(range(hello["position"] + 1, last + 1))
