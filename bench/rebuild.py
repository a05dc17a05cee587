"""What a rebuild of the projection `tasks` costs those who use the program meanwhile: `make bench-rebuild`.

The same load runs alone, beside `taskfold projections rebuild tasks` of a long log, and alone again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from time import monotonic
from typing import Final

import msgspec

from bench import names
from bench.filling import fill, stream_ids
from bench.measuring import Effort, Figure, Values, interleaved
from bench.push import percentile
from bench.rebuild_client import Options, Result
from bench.running import Running, running
from bench.servers import Servers, client
from commands.ids import new_id

REBUILD: Final = ["api.cli", "projections", "rebuild", "tasks"]
DISCARD: Final = ["api.cli", "projections", "discard", "tasks"]
WINDOWS: Final = 3  # of the load alone, before and after
LONGEST_SECONDS: Final = 1_200.0
SETTLE_SECONDS: Final = 300.0
TASKS: Final = 1_000  # that are asked for
MEASURED: Final = {
    names.COMMAND: "command_ms",
    names.COMMAND_TO_FRAME: "frame_ms",
    names.LIST: "list_ms",
    names.GET: "get_ms",
}


def run(servers: Servers, effort: Effort) -> Values:
    """Fill the log, let the worker read it, then measure: alone, beside a rebuild, alone again."""
    with running(servers, "rebuild", TASKFOLD_ACCESS_TOKEN_SECONDS="7200") as program:
        with program.worker_paused():
            fill(program.database, [program.user_id, *(new_id() for _ in range(20))], effort.rebuilt)
        program.settle(SETTLE_SECONDS)
        with program.database.owner() as owner:
            owner.execute("VACUUM (ANALYZE)")  # as PostgreSQL does by itself some minutes after so much was written
        tasks = stream_ids(program.database, TASKS)
        load = partial(_load, program, tasks, count(1), effort)
        return interleaved([partial(_measured, servers, program, load)], 1)


def _measured(servers: Servers, program: Running, load: Callable[[], Result]) -> dict[Figure, float]:
    alone = [load() for _ in range(WINDOWS)]
    beside, rate = _beside(servers, program, load)
    alone += [load() for _ in range(WINDOWS)]
    figures = _figures(alone, names.ALONE) | _figures(beside, names.BESIDE)
    for what in MEASURED:
        before, after = (figures[names.rebuild(what, when, 99)] for when in (names.ALONE, names.BESIDE))
        figures[names.rebuild_growth(what)] = after / before
    return {**figures, names.rebuild_rate(): rate}


def _load(program: Running, tasks: list[str], seeds: "count[int]", effort: Effort) -> Result:
    options = Options(program.port, program.token, effort.push_seconds, next(seeds), tasks)
    return msgspec.json.decode(client("bench.rebuild_client", msgspec.json.encode(options)), type=Result)


def _beside(servers: Servers, program: Running, load: Callable[[], Result]) -> tuple[list[Result], float]:
    """The load goes on until the rebuild has ended; what counts is what was measured while it ran. And its rate."""
    with program.database.owner() as connection:
        row: tuple[int] | None = connection.execute(
            "SELECT position FROM logs WHERE workspace_id = %s", (program.database.workspace_id,)
        ).fetchone()
    assert row is not None
    environment, results = servers.environment(program.database), list[Result]()
    started = monotonic()
    with servers.errand("rebuild-tasks", REBUILD, environment) as rebuild:
        ended = ThreadPoolExecutor(1).submit(lambda: (rebuild.wait(), monotonic())[1])
        while not ended.done():
            if monotonic() - started > LONGEST_SECONDS:
                raise RuntimeError(f"the rebuild has not ended in {LONGEST_SECONDS:.0f} s")
            results.append(load())
        seconds = ended.result() - started
    if len(results) > 1:
        results.pop()  # it ended while that ran
    with servers.errand("rebuild-discard", DISCARD, environment):
        pass  # the build that was live before takes its room with it
    program.settle()
    return results, row[0] / seconds


def _figures(results: Sequence[Result], when: str) -> dict[Figure, float]:
    figures: dict[Figure, float] = {}
    for what, attribute in MEASURED.items():
        milliseconds = [value for result in results for value in getattr(result, attribute)]
        for percent in (50, 99):
            figures[names.rebuild(what, when, percent)] = percentile(milliseconds, percent)
    return figures
