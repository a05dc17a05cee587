"""What one batch makes of the parts of the log that it reads, and writes at its end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from domain.messages import AccessChange, TaskChange
from projections.checkpoints import Move
from projections.database import Connection
from projections.log import Slice
from projections.progress import Progress
from projections.table import Table


class Folding(ABC):
    """Begins with a batch of a build, in which states may come to about `most_bytes`, and ends with it.

    `like`: patterns of the names of the events it wants; `states`: what is to be kept in memory for the next batch;
    `tasks`: what is to be told to sockets, None when that is too much or the build is not live; `accesses`: who may
    see other things from now on.
    """

    like: Sequence[str] = ()

    def __init__(
        self, connection: Connection, workspace_id: str, table: Table, progress: Progress, most_bytes: int
    ) -> None:
        self.states: dict[str, Any] = {}
        self.tasks: list[TaskChange] | None = [] if progress.live else None
        self.accesses: list[AccessChange] = []
        self._connection = connection
        self._workspace_id = workspace_id
        self._table = table
        self._progress = progress
        self._most_bytes = most_bytes

    @abstractmethod
    async def take(self, part: Slice) -> int:
        """Fold the next part. Answers up to which position: less than `part.to` where there is no room for more."""

    def is_full(self) -> bool:
        """Whether the batch is to end here, because of what it holds."""
        return sum(map(self._table.weight, self.states.values())) >= self._most_bytes

    @abstractmethod
    async def write(self, move: Move) -> bool:
        """Write the rows together with the checkpoint. False when there are none: then nothing is written."""
