"""A batch: commands of one client that go into the log by one append, and the key under which they are known again.

They are decided in their order on a stage; whoever is faster meanwhile makes all of them be decided anew, as a single
command is. See docs/decisions/0031.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from psycopg.errors import UniqueViolation

from commands.appending import Append, KeptStep, Outcome
from commands.committer import Committer
from commands.event_store import EventStore
from commands.execute import MOST_ATTEMPTS, Call, Executor, Receipt
from commands.ids import new_id
from commands.staging import Stage, meta_of
from commands.streams import Streams
from domain import failpoints
from domain.errors import Conflict, Unavailable

EVENTS_MAX: Final = 5_000  # of one append: it holds the log for as long as they take, some 100 ms
TOGETHER: Final = 4  # tries of commands that may also go one by one

_END: Final = "end"
_AT: Final = "at"
_DONE: Final = "done"

Decide = Callable[[Stage], Awaitable[bool]]


class Committed(NamedTuple):
    """The receipts of those that were not refused, in their order, and the position that is the last one's."""

    receipts: list[Receipt]
    position: int


class Ending(NamedTuple):
    """How a row of batches has ended: how many commands were done, how many were refused by code, and the position that
    shows all of it.
    """

    done: int
    refusals: Counter[str]
    position: int


class Batches:
    """Commits batches. Shared by all requests of a process."""

    def __init__(self, store: EventStore, streams: Streams, committer: Committer, executor: Executor) -> None:
        self._store = store
        self._streams = streams
        self._append = committer.append
        self._executor = executor

    def stage(self, call: Call) -> Stage:
        """An empty stage for the commands of a call."""
        return Stage(self._streams, self._store, call.workspace_id, call.actor_id)

    async def is_known(self, call: Call) -> bool:
        """Whether the key of the call was used before, for the same. Raises `Invalid` `idempotency.key_reused`."""
        if call.key is None:
            return False
        known = await self._store.known(call.workspace_id, call.actor_id, call.key)
        if known is not None:
            self._executor.check_same(call, known)
        return known is not None

    async def commit(self, call: Call, decide: Decide, attempts: int = MOST_ATTEMPTS) -> Committed | None:
        """Let `decide` put the commands on a stage, and commit what is there, or nothing where it answers False.

        Answers None when the key of the call has come to be known meanwhile, or others were faster in each of the
        attempts, of which there are fewer where the commands can go one by one, or they are too many for one append.
        Raises what `decide` raises, and `Conflict` `batch.too_large`.
        """
        moved: frozenset[str] = frozenset()
        for attempt in range(attempts):
            async with AsyncExitStack() as stack:
                if attempt:
                    await self._executor.take_turns(stack, call.workspace_id, moved)
                stage = self.stage(call)
                goes = await decide(stage)
                if not stage.reads:
                    return Committed([], 0)  # all were refused for what they are, not for any state
                if goes and is_too_large(stage.size):
                    if attempts == MOST_ATTEMPTS:
                        check_size(stage.size)
                    return None
                wish = stage.wish(call, nothing=not goes)
                failpoints.reach(failpoints.BATCH_DECIDED)
                try:
                    verdict = await self._append(wish)
                except UniqueViolation:  # of a key of one of them: the same request does them one by one elsewhere
                    return None
                failpoints.reach(failpoints.BATCH_APPENDED)
                if verdict.outcome is Outcome.KNOWN:
                    self._executor.check_same(call, verdict)
                    return None
                if verdict.outcome is Outcome.COMMITTED:
                    receipts = await stage.settle(verdict.position, verdict.recorded_at) if goes else []
                    return Committed(receipts, verdict.position)
                self._executor.counts.retries += 1
                moved = wish.writes
                await self._executor.learn(call.workspace_id, stage.reads, verdict)
        if attempts < MOST_ATTEMPTS:
            return None
        raise Unavailable("conflict.busy", f"others changed what these commands read {attempts} times meanwhile")

    async def begin(self, call: Call) -> bool:
        """Record the key of a batch whose commands go one by one, each under its own. Answers as `is_known` does."""
        if call.key is None:
            return False
        verdict = await self._append(_keeping(call, call.key))
        if verdict.outcome is not Outcome.KNOWN:
            return False
        self._executor.check_same(call, verdict)
        return True

    async def end(self, call: Call, prefix: str, refused: Mapping[str, str], position: int) -> Ending:
        """Keep how a row of batches has ended, whose commands have keys within this prefix: `refused` says why, by id.

        What another try of the same has done meanwhile is done, whatever it was refused for here. The first one that
        ends says how it was.
        """
        kept = await self._store.kept(call.workspace_id, call.actor_id, key_within(prefix, ""))
        codes = Counter(code for id_, code in refused.items() if key_within(prefix, id_) not in kept)
        end = f"{prefix} {_END}"
        words = {f"{_AT} {position}": 0, _DONE: len(kept), **codes}
        steps = [KeptStep(f"{end} {word}", call.command_id, call.actor_id, number, 0) for word, number in words.items()]
        await self._append(_keeping(call, end, steps))
        ending = await self.ended(call, prefix)
        assert ending is not None
        return ending

    async def ended(self, call: Call, prefix: str) -> Ending | None:
        """How such a row has ended, if it has."""
        end = f"{prefix} {_END} "
        kept = await self._store.kept(call.workspace_id, call.actor_id, end)
        if not kept:
            return None
        words = {key.removeprefix(end): number for key, number in kept.items()}
        position = next(word for word in words if word.startswith(f"{_AT} "))
        refusals = Counter({word: number for word, number in words.items() if word not in (position, _DONE)})
        return Ending(words[_DONE], refusals, int(position.removeprefix(f"{_AT} ")))

    async def foresee(self, call: Call, decide: Decide) -> Stage:
        """What a batch would write: decided on what the log holds, of which nothing is written."""
        fresh: dict[str, int] = {}
        while True:
            stage = self.stage(call)
            await decide(stage)
            if stage.reads.items() <= fresh.items():
                return stage
            await self._streams.refresh(call.workspace_id, stage.reads)
            fresh = dict(stage.reads)


def key_of(key: str | None, place: int) -> str | None:
    """The key of one command of a batch, by its place. A blank is in no client's key, so none can be like it."""
    return None if key is None else f"{hashlib.sha256(key.encode()).hexdigest()} {place}"


def key_within(prefix: str, id_: str) -> str:
    """The key of one command of a row of batches, by the id of what it is done to."""
    return f"{prefix} of {id_}"


def is_too_large(events: int) -> bool:
    """Whether they are too many for one append."""
    return events > EVENTS_MAX


def check_size(events: int) -> None:
    """Raises `Conflict` `batch.too_large` for events that must go in at once, and are too many for that."""
    if is_too_large(events):
        detail = f"the commands would write {events} events together, and {EVENTS_MAX} at most go in at once"
        raise Conflict("batch.too_large", detail, events=events, most=EVENTS_MAX)


def _keeping(call: Call, key: str, steps: Sequence[KeptStep] = ()) -> Append:
    """An append of nothing but keys."""
    return Append(
        workspace_id=call.workspace_id,
        command_id=new_id(),
        principal=call.actor_id,
        key=key,
        keep=True,
        fingerprint=call.fingerprint,
        stream_id=call.actor_id,
        reads={},
        facts=(),
        meta=meta_of(call),
        steps=steps,
    )
