"""Which numbers are on whose page."""

from asyncio import get_running_loop
from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from api.database import Pool
from api.job_worker import JobWorker
from api.mailer import Mailer
from api.metrics import families, process, reading, sockets, timing, writing
from api.metrics.page import Page
from api.metrics.requests import Requests
from api.scheduler import Scheduler
from api.services import Services
from api.settings import Settings
from projections.drift_worker import DriftWatch
from projections.projector import Projector
from projections.registry import PROJECTIONS


def of_api(services: Services, requests: Requests) -> Page:
    """The page of an API process."""
    settings = services.settings

    def own() -> Iterable[Metric]:
        yield from writing.appends(services.committer, get_running_loop().time())
        yield from writing.decisions(services.executor)
        yield from requests.collect()
        yield from sockets.pushed(services.hub.counts, services.missed.waiting, services.missed.served)
        yield from process.connections(services.pool)
        yield from process.hints(services.listener)

    behind = reading.Behind(services.pool, list(PROJECTIONS))
    return Page([own], behind, settings.metrics_dir, settings.metrics_token)


def of_worker(
    projector: Projector,
    watch: DriftWatch,
    mailer: Mailer,
    scheduler: Scheduler,
    pool: Pool,
    settings: Settings,
    *,
    jobs: JobWorker,
) -> Page:
    """The page of a worker."""

    def own() -> Iterable[Metric]:
        yield from reading.worked(projector.counts, list(PROJECTIONS))
        yield from reading.drifted(watch)
        yield from reading.mailed(mailer)
        yield from timing.scheduled(scheduler)
        yield from reading.worked_off(jobs)
        yield families.gauge("taskfold_worker_leases", "Leases that this worker holds or may renew.", projector.leases)
        yield from process.connections(pool)
        yield from process.hints(projector.listener)

    return Page([own], token=settings.metrics_token)
