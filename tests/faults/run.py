"""A run: clients write and watch while something is done to the program; then everything comes to rest and is read."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import httpx

from tests.faults.bell import Bell
from tests.faults.load import Load, staff
from tests.faults.recording import Recording, read
from tests.faults.watchers import Watcher, watching
from tests.house import Client

AGAIN = 0.1
REST = 60.0  # what a program that was killed may need to catch up, many times over


async def record(
    base: str,
    owner_url: str,
    seed: str,
    during: Callable[[Load], Awaitable[None]],
    *,
    bell: Bell | None = None,
    revive: Callable[[], None] = lambda: None,
    writers: int = 12,
) -> Recording:
    """Do it, and answer all that is left behind. `revive` starts again what ended by itself."""
    bell = bell or Bell()
    await ready(base, bell, revive)
    load = Load(bell, seed)
    async with staff(base, writers) as clients:
        watchers = _watchers(clients, bell, seed)
        tending = asyncio.create_task(_tend(bell, revive))
        try:
            async with watching(watchers):
                async with load.running(clients, clients[-1].id):
                    await during(load)
                stuck = await _rest(clients[0], bell, watchers)
        finally:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)
    recording = read(owner_url)
    recording.ledger = load.ledger
    recording.watched = [watcher.seen for watcher in watchers]
    recording.complaints = [*load.complaints, *(text for watcher in watchers for text in watcher.complaints), *stuck]
    return recording


def _watchers(clients: list[Client], bell: Bell, seed: str) -> list[Watcher]:
    """One of each role, one whose role changes, and two who cut their sockets themselves."""
    admin, manager, member, other, fickle = (*clients[:4], clients[-1])
    return [
        Watcher("the admin", admin, bell),
        Watcher("the manager", manager, bell),
        Watcher("a member", member, bell),
        Watcher("the fickle one", fickle, bell),
        Watcher("the impatient admin", admin, bell, Random(f"{seed}/impatient admin")),
        Watcher("the impatient member", other, bell, Random(f"{seed}/impatient member")),
    ]


async def _tend(bell: Bell, revive: Callable[[], None]) -> None:
    while True:
        revive()
        await bell.heard(1.0)


async def ready(base: str, bell: Bell, revive: Callable[[], None]) -> None:
    """Until the program serves for the first time."""
    async with asyncio.timeout(REST), httpx.AsyncClient(base_url=base) as http:
        while not await _is_at_rest(http):
            revive()
            await bell.heard(AGAIN)


async def _is_at_rest(http: httpx.AsyncClient) -> bool:
    """It is ready, and no projection is behind."""
    try:
        response = await http.get("/readyz")
    except httpx.TransportError:
        return False
    return response.status_code == 200 and not any(
        projection["lag"] or projection["failing"] for projection in response.json()["database"]["projections"]
    )


async def _rest(reader: Client, bell: Bell, watchers: list[Watcher]) -> list[str]:
    """Until readers and watchers are at the end of the log. Answers what does not get there."""
    try:
        async with asyncio.timeout(REST), httpx.AsyncClient(base_url=reader.base) as http:
            while not await _is_at_rest(http):
                await bell.heard(AGAIN)
            while (head := await _read(reader)) is None:
                await bell.heard(AGAIN)
            while (await _read(reader, head)) is None:
                await bell.heard(AGAIN)
    except TimeoutError:
        return [f"the program did not come to rest within {REST:.0f} s"]

    def behind() -> list[str]:
        return [f"{watcher.seen.name} is at {watcher.seen.finished}" for watcher in watchers if _late(watcher, head)]

    await bell.until(lambda: not behind(), REST)
    return [f"{who} of {head} after {REST:.0f} s of rest" for who in behind()]


def _late(watcher: Watcher, head: int) -> bool:
    return watcher.seen.finished < head


async def _read(reader: Client, min_position: int = 0) -> int | None:
    """The position of a list that has reached another one; None where it cannot be had now."""
    try:
        response = await reader.get("/tasks", limit=1, min_position=min_position)
    except httpx.TransportError:
        return None
    return int(response.headers["Taskfold-Position"]) if response.status_code == 200 else None
