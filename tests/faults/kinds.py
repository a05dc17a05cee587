"""The kinds of faults: each is done to a laboratory under load, lasts for a while, and is over when it returns."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final

import redis

from domain import failpoints
from tests.faults.lab import Lab, appends
from tests.faults.load import Load
from tests.faults.proxy import Mode, Proxy

Kind = Callable[[Lab, Load], Awaitable[None]]

KILLS: Final = ("kill", "failpoint kill", "cut", "half-open", "deaf")  # how the names of kills and cuts begin

_API: Final = (
    failpoints.COMMITTER_SENDING,
    failpoints.COMMITTER_COMMITTED,
    failpoints.COMMITTER_ANSWERED,
    failpoints.EXECUTOR_DECIDED,
    failpoints.EXECUTOR_APPENDED,
    failpoints.BATCH_DECIDED,
    failpoints.BATCH_APPENDED,
    failpoints.ACCOUNT_SENDING,
    failpoints.ACCOUNT_COMMITTED,
    failpoints.HUB_RECEIVED,
    failpoints.HUB_HANDED_OUT,
    failpoints.SOCKET_CATCHING_UP,
)
_WORKER: Final = (failpoints.PROJECTOR_READ, failpoints.PROJECTOR_COMMITTED, failpoints.SCHEDULER_FOUND)

# After how many arrivals at most: where a program comes less often.
_RARE: Final = {
    failpoints.ACCOUNT_SENDING: 5,
    failpoints.ACCOUNT_COMMITTED: 5,
    failpoints.SOCKET_CATCHING_UP: 5,
    failpoints.BATCH_DECIDED: 20,
    failpoints.BATCH_APPENDED: 20,
}


async def _for_a_while(lab: Lab, load: Load, least: float = 0.05, most: float = 2.0) -> None:
    """As long as so many more attempts take, or a few seconds where nobody can attempt anything."""
    await load.tried(lab.random.randint(1, 2_000), most=lab.random.uniform(least, most))


async def kill(lab: Lab, load: Load) -> None:
    """One part or several at once."""
    victims = lab.random.sample(lab.rig.parts, lab.random.choices((1, 2, 4), (6, 3, 1))[0])
    for part in victims:
        lab.rig.kill(part)
        lab.count(f"kill {part.split()[0]}")
    await _for_a_while(lab, load, most=1.0)
    for part in lab.random.sample(victims, len(victims)):
        lab.rig.start(part)


async def kill_one(lab: Lab, load: Load, part: str) -> None:
    """Kill a part and start it again."""
    lab.rig.kill(part)
    lab.count(f"kill {part.split()[0]}")
    await _for_a_while(lab, load, most=1.0)
    lab.rig.start(part)


async def kill_program(lab: Lab, load: Load) -> None:
    """A process of the API, or a worker."""
    await kill_one(lab, load, lab.random.choice(lab.rig.programs))


async def kill_backend(lab: Lab, load: Load) -> None:
    """A process of PostgreSQL: all the others end with it, and it begins anew."""
    if found := lab.rig.backends():
        lab.rig.kill_backend(lab.random.choice(found))
        lab.count("kill backend")
        await _for_a_while(lab, load)


async def stop(lab: Lab, load: Load) -> None:
    """A part does nothing for a while. A worker for longer than its leases last."""
    part = lab.random.choice(lab.rig.parts)
    lab.rig.stop(part)
    lab.count(f"stop {part.split()[0]}")
    if part in lab.rig.workers:
        await load.tried(1 << 40, most=lab.random.uniform(3.2, 5.0))
    else:
        await _for_a_while(lab, load, most=3.0)
    lab.rig.go_on(part)


async def stop_backend(lab: Lab, load: Load) -> None:
    """A process of PostgreSQL does nothing for a while, with whatever locks it holds."""
    if found := lab.rig.backends():
        pid = lab.random.choice(found)
        lab.rig.stop_backend(pid)
        lab.count("stop backend")
        await _for_a_while(lab, load, most=3.0)
        lab.rig.go_on_backend(pid)


async def failpoint(lab: Lab, load: Load) -> None:
    """A program begins anew, and will kill or stop itself between two steps that must not be torn apart."""
    part = lab.random.choice(lab.rig.programs)
    name = lab.random.choice(_API if part in lab.rig.apis else _WORKER)
    action = lab.random.choices(("kill", "stop"), (3, 1))[0]
    arrival = lab.random.randint(1, _RARE.get(name, 150))
    lab.rig.kill(part)
    lab.count(f"kill {part.split()[0]}")
    lab.rig.tell(f"{name}={action}@{arrival}")
    lab.rig.set(part, TASKFOLD_FAILPOINTS=f"{name}={action}@{arrival}")
    lab.rig.start(part)
    await _for_a_while(lab, load)


def _way(lab: Lab) -> tuple[str, Proxy]:
    """Some way, to PostgreSQL more often."""
    server = lab.random.choices(("PostgreSQL", "Redis"), (3, 1))[0]
    part = lab.random.choice(lab.rig.programs)
    return f"{part} to {server}", lab.ways[part, server]


def _share(random: Random) -> float:
    return random.choice((1.0, 0.5))


async def cut(lab: Lab, load: Load) -> None:
    """Connections break."""
    name, way = _way(lab)
    lab.rig.tell(f"cut {name}")
    if way.cut(_share(lab.random)):
        lab.count(f"cut {name.split()[-1]}")
    await _for_a_while(lab, load, most=0.5)


async def cut_at_answer(lab: Lab, load: Load) -> None:
    """The committers' connections break when their next answer comes: it is committed, and they do not know."""
    part = lab.random.choice(lab.rig.apis)
    way = lab.ways[part, "PostgreSQL"]
    lab.rig.tell(f"cut {part} at its answers")
    if way.set(Mode.CUT_AT_ANSWER, only=appends):
        lab.count("cut at answer")
    await _for_a_while(lab, load, most=0.5)


def network(mode: Mode, most: float) -> Kind:
    """Something is wrong with a way, for at most so many seconds."""

    async def fault(lab: Lab, load: Load) -> None:
        name, way = _way(lab)
        late = lab.random.uniform(0.001, 0.03)
        lab.rig.tell(f"{mode} {name}")
        way.set(mode, _share(lab.random), late)
        lab.count(f"{mode} {name.split()[-1]}")
        await _for_a_while(lab, load, most=most)
        way.heal()

    return fault


async def flush(lab: Lab, load: Load) -> None:
    """Redis forgets everything, and hangs up."""
    lab.rig.tell("flush Redis")
    with suppress(redis.RedisError), redis.Redis.from_url(lab.rig.redis.url, socket_timeout=2) as client:
        client.flushall()
        client.client_kill_filter(_type="pubsub")
        lab.count("flush Redis")
    await _for_a_while(lab, load, most=0.5)


KINDS: Final[dict[Kind, int]] = {
    kill: 6,
    kill_program: 5,
    kill_backend: 2,
    stop: 3,
    stop_backend: 1,
    failpoint: 6,
    cut: 6,
    cut_at_answer: 4,
    network(Mode.HALF_OPEN, 3.0): 2,
    network(Mode.DEAF, 1.0): 1,
    network(Mode.DELAY, 2.0): 1,
    network(Mode.DRIP, 1.0): 1,
    network(Mode.REFUSE, 2.0): 1,
    flush: 1,
}


def choose(random: Random) -> Kind:
    """One of them."""
    return random.choices(list(KINDS), list(KINDS.values()))[0]
