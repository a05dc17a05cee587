"""A context in which commands have happened that have not: each of several commands sees what those before it did.

So what is done to many things by one command needs no rule of its own: the commands on each are decided one after the
other, and what they yield is appended as one. Every stream that any of them read from the log is an expectation.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from commands.appending import Fact
from commands.deciding import Command, Context, NotLoaded, S
from commands.streams import LONG_AGO, UNKNOWN, Folded
from domain.events import Meta, Recorded
from domain.instant import Instant
from domain.streams import State, evolve

_NEVER: Final = "0001-01-02T00:00:00.000000Z"  # when it happened, until it has: no rule looks at it


class Overlay(Context):
    """The world of a decision with facts on top that have not happened yet; `facts` are these, in their order.

    `reads` is that of the world below: what is expected of the log are its versions, without what is on top. `at`
    stands for the time of the facts, which nobody knows yet.
    """

    def __init__(self, base: Context, at: Instant = _NEVER) -> None:
        super().__init__(base.workspace_id, base.actor_id, base.known)
        self.reads = base.reads
        self.facts: list[Fact] = []
        self._above: dict[str, Folded] = {}
        self._at = at
        self._meta = Meta(actor=base.actor_id, correlation_id="", causation_id="")

    def known(self, stream_id: str) -> Folded | None:
        """A stream with the facts on top, where it has some."""
        return self._above.get(stream_id) or self._reader(stream_id)

    def folded(self, stream_id: str) -> Folded:
        """A stream with the facts on top. What stands there alone is no reading of the log."""
        folded = self._above.get(stream_id)
        if folded is None:
            folded = self._reader(stream_id)
            if folded is None:
                raise NotLoaded(stream_id)
            self.reads[stream_id] = folded.version
        return folded

    def begin(self, stream_id: str) -> None:
        """Expect that a stream with a new id is not there yet; whoever reads it finds nothing, and need not load it."""
        if stream_id not in self._above:
            super().begin(stream_id)
            self._above[stream_id] = UNKNOWN

    def happen(self, facts: Sequence[Fact]) -> list[Recorded]:
        """Put facts on top: all of them, or, where `NotLoaded` is raised, none. Answers them with their versions."""
        if len(facts) > 1:
            self.need({fact.stream_id for fact in facts})
        happened = []
        for fact in facts:
            before = self.folded(fact.stream_id)
            version = before.version + 1
            recorded = Recorded(0, fact.stream_id, version, fact.event, self._meta, self._at)
            self._above[fact.stream_id] = Folded(version, evolve(before.state, recorded), LONG_AGO)
            happened.append(recorded)
        self.facts += facts
        self.arrived.clear()  # what has happened is on the boards themselves
        return happened

    def changed(self, kind: type[S]) -> list[S]:
        """All states of a kind that the facts on top have changed."""
        return [folded.state for folded in self._above.values() if isinstance(folded.state, kind)]

    def run(self, command: Command) -> Sequence[Fact]:
        """Decide a command, and let what it yields happen. Raises as the command does, and nothing happened."""
        try:
            facts = command.decide(self)
        finally:
            self.arrived.clear()
        self.happen(facts)
        return facts

    def forget(self, kept: Container[str], kind: type[State]) -> None:
        """Know no more which facts there were, nor what they did to streams of a kind, but for those that are kept."""
        gone = [name for name, (_, state, *_) in self._above.items() if isinstance(state, kind) and name not in kept]
        for stream_id in gone:
            del self._above[stream_id]
        self.facts.clear()


@dataclass(frozen=True, slots=True)
class Together:
    """Commands, at least one, that are one. Its receipt is that of the first one's stream."""

    commands: Sequence[Command]

    @property
    def stream_id(self) -> str:
        """That of the first command."""
        return self.commands[0].stream_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """What all of them yield, in their order. Raises what the first one is refused with that is."""
        overlay = Overlay(context)
        return [fact for command in self.commands for fact in overlay.run(command)]
