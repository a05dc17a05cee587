"""`taskfold dev`: everything on this machine with one command, in the foreground."""

import errno
import http.client
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from api.cli.interrupting import Interrupts
from api.embedded import DirectoryLock, EmbeddedPostgres, EmbeddedRedis, StartError
from api.embedded.files import secret
from api.embedded.process import Server, end, ending, free_port, spawn
from api.supervisor import Program, Supervisor

READY_TIMEOUT = 60.0
INTERRUPTED = 130  # what a shell reports for Ctrl-C
DEFAULTS = {
    "TASKFOLD_SIGNUP": "open",
    "TASKFOLD_REGISTRATIONS": "100000",
    "TASKFOLD_INVITES": "100000",
    **{f"TASKFOLD_RATE_{kind}": "200000" for kind in ("TOKEN", "ACCOUNT", "ADDRESS")},
}
BANNER = """
Taskfold is running.

  API           {url}
  Documentation {url}/docs
  Metrics       {url}/metrics, of the worker {metrics}
  Data          {data}

A first user, who is the administrator, and a token:

  curl -s {url}/api/v1/auth/register -H 'content-type: application/json' \\
    -d '{{"email": "you@example.com", "password": "correct horse battery staple", "display_name": "You"}}'

Ctrl-C stops everything; the data stays.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    host: str
    port: int
    data_dir: Path
    workers: int

    @property
    def reachable(self) -> str:
        """A host under which this machine reaches the API: a wildcard is none."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        """Where the API is."""
        host = f"[{self.reachable}]" if ":" in self.reachable else self.reachable
        return f"http://{host}:{self.port}"


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--data-dir",
    default=".taskfold",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the data stays between runs.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="API processes.")
def dev(host: str, port: int, data_dir: Path, workers: int) -> None:
    """Run everything in the foreground: PostgreSQL, Redis, the API and the workers.

    TASKFOLD_DATABASE_URL and TASKFOLD_REDIS_URL, where set, are used instead of the embedded servers.
    """
    try:
        with Interrupts() as interrupts:  # until the supervisor takes over: what runs must be stopped
            sys.exit(_run(Options(host, port or free_port(), data_dir, workers), interrupts))
    except StartError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run(options: Options, interrupts: Interrupts) -> int:
    _check_port(options.host, options.port)
    with ExitStack() as stack:
        stack.enter_context(DirectoryLock(options.data_dir))
        data_dir = options.data_dir.resolve()
        env = dict(os.environ)
        servers = _start_servers(stack, data_dir, env)
        env["TASKFOLD_SECRET_KEY"] = env.get("TASKFOLD_SECRET_KEY") or secret(data_dir / "secret_key", 48)
        env["TASKFOLD_PUBLIC_URL"] = env.get("TASKFOLD_PUBLIC_URL") or options.url
        env["TASKFOLD_BLOBS_DIR"] = env.get("TASKFOLD_BLOBS_DIR") or str(data_dir / "blobs")
        for name, value in DEFAULTS.items():
            env[name] = env.get(name) or value
        env["TASKFOLD_WORK_METRICS_PORT"] = env.get("TASKFOLD_WORK_METRICS_PORT") or str(free_port())
        _migrate(env)
        del env["TASKFOLD_MIGRATE_URL"]  # who serves must not be able to act as the owner
        supervisor = stack.enter_context(Supervisor([*servers, *_programs(options, env)]))
        interrupts.check()
        supervisor.start(running={server.name: server.process for server in servers})
        if supervisor.wait_ready(lambda: _is_ready(options), READY_TIMEOUT):
            click.echo(BANNER.format(url=options.url, data=data_dir, metrics=_worker_metrics(env)))
        return supervisor.run()


def _worker_metrics(env: Mapping[str, str]) -> str:
    host = env.get("TASKFOLD_WORK_METRICS_HOST") or "127.0.0.1"
    return f"http://{host}:{env['TASKFOLD_WORK_METRICS_PORT']}/metrics"


def _check_port(host: str, port: int) -> None:
    """Say now that the port is taken, not after everything else was started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API does, past old connections
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} of {host} is in use; choose another with --port") from None
        raise StartError(f"cannot listen on {host} port {port}: {error.strerror}") from None


def _start_servers(stack: ExitStack, data_dir: Path, env: dict[str, str]) -> list[Server]:
    """Start the servers that the environment does not name, and name them there."""
    servers: list[Server] = []
    if not env.get("TASKFOLD_DATABASE_URL"):
        postgres = stack.enter_context(EmbeddedPostgres(data_dir))
        env |= {"TASKFOLD_DATABASE_URL": postgres.serving_url, "TASKFOLD_MIGRATE_URL": postgres.owner_url}
        servers.append(postgres)
    elif not env.get("TASKFOLD_MIGRATE_URL"):
        env["TASKFOLD_MIGRATE_URL"] = env["TASKFOLD_DATABASE_URL"]
    if not env.get("TASKFOLD_REDIS_URL"):
        redis = stack.enter_context(EmbeddedRedis(data_dir))
        env["TASKFOLD_REDIS_URL"] = redis.url
        servers.append(redis)
    return servers


def _migrate(env: Mapping[str, str]) -> None:
    process = spawn(_taskfold("migrate"), env=env, death_signal=signal.SIGTERM)
    try:
        process.wait()
    finally:
        end(process, signal.SIGTERM, 5)
    if process.returncode != 0:
        raise StartError(f"the database could not be prepared: `taskfold migrate` {ending(process)}")


def _programs(options: Options, env: Mapping[str, str]) -> list[Program]:
    """In the order of their start; the API, started last, is stopped first."""
    serve = ["serve", "--host", options.host, "--port", str(options.port), "--workers", str(options.workers)]
    return [Program("worker", _taskfold("work"), env), Program("API", _taskfold(*serve), env)]


def _taskfold(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "api.cli", *arguments]


def _is_ready(options: Options) -> bool:
    connection = http.client.HTTPConnection(options.reachable, options.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
