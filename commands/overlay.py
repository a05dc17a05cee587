"""A context in which commands have happened that have not: each of several commands sees what those before it did.

So what is done to many things by one command needs no rule of its own: the commands on each are decided one after the
other, and what they yield is appended as one. Every stream that any of them read from the log is an expectation.
"""

from collections.abc import Sequence
from typing import Final

from commands.appending import Fact
from commands.deciding import Command, Context, S
from commands.streams import Folded
from domain.events import Meta, Recorded
from domain.streams import evolve

_NEVER: Final = "0001-01-02T00:00:00.000000Z"  # when it happened, until it has: no rule looks at it


class Overlay(Context):
    """The world of a decision with facts on top that have not happened yet; `facts` are these, in their order."""

    def __init__(self, base: Context) -> None:
        super().__init__(base.workspace_id, base.actor_id, self._known)
        self.reads = base.reads
        self.facts: list[Fact] = []
        self._base = base
        self._above: dict[str, Folded] = {}
        self._meta = Meta(actor=base.actor_id, correlation_id="", causation_id="")

    def _known(self, stream_id: str, /) -> Folded | None:
        return self._above.get(stream_id) or self._base.known(stream_id)

    def read(self, stream_id: str, kind: type[S]) -> S | None:
        """The state of a stream with the facts on top; what is expected of the log is the version without them."""
        above = self._above.get(stream_id)
        if above is None:
            return super().read(stream_id, kind)
        return above.state if isinstance(above.state, kind) else None

    def begin(self, stream_id: str) -> None:
        """Expect that a stream with a new id is not there yet; whoever reads it finds nothing, and need not load it."""
        super().begin(stream_id)
        self._above.setdefault(stream_id, Folded(0, None, 0))

    def happen(self, facts: Sequence[Fact]) -> None:
        """Put facts on top. Every stream that they belong to was read."""
        for fact in facts:
            before = self._above.get(fact.stream_id) or self._known(fact.stream_id)
            assert before is not None, "every stream that is written must have been read"
            version = before.version + 1
            recorded = Recorded(0, fact.stream_id, version, fact.event, self._meta, _NEVER)
            self._above[fact.stream_id] = Folded(version, evolve(before.state, recorded), 0)
        self.facts += facts

    def run(self, command: Command) -> None:
        """Decide a command, and let what it yields happen. Raises as the command does."""
        try:
            self.happen(command.decide(self))
        finally:
            self.arrived.clear()  # what has happened is on the boards themselves
