"""The long forms: `python -m tests.faults rounds --seed 1 --from 1 --to 12`. Each round is a line of results."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import click
import uvloop

from tests.faults import results
from tests.faults.keys import play as play_keys
from tests.faults.reminders import play as play_reminders
from tests.faults.rounds import Size, play
from tests.faults.without_redis import play as play_redis


class Played(Protocol):
    """What became of one round of any kind."""

    violations: Any

    def result(self) -> dict[str, Any]:
        """The line."""

    def explain(self) -> str:
        """What went wrong."""


@click.group()
def main() -> None:
    """Long runs of the fault laboratory."""


def ranged(last: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say which rounds."""

    def options(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--to", "last", default=last, show_default=True, help="The last round."),
            click.option("--from", "first", default=1, show_default=True, help="The first round."),
            click.option("--seed", default="1", show_default=True),
        ):
            command = option(command)
        return command

    return options


@main.command()
@ranged(12)
@click.option("--commands", default=Size.commands, show_default=True, help="Acknowledged commands a round.")
@click.option("--faults", default=Size.faults, show_default=True, help="Faults a round.")
@click.option("--writers", default=Size.writers, show_default=True)
def rounds(seed: str, first: int, last: int, commands: int, faults: int, writers: int) -> None:
    """Every kind of fault."""
    size = Size(commands, faults, writers)
    _play(range(first, last + 1), lambda folder, number: play(folder, f"{seed}/{number}", size))


@main.command()
@ranged(10)
@click.option("--keys", default=10_000, show_default=True, help="Keys a round.")
def keys(seed: str, first: int, last: int, keys: int) -> None:
    """Idempotency keys, each retried two to ten times."""
    _play(range(first, last + 1), lambda folder, number: play_keys(folder, f"{seed}/{number}", keys))


@main.command()
@ranged(1)
@click.option("--reminders", default=10_000, show_default=True, help="Due in one minute.")
@click.option("--kills", default=10, show_default=True, help="Times that all workers are killed.")
@click.option("--idle", default=60.0, show_default=True, help="Seconds in which nothing is due, at the end.")
@click.option("--minute", default=60.0, show_default=True, help="Seconds in which all of them are due.")
def reminders(seed: str, first: int, last: int, reminders: int, kills: int, idle: float, minute: float) -> None:
    """Reminders and deadlines, and nobody who keeps the time for long."""
    numbers = range(first, last + 1)
    _play(numbers, lambda folder, number: play_reminders(folder, f"{seed}/{number}", reminders, kills, idle, minute))


@main.command()
@ranged(10)
@click.option("--rounds", default=20, show_default=True, help="Times that Redis goes, a start of the program.")
def redis(seed: str, first: int, last: int, rounds: int) -> None:
    """Redis killed or flushed."""
    _play(range(first, last + 1), lambda folder, number: play_redis(folder, f"{seed}/{number}", rounds))


@main.command()
@ranged(5)
@click.option("--rounds", default=4, show_default=True, help="Times that Redis is silent, a start of the program.")
@click.option("--silent", default=60.0, show_default=True, help="Seconds.")
@click.option("--beside", default=5, show_default=True, help="Programs that run at the same time.")
def silence(seed: str, first: int, last: int, rounds: int, silent: float, beside: int) -> None:
    """Redis silent: its connections stay, and nothing comes."""
    if beside > 1:
        options = ["--seed", seed, "--rounds", str(rounds), "--silent", str(silent), "--beside", "1"]
        raise SystemExit(asyncio.run(_beside(range(first, last + 1), beside, options)))
    _play(range(first, last + 1), lambda folder, number: play_redis(folder, f"{seed}/{number}", rounds, silent))


async def _beside(numbers: range, most: int, options: list[str]) -> int:
    """Each round in a process of its own, so many at a time. Answers how many failed."""
    room = asyncio.Semaphore(most)

    async def one(number: int) -> int:
        async with room:
            arguments = ["-m", "tests.faults", "silence", "--from", str(number), "--to", str(number), *options]
            process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
            return await process.wait()

    return sum(map(bool, await asyncio.gather(*(one(number) for number in numbers))))


def _play(numbers: range, one: Callable[[Path, int], Awaitable[Played]]) -> None:
    """Round after round; a line for each. Fails when one did."""
    failed = 0
    for number in numbers:
        with TemporaryDirectory(prefix="taskfold-faults-") as name:
            folder = Path(name)
            played = uvloop.run(_awaited(one(folder, number)))
            result = played.result()
            results.append(result)
            said = {key: value for key, value in result.items() if key != "converged"}
            click.echo(" · ".join(f"{key} {_text(value)}" for key, value in said.items()))
            (results.FOLDER / "last.txt").write_text(played.explain())
            if played.violations:
                failed += 1
                place = results.keep(result["seed"], folder, played.explain())
                click.echo(f"{played.explain()}\nkept in {place}", err=True)
    if failed:
        raise SystemExit(f"{failed} of {len(numbers)} rounds failed")


async def _awaited(one: Awaitable[Played]) -> Played:
    return await one


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {count}" for key, count in value.items()) + "}"
    return str(value)


if __name__ == "__main__":
    main()
