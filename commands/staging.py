"""A stage: commands decided one after another, each on the state that those before it leave. Nothing is written."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from commands.appending import Append, Fact, KeptStep
from commands.deciding import Command, Context, NotLoaded, S
from commands.event_store import EventStore
from commands.execute import Call, Receipt
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
    """The world of some commands of one actor, from what is known of the log now.

    `reads` holds every stream that they looked at with the version that the log has of it: one append is right for all
    of them, those that are refused included, if none of these streams has moved.
    """

    def __init__(self, streams: Streams, store: EventStore, workspace_id: str, actor_id: str) -> None:
        self.reads: dict[str, int] = {}
        self.steps: list[Staged] = []
        self._streams = streams
        self._store = store
        self._workspace_id = workspace_id
        self._actor_id = actor_id
        self._base: dict[str, Folded] = {}  # as the log has them
        self._now: dict[str, Folded] = {}  # as they are after what is staged
        self._events: list[Recorded] = []

    async def take(self, command: Command, call: Call) -> Staged:
        """Decide the next command. Raises its `Rejection`, of which `Stale`; it has left nothing then."""
        while True:
            context = Context(self._workspace_id, self._actor_id, self._read)
            rejection: Rejection | None = None
            facts: Sequence[Fact] = ()
            try:
                facts = command.decide(context)
            except NotLoaded as missing:
                await self._streams.refresh(self._workspace_id, missing.stream_ids)
                continue
            except Rejection as refused:
                rejection = refused
            for stream_id, version in context.reads.items():
                self.reads.setdefault(stream_id, version)
            looked = rejection is None or command.stream_id in context.reads  # else refused for what it is
            if looked and not isinstance(rejection, NotFound | Forbidden | Unauthenticated):
                rejection = await self._stale(command, call, context) or rejection
            if rejection is not None:
                raise rejection
            return self._put(command, call, context, facts)

    @property
    def size(self) -> int:
        """How many events are staged."""
        return len(self._events)

    def now(self, stream_id: str, kind: type[S]) -> S | None:
        """A state as the next command would find it, if it has been looked at."""
        folded = self._now.get(stream_id) or self._base.get(stream_id)
        return folded.state if folded is not None and isinstance(folded.state, kind) else None

    def changed(self, kind: type[S]) -> list[S]:
        """All states of a kind that the commands have changed."""
        return [folded.state for folded in self._now.values() if isinstance(folded.state, kind)]

    def wish(self, call: Call, *, nothing: bool = False) -> Append:
        """All of it as one append, whose receipt is the actor's own stream; or, `nothing`, only what was read.

        With a key every step is kept under one of its own. Where nothing is kept the key is looked up all the same: of
        two who send the same at once, one may find done what the other did.
        """
        steps = [] if nothing else self.steps
        facts = [fact for step in steps for fact, _ in step.facts]
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
        events = iter(self._events)
        for step in self.steps:
            for (stream_id, event), version in step.facts:
                staged = next(events)
                begin += 1
                recorded = Recorded(begin, stream_id, version, event, staged.meta, recorded_at)
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

    def _read(self, stream_id: str, /) -> Folded | None:
        known = self._now.get(stream_id) or self._base.get(stream_id)
        if known is None:
            known = self._streams.get(self._workspace_id, stream_id)
            if known is not None:
                self._base[stream_id] = known
        return known

    def _put(self, command: Command, call: Call, context: Context, facts: Sequence[Fact]) -> Staged:
        meta, placed = meta_of(call), []
        for fact in facts:
            stream_id, event = fact
            before = self._now.get(stream_id) or self._base.get(stream_id) or UNBORN
            version = before.version + 1
            staged = Recorded(len(self._events) + 1, stream_id, version, event, meta, NOT_YET)
            self._events.append(staged)
            self._now[stream_id] = Folded(version, evolve(before.state, staged), before.read_at, before.erased)
            placed.append((fact, version))
        own = self._now.get(command.stream_id)
        version = context.reads.get(command.stream_id, 0) if own is None else own.version
        step = Staged(call, command.stream_id, version, placed, len(self._events))
        self.steps.append(step)
        return step

    async def _stale(self, command: Command, call: Call, context: Context) -> Stale | None:
        """The refusal where `if_match` names other versions than the one that was read."""
        current = context.reads.get(command.stream_id, 0)
        if call.if_match is None or current in call.if_match:
            return None
        newest = max((version for version in call.if_match if version < current), default=current)
        history = await self._store.load(self._workspace_id, {command.stream_id: 0})
        history = [event for event in history if event.version <= self.reads.get(command.stream_id, 0)]
        history += [event for event in self._events if event.stream_id == command.stream_id]
        return stale(call.if_match, current, changed_since(history, newest, evolve))


def stale(wanted: frozenset[int], current: int, changed: Sequence[Mapping[str, object]]) -> Stale:
    """`If-Match` names other versions than the current one."""
    detail = f"If-Match names version {sorted(wanted)}, the current one is {current}"
    return Stale("precondition.failed", detail, current_version=current, changed=changed)


def meta_of(call: Call) -> Meta:
    """What the events of a command say of it."""
    return Meta(actor=call.actor_id, correlation_id=call.correlation_id, causation_id=call.command_id)
