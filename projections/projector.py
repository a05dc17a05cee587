"""The projector: the worker that keeps the read tables at the end of the log and publishes what changed."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from time import monotonic
from typing import Final

import psycopg
from msgspec.structs import replace
from psycopg.errors import ObjectNotInPrerequisiteState
from psycopg_pool import PoolTimeout
from redis.asyncio import Redis

from domain import failpoints, messages
from domain.messages import APPENDED_CHANNEL, PROJECTED_CHANNEL, Projected
from projections import builds, checkpoints
from projections.batch import Batch, project
from projections.builds import Build
from projections.checkpoints import Lag
from projections.counting import Projections
from projections.database import Connection, Pool
from projections.ending import end
from projections.hints import Listener, Sender
from projections.pacing import Lane, Pace, ProjectorSettings, pause_after
from projections.progress import Held, Progress
from projections.registry import PROJECTIONS

log: Final = logging.getLogger(__name__)

LONGEST_REST: Final = 0.01  # seconds

# No event is to blame for these.
AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError)


class Projector:
    """Keeps every projection of every workspace up to date, together with any number of others of its kind.

    `lease` names this worker; only who holds the lease of a build can write it.
    """

    def __init__(self, pool: Pool, redis: Redis, lease: str, settings: ProjectorSettings | None = None) -> None:
        self._pool = pool
        self._lease = lease
        self._settings = settings or ProjectorSettings()
        self._sender = Sender(redis)
        self._listener = Listener(redis, APPENDED_CHANNEL, self._hinted)
        self._progress: dict[Lane, Progress] = {}
        self._held = Held()
        self._begun: dict[Lane, int] = {}  # where the last batch began
        self._pace = Pace(self._settings)
        self._tries: dict[Lane, int] = {}  # as in the checkpoint when it was claimed
        self._wanted: set[Lane] = set()
        self._shares: dict[Lane, float] = {}
        self._awake = asyncio.Event()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(self._settings.lanes)
        self._filling = asyncio.Semaphore(1)
        self._stopping = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self.counts = Projections()

    @property
    def listener(self) -> Listener:
        """What brings the hints that a log has grown."""
        return self._listener

    @property
    def lease(self) -> str:
        """What names this worker."""
        return self._lease

    @property
    def leases(self) -> int:
        """How many builds this worker holds."""
        return len(self._progress)

    async def start(self) -> None:
        """Begin to work in the background."""
        self._sender.start()
        self._listener.start()
        self._main = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the batches under way, give back the leases, and end."""
        self._stopping.set()
        await end(self._main)
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)
        await self._listener.stop()
        await self._sender.stop()
        try:
            async with self._pool.connection(timeout=1.0) as connection:
                await checkpoints.release(connection, self._lease)
        except (psycopg.Error, OSError) as error:
            log.warning("leases not given back, they run out by themselves", extra={"error": str(error)})

    async def run_once(self, workspace_id: str, name: str, build: int | None = None) -> int:
        """Project one batch of a projection of a workspace, of its live build or of one that is being filled.

        Answers how many positions were read.
        """
        batch = await self._batch(Lane(workspace_id, name, build))
        return 0 if batch is None else batch.to - batch.after

    async def _batch(self, lane: Lane) -> Batch | None:
        """Project one batch and publish it. None while another worker holds the lease."""
        workspace_id, name, build = lane
        began = monotonic()
        async with self._pool.connection() as connection:
            try:
                progress = await self._claimed(connection, lane)
                if progress is None:
                    return None
                self._begun[lane] = progress.position
                batch = await self._project(connection, lane, progress)
            except ObjectNotInPrerequisiteState:
                self.counts.fenced(name)
                log.info("another worker took over", extra={"workspace": workspace_id, "projection": name})
                self._forget(lane)
                self._pace.failed(lane)  # perhaps its lease ended before the batch did
                self._want([lane])  # or another build has become live: this one is no longer of interest, that one is
                return None
            except BaseException:
                self.counts.failed(name)
                self._forget(lane)  # whether the batch was committed is for the next claim to find out
                self._pace.failed(lane)
                raise
        failpoints.reach(failpoints.PROJECTOR_COMMITTED)
        self._pace.went(lane, batch.to - batch.after, monotonic() - began)
        if build is None and batch.to > batch.after:
            self.counts.batch(name, batch.to - batch.after, monotonic() - began)
            self._publish(Projected(workspace_id, name, batch.after, batch.to, batch.tasks, batch.accesses))
        return batch

    def _publish(self, projected: Projected) -> None:
        """With the changes to those with sockets of the workspace, without to all; that there are none, to all."""
        if projected.tasks:
            self._sender.send(messages.channel_of(projected), messages.encode(projected))
            projected = replace(projected, tasks=None)
        self._sender.send(PROJECTED_CHANNEL, messages.encode(projected))

    async def _project(self, connection: Connection, lane: Lane, progress: Progress) -> Batch:
        return await project(
            connection,
            lane.workspace_id,
            PROJECTIONS[lane.projection],
            progress,
            self._lease,
            self._pace.positions(lane),
            self._held,
            most_bytes=self._settings.most_bytes,
            lease_seconds=self._settings.lease_seconds,
        )

    async def _claimed(self, connection: Connection, lane: Lane) -> Progress | None:
        """What this worker holds of the build; None while another one holds the lease.

        A worker that still has its progress goes on without asking: its next commit fails if it was overtaken.
        """
        progress = self._progress.get(lane)
        if progress is not None:
            return progress
        workspace_id, name, build = lane
        seconds = self._settings.lease_seconds
        if build is None:
            claim = await checkpoints.claim(connection, workspace_id, name, self._lease, seconds)
        else:
            claim = await builds.claim(connection, workspace_id, name, build, self._lease, seconds)
        if claim is None:
            return None
        if claim.failed_at is not None:  # not to find out again where it stops
            self._pace.at_most(lane, claim.failed_at - claim.position - 1)
        self._tries[lane] = claim.tries
        progress = self._progress[lane] = Progress(claim.position, claim.build, live=build is None)
        return progress

    def _forget(self, lane: Lane) -> None:
        """What is held of the build is void."""
        progress = self._progress.pop(lane, None)
        if progress is not None:
            self._held.forget(progress)

    # ----------------------------------------------------------------------------------------------- what is to be done

    def _hinted(self, message: bytes) -> None:
        hint = messages.decode_appended(message)
        self._want(Lane(hint.workspace_id, table.name) for table in PROJECTIONS.values() if table.wakes & hint.kinds)

    def _want(self, lanes: Iterable[Lane]) -> None:
        self._wanted.update(lane for lane in lanes if not self._pace.rests(lane))
        self._awake.set()

    async def _run(self) -> None:
        look_at = 0.0
        while not self._stopping.is_set():
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
        """Find the builds that are behind their log, whatever hints were lost."""
        try:
            async with self._pool.connection() as connection:
                behind = await checkpoints.lags(connection, list(PROJECTIONS), behind=True)
                filling = await builds.filling(connection, list(PROJECTIONS))
        except (psycopg.Error, OSError) as error:
            log.warning("the database is away", extra={"error": str(error)})
        else:
            for lag in behind:
                self._compare(Lane(lag.workspace_id, lag.projection), lag)
            self._fill(filling)

    def _fill(self, filling: list[Build]) -> None:
        """These builds are to be filled, and no others any more."""
        lanes = {Lane(build.workspace_id, build.projection, build.build): build for build in filling}
        for lane in [lane for lane in self._progress if lane.build is not None and lane not in lanes]:
            if lane not in self._lanes:
                self._forget(lane)
        self._shares = {lane: build.share or self._settings.share for lane, build in lanes.items()}
        for lane, build in lanes.items():
            if build.position < build.head:
                self._compare(lane, build)

    def _compare(self, lane: Lane, found: Lag | Build) -> None:
        """This one is behind. What is held beyond its checkpoint is void: a crash of the server that took back commits
        that had not reached the disk has set it back.
        """
        held = self._progress.get(lane)
        if held is not None and held.position > found.position and lane not in self._lanes:
            self._forget(lane)
        if not self._pace.rests(lane, found.tries):
            self._wanted.add(lane)

    # ------------------------------------------------------------------------------------------------------------ lanes

    def _open(self, lane: Lane) -> None:
        """A lane: the batches of one build, one after another. Lanes run side by side."""
        work = self._catch_up(lane) if lane.build is None else self._fill_up(lane)
        self._lanes[lane] = asyncio.create_task(work)
        self._lanes[lane].add_done_callback(lambda _: self._close(lane))

    def _close(self, lane: Lane) -> None:
        del self._lanes[lane]
        if lane in self._wanted:
            self._awake.set()

    async def _catch_up(self, lane: Lane) -> None:
        """Turn by turn: whoever has waited longest comes next, so a long catch-up holds up nobody."""
        more = True
        while more and not self._stopping.is_set():
            async with self._room:
                began = monotonic()
                more = await self._turn(lane)
                # As long again as the last batch took: under load the next one is larger, and cheaper an event.
                rest = max(min(monotonic() - began, LONGEST_REST), PROJECTIONS[lane.projection].rest)
        await asyncio.sleep(0 if self._stopping.is_set() else rest)

    async def _turn(self, lane: Lane) -> bool:
        """Some batches. Whether more is waiting: of what comes later a hint will tell, or the next look."""
        for _ in range(self._settings.turn):
            if self._stopping.is_set() or not await self._full_batch(lane):
                return False
        return True

    async def _fill_up(self, lane: Lane) -> None:
        """One build at a time, batch by batch, with pauses; what is live goes first."""
        more = True
        while more and not self._stopping.is_set():
            async with self._filling:
                began, positions = monotonic(), self._pace.positions(lane)
                more = not self._room.locked() and await self._full_batch(lane)
                seconds = monotonic() - began
                if more:
                    self._pace.filled(lane, positions, seconds)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_after(seconds, self._shares.get(lane, self._settings.share))):
                        await self._stopping.wait()

    async def _full_batch(self, lane: Lane) -> bool:
        """Project a batch. Whether more is waiting.

        Only this lane stops here when it fails. It is said loudly, and tried again after a pause.
        """
        most = self._pace.positions(lane)
        try:
            batch = await self._batch(lane)
        except Exception as error:
            extra = {"workspace": lane.workspace_id, "projection": lane.projection, "build": lane.build}
            log.exception("projection failed", extra=extra)
            await self._record(lane, error, exact=most == 1 and not isinstance(error, AWAY))
            self._pace.pause(lane, most, self._tries.get(lane, 0))
            return False
        return batch is not None and batch.to < batch.head

    async def _record(self, lane: Lane, error: Exception, *, exact: bool) -> None:
        workspace_id, name, build = lane
        said = f"{type(error).__name__}: {error}"[:500]
        try:
            async with self._pool.connection() as connection:
                after = self._begun.get(lane) if exact else None
                await checkpoints.fail(connection, workspace_id, name, said, build=build, after=after)
        except (psycopg.Error, OSError):
            log.warning("the failure could not be put on record", extra={"workspace": workspace_id})
