"""Several commands decided as one: each sees what those before it did, though nothing of it has happened yet.

What they yield is one append, so all of it happens, or nothing. Streams are folded on by the functions that fold the
log, so a later command is refused for what an earlier one did just as if that were committed.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Command, Context, NotLoaded, Reader, S
from domain.events import Meta, Recorded
from domain.streams import State, evolve

_THEN = "0001-01-02T00:00:00.000000Z"  # when what has not happened happens: no rule looks at it


class Unfolding(Context):
    """A world in which more has happened than in the log. `reads` holds what was read of the log alone."""

    def __init__(self, workspace_id: str, actor_id: str, reader: Reader) -> None:
        super().__init__(workspace_id, actor_id, reader)
        self._unfolded: dict[str, tuple[int, State]] = {}
        self._meta = Meta(actor=actor_id, correlation_id="", causation_id="")

    @classmethod
    def of(cls, context: Context) -> "Unfolding":
        """The world of a decision. What is read here becomes an expectation there."""
        unfolding = cls(context.workspace_id, context.actor_id, context.reader)
        unfolding.reads = context.reads
        return unfolding

    def read(self, stream_id: str, kind: type[S]) -> S | None:
        """As in `Context`, and with what has happened here."""
        known = self._unfolded.get(stream_id)
        if known is None:
            return super().read(stream_id, kind)
        return known[1] if isinstance(known[1], kind) else None

    def begin(self, stream_id: str) -> None:
        """As in `Context`."""
        if stream_id not in self._unfolded:
            super().begin(stream_id)

    def run(self, command: Command) -> Sequence[Fact]:
        """Decide a command, and let what it yields have happened. Raises as the command does, and nothing happened."""
        self.arrived.clear()
        facts = command.decide(self)
        for stream_id, event in facts:
            version, state = self._unfolded.get(stream_id) or self._logged(stream_id)
            recorded = Recorded(0, stream_id, version + 1, event, self._meta, _THEN)
            self._unfolded[stream_id] = (version + 1, evolve(state, recorded))
        return facts

    def forget(self, kept: Container[str], kind: type[State]) -> None:
        """Know no more what happened to streams of a kind, but for those that are kept."""
        gone = [name for name, (_, state) in self._unfolded.items() if isinstance(state, kind) and name not in kept]
        for stream_id in gone:
            del self._unfolded[stream_id]

    def _logged(self, stream_id: str) -> tuple[int, State | None]:
        if self.reads.get(stream_id) == 0:
            return 0, None
        folded = self.reader(stream_id)
        if folded is None:
            raise NotLoaded(stream_id)
        return folded.version, folded.state


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
        unfolding = Unfolding.of(context)
        return [fact for command in self.commands for fact in unfolding.run(command)]
