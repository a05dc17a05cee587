"""The servers of one run: PostgreSQL with durable commits, Redis, and programs of ours, all in a temporary folder."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from api.embedded import EmbeddedPostgres, EmbeddedRedis
from api.embedded.process import end, free_port, spawn
from api.migrations import migrate
from api.settings import Settings, load
from commands.ids import new_id

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the run. `workspace_id` is a workspace in it, where the schema is ours."""

    owner_url: str
    serving_url: str
    workspace_id: str = ""

    def owner(self) -> psycopg.Connection[Any]:
        """A connection of the owner."""
        return psycopg.connect(self.owner_url, autocommit=True)


class Servers:
    """PostgreSQL and Redis, from `with` to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._postgres = EmbeddedPostgres(folder)
        self._redis = EmbeddedRedis(folder)
        self.secret_key = secrets.token_urlsafe(32)

    @property
    def redis_url(self) -> str:
        """Where Redis is."""
        return self._redis.url

    def __enter__(self) -> Self:
        self._postgres.start()
        try:
            self._redis.start()
        except BaseException:
            self._postgres.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._redis.stop()
        self._postgres.stop()

    def empty_database(self, name: str) -> Database:
        """A database without any table."""
        with psycopg.connect(self._postgres.owner_url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return Database(_renamed(self._postgres.owner_url, name), _renamed(self._postgres.serving_url, name))

    def database(self, name: str) -> Database:
        """A database with our schema and a workspace."""
        made = self.empty_database(name)
        migrate(made.owner_url, made.serving_url)
        workspace_id = new_id()
        with made.owner() as connection:
            connection.execute("INSERT INTO workspaces (workspace_id, slug) VALUES (%s, 'bench')", (workspace_id,))
            connection.execute("INSERT INTO logs (workspace_id) VALUES (%s)", (workspace_id,))
        return Database(made.owner_url, made.serving_url, workspace_id)

    def versions(self) -> dict[str, str]:
        """What PostgreSQL and Redis call themselves, and how durable commits are."""
        with psycopg.connect(self._postgres.owner_url) as connection:
            found = {
                name: str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]
                for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
            }
        with redis.Redis.from_url(self.redis_url) as client:
            info: Any = client.info("server")
        return {"postgresql": found.pop("server_version"), **found, "redis-server": str(info["redis_version"])}

    def environment(self, database: Database) -> dict[str, str]:
        """The settings of a program of ours: what has no default, an open sign-up, and limits that nobody reaches."""
        return {
            "TASKFOLD_DATABASE_URL": database.serving_url,
            "TASKFOLD_REDIS_URL": self.redis_url,
            "TASKFOLD_SECRET_KEY": self.secret_key,
            "TASKFOLD_SIGNUP": "open",
            "TASKFOLD_REGISTRATIONS": "1000000000",
            **{f"TASKFOLD_RATE_{kind}": "1000000000" for kind in ("TOKEN", "ACCOUNT", "ADDRESS")},
        }

    def settings(self, database: Database) -> Settings:
        """The same for parts of the program in this process."""
        return load(self.environment(database))

    @contextmanager
    def program(
        self, name: str, arguments: list[str], environment: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run `python -m …` as a process of its own, which is not to end before."""
        process = self._start(name, arguments, environment)
        try:
            yield process
            if process.poll() is not None:
                raise RuntimeError(f"{name} has ended by itself; it said:\n{self._last_lines(name)}")
        finally:
            end(process, signal.SIGTERM, 20)

    @contextmanager
    def errand(
        self, name: str, arguments: list[str], environment: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The same for a process that ends by itself, and well."""
        process = self._start(name, arguments, environment)
        try:
            yield process
            if process.wait(START_SECONDS) != 0:
                raise RuntimeError(f"{name} failed; it said:\n{self._last_lines(name)}")
        finally:
            end(process, signal.SIGTERM, 20)

    def _start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TASKFOLD_")}
        with (self.folder / f"{name}.log").open("ab") as output:
            return spawn(
                [sys.executable, "-m", *arguments],
                env={**inherited, **environment},
                death_signal=signal.SIGTERM,
                cwd=ROOT,
                output=output,
            )

    def _last_lines(self, name: str) -> str:
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-20:])

    @contextmanager
    def web(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Iterator[int]:
        """Run a program that takes `--port`, and wait until it answers. Gives the port."""
        port = free_port()
        with self.program(name, [*arguments, "--port", str(port)], environment):
            self._wait_until_it_answers(name, f"http://127.0.0.1:{port}/healthz")
            yield port

    def _wait_until_it_answers(self, name: str, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"{name} did not answer in {START_SECONDS:.0f} s; it said:\n{self._last_lines(name)}")


def client(module: str, options: bytes) -> bytes:
    """Run a client of ours in a process of its own: options in, what it measured out."""
    ran = subprocess.run([sys.executable, "-m", module], input=options, capture_output=True, check=False, cwd=ROOT)
    if ran.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{ran.stderr.decode()}")
    return ran.stdout


def _renamed(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()
