"""`taskfold check-history`: replay all history through this program, before it is let at the data."""

import sys
from time import monotonic
from typing import Final

import click

from api.cli.connecting import connect, run, workspace_of
from api.cli.progress import duration
from domain.replay import Fault, Finding
from projections import preflight
from projections.preflight import Log, Preflight

PROGRESS_SECONDS: Final = 0.5


@click.command(name="check-history")
@click.option("--workspace", help="The slug of the only workspace to replay; all by default.")
@click.option("--strict", is_flag=True, help="Fail also where today's rules would refuse what happened.")
def check_history(workspace: str | None, strict: bool) -> None:
    """Replay all history of all workspaces through this program, without changing anything.

    Names every event that cannot be read or folded and every hole, and fails when there is one; says what today's
    workflow would refuse; and counts the stored names and versions. Run it with a new program before you upgrade.
    """
    done = run(_replay(workspace))
    for line in summary(done):
        click.echo(line)
    if not done.passed or (strict and done.faults):
        sys.exit(1)


async def _replay(slug: str | None) -> Preflight:
    async with await connect() as connection:
        if slug is not None:
            await workspace_of(connection, slug)  # a slug that nobody has is an error
        progress = Progress(await preflight.size(connection, slug))
        work = Preflight(connection, lambda log, finding: progress.say(line_of(log, finding)), progress.show)
        await work.run(slug)
        progress.clear()
        return work


class Progress:
    """How far it is and how long it may take, in one line of a terminal; nothing where there is none."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()
        self._began = self._last = monotonic()

    def show(self, events: int) -> None:
        """So many events are replayed."""
        now = monotonic()
        if self._shown and now > self._last + PROGRESS_SECONDS:
            self._last = now
            rate = events / (now - self._began)
            left = max(0, self._total - events) / rate if rate else 0.0
            click.echo(
                f"\r\x1b[K{events:,} of {self._total:,} events, {rate:,.0f} a second, {duration(left)} left",
                err=True,
                nl=False,
            )

    def say(self, line: str) -> None:
        """Print a line of the result."""
        self.clear()
        click.echo(line)

    def clear(self) -> None:
        """Take the line of the progress away."""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def line_of(log: Log, finding: Finding) -> str:
    """A finding in one line: where it is, and what is the matter."""
    places = [
        log.slug,
        f"stream {finding.stream_id}" if finding.stream_id else "",
        f"version {finding.version}" if finding.version else "",
        f"position {finding.position}" if finding.position else "",
        finding.name or "",
    ]
    why = " ".join(finding.why.split())  # one line, whatever the data are
    return f"{' '.join(place for place in places if place)}: {finding.fault}: {why}"


def summary(done: Preflight) -> list[str]:
    """What was replayed, and what became of it."""
    lines = [f"{name:<24} version {version} {count:>12,}" for (name, version), count in sorted(done.names.items())]
    found = [f"{done.faults[fault]:,} {_PLURAL[fault]}" for fault in Fault if done.faults[fault]]
    found += [f"{done.erased:,} erased"] if done.erased else []
    found += [f"{done.unjudged:,} not judged, from a status that was erased"] if done.unjudged else []
    lines.append(
        f"{done.events:,} events of {done.streams:,} streams in {done.workspaces:,} workspaces"
        f" replayed in {done.seconds:.1f} s ({done.events / max(done.seconds, 0.001):,.0f} a second):"
        f" {', '.join(found) or 'nothing found'}"
    )
    return lines


_PLURAL: Final = {
    Fault.UNREADABLE: "cannot be read",
    Fault.UNFOLDABLE: "cannot be folded",
    Fault.DISORDER: "out of order",
    Fault.REFUSED: "would be refused today",
}
