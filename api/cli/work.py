"""`taskfold work`: the projectors, the watch for drift, the scheduler, the mailer, and the sweeper of files."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import click
import uvloop

from api import failpoints, garbage, logs, settings
from api.cli import fail
from api.database import DatabaseAwayError, Pool, make_pool, wait_until_it_answers
from api.mailer import Mailer
from api.metrics import wiring
from api.metrics.serving import CannotListenError, served
from api.relay import Relay
from api.scheduler import Scheduler
from api.services import make_redis
from api.sweeper import Sweeper
from api.timekeeping import Timekeeping
from commands.ids import new_id
from commands.outbox import Outbox
from projections.drift_worker import DriftSettings, DriftWatch
from projections.projector import Projector
from projections.registry import PROJECTIONS

log: Final = logging.getLogger(__name__)


@click.command()
@click.option("--metrics-host", help="Address for the metrics; TASKFOLD_WORK_METRICS_HOST, 127.0.0.1 by default.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    help="Serve metrics for Prometheus at this port; TASKFOLD_WORK_METRICS_PORT, none by default.",
)
def work(metrics_host: str | None, metrics_port: int | None) -> None:
    """Keep the read tables up to date, publish what changes, let happen what is due, send mails, until told to stop."""
    chosen = {"WORK_METRICS_HOST": metrics_host, "WORK_METRICS_PORT": metrics_port}
    given = {f"{settings.PREFIX}{name}": str(value) for name, value in chosen.items() if value is not None}
    try:
        loaded = settings.load({**os.environ, **given})
        settings.prepare(loaded)
        failpoints.install(os.environ)
        wait_until_it_answers(loaded.database_url)
    except (settings.SettingsError, DatabaseAwayError) as error:
        fail(error)
    logs.configure(loaded.log_format, loaded.log_level)
    try:
        uvloop.run(run(loaded))
    except CannotListenError as error:
        fail(error)


async def run(loaded: settings.Settings) -> None:
    """Work until SIGINT or SIGTERM, then finish the batches under way."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool, redis = make_pool(loaded.database_url, loaded.pool_size, derived=True), make_redis(loaded.redis_url)
    plain = make_pool(loaded.database_url, 4)  # what is no fold of the log must not be lost
    await asyncio.gather(*[each.open(wait=True, timeout=10.0) for each in (pool, plain)])
    lease = new_id()
    projector = Projector(pool, redis, lease)
    watch = DriftWatch(pool, PROJECTIONS, DriftSettings(seconds=loaded.drift_seconds))
    relay = None if loaded.smtp_url is None else Relay.of(loaded.smtp_url, loaded.mail_from)
    mailer = Mailer(Outbox(plain), relay)
    timekeeping = Timekeeping(plain, redis, loaded, lease)
    others: list[Mailer | Sweeper | Timekeeping] = [timekeeping, mailer]
    if loaded.blobs is not None:
        others.append(Sweeper(plain, loaded.blobs))
    try:
        async with _metrics(projector, watch, mailer, timekeeping.scheduler, pool, loaded):
            await projector.start()
            await watch.start()
            for other in others:
                await other.start()
            garbage.settle()
            try:
                await stop.wait()
            finally:
                await asyncio.gather(*(other.stop() for other in others))
                await watch.stop()
                await projector.stop()
    finally:
        await redis.aclose()
        await asyncio.gather(pool.close(), plain.close())


@asynccontextmanager
async def _metrics(
    projector: Projector,
    watch: DriftWatch,
    mailer: Mailer,
    scheduler: Scheduler,
    pool: Pool,
    loaded: settings.Settings,
) -> AsyncIterator[None]:
    """The worker's metrics, where they are wanted."""
    if loaded.work_metrics_port is None or loaded.metrics == "off":
        yield
        return
    page = wiring.of_worker(projector, watch, mailer, scheduler, pool, loaded)
    page.start()
    try:
        async with served(page, loaded.work_metrics_host, loaded.work_metrics_port) as url:
            log.info("metrics are served", extra={"url": url})
            yield
    finally:
        await page.stop()
