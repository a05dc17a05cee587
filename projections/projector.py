"""The projector: the worker that keeps the read tables at the end of the log and publishes what changed."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import psycopg
from psycopg.errors import ObjectNotInPrerequisiteState
from redis.asyncio import Redis

from domain import messages
from domain.messages import APPENDED_CHANNEL, PROJECTED_CHANNEL, Projected
from projections import checkpoints
from projections.batch import Progress, project
from projections.database import Connection, Pool
from projections.hints import Listener, Sender
from projections.tasks import TASKS
from projections.users import USERS

log: Final = logging.getLogger(__name__)

TABLES: Final = {table.name: table for table in (TASKS, USERS)}

LONGEST_REST: Final = 0.01  # seconds

Lane = tuple[str, str]  # a workspace and a projection of it


@dataclass(frozen=True, slots=True)
class ProjectorSettings:
    """`poll_seconds`: how long a lost hint may delay a change; `most`: positions in one batch, fewer after a failure;
    `lanes`: workspaces that are projected at the same time; `retry_seconds`: the pause after a failure.
    """

    poll_seconds: float = 0.25
    most: int = 10_000
    lanes: int = 4
    retry_seconds: float = 1.0


class Projector:
    """Keeps every projection of every workspace up to date, together with any number of others of its kind.

    `lease` names this worker; only who holds the lease of a projection of a workspace can write it.
    """

    def __init__(self, pool: Pool, redis: Redis, lease: str, settings: ProjectorSettings | None = None) -> None:
        self._pool = pool
        self._lease = lease
        self._settings = settings or ProjectorSettings()
        self._sender = Sender(redis)
        self._listener = Listener(redis, APPENDED_CHANNEL, self._hinted)
        self._progress: dict[Lane, Progress] = {}
        self._most: dict[Lane, int] = {}  # of those that failed and have not recovered yet
        self._wanted: set[Lane] = set()
        self._awake = asyncio.Event()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(self._settings.lanes)
        self._stopping = False
        self._main: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work in the background."""
        self._sender.start()
        self._listener.start()
        self._main = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the batches under way, give back the leases, and end."""
        self._stopping = True
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)
        await self._listener.stop()
        await self._sender.stop()
        try:
            async with self._pool.connection(timeout=1.0) as connection:
                await checkpoints.release(connection, self._lease)
        except (psycopg.Error, OSError) as error:
            log.warning("leases not given back, they run out by themselves", extra={"error": str(error)})

    async def run_once(self, workspace_id: str, name: str) -> int:
        """Project one batch of a projection of a workspace. Answers how many positions were read."""
        table = TABLES[name]
        lane = (workspace_id, name)
        async with self._pool.connection() as connection:
            try:
                progress = await self._claimed(connection, lane)
                if progress is None:
                    return 0
                most = self._most.get(lane, self._settings.most)
                batch = await project(connection, workspace_id, table, progress, self._lease, most)
            except ObjectNotInPrerequisiteState:
                log.info("another worker took over", extra={"workspace": workspace_id, "projection": name})
                self._progress.pop(lane, None)
                return 0
            except BaseException:
                self._progress.pop(lane, None)  # whether the batch was committed is for the next claim to find out
                # A batch that was too much for the time or the memory there is gets through in parts, and what comes
                # before an event that cannot be read is not kept waiting by it.
                self._most[lane] = max(1, self._most.get(lane, self._settings.most) // 10)
                raise
        self._grow(lane)
        if batch.to > batch.after:
            message = Projected(workspace_id, name, batch.after, batch.to, batch.tasks, batch.roles)
            self._sender.send(PROJECTED_CHANNEL, messages.encode(message))
        return batch.to - batch.after

    async def _claimed(self, connection: Connection, lane: Lane) -> Progress | None:
        """What this worker holds of the projection; None while another one holds the lease.

        A worker that still has its progress goes on without asking: its next commit fails if it was overtaken.
        """
        progress = self._progress.get(lane)
        if progress is None:
            position = await checkpoints.claim(connection, *lane, self._lease)
            if position is None:
                return None
            progress = self._progress[lane] = Progress(position)
        return progress

    def _grow(self, lane: Lane) -> None:
        """After a failure, come back to whole batches step by step."""
        if lane in self._most:
            self._most[lane] *= 2
            if self._most[lane] >= self._settings.most:
                del self._most[lane]

    def _hinted(self, message: bytes) -> None:
        hint = messages.decode_appended(message)
        self._want((hint.workspace_id, table.name) for table in TABLES.values() if table.wakes & hint.kinds)

    def _want(self, lanes: Iterable[Lane]) -> None:
        self._wanted.update(lanes)
        self._awake.set()

    async def _run(self) -> None:
        look_at = 0.0
        while not self._stopping:
            # Not `wait_for`: that of Python 3.11 swallows a cancellation that comes together with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, look_at - monotonic())):
                    await self._awake.wait()
            self._awake.clear()
            if monotonic() >= look_at:
                await self._look()
                look_at = monotonic() + self._settings.poll_seconds
            for lane in self._wanted - self._lanes.keys():  # the others are looked at again when they end
                self._wanted.discard(lane)
                self._open(lane)

    async def _look(self) -> None:
        """Find the projections that are behind their log, whatever hints were lost."""
        try:
            async with self._pool.connection() as connection:
                behind = await checkpoints.lags(connection, list(TABLES), behind=True)
        except (psycopg.Error, OSError) as error:
            log.warning("the database is away", extra={"error": str(error)})
        else:
            for lag in behind:
                self._compare((lag.workspace_id, lag.projection), lag.position)

    def _compare(self, lane: Lane, position: int) -> None:
        """This one is behind. What is held beyond its checkpoint is void: a rebuild, or a crash of the server that
        took back commits that had not reached the disk, has set it back.
        """
        held = self._progress.get(lane)
        if held is not None and held.position > position and lane not in self._lanes:
            del self._progress[lane]
        self._wanted.add(lane)

    def _open(self, lane: Lane) -> None:
        """A lane: the batches of one projection of one workspace, one after another. Lanes run side by side."""
        self._lanes[lane] = asyncio.create_task(self._catch_up(lane))
        self._lanes[lane].add_done_callback(lambda _: self._close(lane))

    def _close(self, lane: Lane) -> None:
        del self._lanes[lane]
        if lane in self._wanted:
            self._awake.set()

    async def _catch_up(self, lane: Lane) -> None:
        async with self._room:
            try:
                began = monotonic()
                while not self._stopping and await self._full_batch(lane):
                    began = monotonic()
            except Exception as error:
                # Only this projection of this workspace stops here. It is said loudly, and tried again after a pause.
                log.exception("projection failed", extra={"workspace": lane[0], "projection": lane[1]})
                await self._record(lane, error)
                rest = self._settings.retry_seconds
            else:
                # As long again as the last batch took: under load the next one is larger, and cheaper an event.
                rest = min(monotonic() - began, LONGEST_REST)
        await asyncio.sleep(0 if self._stopping else rest)

    async def _full_batch(self, lane: Lane) -> bool:
        """Project a batch. Whether it was a full one, so that more is waiting; of what comes later a hint will tell."""
        most = self._most.get(lane, self._settings.most)
        return await self.run_once(*lane) >= most

    async def _record(self, lane: Lane, error: Exception) -> None:
        try:
            async with self._pool.connection() as connection:
                await checkpoints.fail(connection, *lane, f"{type(error).__name__}: {error}"[:500])
        except (psycopg.Error, OSError):
            log.warning("the failure could not be put on record", extra={"workspace": lane[0]})
