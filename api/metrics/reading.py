"""The families of the read side: how far projections are behind, and what a worker does about it."""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

import psycopg
from prometheus_client.metrics_core import Metric
from psycopg_pool import PoolTimeout

from api.database import Pool
from api.mailer import Mailer
from api.metrics import families
from commands.outbox import Waiting, waiting
from projections import standing, timers
from projections.counting import Projections
from projections.drift_worker import DriftWatch
from projections.standing import Logs, Standing

FRESH_SECONDS: Final = 1.0  # asked more often, PostgreSQL is not asked again
ANSWER_SECONDS: Final = 2.0


class Behind:
    """Where the projections stand beside the logs, asked of PostgreSQL when somebody asks us."""

    def __init__(self, pool: Pool, projections: Sequence[str]) -> None:
        self._pool = pool
        self._projections = list(projections)
        self._asking = asyncio.Lock()
        self._asked_at = -FRESH_SECONDS
        self._logs: Logs | None = None
        self._standings: list[Standing] = []
        self._mails: Waiting | None = None
        self._late: float | None = None

    async def look(self) -> None:
        """Ask, if what is known is not fresh. An answer that does not come leaves the families empty."""
        async with self._asking:
            if monotonic() - self._asked_at < FRESH_SECONDS:
                return
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._pool.connection(ANSWER_SECONDS) as connection:
                    self._standings = await standing.standings(connection, self._projections)
                    self._logs = await standing.logs(connection)
                    self._mails = await waiting(connection)
                    self._late = await timers.late(connection)
            except (psycopg.Error, PoolTimeout, TimeoutError, OSError):
                self._standings, self._logs, self._mails, self._late = [], None, None, None
            self._asked_at = monotonic()

    def forget(self) -> None:
        """Ask again the next time."""
        self._asked_at = -FRESH_SECONDS

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield families.gauge(
            "taskfold_database_up", "1 when PostgreSQL answered when it was last asked, else 0.", self._logs is not None
        )
        counted: dict[tuple[str, ...], Logs] = {} if self._logs is None else {(): self._logs}
        events = {labels: logs.events for labels, logs in counted.items()}
        workspaces = {labels: logs.workspaces for labels, logs in counted.items()}
        yield families.gauges("taskfold_log_events", "Events in the logs of all workspaces.", (), events)
        yield families.gauges("taskfold_log_workspaces", "Workspaces, each with a log.", (), workspaces)
        for name, description, field in MAILS:
            counts: dict[tuple[str, ...], float] = {} if self._mails is None else {(): getattr(self._mails, field)}
            yield families.gauges(name, description, (), counts)
        late: dict[tuple[str, ...], float] = {} if self._late is None else {(): self._late}
        yield families.gauges(*LATE, (), late)
        for name, description, attribute in STANDINGS:
            values = {each.projection: getattr(each, attribute) for each in self._standings}
            yield families.gauges(name, description, ("projection",), values)


MAILS: Final = (
    ("taskfold_mails_waiting", "Mails that wait to be sent; those that were refused for good do not.", "mails"),
    (
        "taskfold_mail_oldest_waiting_seconds",
        "Age of the oldest mail that waits to be sent, 0 when none does.",
        "seconds",
    ),
)

LATE: Final = (
    "taskfold_timer_late_seconds",
    "For how long the oldest moment that has come waits for a scheduler, 0 when none does.",
)

STANDINGS: Final = (
    (
        "taskfold_projection_lag_events",
        "Positions of the logs that the projection has not taken in, over all workspaces.",
        "lag",
    ),
    (
        "taskfold_projection_lag_seconds",
        "Age of the oldest event that the projection has not taken in, of any workspace; 0 when there is none.",
        "seconds",
    ),
    (
        "taskfold_projection_workspaces_behind",
        "Workspaces in which the projection has not taken in the whole log.",
        "behind",
    ),
    (
        "taskfold_projection_workspaces_failing",
        "Workspaces in which the projection has stopped at an event that it cannot take in.",
        "failing",
    ),
    (
        "taskfold_projection_workspaces_leased",
        "Workspaces in which a worker holds the lease of the projection.",
        "leased",
    ),
    (
        "taskfold_projection_workspaces_rebuilding",
        "Workspaces in which another build of the projection is filled beside the live one.",
        "rebuilding",
    ),
    (
        "taskfold_projection_passed_over_events",
        "Events that somebody decided to leave out of the projection.",
        "passed_over",
    ),
)


def worked(counts: Projections, names: Sequence[str]) -> Iterator[Metric]:
    """What a worker has projected."""
    mine = {name: counts.by_name[name] for name in names}
    label = ("projection",)
    yield families.histograms(
        "taskfold_worker_batch_seconds",
        "Time of a batch of a live build, from reading the log to the commit of its rows.",
        label,
        [((name,), each.seconds) for name, each in mine.items()],
    )
    for metric, description, attribute in WORKED:
        values = {name: getattr(each, attribute) for name, each in mine.items()}
        yield families.counters(metric, description, label, values)


WORKED: Final = (
    (
        "taskfold_worker_positions_total",
        "Positions of logs that were read and projected into live builds.",
        "positions",
    ),
    ("taskfold_worker_batch_failures_total", "Batches that failed.", "failed"),
    (
        "taskfold_worker_fenced_total",
        "Batches that were given up because another worker had taken over.",
        "fenced",
    ),
)


def mailed(mailer: Mailer) -> Iterator[Metric]:
    """What became of the mails that a worker took."""
    yield families.counter("taskfold_mails_sent_total", "Mails that were handed over to the mail server.", mailer.sent)
    yield families.counter(
        "taskfold_mail_failures_total", "Tries to send a mail that failed; most are made again.", mailer.failed
    )


def drifted(watch: DriftWatch) -> Iterator[Metric]:
    """What the drift check has seen."""
    yield families.counters(
        "taskfold_drift_samples_total",
        "Streams that were folded again and compared with their rows.",
        ("projection",),
        watch.samples,
    )
    yield families.counters(
        "taskfold_drift_differences_total",
        "Differences between rows and the fold of their streams; one that stays is counted whenever it is met.",
        ("projection",),
        watch.differences,
    )
    yield families.counter(
        "taskfold_drift_failures_total", "Looks of the drift check that came to nothing.", watch.failed
    )
    yield families.gauge(
        "taskfold_drift_last_run_timestamp_seconds",
        "When the drift check last looked, in seconds of the epoch; 0 before the first time.",
        watch.last_run or 0,
    )
