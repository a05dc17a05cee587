"""Group commit: appends that wait are committed together, by one call of one SQL function.

A lock, a round trip and a flush to disk cost the same for one command as for two hundred. So whoever appends joins
the queue of its workspace, and a committer takes what has gathered while the last commit ran. Workspaces take turns
over a few connections: each has its own lock in the database, so a slow one holds up no other.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import psycopg

from commands import event_store
from commands.event_store import CONFLICT, Append, Connection, Outcome, Verdict
from domain.errors import Unavailable
from domain.events import kind_of

log: Final = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Connection]]
Announce = Callable[[str, int, frozenset[str]], None]

NO_VERDICT: Final = "no verdict in time; send the command again with the same Idempotency-Key to learn it"

RETRY_DELAYS: Final = (0.0, 0.05, 0.1, 0.2, 0.5)  # seconds; the last one repeats


@dataclass(slots=True, eq=False)
class Waiting:
    """An append in the queue, and the promise of its verdict."""

    append: Append
    verdict: asyncio.Future[Verdict]
    since: float


def compatible(queue: Iterable[Waiting], most: int, bytes_most: int) -> list[Waiting]:
    """The appends, oldest first, that may share a batch.

    All expectations of a batch are checked against the state before it. So no two may meet of which one writes what
    the other reads or writes: both would pass, and one of them on a reading that is no longer true (write skew).
    """
    batch: list[Waiting] = []
    reads: set[str] = set()
    writes: set[str] = set()
    keys: set[tuple[str, str]] = set()
    size = 0
    for waiting in queue:
        append = waiting.append
        key = (append.principal, append.key)
        if key in keys or not writes.isdisjoint(append.reads) or not reads.isdisjoint(append.writes):
            continue
        batch.append(waiting)
        reads.update(append.reads)  # a stream that is written was read, so `reads` covers `writes`
        writes.update(append.writes)
        keys.add(key)
        size += append.size
        if len(batch) >= most or size >= bytes_most:
            break
    return batch


class Committer:
    """Queues appends by workspace and commits them in batches.

    Each of `connections` workers keeps one connection made by `connect`. `announce(workspace_id, position, kinds)` is
    called after a commit that added events of these kinds. `append` is refused when `max_waiting` appends wait.
    """

    def __init__(
        self,
        connect: Connect,
        announce: Announce,
        *,
        max_batch: int = 256,
        max_batch_bytes: int = 4_000_000,
        max_waiting: int = 8192,
        connections: int = 2,
        wait_seconds: float = 10.0,
    ) -> None:
        self._connect = connect
        self._announce = announce
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._max_waiting = max_waiting
        self._connections = connections
        self._wait_seconds = wait_seconds
        self._queues: dict[str, deque[Waiting]] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting = 0
        self._closing = False
        self._drained = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the workers. They connect when they first have something to commit."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._connections)]
        self._workers.append(asyncio.create_task(self._lose_patience()))

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new appends, commit those that wait for at most `drain_seconds`, and end."""
        self._closing = True
        if self._queues:  # also those whose callers have gone away
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), drain_seconds)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for queue in self._queues.values():
            _fail(list(queue), _unavailable("store.unavailable", "the store could not be reached in time"))

    async def append(self, append: Append) -> Verdict:
        """Wait for the verdict on an append. A caller that goes away does not take it back.

        Raises `Unavailable`: `append.queue_full` when too many wait, `server.stopping` during shutdown,
        `store.unavailable` when there is no verdict within `wait_seconds`; the append may then still be committed.
        """
        if self._closing:
            raise _unavailable("server.stopping", "the server is stopping; send the command to another one, or again")
        if self._waiting >= self._max_waiting:
            raise _unavailable("append.queue_full", f"{self._waiting} commands are waiting to be written already")
        loop = asyncio.get_running_loop()
        waiting = Waiting(append, loop.create_future(), loop.time())
        queue = self._queues.get(append.workspace_id)
        if queue is None:  # a workspace with a queue is either in `_ready` or in the hands of a worker
            queue = self._queues[append.workspace_id] = deque()
            self._ready.put_nowait(append.workspace_id)
        queue.append(waiting)
        self._waiting += 1
        return await waiting.verdict

    async def _lose_patience(self) -> None:
        """Tell those who wait too long that there is no verdict yet. Their appends stay where they are."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(0.25, self._wait_seconds / 4))
            for queue in self._queues.values():
                for waiting in queue:
                    if waiting.since > loop.time() - self._wait_seconds:
                        break  # the queue is in order of arrival
                    _fail([waiting], _unavailable("store.unavailable", NO_VERDICT))

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                workspace_id = await self._ready.get()
                batch = compatible(self._queues[workspace_id], self._max_batch, self._max_batch_bytes)
                connection = await self._commit(connection, batch)
                self._leave(workspace_id, batch)
        finally:
            if connection is not None:
                await connection.close()

    def _leave(self, workspace_id: str, batch: list[Waiting]) -> None:
        """Take the answered appends out of the queue, and give the next workspace its turn."""
        queue = self._queues[workspace_id]
        answered = {id(waiting) for waiting in batch}
        moved = {
            stream_id: version
            for waiting in batch
            if _outcome(waiting) is Outcome.COMMITTED
            for stream_id, version in waiting.append.reads.items()
            if stream_id in waiting.append.writes
        }
        rest: deque[Waiting] = deque()
        for waiting in queue:
            if id(waiting) in answered:
                continue
            if any(moved.get(stream_id) == version for stream_id, version in waiting.append.reads.items()):
                _answer(waiting, CONFLICT)  # it waited behind the one that moved its stream: no need to ask
            else:
                rest.append(waiting)
        self._waiting -= len(queue) - len(rest)
        if rest:
            self._queues[workspace_id] = rest
            self._ready.put_nowait(workspace_id)
        else:
            del self._queues[workspace_id]
            if self._closing and not self._queues:
                self._drained.set()

    async def _commit(self, connection: Connection | None, batch: list[Waiting]) -> Connection | None:
        """Commit until a verdict. When the connection breaks, the outcome is unknown: the same ids go again."""
        for attempt in range(1 << 62):
            try:
                if connection is None or connection.closed:
                    connection = await self._connect()
                verdicts = await event_store.append(connection, [waiting.append for waiting in batch])
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                log.warning("append not answered, sending it again", extra={"error": str(error), "attempt": attempt})
                if connection is not None:
                    await connection.close()
                connection = None
                await asyncio.sleep(RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)])
            except Exception as error:
                return await self._isolate(connection, batch, error)
            else:
                self._answer_all(batch, verdicts)
                return connection
        raise AssertionError("unreachable")

    async def _isolate(
        self, connection: Connection | None, batch: list[Waiting], error: Exception
    ) -> Connection | None:
        """One append that the database refuses as such must not take the others of its batch with it."""
        if len(batch) == 1:
            log.error("append refused by the database", exc_info=error)
            _fail(batch, error)
            return connection
        for waiting in batch:
            connection = await self._commit(connection, [waiting])
        return connection

    def _answer_all(self, batch: list[Waiting], verdicts: list[Verdict]) -> None:
        for waiting, verdict in zip(batch, verdicts, strict=True):
            _answer(waiting, verdict)
        added = [
            (verdict.position, fact.event)
            for waiting, verdict in zip(batch, verdicts, strict=True)
            if verdict.outcome is Outcome.COMMITTED
            for fact in waiting.append.facts
        ]
        if added:
            kinds = frozenset(kind_of(event) for event in {type(event) for _, event in added})
            self._announce(batch[0].append.workspace_id, max(position for position, _ in added), kinds)


def _outcome(waiting: Waiting) -> Outcome | None:
    done = waiting.verdict
    if not done.done() or done.cancelled() or done.exception() is not None:
        return None
    return done.result().outcome


def _answer(waiting: Waiting, verdict: Verdict) -> None:
    if not waiting.verdict.done():
        waiting.verdict.set_result(verdict)


def _fail(batch: Iterable[Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.verdict.done():
            waiting.verdict.set_exception(error)


def _unavailable(code: str, detail: str) -> Unavailable:
    return Unavailable(code, detail, retry_after=1)
