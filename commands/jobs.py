"""Jobs: what is asked for once, done by a worker, and looked at meanwhile. Their rows are no facts.

A job belongs to whoever asked. Exactly one worker has its lease at a time, and every change that a worker makes says
with which lease: who was too slow, or is taken for dead, finds out by `LeaseLost` before it writes anything more here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from psycopg.rows import class_row

from commands.event_store import Connection, Pool
from commands.ids import new_id
from domain.errors import Conflict, Invalid, NotFound
from domain.job import ACTIVE, JobKind, JobState

KEPT_DAYS: Final = 30  # after it has ended
RECEIVING_DAYS: Final = 1  # of what never came as a whole
MOST_ACTIVE: Final = 10  # of one user
MOST_TRIES: Final = 5
SWEPT_AT_ONCE: Final = 5_000  # rows that one statement deletes

_SHOWN: Final = """
    job_id::text AS id, kind, owner_id::text, state, input, phase, done, total, counts, problem, position,
    instant(created_at) AS created_at, instant(updated_at) AS updated_at, instant(finished_at) AS finished_at
"""


class LeaseLost(Exception):  # noqa: N818  (a verdict: somebody else does the job, or nobody is to)
    """The job was cancelled, or another worker has it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. `done` of `total` are of its `phase`; `position` is that of its last event."""

    id: str
    kind: str
    owner_id: str
    state: str
    input: dict[str, Any]
    phase: str
    done: int
    total: int
    counts: dict[str, int]
    problem: dict[str, Any] | None
    position: int
    created_at: str
    updated_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that a worker has, and what it needs of it."""

    workspace_id: str
    id: str
    kind: str
    owner_id: str
    state: str
    input: dict[str, Any]
    counts: dict[str, int]
    position: int
    lease: str


class Jobs:
    """The table of jobs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(
        self, workspace_id: str, owner_id: str, kind: JobKind, input_: Mapping[str, Any], key: str | None
    ) -> str:
        """A job whose bytes are about to come. Raises `Conflict` `job.too_many`, unless the key was used before: then
        it is the job of then that will be answered.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await _one_at_a_time(connection, owner_id)
            if key is None or await self._by_key(connection, workspace_id, owner_id, key) is None:
                await _check_room(connection, workspace_id, owner_id, JobState.RECEIVING, *ACTIVE)
            job_id = new_id()
            await connection.execute(
                "INSERT INTO jobs (workspace_id, job_id, kind, owner_id, input) VALUES (%s, %s, %s, %s, %s)",
                (workspace_id, job_id, kind, owner_id, orjson.dumps(input_).decode()),
            )
        return job_id

    async def add_bytes(self, workspace_id: str, job_id: str, n: int, data: bytes) -> None:
        """Keep the n-th piece of what was sent with it."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO job_bytes (workspace_id, job_id, n, bytes) VALUES (%s, %s, %s, %s)",
                (workspace_id, job_id, n, data),
            )

    async def bytes_of(self, workspace_id: str, job_id: str, n: int) -> bytes | None:
        """The n-th piece, None past the last."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT bytes FROM job_bytes WHERE workspace_id = %s AND job_id = %s AND n = %s",
                (workspace_id, job_id, n),
                binary=True,
            )
            row = await cursor.fetchone()
        return None if row is None else bytes(row[0])

    async def discard(self, workspace_id: str, job_id: str) -> None:
        """Forget a job whose bytes did not come as a whole."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM jobs WHERE workspace_id = %s AND job_id = %s AND state = 'receiving'",
                (workspace_id, job_id),
            )

    async def queue(
        self,
        workspace_id: str,
        owner_id: str,
        job_id: str,
        *,
        size: int,
        sha256: str,
        key: str | None,
        fingerprint: str,
    ) -> tuple[Job, bool]:
        """Everything has come: let a worker take it. Answers the job, and whether the key was used before: then it is
        the one of then, and this one is forgotten.

        Raises `Invalid` `idempotency.key_reused`, `Conflict` `job.too_many`.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await _one_at_a_time(connection, owner_id)
            if key is not None:
                known = await self._by_key(connection, workspace_id, owner_id, key)
                if known is not None and known[1] != fingerprint:
                    detail = "this key was used before with another query or file"
                    raise Invalid("idempotency.key_reused", "/headers/idempotency-key", detail, key)
                if known is not None:
                    await connection.execute(
                        "DELETE FROM jobs WHERE workspace_id = %s AND job_id = %s", (workspace_id, job_id)
                    )
                    return known[0], True
            await _check_room(connection, workspace_id, owner_id, *ACTIVE)
            await connection.execute(
                """
                UPDATE jobs
                SET state = 'queued', key = %s, fingerprint = %s, total = %s, updated_at = clock_timestamp(),
                    input = (input::jsonb || jsonb_build_object('size', %s::bigint, 'sha256', %s::text))::json
                WHERE workspace_id = %s AND job_id = %s AND state = 'receiving'
                """,
                (key, fingerprint, size, size, sha256, workspace_id, job_id),
            )
            job = await _find(connection, workspace_id, job_id)
        assert job is not None
        return job, False

    async def _by_key(
        self, connection: Connection, workspace_id: str, owner_id: str, key: str
    ) -> tuple[Job, str | None] | None:
        cursor = await connection.execute(
            "SELECT job_id::text, fingerprint FROM jobs WHERE workspace_id = %s AND owner_id = %s AND key = %s",
            (workspace_id, owner_id, key),
        )
        row = await cursor.fetchone()
        job = None if row is None else await _find(connection, workspace_id, row[0])
        return None if row is None or job is None else (job, row[1])

    async def get(self, workspace_id: str, job_id: str) -> Job:
        """A job. Raises `NotFound`."""
        async with self._pool.connection() as connection:
            job = await _find(connection, workspace_id, job_id)
        if job is None:
            raise job_not_found()
        return job

    async def page(self, workspace_id: str, owner_id: str, before: str | None, limit: int) -> Sequence[Job]:
        """The jobs of a user, the newest first."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
            await cursor.execute(
                f"""
                SELECT {_SHOWN} FROM jobs
                WHERE workspace_id = %s AND owner_id = %s AND state <> 'receiving' AND (%s::uuid IS NULL OR job_id < %s)
                ORDER BY job_id DESC LIMIT %s
                """.encode(),  # noqa: S608  (a constant of ours)
                (workspace_id, owner_id, before, before, limit),
            )
            return await cursor.fetchall()

    async def cancel(self, workspace_id: str, job_id: str) -> Job:
        """End a job that has not ended: its worker finds out before it writes on. Raises `Conflict` `job.ended`.

        What was sent with it goes.
        """
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                """
                UPDATE jobs SET state = 'cancelled', lease = NULL, leased_until = '-infinity',
                       updated_at = clock_timestamp(), finished_at = clock_timestamp()
                WHERE workspace_id = %s AND job_id = %s AND state = ANY (%s)
                """,
                (workspace_id, job_id, list(ACTIVE)),
            )
            if cursor.rowcount:
                await _forget_bytes(connection, workspace_id, job_id)
            job = await _find(connection, workspace_id, job_id)
        if job is None:
            raise job_not_found()
        if not cursor.rowcount and job.state != JobState.CANCELLED:
            raise Conflict("job.ended", f"the job is {job.state!r} already", state=job.state)
        return job

    async def take(self, seconds: float) -> Taken | None:
        """The oldest job that nobody does, for so long; None where there is none."""
        lease = new_id()
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Taken)) as cursor:
            await cursor.execute(
                """
                UPDATE jobs SET lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
                WHERE (workspace_id, job_id) = (
                    SELECT workspace_id, job_id FROM jobs
                    WHERE state IN ('queued', 'checking', 'running') AND leased_until < clock_timestamp()
                    ORDER BY job_id LIMIT 1 FOR UPDATE SKIP LOCKED)
                RETURNING workspace_id::text, job_id::text AS id, kind, owner_id::text, state, input, counts, position,
                          lease::text
                """,
                {"lease": lease, "seconds": seconds},
            )
            return await cursor.fetchone()

    async def renew(self, taken: Taken, seconds: float) -> None:
        """Keep the lease for so much longer. Raises `LeaseLost`."""
        await self._change(
            taken, "leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)", seconds=seconds
        )

    async def check(self, taken: Taken) -> None:
        """Whether one may go on. Raises `LeaseLost`."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT lease = %s FROM jobs WHERE workspace_id = %s AND job_id = %s",
                (taken.lease, taken.workspace_id, taken.id),
            )
            row = await cursor.fetchone()
        if row is None or not row[0]:
            raise LeaseLost(taken.id)

    async def count(self, taken: Taken, counts: Mapping[str, int]) -> None:
        """Keep what is known so far, for whoever takes it up. Raises `LeaseLost`."""
        await self._change(taken, "counts = %(counts)s", counts=orjson.dumps(counts).decode())

    async def count_cancelled(self, taken: Taken, counts: Mapping[str, int]) -> None:
        """Say what had been done of a job when it was cancelled; nothing of one that goes on elsewhere."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                UPDATE jobs SET counts = %s, updated_at = clock_timestamp()
                WHERE workspace_id = %s AND job_id = %s AND state = 'cancelled'
                """,
                (orjson.dumps(counts).decode(), taken.workspace_id, taken.id),
            )

    async def progress(
        self, taken: Taken, state: JobState, phase: str, done: int, total: int, position: int = 0
    ) -> None:
        """Say how it stands. Raises `LeaseLost`."""
        await self._change(
            taken,
            """
            state = %(state)s, phase = %(phase)s, done = %(done)s, total = %(total)s, tries = 0,
            position = greatest(position, %(position)s), updated_at = clock_timestamp()
            """,
            state=state,
            phase=phase,
            done=done,
            total=total,
            position=position,
        )

    async def end(
        self, taken: Taken, state: JobState, counts: Mapping[str, int], problem: Mapping[str, Any] | None = None
    ) -> None:
        """It has ended, and what was sent with it goes. Raises `LeaseLost`."""
        await self._change(
            taken,
            """
            state = %(state)s, counts = %(counts)s, problem = %(problem)s, phase = 'ended', lease = NULL,
            leased_until = '-infinity', updated_at = clock_timestamp(), finished_at = clock_timestamp()
            """,
            state=state,
            counts=orjson.dumps(counts).decode(),
            problem=None if problem is None else orjson.dumps(problem, default=str).decode(),
        )
        async with self._pool.connection() as connection:
            await _forget_bytes(connection, taken.workspace_id, taken.id)

    async def give_back(self, taken: Taken, after: float = 0) -> None:
        """Let another worker take it, after so many seconds. Raises `LeaseLost`."""
        more = "leased_until = clock_timestamp() + make_interval(secs => %(after)s), lease = NULL"
        await self._change(taken, more, after=after)

    async def failed_try(self, taken: Taken, after: float) -> bool:
        """It could not go on, and nobody knows why. Whether somebody should try again, after so many seconds."""
        more = "tries = tries + 1, leased_until = clock_timestamp() + make_interval(secs => %(after)s)"
        return await self._change(taken, more, after=after) < MOST_TRIES

    async def sweep(self) -> int:
        """Delete what ended long ago, a part at a time, and what never came as a whole. Answers how many jobs."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT workspace_id::text, job_id::text FROM jobs
                WHERE state IN ('receiving', 'done', 'failed', 'cancelled') AND updated_at < clock_timestamp()
                    - make_interval(days => CASE WHEN state = 'receiving' THEN %s ELSE %s END)
                LIMIT 100
                """,
                (RECEIVING_DAYS, KEPT_DAYS),
            )
            old = await cursor.fetchall()
            for workspace_id, job_id in old:
                await delete_lines(connection, workspace_id, job_id)
                await connection.execute(
                    "DELETE FROM jobs WHERE workspace_id = %s AND job_id = %s", (workspace_id, job_id)
                )
        return len(old)

    async def _change(self, taken: Taken, what: str, **values: Any) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"""
                UPDATE jobs SET {what}
                WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND lease = %(lease)s
                  AND state IN ('queued', 'checking', 'running')
                RETURNING tries
                """.encode(),  # noqa: S608  (constants of ours)
                {"workspace_id": taken.workspace_id, "job_id": taken.id, "lease": taken.lease, **values},
            )
            row = await cursor.fetchone()
        if row is None:
            raise LeaseLost(taken.id)
        return int(row[0])


async def _one_at_a_time(connection: Connection, owner_id: str) -> None:
    """Until the transaction ends nobody else begins or queues a job of this user, or two would count the same."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('jobs ' || %s, 0))", (owner_id,))


async def _check_room(connection: Connection, workspace_id: str, owner_id: str, *states: JobState) -> None:
    """Raises `Conflict` `job.too_many`. What has been coming for longer than it can is not counted."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM jobs WHERE workspace_id = %s AND owner_id = %s AND state = ANY (%s)
          AND (state <> 'receiving' OR created_at > clock_timestamp() - interval '1 hour')
        """,
        (workspace_id, owner_id, list(states)),
    )
    row = await cursor.fetchone()
    if row is not None and row[0] >= MOST_ACTIVE:
        detail = f"a user has at most {MOST_ACTIVE} jobs that have not ended; wait for one, or cancel one"
        raise Conflict("job.too_many", detail)


async def _forget_bytes(connection: Connection, workspace_id: str, job_id: str) -> None:
    """What was sent is needed no more."""
    await connection.execute("DELETE FROM job_bytes WHERE workspace_id = %s AND job_id = %s", (workspace_id, job_id))


async def delete_lines(connection: Connection, workspace_id: str, job_id: str) -> None:
    """Forget what became of the lines, a part at a time."""
    while True:
        cursor = await connection.execute(
            """
            DELETE FROM job_lines WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s AND line IN (
                SELECT line FROM job_lines WHERE workspace_id = %(workspace_id)s AND job_id = %(job_id)s LIMIT %(most)s)
            """,
            {"workspace_id": workspace_id, "job_id": job_id, "most": SWEPT_AT_ONCE},
        )
        if cursor.rowcount < SWEPT_AT_ONCE:
            return


async def _find(connection: Connection, workspace_id: str, job_id: str) -> Job | None:
    async with connection.cursor(row_factory=class_row(Job)) as cursor:
        await cursor.execute(
            f"SELECT {_SHOWN} FROM jobs WHERE workspace_id = %s AND job_id = %s AND state <> 'receiving'".encode(),  # noqa: S608
            (workspace_id, job_id),
        )
        return await cursor.fetchone()


def job_not_found() -> NotFound:
    """Unknown, or somebody else's: one and the same answer."""
    return NotFound("job.not_found", "no job with this id is visible to you")
