"""How far a worker has come with each build, and the states that it keeps in memory for the next batches."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from projections.table import Table

# With four times as much a worker that followed an import of 100,000 tasks into two workspaces held 260 MB, and
# catching up was no faster.
MOST_HELD_BYTES: Final = 16_000_000


class Progress:
    """What a worker holds of one build: the checkpoint, and states that were just used.

    Only good as long as no other worker writes; who is fenced off throws it away. Changes of a build that is not `live`
    are nobody's business.
    """

    def __init__(self, position: int, build: int = 1, *, live: bool = True) -> None:
        self.position = position
        self.build = build
        self.live = live
        self.states: OrderedDict[str, Any] = OrderedDict()


class Held:
    """The states of all builds of one worker: together they come to `MOST_HELD_BYTES` at most, or about that.

    Those of the build that was used least recently go first, and of these those that were used least recently.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._tables: OrderedDict[Progress, Table] = OrderedDict()

    def keep(self, progress: Progress, table: Table, states: Mapping[str, Any]) -> None:
        """Remember states of a build that were just used."""
        self._tables[progress] = table
        self._tables.move_to_end(progress)
        for id_, state in states.items():
            before = progress.states.pop(id_, None)
            self.bytes += table.weight(state) - (0 if before is None else table.weight(before))
            progress.states[id_] = state
        while self.bytes > MOST_HELD_BYTES:
            self._let_go()

    def forget(self, progress: Progress) -> None:
        """Nothing of this build any more."""
        if (table := self._tables.pop(progress, None)) is not None:
            self.bytes -= sum(table.weight(state) for state in progress.states.values())
            progress.states.clear()

    def _let_go(self) -> None:
        progress, table = next(iter(self._tables.items()))
        if progress.states:
            self.bytes -= table.weight(progress.states.popitem(last=False)[1])
        else:
            del self._tables[progress]
