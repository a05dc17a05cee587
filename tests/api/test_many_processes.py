"""Several API processes, with and without Redis: each hears what its sockets need, and no right outlives its end."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed

from api.sockets import hub as hubs
from domain.messages import CHANGES_CHANNEL
from tests.house import Client, Database, House, Servers, Socket, until

NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there


async def _closed(socket: Socket) -> tuple[int | None, str | None]:
    try:
        while True:
            await socket.receive()
    except ConnectionClosed:
        return socket.connection.close_code, socket.connection.close_reason


async def _follow(socket: Socket, position: int) -> list[tuple[str, str]]:
    """What a socket is told up to a position, but for watermarks."""
    return [
        (frame.get("op", frame["type"]), frame.get("reason") or frame.get("task", {}).get("title", ""))
        for frame in await socket.until(position)
        if frame["type"] in ("change", "resync")
    ]


async def test_without_redis_what_happens_elsewhere_bites_within_5_seconds(
    database: Database, servers: Servers
) -> None:
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(House.open(database, servers, projecting=first, redis_url=NOWHERE))
            for first in (True, False)
        ]
        ada = await one.user()
        mary = await one.user(role="manager", by=ada)
        there = Client(two.http, mary.tokens, two.base)
        await ada.items("/tasks", min_position=await one.head())
        async with there.socket() as socket:
            await socket.receive()
            await ada.task("seen")
            await ada.call("PUT", f"/users/{mary.id}/role", {"role": "member"})
            hidden = await ada.task("hidden")
            async with asyncio.timeout(5):
                told = await _follow(socket, hidden["position"])
            assert told == [("upsert", "seen"), ("removed", "")]
            await one.http.post("/auth/logout", json={"refresh_token": mary.tokens["refresh_token"]})
            async with asyncio.timeout(5):
                assert await _closed(socket) == (4401, "auth.session_revoked")


async def test_a_process_hears_the_changes_of_workspaces_that_it_has_sockets_of(
    house: House, servers: Servers, monkeypatch: Any
) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    redis = Redis.from_url(servers.redis_url)
    channels = [
        f"{CHANGES_CHANNEL}{house.services.identify(client.headers['Authorization']).workspace_id}"
        for client in (ada, eve)
    ]

    async def heard() -> list[int]:
        return [count for _, count in await redis.pubsub_numsub(*channels)]

    async def become(expected: list[int]) -> None:
        async with asyncio.timeout(10):
            while await heard() != expected:
                pass

    assert await heard() == [0, 0]
    async with ada.socket() as socket:
        await become([1, 0])
        before = house.services.hub.counts.holes
        await eve.task("theirs")
        for n in range(5):
            task = await ada.task(str(n))
            assert len(await socket.changes(task["position"])) == 1
        assert house.services.hub.counts.holes < before + 5  # it came by the channel; a look may have been first
        async with eve.socket() as other:
            await other.receive()
            await become([1, 1])
    with monkeypatch.context() as impatient:  # only for the moment: no socket gets in within 0 seconds
        impatient.setattr(hubs, "IDLE_SECONDS", 0.0)
        await become([0, 0])
        assert house.services.hub._feeds == {}
    async with ada.socket() as socket:  # and again
        await socket.receive()
        task = await ada.task("again")
        assert len(await socket.changes(task["position"])) == 1
    await redis.aclose()


async def test_hundreds_of_sockets_each_get_what_they_may_see(house: House) -> None:
    ada = await house.user()
    bob, mary = await house.user(), await house.user(role="manager", by=ada)
    async with AsyncExitStack() as stack:
        sockets = [
            (client, await stack.enter_async_context(client.socket()))
            for client in (ada, bob, mary)
            for _ in range(100)
        ]
        await asyncio.gather(*[socket.receive() for _, socket in sockets])
        feed = next(iter(house.services.hub._feeds.values()))
        assert (feed.size, house.services.hub.counts.open) == (300, 300)
        for n in range(10):
            owner = (ada, bob)[n % 2]
            last = await owner.task(f"{n}")
        told = await asyncio.gather(*[_follow(socket, last["position"]) for _, socket in sockets])
        for (client, _), changes in zip(sockets, told, strict=True):
            assert changes == [("upsert", f"{n}") for n in range(10) if client is not bob or n % 2]
    await until(lambda: (feed.size, house.services.hub.counts.open) == (0, 0))
