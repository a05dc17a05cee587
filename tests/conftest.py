"""One PostgreSQL cluster and one Redis a run, shared by all its processes; a fresh database a test, from a template."""

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from argon2 import PasswordHasher

from api.database import Pool, make_pool
from api.embedded.postgres import EmbeddedPostgres
from api.embedded.redis import EmbeddedRedis
from api.migrations import migrate
from commands import passwords
from tests.house import SECRET, Database, House, Servers, replaced

sys.modules["trio"] = None  # type: ignore[assignment]  # or httpcore looks for it on the disk at each request
TEMPLATE = "taskfold_template"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else no program of a test could be interrupted

MEMORY = Path("/dev/shm")  # making a database there takes a twentieth of the time
MEMORY_NEEDED = 4_000_000_000

hypothesis.settings.register_profile("short", max_examples=30, deadline=None)
hypothesis.settings.register_profile("long", max_examples=1_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("TASKFOLD_HYPOTHESIS_PROFILE", "short"))


def _memory() -> Path | None:
    """A file system in memory, where there is one with room."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED else None


class Cluster:
    """The servers of a run, held by the process that starts it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="taskfold-tests-", dir=_memory())
        self.postgres = EmbeddedPostgres(Path(self._folder.name), durable=False)
        self.redis = EmbeddedRedis(Path(self._folder.name))

    def start(self) -> Servers:
        self.postgres.start()
        self.redis.start()
        with psycopg.connect(self.postgres.owner_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(replaced(self.postgres.owner_url, TEMPLATE), replaced(self.postgres.serving_url, TEMPLATE))
        return Servers(self.postgres.owner_url, self.postgres.serving_url, self.redis.url)

    def stop(self) -> None:
        self.postgres.stop()
        self.redis.stop()
        self._folder.cleanup()


# The same as that of the program, with a thousandth of its work: tests make accounts by the thousand.
QUICK: Final = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1)


def pytest_configure(config: pytest.Config) -> None:
    setattr(passwords, "_HASHER", QUICK)  # noqa: B010
    setattr(passwords, "_NOBODY", QUICK.hash("nobody"))  # noqa: B010
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        cluster = Cluster()
        config.stash[CLUSTER] = cluster
        config.stash[SERVERS] = cluster.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if CLUSTER in config.stash:
        config.stash[CLUSTER].stop()


CLUSTER = pytest.StashKey[Cluster]()
SERVERS = pytest.StashKey[Servers]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a parallel worker where the servers are."""
    node.workerinput["servers"] = tuple(node.config.stash[SERVERS])


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    workerinput = getattr(request.config, "workerinput", None)
    return request.config.stash[SERVERS] if workerinput is None else Servers(*workerinput["servers"])


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    with fresh(servers) as database:
        yield database


@contextmanager
def fresh(servers: Servers) -> Iterator[Database]:
    """A database of its own."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        yield Database(replaced(servers.owner_url, name), replaced(servers.serving_url, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = make_pool(database.serving_url, 8)
    await pool.open(wait=True)
    yield pool
    await pool.close()


@pytest.fixture
async def house(database: Database, servers: Servers) -> AsyncIterator[House]:
    """The whole program in this process: the API on a port of its own, and a projector."""
    async with House.open(database, servers) as house:
        yield house


@pytest.fixture
def environment(database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a program of its own on this test's database."""
    settings = {
        "TASKFOLD_DATABASE_URL": database.serving_url,
        "TASKFOLD_REDIS_URL": servers.redis_url,
        "TASKFOLD_SECRET_KEY": SECRET,
        "TASKFOLD_SIGNUP": "open",
        "TASKFOLD_REGISTRATIONS": "1000000",  # the run's tests share one Redis, and one address
        "TASKFOLD_LOGIN_FAILURES": "1000000",
        "TASKFOLD_INVITES": "100000000",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **settings}
