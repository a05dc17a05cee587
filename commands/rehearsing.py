"""Facts that have not happened yet, over a world in which they have: steps, each decided after the one before."""

from collections.abc import Iterable

from commands.appending import Fact
from commands.deciding import Context
from domain.events import Meta, Recorded
from domain.instant import Instant
from domain.streams import State, evolve


class Rehearsal:
    """What one command does in steps. `at` stands for the time of its events, which nobody knows yet."""

    def __init__(self, context: Context, at: Instant) -> None:
        self.facts: list[Fact] = []
        self._context = context
        self._states: dict[str, State] = {}
        self._at = at
        self._meta = Meta(actor=context.actor_id, correlation_id="", causation_id="")

    @property
    def context(self) -> Context:
        """The world after all that was taken in. A new one each time: what a step counts of its own is counted once."""
        return self._context.supposing(self._states)

    def take(self, facts: Iterable[Fact]) -> None:
        """Let these happen."""
        for fact in facts:
            state = self.context.folded(fact.stream_id).state
            version = 0 if state is None else state.version
            recorded = Recorded(0, fact.stream_id, version + 1, fact.event, self._meta, self._at)
            self._states[fact.stream_id] = evolve(state, recorded)
            self.facts.append(fact)
