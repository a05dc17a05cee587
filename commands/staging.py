"""A stage: commands decided one after another, each on the state that those before it leave. Nothing is written."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from commands.appending import Append, Fact, KeptStep
from commands.deciding import Command, Context, NotLoaded, Reader, S
from commands.event_store import EventStore
from commands.execute import Call, Receipt
from commands.overlay import Overlay
from commands.streams import Folded, Streams
from domain.diff import changed_since
from domain.errors import Forbidden, NotFound, Rejection, Stale, Unauthenticated
from domain.events import Meta, Recorded
from domain.instant import EARLIEST, instant
from domain.streams import evolve, evolve_all

UNBORN: Final = Folded(0, None, 0)
NOT_YET: Final = instant(EARLIEST)  # when what is only staged was recorded


class Staged(NamedTuple):
    """What a command yields on a stage: its facts, the stream of its receipt, and the version which that has then.

    `events` counts those of the stage up to its last one.
    """

    call: Call
    stream_id: str
    version: int
    facts: Sequence[tuple[Fact, int]]
    events: int


class Stage:
    """The world of some commands of one actor, from what is known of the log now, and as each finds it.

    `reads` holds every stream that they looked at with the version that the log has of it: one append is right for all
    of them, those that are refused included, if none of these streams has moved.
    """

    def __init__(self, streams: Streams, store: EventStore, workspace_id: str, actor_id: str) -> None:
        self.steps: list[Staged] = []
        self._streams = streams
        self._store = store
        self._workspace_id = workspace_id
        self._actor_id = actor_id
        self._base: dict[str, Folded] = {}  # as the log has them
        self._world = Overlay(Context(workspace_id, actor_id, _kept(streams, workspace_id, self._base)), NOT_YET)
        self._events: list[Recorded] = []

    @property
    def reads(self) -> Mapping[str, int]:
        """Every stream that was looked at, with the version that the log has of it."""
        return self._world.reads

    @property
    def size(self) -> int:
        """How many events are staged."""
        return len(self._events)

    async def take(self, command: Command, call: Call) -> Staged:
        """Decide the next command. Raises its `Rejection`, of which `Stale`; it has left nothing then."""
        while True:
            try:
                facts, refusal = self._decide(command)
                if call.if_match is not None and not isinstance(refusal, NotFound | Forbidden | Unauthenticated):
                    refusal = await self._stale(command, call.if_match, refusal) or refusal
                if refusal is not None:
                    raise refusal
                return self._put(command, call, facts)
            except NotLoaded as missing:
                await self._streams.refresh(self._workspace_id, missing.stream_ids)

    def now(self, stream_id: str, kind: type[S]) -> S | None:
        """A state as the next command would find it, if it is known."""
        folded = self._world.known(stream_id)
        return folded.state if folded is not None and isinstance(folded.state, kind) else None

    def changed(self, kind: type[S]) -> list[S]:
        """All states of a kind that the commands have changed."""
        return self._world.changed(kind)

    def wish(self, call: Call, *, nothing: bool = False) -> Append:
        """All of it as one append, whose receipt is the actor's own stream; or, `nothing`, only what was read.

        With a key every step is kept under one of its own. Where nothing is kept the key is looked up all the same: of
        two who send the same at once, one may find done what the other did.
        """
        steps = [] if nothing else self.steps
        facts = [] if nothing else self._world.facts
        metas = [meta for step in steps for meta in (meta_of(step.call),) * len(step.facts)]
        return Append(
            workspace_id=self._workspace_id,
            command_id=metas[0].causation_id if metas else call.command_id,
            principal=self._actor_id,
            key=call.key,
            keep=call.key is not None and not nothing,
            fingerprint=call.fingerprint,
            stream_id=self._actor_id,
            reads=self.reads,
            facts=facts,
            meta=metas[0] if metas else meta_of(call),
            metas=metas,
            steps=[
                KeptStep(step.call.key, step.call.command_id, step.stream_id, step.version, step.events)
                for step in steps
                if step.call.key is not None
            ],
        )

    async def settle(self, position: int, recorded_at: str) -> list[Receipt]:
        """It was committed, and this is the position of its last event: the receipts of the steps, in their order."""
        begin = position - len(self._events)
        now: dict[str, Folded] = {}
        later: dict[str, list[Recorded]] = {}  # of streams that no receipt is about: their last state is enough
        answered = {step.stream_id for step in self.steps}
        receipts = []
        for step in self.steps:
            meta = meta_of(step.call)
            for (stream_id, event), version in step.facts:
                begin += 1
                recorded = Recorded(begin, stream_id, version, event, meta, recorded_at)
                if stream_id not in answered:
                    later.setdefault(stream_id, []).append(recorded)
                    continue
                before = now.get(stream_id) or self._base.get(stream_id) or UNBORN
                now[stream_id] = Folded(version, evolve(before.state, recorded), before.read_at, before.erased)
            folded = now.get(step.stream_id) or self._base.get(step.stream_id)
            state = None if folded is None else folded.state
            if state is None:
                state = await self._streams.at(self._workspace_id, step.stream_id, step.version)
            assert state is not None
            receipts.append(Receipt(step.stream_id, step.version, begin, state))
        for stream_id, recordeds in later.items():
            before = self._base.get(stream_id) or UNBORN
            state = evolve_all(before.state, recordeds)
            now[stream_id] = Folded(recordeds[-1].version, state, before.read_at, before.erased)
        self._streams.put(self._workspace_id, now)
        return receipts

    def _decide(self, command: Command) -> tuple[Sequence[Fact], Rejection | None]:
        """Raises `NotLoaded`."""
        try:
            return command.decide(self._world), None
        except Rejection as rejection:
            return (), rejection
        finally:
            self._world.arrived.clear()

    def _put(self, command: Command, call: Call, facts: Sequence[Fact]) -> Staged:
        """It happens, as far as the next ones see. Raises `NotLoaded`."""
        happened = self._world.happen(facts)
        self._events += happened
        placed = [(fact, recorded.version) for fact, recorded in zip(facts, happened, strict=True)]
        step = Staged(call, command.stream_id, self._version(command), placed, len(self._events))
        self.steps.append(step)
        return step

    def _version(self, command: Command) -> int:
        """The version that the stream of a command has now; 0 where nobody has looked at it."""
        folded = self._world.known(command.stream_id) if command.stream_id in self.reads else None
        return 0 if folded is None else folded.version

    async def _stale(self, command: Command, if_match: frozenset[int], rejection: Rejection | None) -> Stale | None:
        """The refusal where `if_match` names other versions than the one that was read."""
        current = self._version(command)
        if current in if_match:
            return None
        if rejection is not None and command.stream_id not in self.reads:
            return None  # it is refused for what it is, at any version
        newest = max((version for version in if_match if version < current), default=current)
        history = await self._store.load(self._workspace_id, {command.stream_id: 0})
        history = [event for event in history if event.version <= self.reads.get(command.stream_id, 0)]
        history += [event for event in self._events if event.stream_id == command.stream_id]
        return stale(if_match, current, changed_since(history, newest, evolve))


def _kept(streams: Streams, workspace_id: str, base: dict[str, Folded]) -> Reader:
    """Reads each stream once, so that all commands see one log, and keeps it in `base`."""

    def known(stream_id: str, /) -> Folded | None:
        folded = base.get(stream_id)
        if folded is None and (folded := streams.get(workspace_id, stream_id)) is not None:
            base[stream_id] = folded
        return folded

    return known


def stale(wanted: frozenset[int], current: int, changed: Sequence[Mapping[str, object]]) -> Stale:
    """`If-Match` names other versions than the current one."""
    detail = f"If-Match names version {sorted(wanted)}, the current one is {current}"
    return Stale("precondition.failed", detail, current_version=current, changed=changed)


def meta_of(call: Call) -> Meta:
    """What the events of a command say of it."""
    return Meta(actor=call.actor_id, correlation_id=call.correlation_id, causation_id=call.command_id)
