"""`python -m tests.faults.summary`: what all rounds in the file of results come to."""

from collections import Counter
from typing import Any

import click

from tests.faults import results
from tests.faults.without_redis import percentile

KINDS = ("round", "keys", "redis", "silence", "reminders")


def lines(all_results: list[dict[str, Any]]) -> list[str]:
    """A line for each kind of run, and one for each that failed."""
    told = []
    for kind in KINDS:
        mine = [result for result in all_results if result["kind"] == kind]
        if mine:
            told.append(f"{kind}: {len(mine)} runs · {_sums(mine)}")
    failed = [result for result in all_results if result["violations"]]
    return [*told, *(f"FAILED {result['kind']} {result['seed']}: {result['violations']}" for result in failed)]


def _sums(mine: list[dict[str, Any]]) -> str:
    sums: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for result in mine:
        sums.update({key: value for key, value in result.items() if isinstance(value, int)})
        faults.update(result["faults"])
    parts = [f"{key} {value:,}" for key, value in sums.items()]
    if converged := [seconds for result in mine for seconds in result.get("converged", [])]:
        parts.append(f"{len(converged):,} convergences, p50 {percentile(converged, 0.5):.2f} s")
        parts.append(f"p99 {percentile(converged, 0.99):.2f} s, most {max(converged):.2f} s")
    parts.append("faults " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())))
    return " · ".join(parts)


def main() -> None:
    """Print them; fail where a run failed."""
    told = lines(list(results.read()))
    click.echo("\n".join(told) or f"no results in {results.FILE}")
    if any(line.startswith("FAILED") for line in told):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
