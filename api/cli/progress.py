"""How a rebuild is shown: one line that is rewritten on a terminal, a plain line now and then elsewhere."""

import sys
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Any, Final, Protocol

import click

from projections.comparing import Difference

PLAIN_SECONDS: Final = 5.0
WINDOW_SECONDS: Final = 15.0
LONGEST_VALUE: Final = 100


class Progress:
    """Positions done of positions to do, the rate of the last seconds, and what time that leaves."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._terminal = sys.stdout.isatty()
        self._said_at: float | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def show(self, done: int, all_: int) -> None:
        """Say how it stands, if it is time."""
        now = monotonic()
        self._seen.append((now, done))
        while self._seen[0][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        if self._terminal or self._said_at is None or now - self._said_at >= PLAIN_SECONDS:
            self._said_at = now
            text = f"{self._title}: {line(done, all_, self._rate())}"
            click.echo(f"\r\x1b[K{text}" if self._terminal else text, nl=not self._terminal)

    def end(self, done: int, all_: int) -> None:
        """Say how it stands for the last time, in a line of its own."""
        text = f"{self._title}: {done:,} of {all_:,} positions"
        click.echo(f"\r\x1b[K{text}" if self._terminal else text)

    def _rate(self) -> float:
        (then, before), (now, done) = self._seen[0], self._seen[-1]
        return (done - before) / (now - then) if now > then else 0.0


class Rewritten(Protocol):
    """Shows a text in the place of the one before."""

    def __call__(self, text: str, *, last: bool = False) -> None:
        """Show it; the `last` one stays empty."""


def rewritten() -> Rewritten:
    """On a terminal in one line, elsewhere a plain line now and then."""
    terminal = sys.stdout.isatty()
    said_at = -PLAIN_SECONDS

    def show(text: str, *, last: bool = False) -> None:
        nonlocal said_at
        if terminal:
            click.echo("\r\x1b[K" if last else f"\r\x1b[K{text}", nl=False)
        elif not last and monotonic() - said_at >= PLAIN_SECONDS:
            said_at = monotonic()
            click.echo(text)

    return show


def line(done: int, all_: int, rate: float) -> str:
    """`1,200 of 4,800 positions (25 %), 600 a second, 6 s left`."""
    text = f"{done:,} of {all_:,} positions ({100 * done // max(all_, 1)} %)"
    if rate <= 0:
        return f"{text}, no worker is at it yet"
    return f"{text}, {rate:,.0f} a second, {duration((all_ - done) / rate)} left"


def duration(seconds: float) -> str:
    """`1 h 5 min`, `3 min 20 s`, `8 s`."""
    whole = round(seconds)
    if whole >= 3_600:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def difference_lines(kind: str, difference: Difference) -> Iterator[str]:
    """A row that differs, field by field."""
    if difference.live is None:
        yield f"  {kind} {difference.id}: only in the new build"
    elif difference.other is None:
        yield f"  {kind} {difference.id}: only in the live build"
    else:
        yield f"  {kind} {difference.id}:"
        for name, (live, other) in difference.fields().items():
            yield f"    {name}: {_short(live)} is live, {_short(other)} is new"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
