"""Group commit: appends that wait are committed together, by one call of one SQL function.

A lock, a round trip and a flush to disk cost the same for one command as for two hundred. So whoever appends joins
the queue of its workspace, and a committer takes what has gathered while the last commit ran. Workspaces take turns
over a few connections: each has its own lock in the database, and one whose lock others hold gives its connection back
and tries again later, so a slow one holds up no other.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Final

import psycopg
from psycopg.errors import LockNotAvailable

from commands import event_store
from commands.appending import Append, Outcome, Verdict
from commands.counting import Commits
from commands.event_store import Connection
from commands.lanes import Lane, Waiting
from domain import failpoints
from domain.errors import Unavailable
from domain.events import kind_of

log: Final = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Connection]]
Announce = Callable[[str, int, frozenset[str]], None]

NO_VERDICT: Final = "no verdict in time; send the command again with the same Idempotency-Key to learn it"

RETRY_DELAYS: Final = (0.0, 0.05, 0.1, 0.2, 0.5)  # seconds; the last one repeats


@dataclass(slots=True)
class Wire:
    """A worker's connection, while there is one."""

    connection: Connection | None = None

    async def close(self) -> None:
        """Hang up."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()


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
        connections: int = 4,
        wait_seconds: float = 10.0,
    ) -> None:
        self._connect = connect
        self._announce = announce
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._max_waiting = max_waiting
        self._connections = connections
        self._wait_seconds = wait_seconds
        self._lanes: dict[str, Lane] = {}
        self._calling: asyncio.Queue[Lane] = asyncio.Queue()
        self._waiting = 0
        self._suspects = 0  # connections with those whose log was locked when they last tried
        self._closing = False
        self._drained = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop  # since `start`: looking for it each time asks the kernel
        self.counts = Commits()

    @property
    def waiting(self) -> int:
        """How many appends wait for their verdict."""
        return self._waiting

    @property
    def max_waiting(self) -> int:
        """How many may wait before others are refused."""
        return self._max_waiting

    @property
    def oldest(self) -> float | None:
        """Since when the oldest append without a verdict waits, on the loop's clock."""
        firsts = [waiting.since for lane in self._lanes.values() if (waiting := next(iter(lane), None)) is not None]
        return min(firsts, default=None)

    def start(self) -> None:
        """Start the workers. They connect when they first have something to commit."""
        self._loop = asyncio.get_running_loop()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._connections)]
        self._workers.append(asyncio.create_task(self._lose_patience()))

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new appends, commit those that wait for at most `drain_seconds`, and end."""
        self._closing = True
        if self._lanes:  # also those whose callers have gone away
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), drain_seconds)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for lane in self._lanes.values():
            _fail(lane, _unavailable("store.unavailable", "the store could not be reached in time"))
        self._lanes.clear()

    async def append(self, append: Append) -> Verdict:
        """Wait for the verdict on an append. A caller that goes away does not take it back.

        Raises `Unavailable`: `append.queue_full` when too many wait, `server.stopping` during shutdown,
        `store.unavailable` when there is no verdict within `wait_seconds`; the append may then still be committed.
        """
        if self._closing:
            raise _unavailable("server.stopping", "the server is stopping; send the command to another one, or again")
        if self._waiting >= self._max_waiting:
            self.counts.queue_full += 1
            raise _unavailable("append.queue_full", f"{self._waiting} commands are waiting to be written already")
        waiting = Waiting(append, self._loop.create_future(), self._loop.time())
        lane = self._lanes.get(append.workspace_id)
        if lane is None:
            lane = self._lanes[append.workspace_id] = Lane(append.workspace_id)
        lane.waiting.append(waiting)
        self._waiting += 1
        self._call(lane)
        return await waiting.verdict

    def _call(self, lane: Lane) -> None:
        """Put a workspace that wants a worker in the line. Each stands there once, so they take turns."""
        if lane.wants_a_worker:
            lane.called = True
            self._calling.put_nowait(lane)

    async def _lose_patience(self) -> None:
        """Tell those who wait too long that there is no verdict yet. Their appends stay where they are."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(0.25, self._wait_seconds / 4))
            latest = loop.time() - self._wait_seconds
            for lane in self._lanes.values():
                late = [waiting for waiting in lane if waiting.since <= latest]
                _fail(late, _unavailable("store.unavailable", NO_VERDICT))

    async def _work(self) -> None:
        wire = Wire()
        try:
            while True:
                lane = await self._calling.get()
                lane.called = False
                if lane.refusals and self._suspects >= self._connections // 2:
                    self._rest(lane)  # half of the connections are for those whose log is free
                    continue
                batch = lane.take(self._max_batch, self._max_batch_bytes)
                if batch:  # where all that wait meet those under way, it is called again when these have their verdicts
                    self._call(lane)  # what is left may be worth a second batch
                    await self._serve(wire, lane, batch)
        finally:
            await wire.close()

    async def _serve(self, wire: Wire, lane: Lane, batch: list[Waiting]) -> None:
        """Commit a batch, unless others hold the log of its workspace."""
        suspect = lane.refusals > 0
        self._suspects += suspect
        try:
            await self._commit(wire, batch)
        except LockNotAvailable:
            lane.put_back(batch)
            lane.refusals += 1
            self.counts.locked += 1
            log.warning("the log is locked, trying later", extra={"workspace": lane.workspace_id})
            self._rest(lane)
        else:
            lane.refusals = 0
            self._leave(lane, batch)
        finally:
            self._suspects -= suspect

    def _rest(self, lane: Lane) -> None:
        """Others hold its log. It is called again after a while, a longer one each time."""
        if not lane.called:
            lane.called = True
            delay = RETRY_DELAYS[min(lane.refusals, len(RETRY_DELAYS) - 1)]
            asyncio.get_running_loop().call_later(delay, self._calling.put_nowait, lane)

    def _leave(self, lane: Lane, batch: list[Waiting]) -> None:
        """Let the answered appends go, and give the next workspace its turn."""
        gone = lane.leave(batch)
        self._waiting -= gone
        self.counts.conflicts += gone - len(batch)
        self._call(lane)
        if lane.is_empty:
            del self._lanes[lane.workspace_id]
            if self._closing and not self._lanes:
                self._drained.set()

    async def _commit(self, wire: Wire, batch: list[Waiting]) -> None:
        """Commit until a verdict. When the connection breaks, the outcome is unknown: the same ids go again.

        Raises `LockNotAvailable` when others hold the log: then nothing was done.
        """
        for attempt in count():
            try:
                if wire.connection is None or wire.connection.closed:
                    wire.connection = await self._connect()
                began = perf_counter()
                appends = [waiting.append for waiting in batch]
                failpoints.reach(failpoints.COMMITTER_SENDING)
                verdicts = await event_store.append(wire.connection, appends)
                failpoints.reach(failpoints.COMMITTER_COMMITTED)
            except LockNotAvailable:
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                log.warning("append not answered, sending it again", extra={"error": str(error), "attempt": attempt})
                self.counts.resent += 1
                await wire.close()
                await asyncio.sleep(RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)])
            except Exception as error:
                await self._isolate(wire, batch, error)
                return
            else:
                self.counts.batch(appends, verdicts, perf_counter() - began)
                self._answer_all(batch, verdicts)
                return

    async def _isolate(self, wire: Wire, batch: list[Waiting], error: Exception) -> None:
        """One append that the database refuses as such must not take the others of its batch with it."""
        if len(batch) > 1:
            for waiting in batch:
                await self._commit(wire, [waiting])
            return
        self.counts.failed += 1
        log.error("append refused by the database", exc_info=error)
        _fail(batch, error)

    def _answer_all(self, batch: list[Waiting], verdicts: list[Verdict]) -> None:
        for waiting, verdict in zip(batch, verdicts, strict=True):
            waiting.answer(verdict)
        failpoints.reach(failpoints.COMMITTER_ANSWERED)
        added = [
            (verdict.position, fact.event)
            for waiting, verdict in zip(batch, verdicts, strict=True)
            if verdict.outcome is Outcome.COMMITTED
            for fact in waiting.append.facts
        ]
        if added:
            kinds = frozenset(kind_of(event) for event in {type(event) for _, event in added})
            self._announce(batch[0].append.workspace_id, max(position for position, _ in added), kinds)


def _fail(waiting: Iterable[Waiting], error: Exception) -> None:
    for each in waiting:
        each.fail(error)


def _unavailable(code: str, detail: str) -> Unavailable:
    return Unavailable(code, detail, retry_after=1)
