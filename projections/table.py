"""What a projection is: a read table, and how its rows are folded, loaded and written."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from domain.events import Recorded
from projections.checkpoints import Move
from projections.database import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """A projection of all streams of one `kind` (the first part of their events' names) into the table `name`.

    One row a stream and build. `load` answers the states of some streams in a build at its checkpoint; `save` writes
    each state once, at least one, together with the checkpoint (see `checkpoints.MOVED`). `columns` are those that make
    up a row, beside its key; `weigh` answers about how many bytes of text a state has that may be long. A hint that the
    log has grown by events of the kinds `wakes` sets it to work at once, any others it passes at its next look.
    `publishes` says that its changes go to the sockets.
    """

    name: str
    kind: str
    evolve: Callable[[Any, Recorded], Any]
    load: Callable[[Connection, str, int, Collection[str]], Awaitable[dict[str, Any]]]
    save: Callable[[Connection, Move, Collection[Any]], Awaitable[None]]
    weigh: Callable[[Any], int]
    columns: tuple[str, ...]
    wakes: frozenset[str]
    publishes: bool = False

    @property
    def key(self) -> str:
        """The column that names the stream of a row."""
        return f"{self.kind}_id"
