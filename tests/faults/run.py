"""A run: clients write and watch while something is done to the program; then everything comes to rest and is read."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

from tests.faults.batching import keys_of_commands
from tests.faults.bell import Bell, back_off
from tests.faults.line import Line, request
from tests.faults.load import Load, Style
from tests.faults.observer import Observer
from tests.faults.recording import Recording, read
from tests.faults.watchers import Manners, Watcher, watching
from tests.house import Client

AGAIN: Final = 0.1
TEND: Final = 0.25
REST: Final = 60.0  # what a program that was killed may need to catch up, many times over


@dataclass(frozen=True)
class Plan:
    """What a run is: `writers` in the style of the load, and how many seconds the program has to come to rest.
    `sloth`: one of the watchers is slow.
    """

    seed: str
    writers: int = 12
    style: Style = field(default_factory=Style)
    rest: float = REST
    sloth: bool = True
    revive: Callable[[], None] = lambda: None
    tell: Callable[[str], None] = lambda _: None


@dataclass
class Crowd:
    """Everybody outside: those who write and those who watch."""

    clients: list[Client]
    load: Load
    watchers: list[Watcher]


async def record(
    bases: Sequence[str],
    owner_url: str,
    plan: Plan,
    during: Callable[[Crowd], Awaitable[None]],
    *,
    redis_url: str,
    bell: Bell | None = None,
) -> Recording:
    """Do it, and answer all that is left behind."""
    bell = bell or Bell()
    async with tended(plan.revive):
        await ready(bases, bell)
        async with staff(bases[0], plan.writers) as clients:
            load = Load(bell, plan.seed, bases, plan.style)
            await load.appoint(clients[0], clients[1], clients)
            crowd = Crowd(clients, load, _watchers(clients, bases, bell, load, plan))
            observer = Observer(redis_url, owner_url, load)
            async with watching([*crowd.watchers, observer]):
                async with load.running(clients, clients[-1].id):
                    await during(crowd)
                    plan.tell("no more commands")
                plan.tell("every command has its answer")
                stuck = await rest(clients[0], bases, bell, crowd.watchers, plan.rest)
                plan.tell("all at rest")
    recording = read(owner_url)
    recording.ledger, recording.reads, recording.crashes = load.ledger, load.reads, load.crashes
    recording.keys = list(keys_of_commands(recording.keys, load.ledger))
    recording.early, recording.overlaps = observer.early, observer.overlaps
    recording.watched = [watcher.seen for watcher in crowd.watchers]
    complaints = [text for watcher in crowd.watchers for text in watcher.complaints]
    recording.complaints = [*load.complaints, *complaints, *stuck]
    return recording


def _watchers(clients: list[Client], bases: Sequence[str], bell: Bell, load: Load, plan: Plan) -> list[Watcher]:
    """One of each role, one whose role changes, two who cut their sockets themselves, and one who is slow."""
    admin, manager, member, other, fickle = (*clients[:4], clients[-1])

    def watcher(name: str, client: Client, manners: Manners | None = None) -> Watcher:
        return Watcher(name, client, bases, bell, load.texts, manners)

    seed = plan.seed
    slow = [watcher("the slow manager", manager, Manners(sloth=Random(f"{seed}/slow manager")))]
    return [
        watcher("the admin", admin),
        watcher("the manager", manager),
        watcher("a member", member),
        watcher("the fickle one", fickle),
        watcher("the impatient admin", admin, Manners(impatience=Random(f"{seed}/impatient admin"))),
        watcher("the impatient member", other, Manners(impatience=Random(f"{seed}/impatient member"))),
        *(slow if plan.sloth else []),
    ]


@asynccontextmanager
async def tended(revive: Callable[[], None]) -> AsyncIterator[None]:
    """Somebody looks after the program a few times a second, until the block is left."""

    async def tend() -> None:
        while True:
            revive()
            await back_off(TEND)

    tending = asyncio.create_task(tend())
    try:
        yield
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)


async def ready(bases: Sequence[str], bell: Bell, most: float = REST) -> None:
    """Until every process of the API serves, and no projection is behind."""
    lines = [Line(base) for base in bases]
    async with asyncio.timeout(most):
        for line in lines:
            while not await _is_at_rest(line):
                await bell.heard(AGAIN)
            line.close()


async def _is_at_rest(line: Line) -> bool:
    """It is ready, and no projection is behind."""
    answered = await line.call(b"GET /readyz HTTP/1.1\r\nHost: taskfold\r\n\r\n", 5.0)
    if answered is None or answered.status != 200:
        return False
    projections: list[dict[str, Any]] = json.loads(answered.body)["database"]["projections"]
    return not any(projection["lag"] or projection["failing"] for projection in projections)


async def rest(reader: Client, bases: Sequence[str], bell: Bell, watchers: list[Watcher], most: float) -> list[str]:
    """Until readers and watchers are at the end of the log. Answers what does not get there."""
    line = Line(bases[0])
    for watcher in watchers:
        watcher.hurried = True
    try:
        await ready(bases, bell, most)
        async with asyncio.timeout(most):
            while (head := await _read(line, reader)) is None:
                await bell.heard(AGAIN)
            while (await _read(line, reader, head)) is None:
                await bell.heard(AGAIN)
    except TimeoutError:
        return [f"the program did not come to rest within {most:.0f} s"]
    finally:
        line.close()

    def behind() -> list[str]:
        return [f"{each.seen.name} is at {each.seen.finished}" for each in watchers if each.seen.finished < head]

    await bell.until(lambda: not behind(), most)
    return [f"{who} of {head} after {most:.0f} s of rest" for who in behind()]


async def _read(line: Line, reader: Client, min_position: int = 0) -> int | None:
    """The position of a list that has reached another one; None where it cannot be had now."""
    token = str(reader.tokens["access_token"])
    answered = await line.call(request("GET", f"/tasks?limit=1&min_position={min_position}", token), 5.0)
    if answered is None or answered.status != 200:
        return None
    return int(answered.header(b"taskfold-position") or 0)


@asynccontextmanager
async def staff(base: str, writers: int) -> AsyncIterator[list[Client]]:
    """Users: the admin first, then one to be made manager, the fickle member last, more clients of those between."""
    async with httpx.AsyncClient(base_url=f"{base}/api/v1", timeout=30.0) as http:
        people = [await _join(http, base, name) for name in ("ada", "max", "mia", "leo", "eve")]
        yield [*people[:-1], *(people[n % 3] for n in range(writers - len(people))), people[-1]]


async def _join(http: httpx.AsyncClient, base: str, name: str) -> Client:
    body = {"email": f"{name}@example.com", "password": "correct horse", "display_name": name}
    response = await http.post("/auth/register", json=body)
    assert response.status_code == 201, response.text
    return Client(http, response.json(), base)
