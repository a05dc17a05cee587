"""`taskfold serve`: the API."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import click
import uvicorn

from api import failpoints, settings
from api.cli import fail
from api.database import DatabaseAwayError, wait_until_it_answers
from api.protocol import Http
from api.sockets.protocol import WebSocketProtocol


def uvicorn_options(host: str, port: int, workers: int) -> dict[str, object]:
    """How the API is served. Per-message deflate is off: it costs memory a socket and gains nothing here."""
    return {
        "host": host,
        "port": port,
        "workers": workers,
        "loop": "uvloop",
        "http": Http,
        "proxy_headers": False,  # nothing here depends on the address or the scheme of a client
        "ws": WebSocketProtocol,
        "ws_per_message_deflate": False,
        "ws_max_size": 65_536,
        "ws_ping_interval": None,
        "access_log": False,
        "log_config": None,
        "timeout_graceful_shutdown": 15,
        "timeout_keep_alive": 75,
        "server_header": False,
        "date_header": False,
    }


def app() -> object:
    """The application as the environment sets it; each worker process makes its own."""
    from api.app import create_app

    failpoints.install(os.environ)
    return create_app(settings.load(os.environ))


@contextmanager
def shared_metrics(workers: int) -> Iterator[None]:
    """Where several processes at one port add up what they count: a directory that goes with this process."""
    given = os.environ.get("TASKFOLD_METRICS_DIR")
    if given and not os.path.isdir(given):
        fail(f"TASKFOLD_METRICS_DIR: must be a directory, got {given!r}")
    if given or workers == 1:
        yield
        return
    with TemporaryDirectory(prefix="taskfold-metrics-") as directory:
        os.environ["TASKFOLD_METRICS_DIR"] = directory
        yield


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="API processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the API. Settings come from the environment: TASKFOLD_DATABASE_URL, TASKFOLD_REDIS_URL, …"""
    try:
        failpoints.install(os.environ)
        loaded = settings.load(os.environ)
        settings.prepare(loaded)
        wait_until_it_answers(loaded.database_url)
    except (settings.SettingsError, DatabaseAwayError) as error:
        fail(error)
    with shared_metrics(workers):
        uvicorn.run("api.cli.serve:app", factory=True, **uvicorn_options(host, port, workers))  # type: ignore[arg-type]
