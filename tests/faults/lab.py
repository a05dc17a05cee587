"""The laboratory: the program on a rig, with a proxy of its own between each process and each server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.proxy import Link, Proxy
from tests.faults.recording import Recording
from tests.faults.rig import SERVERS, Rig
from tests.faults.run import Crowd, Plan, record

APPENDS: Final = b"FROM append("  # what only a committer's connection asks


class Lab:
    """A rig, and the ways between its programs and its servers: `ways["API 1", "Redis"]`.

    `faults` counts what was done, by kind.
    """

    def __init__(self, rig: Rig, ways: dict[tuple[str, str], Proxy], seed: str) -> None:
        self.rig = rig
        self.ways = ways
        self.random = Random(f"{seed}/lab")
        self.faults: dict[str, int] = {}

    def count(self, kind: str, times: int = 1) -> None:
        """Something was done."""
        self.faults[kind] = self.faults.get(kind, 0) + times

    def ways_to(self, server: str) -> list[Proxy]:
        """The ways of all programs to a server."""
        return [way for (_, to), way in self.ways.items() if to == server]

    async def record(self, plan: Plan, during: Callable[[Crowd], Awaitable[None]]) -> Recording:
        """A run on this rig, whose programs are started again when they end by themselves."""
        rig = self.rig

        async def crashing(crowd: Crowd) -> None:
            rig.on_crash = lambda: crowd.load.crashes.append(crowd.load.tick())
            await during(crowd)

        plan = replace(plan, revive=rig.revive, tell=rig.tell)
        return await record(rig.bases, rig.postgres.owner_url, plan, crashing, redis_url=rig.redis.url, bell=rig.bell)

    def heal(self) -> None:
        """All ways are as they should be."""
        for way in self.ways.values():
            way.heal()
            way.on_request(b"")


def appends(link: Link) -> bool:
    """Whether a connection is a committer's."""
    return APPENDS in link.asked


@asynccontextmanager
async def laboratory(
    folder: Path, seed: str, *, apis: int = 2, workers: int = 2, start: bool = True
) -> AsyncIterator[Lab]:
    """Set it up and start it, and take it down in the end."""
    with Rig(folder, apis=apis, workers=workers) as rig:
        async with AsyncExitStack() as stack:
            ways = {}
            for part in rig.programs:
                for server in SERVERS:
                    url = rig.postgres.serving_url if server == "PostgreSQL" else rig.redis.url
                    way = await stack.enter_async_context(Proxy(url, f"{seed}/{part}/{server}"))
                    ways[part, server] = way
                rig.set(
                    part,
                    TASKFOLD_DATABASE_URL=ways[part, "PostgreSQL"].url,
                    TASKFOLD_REDIS_URL=ways[part, "Redis"].url,
                )
            lab = Lab(rig, ways, seed)
            if start:
                rig.start_programs()
            try:
                yield lab
            finally:
                lab.heal()
                await asyncio.to_thread(rig.end_programs)  # not here: they still need the ways
