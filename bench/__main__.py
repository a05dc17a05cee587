"""`python -m bench`: run the suites, print one table, write bench/results/latest.json."""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import click

from bench import append, batch, board, catchup, fanout, guards, http, memory, push, rebuild, scale
from bench.measuring import FULL, QUICK, Effort, Values
from bench.report import Circumstances, table, write
from bench.servers import Servers

SUITES: dict[str, Callable[[Servers, Effort], Values]] = {
    "append": append.run,
    "http": http.run,
    "batch": batch.run,
    "guards": guards.run,
    "catchup": catchup.run,
    "push": push.run,
    "fanout": fanout.run,
}
# These run for minutes each and need gigabytes, so they run by themselves, when they are asked for.
LONG: dict[str, Callable[[Servers, Effort], Values]] = {
    "scale": scale.run,
    "rebuild": rebuild.run,
    "memory": memory.run,
    "board": board.run,
}
ALL = SUITES | LONG

PROGRAM = ("api", "commands", "domain", "projections")


class Complaints(logging.Handler):
    """What the program has to complain of while it is measured. A figure of a program in trouble is none."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        for name in PROGRAM:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it for the end."""
        self.lines.append(self.format(record))


def _chosen(_context: click.Context, _parameter: click.Parameter, names: str) -> list[str]:
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := set(chosen) - ALL.keys():
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: expected some of {', '.join(ALL)}")
    return chosen


@click.command(context_settings={"show_default": True})
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds, two minutes; the figures are rough.")
@click.option("--only", default=",".join(SUITES), callback=_chosen, help="Comma list of the suites to run.")
@click.option("--rounds", type=click.IntRange(1, 100), help="So many of each suite, more for a noisy machine.")
@click.option(
    "--results",
    default=Path(__file__).with_name("results"),
    type=click.Path(path_type=Path, file_okay=False),
    help="Where latest.json goes.",
)
def main(quick: bool, only: list[str], rounds: int | None, results: Path) -> None:
    """Measure Taskfold beside others on embedded servers of its own, in a temporary folder."""
    effort = QUICK if quick else FULL
    if rounds is not None:
        effort = replace(effort, name=f"{effort.name}, {rounds} rounds", rounds=rounds, push_rounds=rounds)
    values: Values = {}
    complaints = Complaints()
    started, load_before = perf_counter(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="taskfold-bench-") as folder, Servers(Path(folder)) as servers:
        versions = servers.versions()
        for name in only:
            print(f"{name} …", file=sys.stderr, flush=True)
            values |= ALL[name](servers, effort)
    if complaints.lines:
        raise click.ClickException("the program complained meanwhile:\n" + "\n".join(complaints.lines[:5]))
    under = Circumstances(effort, versions, load_before, perf_counter() - started)
    print(f"{table(values)}\n\n{under}")
    print(f"written to {write(results, values, under)}", file=sys.stderr)


if __name__ == "__main__":
    main()
