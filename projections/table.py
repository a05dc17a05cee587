"""What a projection is: a read table, and how its rows are folded, loaded and written."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from domain.events import Recorded
from projections.database import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """A projection of the events `names` into the table `name`, one row a stream.

    `load` answers the states of some streams at the checkpoint; `save` writes each state once, in the caller's
    transaction; `publishes` says that its changes go to the sockets.
    """

    name: str
    names: Sequence[str]
    evolve: Callable[[Any, Recorded], Any]
    load: Callable[[Connection, str, Collection[str]], Awaitable[dict[str, Any]]]
    save: Callable[[Connection, str, Collection[Any]], Awaitable[None]]
    publishes: bool = False
