"""The whole program as an operator runs it: an API process and a worker process, and a first user with a token."""

import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from bench.servers import Database, Servers

SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running program. The user is the admin of the workspace `main`."""

    database: Database
    port: int
    token: str
    user_id: str
    worker: subprocess.Popen[bytes]

    @contextmanager
    def worker_paused(self) -> Iterator[None]:
        """Stop the worker for a while: the API alone is measured, one process beside one process."""
        self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)

    def settle(self, wait_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until the worker has read all, so that it does not work into the next one's measurement."""
        deadline = time.monotonic() + wait_seconds
        with self.database.owner() as connection:
            while time.monotonic() < deadline:
                row = connection.execute(
                    """
                    SELECT coalesce(bool_and(c.position = l.position), false)
                    FROM logs l JOIN checkpoints c USING (workspace_id)
                    WHERE c.projection = 'tasks' AND c.state <> 'kept'
                    """
                ).fetchone()
                if row is not None and row[0]:
                    return
                time.sleep(0.02)
        raise RuntimeError(f"the worker has not read all in {wait_seconds:.0f} s")


@contextmanager
def running(servers: Servers, name: str, **settings: str) -> Iterator[Running]:
    """Start it on a fresh database, with these settings besides those that have no default."""
    database = servers.database(name)
    environment = {**servers.environment(database), **settings}
    with (
        servers.program(f"{name}-work", ["api.cli", "work"], environment) as worker,
        servers.web(f"{name}-serve", ["api.cli", "serve"], environment) as port,
    ):
        tokens = _register(port)
        yield Running(_home(database), port, tokens["access_token"], tokens["user"]["id"], worker)


def _home(database: Database) -> Database:
    """The database with the workspace that came to be when the first user did."""
    with database.owner() as connection:
        row: tuple[str] | None = connection.execute(
            "SELECT workspace_id::text FROM workspaces WHERE slug = 'main'"
        ).fetchone()
    assert row is not None
    return replace(database, workspace_id=row[0])


def _register(port: int) -> dict[str, Any]:
    body = {"email": "bench@example.com", "password": "correct horse battery", "display_name": "Bench"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/auth/register", orjson.dumps(body), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        tokens: dict[str, Any] = orjson.loads(response.read())
        return tokens
