"""What a projection is: a read table, and how its rows are folded, loaded and written."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from domain.events import Recorded
from projections.checkpoints import Move
from projections.database import Connection

if TYPE_CHECKING:
    from projections.batch_folding import Folding


class Windows(Protocol):
    """Reads the rows of a part of the log, and folds them anew."""

    async def __call__(
        self, connection: Connection, workspace_id: str, build: int, after: int, to: int, upto: int
    ) -> tuple[dict[str, Any], dict[str, Any], int]:
        """The rows of the positions in (`after`, `to`] by their ids, what they must be up to the position `upto`, and
        of how many events. Both as JSON values.
        """


@dataclass(frozen=True, slots=True)
class Table:
    """A projection of all streams of one `kind` (the first part of their events' names) into the table `name`.

    One row a stream and build. `load` answers the states of some streams in a build at its checkpoint; `save` writes
    each state once, at least one, together with the checkpoint (see `checkpoints.MOVED`). `columns` are those that make
    up a row, beside its key. `weigh` answers how many bytes of a state may be many, and `least` says what it takes
    beside them, both about. A hint that the log has grown by events of the kinds `wakes` sets it to work at once, any
    others it passes at its next look. `publishes` says that its changes go to the sockets.

    Where a row is not a stream, `folding` takes the place of `StreamFolding`, and `windows` of what the drift check
    does; `evolve`, `load` and `save` are then its own affair. `rest`: for so many seconds a lane of it leaves others
    alone after its turn.
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
    folding: "type[Folding] | None" = None
    windows: "Windows | None" = None
    rest: float = 0.0
    least: int = 1_000

    def weight(self, state: Any) -> int:
        """About how many bytes a state takes in memory."""
        return self.least + self.weigh(state)

    @property
    def key(self) -> str:
        """The column that names the stream of a row."""
        return f"{self.kind}_id"
