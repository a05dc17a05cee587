"""The appends of one workspace: those that wait, and the batches under way."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from commands.appending import CONFLICT, Append, Outcome, Verdict

# So many must wait for a second batch to go out while the first is still in the database. It travels and is read there
# meanwhile, and waits for the log's lock; smaller batches cost more an append than that gains. (Measured at 64 callers:
# 20,300 commands a second with 96, 25,500 with 32; at 32 callers 16 is no faster than one whole batch, and costs more.)
WORTH_A_SECOND: Final = 32


@dataclass(slots=True, eq=False)
class Waiting:
    """An append in the queue, and the promise of its verdict. `since` is on the loop's clock."""

    append: Append
    verdict: asyncio.Future[Verdict]
    since: float

    def answer(self, verdict: Verdict) -> None:
        """Keep the promise. A caller that has gone away is not there to be told."""
        if not self.verdict.done():
            self.verdict.set_result(verdict)

    def fail(self, error: Exception) -> None:
        """Say why there is no verdict."""
        if not self.verdict.done():
            self.verdict.set_exception(error)


def compatible(
    queue: Iterable[Waiting], most: int, bytes_most: int, under_way: Iterable[Waiting] = ()
) -> list[Waiting]:
    """The appends, oldest first, that may share a batch, and meet none of those under way.

    All expectations of a batch are checked against the state before it. So no two may meet of which one writes what
    the other reads or writes: both would pass, and one of them on a reading that is no longer true (write skew). With
    another batch under way the database would find out, but only to say that it was in vain.
    """
    batch: list[Waiting] = []
    reads: set[str] = set()
    writes: set[str] = set()
    keys: set[tuple[str, str]] = set()

    def add(append: Append) -> None:
        reads.update(append.reads)  # a stream that is written was read, so `reads` covers `writes`
        writes.update(append.writes)
        if append.key is not None:
            keys.add((append.principal, append.key))

    for waiting in under_way:
        add(waiting.append)
    size = 0
    for waiting in queue:
        append = waiting.append
        if (
            (append.key is not None and (append.principal, append.key) in keys)
            or not writes.isdisjoint(append.reads)
            or not reads.isdisjoint(append.writes)
        ):
            continue
        batch.append(waiting)
        add(append)
        size += append.size
        if len(batch) >= most or size >= bytes_most:
            break
    return batch


@dataclass(slots=True)
class Lane:
    """A workspace's place in the committer."""

    workspace_id: str
    waiting: deque[Waiting] = field(default_factory=deque)
    under_way: list[list[Waiting]] = field(default_factory=list)
    called: bool = False  # it is in the line of those that want a worker, or rests because its log is locked
    refusals: int = 0  # how many times in a row its log was locked by others

    def __iter__(self) -> Iterator[Waiting]:
        """All that have no verdict yet."""
        for batch in self.under_way:
            yield from batch
        yield from self.waiting

    @property
    def wants_a_worker(self) -> bool:
        """Whether another batch should go out now."""
        if self.called or not self.waiting or len(self.under_way) > 1:
            return False
        return not self.under_way or len(self.waiting) >= WORTH_A_SECOND

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits for anything."""
        return not self.waiting and not self.under_way

    def take(self, most: int, bytes_most: int) -> list[Waiting]:
        """The next batch, out of the queue and under way. Empty when all that wait meet those under way."""
        if len(self.waiting) >= 2 * WORTH_A_SECOND and not self.under_way:
            most = min(most, (len(self.waiting) + 1) // 2)  # two halves overlap: the database never waits for us
        batch = compatible(self.waiting, most, bytes_most, *self.under_way)
        if batch:
            self._remove(batch)
            self.under_way.append(batch)
        return batch

    def put_back(self, batch: list[Waiting]) -> None:
        """Nothing was done: the batch waits again, before all others."""
        self.under_way.remove(batch)
        self.waiting.extendleft(reversed(batch))

    def leave(self, batch: list[Waiting]) -> int:
        """The batch has its verdicts. Answers how many are no longer waited for.

        Who waits behind one that moved a stream that it read has lost: there is no need to ask.
        """
        self.under_way.remove(batch)
        if not self.waiting:
            return len(batch)
        moved = {place for waiting in batch for place in _moved(waiting)}
        lost = [waiting for waiting in self.waiting if not moved.isdisjoint(waiting.append.reads.items())]
        for waiting in lost:
            waiting.answer(CONFLICT)
        self._remove(lost)
        return len(batch) + len(lost)

    def _remove(self, some: list[Waiting]) -> None:
        """These no longer wait."""
        if len(some) == len(self.waiting):
            self.waiting.clear()
        elif some:
            gone = set(map(id, some))
            self.waiting = deque(waiting for waiting in self.waiting if id(waiting) not in gone)


def _moved(waiting: Waiting) -> Iterable[tuple[str, int]]:
    """The streams that a committed append has moved, with the versions that they have no longer."""
    done, append = waiting.verdict, waiting.append
    if not done.done() or done.cancelled() or done.exception() is not None:
        return ()
    if done.result().outcome is not Outcome.COMMITTED:
        return ()
    return [(stream_id, append.reads[stream_id]) for stream_id in append.writes]
