"""The table that people read, and the file that programs read."""

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import foreign
from bench.aims import AIMS, ratio
from bench.measuring import Effort, Figure, Values
from bench.servers import ROOT

PACKAGES: Final = (
    "eventsourcing", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "psycopg", "psycopg-binary",
    "msgspec", "orjson", "redis", "pyjwt", "websockets",
)  # fmt: skip
BUSY: Final = 0.5  # a load average from which on others take part in the measurement
HEAD: Final = ("suite", "contender", "load", "median", "lowest … highest", "unit", "Taskfold is", "aim", "")


def table(values: Values) -> str:
    """One table in Markdown, readable as it is."""
    rows = [HEAD, *(_row(figure, values) for figure in values)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which the figures came to be. `load_before` is the load average of the minute before the run."""

    effort: Effort
    versions: dict[str, str]
    load_before: float
    seconds: float

    def __str__(self) -> str:
        quiet = "a quiet machine" if self.load_before < BUSY else "NOT A QUIET MACHINE, measure again"
        return (
            f"{_now()}, {self.effort.name}, {self.seconds:.0f} s; {_cpu()}, {_cores()} cores; "
            f"load average before the run {self.load_before:.2f}: {quiet}"
        )


def write(folder: Path, values: Values, under: Circumstances) -> Path:
    """Write `latest.json`: every value of every round, and on what they were measured."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "latest.json"
    document = {
        "date": _now(),
        "commit": _git("rev-parse", "HEAD"),
        "changed_since_commit": bool(_git("status", "--porcelain")),
        "effort": under.effort.name,
        "seconds": round(under.seconds, 1),
        "machine": {
            "cpu": _cpu(),
            "cores": _cores(),
            "system": f"{platform.system()} {platform.release()}",
            "load_average_before": round(under.load_before, 2),
        },
        "versions": {
            "python": platform.python_version(),
            **under.versions,
            **{name: version(name) for name in PACKAGES},
            **foreign.versions(),
        },
        "figures": [_document(figure, values) for figure in values],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path


def _row(figure: Figure, values: Values) -> tuple[str, ...]:
    rounds = values[figure]
    factor, aim = ratio(figure, values), AIMS.get(figure)
    return (
        figure.suite,
        figure.contender,
        figure.load,
        _number(median(rounds)),
        f"{_number(min(rounds))} … {_number(max(rounds))}",
        figure.unit,
        "" if factor is None else f"{factor:.2f} x",
        "" if aim is None else str(aim),
        "" if aim is None else "met" if aim.met(values) else "NOT MET",
    )


def _document(figure: Figure, values: Values) -> dict[str, Any]:
    factor, aim = ratio(figure, values), AIMS.get(figure)
    return {
        **figure._asdict(),
        "median": round(median(values[figure]), 3),
        "rounds": [round(value, 3) for value in values[figure]],
        **({} if factor is None else {"ours_is_times": round(factor, 3)}),
        **({} if aim is None else {"aim": str(aim), "met": aim.met(values)}),
    }


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        text.rjust(width) if HEAD[column] in ("median", "lowest … highest", "Taskfold is") else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*arguments: str) -> str | None:
    try:
        ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()
