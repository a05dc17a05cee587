"""`taskfold work`: the projectors."""

import asyncio
import os
import signal
from urllib.parse import urlsplit

import click
import uvloop
from psycopg_pool import PoolTimeout

from api import logs, settings
from api.cli import fail
from api.database import make_pool
from api.services import make_redis
from commands.ids import new_id
from projections.projector import Projector


@click.command()
def work() -> None:
    """Keep the read tables up to date and publish what changes, until told to stop."""
    try:
        loaded = settings.load(os.environ)
    except settings.SettingsError as error:
        fail(error)
    logs.configure(loaded.log_format, loaded.log_level)
    try:
        uvloop.run(run(loaded))
    except PoolTimeout:
        place = urlsplit(loaded.database_url).netloc.rpartition("@")[2]
        fail(f"TASKFOLD_DATABASE_URL: PostgreSQL at {place} does not answer")


async def run(loaded: settings.Settings) -> None:
    """Work until SIGINT or SIGTERM, then finish the batches under way."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool, redis = make_pool(loaded.database_url, loaded.pool_size, derived=True), make_redis(loaded.redis_url)
    await pool.open(wait=True, timeout=10.0)
    projector = Projector(pool, redis, lease=new_id())
    await projector.start()
    try:
        await stop.wait()
    finally:
        await projector.stop()
        await redis.aclose()
        await pool.close()
