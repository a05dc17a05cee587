"""How many export at the same time: others need the process and the database too."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import Throttled, Unavailable

MOST_OF_A_MEMBER: Final = 2  # exports at the same time, in a process
MOST: Final = 50


class ExportPlaces:
    """Who exports now in this process, and the turn of those who read for it: others need the database too."""

    def __init__(self, readers: int) -> None:
        self.turn = asyncio.Semaphore(readers)
        self.taken_by: Counter[str] = Counter()

    @contextmanager
    def taken(self, user_id: str) -> Iterator[None]:
        """Around an export. Raises `Throttled` `export.too_many`, `Unavailable` `export.busy`."""
        if self.taken_by[user_id] >= MOST_OF_A_MEMBER:
            detail = f"at most {MOST_OF_A_MEMBER} exports of a member run at the same time; wait for one to end"
            raise Throttled("export.too_many", detail, 5)
        if self.taken_by.total() >= MOST:
            raise Unavailable("export.busy", f"at most {MOST} exports run at the same time here", 5)
        self.taken_by[user_id] += 1
        try:
            yield
        finally:
            self.taken_by[user_id] -= 1
            self.taken_by += Counter()  # drops those at zero
