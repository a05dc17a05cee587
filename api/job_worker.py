"""The worker of jobs: takes the oldest that nobody does, and does it to its end, or as far as it comes."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from api.database import connector
from commands.committer import Announce, Committer
from commands.event_store import EventStore, Pool
from commands.execute import Executor
from commands.import_job import ImportJob
from commands.jobs import Jobs, LeaseLost, Taken
from commands.streams import Streams
from domain.errors import Unavailable
from domain.job import JobKind, JobState
from projections import teams
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 3_600.0
LEASE_SECONDS: Final = 5.0  # how long after the death of a worker another one goes on
RENEW_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 2.0  # before another try, where the database or the log was away
FIND_OUT_SECONDS: Final = 5.0  # for a job to see by itself that it was cancelled, and to say what it has done
STREAMS_MOST: Final = 2_500  # folded ones in memory: tasks that are imported are looked at once


class JobWorker:
    """Any number of them may run at once. `done` and `failed` count jobs since the start."""

    def __init__(
        self, pool: Pool, database_url: str, announce: Announce, *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._pool = pool
        self._jobs = Jobs(pool)
        self._lease_seconds = lease_seconds
        store = EventStore(pool)
        self._streams = Streams(store, STREAMS_MOST)
        self._committer = Committer(connector(database_url), announce, connections=2)
        self._executor = Executor(store, self._streams, self._committer)
        self._task: asyncio.Task[None] | None = None
        self._swept_at = -SWEEP_SECONDS
        self.done = 0
        self.failed = 0

    async def start(self) -> None:
        """Begin in the background."""
        self.begin()
        self._task = asyncio.create_task(self._run())

    def begin(self) -> None:
        """Be ready for `run_once`."""
        self._committer.start()

    async def stop(self) -> None:
        """Stop; a job under way is given back, for whoever comes next."""
        await end(self._task)
        await self._committer.stop()
        await self._streams.stop()

    async def run_once(self) -> bool:
        """Do one job. Answers whether there was one."""
        if monotonic() - self._swept_at >= SWEEP_SECONDS:
            await self._jobs.sweep()
            self._swept_at = monotonic()
        taken = await self._jobs.take(self._lease_seconds)
        if taken is None:
            return False
        doing = asyncio.create_task(self._do(taken))
        try:
            await self._keep(taken, doing)
        except asyncio.CancelledError:
            await end(doing)
            with suppress(psycopg.Error, PoolTimeout, LeaseLost):
                await self._jobs.give_back(taken)
            raise
        finally:
            await end(doing)
        return True

    async def _keep(self, taken: Taken, doing: "asyncio.Task[None]") -> None:
        """Renew the lease for as long as the job is done."""
        while not (await asyncio.wait({doing}, timeout=min(RENEW_SECONDS, self._lease_seconds / 4)))[0]:
            try:
                await self._jobs.renew(taken, self._lease_seconds)
            except LeaseLost:
                await asyncio.wait({doing}, timeout=FIND_OUT_SECONDS)
                await end(doing)
                log.info("a job was cancelled, or another worker has it", extra={"job": taken.id})
            except (psycopg.OperationalError, PoolTimeout) as error:  # the next time, or another worker goes on
                log.warning("a lease was not renewed", extra={"job": taken.id, "error": str(error)})
        if not doing.cancelled():
            doing.result()

    async def _do(self, taken: Taken) -> None:
        try:
            await self._job(taken).run()
            self.done += 1
        except LeaseLost:
            log.info("a job was cancelled, or another worker has it", extra={"job": taken.id})
        except (psycopg.OperationalError, PoolTimeout, Unavailable, OSError) as error:
            log.warning("a job waits", extra={"job": taken.id, "error": str(error)})
            with suppress(LeaseLost):
                await self._jobs.give_back(taken, AGAIN_SECONDS)
        except Exception:
            log.exception("a job could not go on", extra={"job": taken.id})
            with suppress(LeaseLost):
                if not await self._jobs.failed_try(taken, AGAIN_SECONDS):
                    self.failed += 1
                    problem = {"code": "job.failed", "detail": "it could not go on, again and again; it was logged"}
                    await self._jobs.end(taken, JobState.FAILED, {}, problem)

    def _job(self, taken: Taken) -> ImportJob:
        match taken.kind:
            case JobKind.IMPORT:
                return ImportJob(self._pool, self._jobs, self._executor, self._streams, self._teams, taken)
        raise ValueError(f"no job is known as {taken.kind!r}")

    async def _teams(self, workspace_id: str, name: str) -> Sequence[str]:
        async with self._pool.connection() as connection:
            return await teams.named(connection, workspace_id, name)

    async def _run(self) -> None:
        while True:
            try:
                if await self.run_once():
                    continue
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("jobs were not looked for", extra={"error": str(error)})
            except Exception:  # a worker that ends in silence would keep everybody waiting
                log.exception("jobs were not looked for")
            await asyncio.sleep(POLL_SECONDS)
