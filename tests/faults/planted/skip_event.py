"""The projector passes over an event now and then, and moves its checkpoint past it."""

from itertools import count
from typing import Any

from projections import log


def plant() -> None:
    """Of the tasks' changes, each tenth is not seen."""
    read = log.read
    seen = count(1)

    def is_seen(row: Any) -> bool:
        return not (row[4].startswith("task.") and row[2] > 1) or next(seen) % 10 != 0

    async def skipping(*arguments: Any, **options: Any) -> log.Slice:
        part = await read(*arguments, **options)
        return part._replace(rows=[row for row in part.rows if is_seen(row)])

    log.read = skipping
