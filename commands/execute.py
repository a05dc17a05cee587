"""Load, decide, append: the one way of a command into the log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import Final, NamedTuple, TypeVar

import msgspec

from commands.appending import Append, Fact, Outcome, Verdict
from commands.committer import Committer
from commands.counting import Decisions
from commands.deciding import Command, Context, NotLoaded
from commands.event_store import EventStore
from commands.ids import new_id
from commands.streams import Folded, Streams
from commands.turns import Turn, Turns
from domain import failpoints
from domain.diff import changed_since
from domain.errors import Forbidden, Invalid, NotFound, Rejection, Stale, Unauthenticated, Unavailable
from domain.events import Meta, Recorded
from domain.streams import State, evolve

MOST_ATTEMPTS: Final = 128
ALONE: Final[frozenset[str]] = frozenset()

Appender = Callable[[Append], Awaitable[Verdict]]
T = TypeVar("T")


class Call(msgspec.Struct, frozen=True):
    """Who asks, and how: what comes with a command from outside.

    `key` is the client's Idempotency-Key and `fingerprint` the hash of the request that came with it; `if_match`
    holds the versions one of which the stream must have.
    """

    workspace_id: str
    actor_id: str
    correlation_id: str
    key: str | None = None
    fingerprint: str = ""
    if_match: frozenset[int] | None = None
    command_id: str = msgspec.field(default_factory=new_id)


class Receipt(NamedTuple):
    """The answer to a command: the stream with the version and state it has now, and the position to wait for.

    `replayed` says that the key was used before: everything is as it was answered then.
    """

    stream_id: str
    version: int
    position: int
    state: State
    replayed: bool = False


class Executor:
    """Runs commands. Shared by all requests of a process."""

    def __init__(self, store: EventStore, streams: Streams, committer: Committer) -> None:
        self._store = store
        self._streams = streams
        self._append = committer.append
        self._turns = Turns()
        self._crowds = Turns()
        self.counts = Decisions()

    async def execute(self, command: Command, call: Call, append: Appender | None = None) -> Receipt:
        """Decide a command against the state of now and commit what follows.

        `append` replaces the committer for commands that commit more than events.

        Raises the decision's `Rejection`, `Stale` when `if_match` names other versions than the current one, `Invalid`
        `idempotency.key_reused`, and `Unavailable` `conflict.busy` when other writers were faster each time.
        """
        if call.key is not None:
            known = await self._store.known(call.workspace_id, call.actor_id, call.key)
            if known is not None:
                return await self._replay(call, known)
        append = append or self._append
        async with self._turns.take((call.workspace_id, command.stream_id)) as turn:
            outcome = await self._attempt(command, call, append, [turn], ALONE)
            attempts = 1
            while not isinstance(outcome, Receipt):
                self.counts.retries += 1
                if attempts == MOST_ATTEMPTS:
                    raise Unavailable(
                        "conflict.busy", f"others changed what this command reads {attempts} times meanwhile"
                    )
                attempts += 1
                async with AsyncExitStack() as stack:
                    names = [(call.workspace_id, stream_id) for stream_id in sorted(outcome)]
                    turns = [await stack.enter_async_context(self._crowds.take(name)) for name in names]
                    outcome = await self._attempt(command, call, append, [turn, *turns], outcome)
            return outcome

    async def ask(self, question: Callable[[Context], T], workspace_id: str, actor_id: str) -> T:
        """What decisions would see now: the answer to a question about states that were all read since it was put.

        Raises the question's `Rejection`.
        """
        fresh: set[str] = set()
        while True:
            context = Context(workspace_id, actor_id, lambda stream_id: self._streams.get(workspace_id, stream_id))
            answer: T | Rejection
            try:
                answer = question(context)
                needed = context.reads.keys() - fresh
            except NotLoaded as missing:
                needed = set(missing.stream_ids)
            except Rejection as rejection:
                answer, needed = rejection, context.reads.keys() - fresh
            if needed:
                await self._streams.refresh(workspace_id, needed)
                fresh |= needed
            elif isinstance(answer, Rejection):
                raise answer
            else:
                return answer

    async def foresee(self, command: Command, call: Call) -> Sequence[Fact]:
        """Do nothing, but say what the command would write now: by the log, not only by memory.

        Raises what it would be refused with, of which `Stale`.
        """
        fresh: set[str] = set()
        while True:
            context, facts, rejection = await self._decide(command, call)
            needed = context.reads.keys() - fresh
            if needed:
                await self._streams.refresh(call.workspace_id, needed)
                fresh |= needed
            elif rejection is not None:
                raise rejection
            else:
                return facts

    async def _attempt(
        self, command: Command, call: Call, append: Appender, turns: Sequence[Turn], crowds: frozenset[str]
    ) -> Receipt | frozenset[str]:
        """One decision and its verdict; when a stream it read has moved, those on which it should take turns.

        `crowds` are those on which it has turns besides its own stream. Where it writes to others that somebody has
        a turn on, it does not even try.
        """
        context, facts, rejection = await self._decide(command, call)
        if rejection is not None and not context.reads:
            self.counts.rejected += 1
            raise rejection  # it was refused for what it is, not for any state
        if len(facts) > 1:
            written = _elsewhere(command, facts)
            if not written <= crowds and self._crowds.are_taken(call.workspace_id, written - crowds):
                return written
            crowds = written
        single = _append(command, call, context, facts, keep=call.key is not None and rejection is None)
        began = monotonic()
        failpoints.reach(failpoints.EXECUTOR_DECIDED)
        verdict = await append(single)
        failpoints.reach(failpoints.EXECUTOR_APPENDED)
        if verdict.outcome is Outcome.CONFLICT:
            await self.learn(call.workspace_id, context.reads, verdict)
            return crowds
        if verdict.outcome is Outcome.KNOWN:
            return await self._replay(call, verdict)
        if rejection is not None:
            self.counts.rejected += 1
            raise rejection  # true now, not only in memory: the log has confirmed every version it was based on
        if verdict.contended:
            for turn in turns:
                turn.rest = monotonic() - began
        self._streams.advance(call.workspace_id, _recorded(single, verdict))
        return await self._receipt(call.workspace_id, command.stream_id, single.version, verdict.position)

    async def learn(self, workspace_id: str, reads: Mapping[str, int], verdict: Verdict) -> None:
        """Know more than the decision that lost: from the verdict itself, from whoever won here, or from the log."""
        streams = self._streams
        streams.advance(workspace_id, verdict.events)
        if streams.are_at(workspace_id, reads):
            await streams.refresh(workspace_id, reads)
        if streams.are_at(workspace_id, reads):  # memory is ahead of a log that was restored: read it from the start
            streams.forget(workspace_id, reads)

    async def take_turns(self, stack: AsyncExitStack, workspace_id: str, stream_ids: frozenset[str]) -> None:
        """Let the block of the stack have its turns on all of these: with those of both sorts, in their order."""
        for turns in (self._turns, self._crowds):
            for stream_id in sorted(stream_ids):
                await stack.enter_async_context(turns.take((workspace_id, stream_id)))

    async def _decide(self, command: Command, call: Call) -> tuple[Context, Sequence[Fact], Rejection | None]:
        def known(stream_id: str, /) -> Folded | None:
            return self._streams.get(call.workspace_id, stream_id)

        while True:
            context = Context(call.workspace_id, call.actor_id, known)
            try:
                facts = command.decide(context)
                stale = await self._stale(command, call, context)
                return context, () if stale else facts, stale
            except NotLoaded as missing:
                await self._streams.refresh(call.workspace_id, missing.stream_ids)
            except (NotFound, Forbidden, Unauthenticated) as rejection:
                return context, (), rejection
            except Rejection as rejection:
                looked = command.stream_id in context.reads  # else it is refused for what it is, at any version
                return context, (), (await self._stale(command, call, context) if looked else None) or rejection

    async def _stale(self, command: Command, call: Call, context: Context) -> Stale | None:
        """The refusal where `If-Match` names other versions than the one that was read."""
        current = context.reads.get(command.stream_id, 0)
        if call.if_match is None or current in call.if_match:
            return None
        newest = max((version for version in call.if_match if version < current), default=current)
        history = await self._store.load(call.workspace_id, {command.stream_id: 0})
        return Stale(
            "precondition.failed",
            f"If-Match names version {sorted(call.if_match)}, the current one is {current}",
            current_version=current,
            changed=changed_since([event for event in history if event.version <= current], newest, evolve),
        )

    def check_same(self, call: Call, known: Verdict) -> None:
        """Raises `Invalid` `idempotency.key_reused` where the key was used for something else."""
        if known.fingerprint != call.fingerprint:
            raise Invalid(
                "idempotency.key_reused",
                "/headers/idempotency-key",
                "this key was used before with another method, path or body",
                call.key,
            )

    async def _replay(self, call: Call, known: Verdict) -> Receipt:
        self.check_same(call, known)
        assert known.stream_id is not None
        assert known.version is not None
        return await self._receipt(call.workspace_id, known.stream_id, known.version, known.position, replayed=True)

    async def _receipt(
        self, workspace_id: str, stream_id: str, version: int, position: int, *, replayed: bool = False
    ) -> Receipt:
        state = await self._streams.at(workspace_id, stream_id, version)
        assert state is not None
        return Receipt(stream_id, version, position, state, replayed)


def _elsewhere(command: Command, facts: Sequence[Fact]) -> frozenset[str]:
    """The streams besides its own that a command writes."""
    return frozenset(fact.stream_id for fact in facts if fact.stream_id != command.stream_id)


def _append(command: Command, call: Call, context: Context, facts: Sequence[Fact], *, keep: bool) -> Append:
    return Append(
        workspace_id=call.workspace_id,
        command_id=call.command_id,
        principal=call.actor_id,
        key=call.key,
        keep=keep,
        fingerprint=call.fingerprint,
        stream_id=command.stream_id,
        reads=context.reads,
        facts=facts,
        meta=Meta(actor=call.actor_id, correlation_id=call.correlation_id, causation_id=call.command_id),
    )


def _recorded(append: Append, verdict: Verdict) -> list[Recorded]:
    """The events of a committed append as the log now holds them."""
    position = verdict.position - len(append.facts)
    versions = dict(append.reads)
    events = []
    for offset, (stream_id, event) in enumerate(append.facts, 1):
        versions[stream_id] += 1
        events.append(
            Recorded(position + offset, stream_id, versions[stream_id], event, append.meta, verdict.recorded_at)
        )
    return events
