"""`taskfold work`: the projectors."""

import asyncio
import os
import signal

import click
import uvloop

from api import garbage, logs, settings
from api.cli import fail
from api.database import DatabaseAwayError, make_pool, wait_until_it_answers
from api.services import make_redis
from commands.ids import new_id
from projections.projector import Projector


@click.command()
def work() -> None:
    """Keep the read tables up to date and publish what changes, until told to stop."""
    try:
        loaded = settings.load(os.environ)
        wait_until_it_answers(loaded.database_url)
    except (settings.SettingsError, DatabaseAwayError) as error:
        fail(error)
    logs.configure(loaded.log_format, loaded.log_level)
    uvloop.run(run(loaded))


async def run(loaded: settings.Settings) -> None:
    """Work until SIGINT or SIGTERM, then finish the batches under way."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool, redis = make_pool(loaded.database_url, loaded.pool_size, derived=True), make_redis(loaded.redis_url)
    await pool.open(wait=True, timeout=10.0)
    projector = Projector(pool, redis, lease=new_id())
    await projector.start()
    garbage.settle()
    try:
        await stop.wait()
    finally:
        await projector.stop()
        await redis.aclose()
        await pool.close()
