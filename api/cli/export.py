"""`taskfold export`: tasks into a file, through the API like any client, with progress on the terminal."""

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from time import monotonic
from typing import IO, Final

import click

from api.cli import fail
from api.cli.calling import Api, RefusedError, UnreachableError
from api.cli.progress import duration

SAY_SECONDS: Final = 0.2
MOST_CHARACTERS: Final = 1_000_000  # of a field: a description has 100,000, and apostrophes


class BrokenOff(Exception):  # noqa: N818  (what was got is no export)
    """The export ended before its end."""


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the API is.")
@click.option("--token", envvar="TOKEN", help="An access token or a personal one; default: the variable TOKEN.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@click.option("--query", "filters", multiple=True, help="A filter of lists, such as category=open; several times.")
def export(url: str, token: str | None, form: str, out: Path, filters: tuple[str, ...]) -> None:
    """Write all tasks that you see to a file. It is there when it is whole, and not before."""
    if not token:
        return fail("give a token with --token or in the variable TOKEN")
    if wrong := [text for text in filters if "=" not in text]:
        return fail(f"--query must be name=value, got {wrong[0]!r}")
    query: dict[str, list[str]] = {"format": [form]}
    for name, _, value in (text.partition("=") for text in filters):
        query.setdefault(name, []).append(value)
    part = out.with_name(f"{out.name}.part")
    try:
        with Api(url, token).open("GET", "/tasks/export", query) as answer, part.open("wb") as file:
            count = _copy(answer, file, form)
            file.flush()
            os.fsync(file.fileno())
            position = answer.headers["Taskfold-Position"]
        part.replace(out)
    except (RefusedError, UnreachableError, ValueError) as error:
        return fail(error)
    except (OSError, HTTPException, BrokenOff) as error:
        return fail(f"the export broke off: {error}")
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{count:,} tasks at position {position} in {out}")
    return None


def _copy(answer: HTTPResponse, file: IO[bytes], form: str) -> int:
    """Write it all. Answers how many tasks there are. Raises `BrokenOff`."""
    known = answer.headers["Taskfold-Tasks"]
    expected = None if known is None else int(known)
    shown = _Shown(expected)
    lines = _written(answer, file)
    tasks, is_whole = 0, form == "csv"
    for is_task, is_end in _records(lines) if form == "csv" else _lines(lines):
        tasks += is_task
        is_whole |= is_end
        shown.say(tasks)
    shown.end()
    if not is_whole:
        raise BrokenOff("its last line is not there")
    if expected is not None and tasks != expected:
        raise BrokenOff(f"{tasks:,} of {expected:,} tasks came")
    return tasks


def _written(answer: HTTPResponse, file: IO[bytes]) -> Iterator[bytes]:
    """The lines, each once it is in the file."""
    for line in answer:
        file.write(line)
        yield line


def _lines(lines: Iterable[bytes]) -> Iterator[tuple[bool, bool]]:
    """Of each line whether it is a task, and whether it is the end."""
    return ((line.startswith(b'{"task":'), line.startswith(b'{"end":')) for line in lines)


def _records(lines: Iterable[bytes]) -> Iterator[tuple[bool, bool]]:
    """The same of each record but the first, which is the header; no record is an end."""
    csv.field_size_limit(MOST_CHARACTERS)
    records = csv.reader(line.decode() for line in lines)
    next(records, None)
    return ((True, False) for _ in records)


class _Shown:
    """One line on a terminal that is written again and again; nothing elsewhere."""

    def __init__(self, expected: int | None) -> None:
        self._expected = expected
        self._began = self._said = monotonic()

    def say(self, tasks: int) -> None:
        """How many have come."""
        now = monotonic()
        if now - self._said < SAY_SECONDS or not sys.stderr.isatty():
            return
        self._said = now
        rate = tasks / max(now - self._began, 0.001)
        text = f"{tasks:,} tasks, {rate:,.0f} a second"
        if self._expected and rate:
            part = f"{tasks:,} of {self._expected:,} tasks ({100 * tasks // self._expected} %)"
            text = f"{part}, {rate:,.0f} a second, {duration((self._expected - tasks) / rate)} left"
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    def end(self) -> None:
        """No more of it."""
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
