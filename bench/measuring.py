"""What a measurement is, and how the contenders take turns so that a noisy machine disturbs all alike."""

import asyncio
import gc
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final, NamedTuple

OURS: Final = "Taskfold"


class Figure(NamedTuple):
    """What was measured: who, in which suite, under which load, in which unit."""

    suite: str
    contender: str
    load: str
    unit: str


Values = dict[Figure, list[float]]  # one value a round
Measure = Callable[[], Mapping[Figure, float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured. `seconds` is the length of one measurement under load."""

    name: str
    rounds: int
    seconds: float
    warm_up_seconds: float
    callers: tuple[int, ...]
    connections: tuple[int, ...]
    copied_rows: int
    tasks: int
    library_tasks: int
    push_rounds: int
    push_seconds: float
    lengths: tuple[int, ...]  # of the logs of the suite `scale`
    rebuilt: int  # events of the log of the suite `rebuild`


FULL: Final = Effort(
    name="full",
    rounds=5,
    seconds=1.0,
    warm_up_seconds=0.3,
    callers=(1, 32, 64, 256),
    connections=(32, 64),
    copied_rows=50_000,
    tasks=8_000,
    library_tasks=400,
    push_rounds=3,
    push_seconds=8.0,
    lengths=(100_000, 1_000_000, 10_000_000),
    rebuilt=1_000_000,
)
QUICK: Final = Effort(
    name="quick",
    rounds=1,
    seconds=1.0,
    warm_up_seconds=0.3,
    callers=(1, 32, 64),
    connections=(32, 64),
    copied_rows=20_000,
    tasks=2_000,
    library_tasks=150,
    push_rounds=1,
    push_seconds=4.0,
    lengths=(10_000, 100_000, 400_000),
    rebuilt=50_000,
)


def interleaved(contenders: list[Measure], rounds: int) -> Values:
    """Run A B C, A B C, … and collect one value a figure and round."""
    values: Values = {}
    for number in range(1, rounds + 1):
        print(f"  round {number} of {rounds}", file=sys.stderr, flush=True)
        for measure in contenders:
            gc.collect()  # nobody pays for the garbage of the one before
            for figure, value in measure().items():
                values.setdefault(figure, []).append(value)
    return values


async def closed_loop(callers: int, effort: Effort, once: Callable[[int], Awaitable[object]]) -> float:
    """Operations a second of callers who each wait for an answer before they ask again.

    Every caller has been served once before the clock starts, so connections and prepared statements are there.
    """
    await asyncio.gather(*(once(number) for number in range(callers)))
    begin = perf_counter() + effort.warm_up_seconds
    end = begin + effort.seconds
    done = 0

    async def call(number: int) -> None:
        nonlocal done
        while perf_counter() < end:
            await once(number)
            done += begin <= perf_counter() <= end

    await asyncio.gather(*(call(number) for number in range(callers)))
    return done / effort.seconds


def closed_loop_of_threads(callers: int, effort: Effort, once: Callable[[], object]) -> float:
    """The same with a thread for each caller. Raises the first error of any of them."""
    done = [0] * callers
    errors: list[BaseException] = []
    begin = end = 0.0

    def set_clock() -> None:
        nonlocal begin, end
        begin = perf_counter() + effort.warm_up_seconds
        end = begin + effort.seconds

    served = threading.Barrier(callers, action=set_clock, timeout=60)

    def call(number: int) -> None:
        try:
            once()
            served.wait()
            while perf_counter() < end:
                once()
                done[number] += begin <= perf_counter() <= end
        except BaseException as error:
            errors.append(error)
            served.abort()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(done) / effort.seconds
