"""What a rebuild of the projection `tasks` costs those who use the program meanwhile: `make bench-rebuild`.

The same load runs alone and beside `taskfold projections rebuild tasks` of a long log, in turn.
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
from bench.measuring import Effort, Figure, Measure, Values, interleaved
from bench.push import percentile
from bench.rebuild_client import Options, Result
from bench.running import Running, running
from bench.servers import Servers, client
from commands.ids import new_id

REBUILD: Final = ["api.cli", "projections", "rebuild", "tasks"]
DISCARD: Final = ["api.cli", "projections", "discard", "tasks"]
LONGEST_SECONDS: Final = 900.0
SETTLE_SECONDS: Final = 300.0
TASKS: Final = 1_000  # that are asked for
MEASURED: Final = {
    names.COMMAND: "command_ms",
    names.COMMAND_TO_FRAME: "frame_ms",
    names.LIST: "list_ms",
    names.GET: "get_ms",
}


def run(servers: Servers, effort: Effort) -> Values:
    """Fill the log, let the worker read it, then take turns."""
    with running(servers, "rebuild") as program:
        with program.worker_paused():
            fill(program.database, [program.user_id, *(new_id() for _ in range(20))], effort.rebuilt)
        program.settle(SETTLE_SECONDS)
        with program.database.owner() as owner:
            owner.execute("VACUUM (ANALYZE)")  # as PostgreSQL does by itself some minutes after so much was written
        tasks, seeds = stream_ids(program.database, TASKS), count(1)
        load = partial(_load, program, tasks, seeds, effort)
        turns: list[Measure] = [lambda: _alone(load()), lambda: _beside(servers, program, load)]
        measured = interleaved(turns, min(effort.rounds, 3))
    return measured | {
        names.rebuild_growth(what): [
            after / before
            for before, after in zip(
                measured[names.rebuild(what, names.ALONE, 99)],
                measured[names.rebuild(what, names.BESIDE, 99)],
                strict=True,
            )
        ]
        for what in MEASURED
    }


def _load(program: Running, tasks: list[str], seeds: "count[int]", effort: Effort) -> Result:
    options = Options(program.port, program.token, effort.push_seconds, next(seeds), tasks)
    return msgspec.json.decode(client("bench.rebuild_client", msgspec.json.encode(options)), type=Result)


def _alone(result: Result) -> dict[Figure, float]:
    return _figures([result], names.ALONE)


def _beside(servers: Servers, program: Running, load: Callable[[], Result]) -> dict[Figure, float]:
    """The load goes on until the rebuild has ended; what counts is what was measured while it ran."""
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
    return {**_figures(results, names.BESIDE), names.rebuild_rate(): row[0] / seconds}


def _figures(results: Sequence[Result], when: str) -> dict[Figure, float]:
    figures: dict[Figure, float] = {}
    for what, attribute in MEASURED.items():
        milliseconds = [value for result in results for value in getattr(result, attribute)]
        for percent in (50, 99):
            figures[names.rebuild(what, when, percent)] = percentile(milliseconds, percent)
    return figures
