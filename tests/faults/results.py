"""The file of results: a line of JSON for each round, so that a long run can be made in parts and summed up."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).with_name("results")
FILE: Final = FOLDER / "results.jsonl"


def append(result: dict[str, Any]) -> None:
    """Add a line."""
    FOLDER.mkdir(exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(result) + "\n")


def read(path: Path = FILE) -> Iterator[dict[str, Any]]:
    """Every line; of several with the same kind and seed the last one."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            result = json.loads(line)
            latest[result["kind"], result["seed"]] = result
    yield from latest.values()


def keep(seed: str, folder: Path, story: str) -> Path:
    """Keep what a failed round left behind: its story, and what the programs wrote."""
    place = FOLDER / f"failed-{seed.replace('/', '-')}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "story.txt").write_text(story)
    for log in folder.glob("*.log"):
        shutil.copy(log, place)
    for server in ("postgres", "redis"):
        if (log := folder / server / "log").exists():
            shutil.copy(log, place / f"{server}.log")
    return place
