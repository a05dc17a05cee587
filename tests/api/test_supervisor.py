"""The supervisor, in a process of its own and with real child programs: killed, stopped, asked twice."""

import itertools
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from click.testing import CliRunner

from api.cli import dev as dev_module
from api.cli.dev import Options, dev
from api.cli.interrupting import Interrupts
from api.embedded import DirectoryLock, StartError
from api.supervisor import LONGEST_PAUSE, Program, Supervisor, pause

PATIENCE = 30.0
T = TypeVar("T")

STAND_IN = """
import os, signal, sys
name, *wishes = sys.argv[1:]
def say(*words):
    os.write(1, " ".join([name, *map(str, words), chr(10)]).encode())  # in one piece: others write here too
def stop(number, frame):
    say("stopping")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in wishes else stop)
if "parent" in wishes:
    child = os.fork()
    if not child:
        while True:
            signal.pause()
    say("forked", child)
say("runs", os.getpid())
while True:
    signal.pause()
"""

PROLOGUE = f"""
import os, sys
from pathlib import Path
import api.supervisor
from api.embedded import EmbeddedPostgres, StartError
from api.supervisor import Program, Supervisor
def program(name, *wishes, **options):
    return Program(name, [sys.executable, "-c", {STAND_IN!r}, name, *wishes], dict(os.environ), **options)
"""

THREE = """
with Supervisor([program("server"), program("worker"), program("api")]) as supervisor:
    supervisor.start()
    sys.exit(supervisor.run())
"""


class Harness:
    """A supervising process and what it says.

    Children start side by side, so a line that was not waited for is kept for whoever waits for it later.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.unread: list[str] = []
        self._piece = b""

    def until(self, pattern: str) -> re.Match[str]:
        """The first line that fits, and that nobody took yet."""
        for place in itertools.count():
            if place == len(self.unread) and not self._read():
                raise AssertionError(f"{pattern!r} was not said, but: {self.unread}")
            if match := re.search(pattern, self.unread[place]):
                del self.unread[place]
                return match
        raise AssertionError

    def rest(self) -> list[str]:
        """All that nobody took, until the end."""
        while self._read():
            pass
        return [line.rstrip() for line in self.unread]

    def _read(self) -> bool:
        assert self.process.stdout is not None
        lines: list[bytes] = []
        while not lines:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError(f"nothing more is said after: {self.unread}")
            if not (more := os.read(self.process.stdout.fileno(), 65536)):
                return False
            *lines, self._piece = (self._piece + more).split(b"\n")
        self.unread += [line.decode() for line in lines]
        return True

    def pid(self, name: str) -> int:
        return int(self.until(rf"{name} (?:runs|forked) (\d+)")[1])


@contextmanager
def supervising(script: str, *arguments: str) -> Iterator[Harness]:
    """Runs the script; standard error joins standard output, so that the order of lines is the order of events."""
    command = [sys.executable, "-u", "-c", PROLOGUE + script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield Harness(process)
        finally:
            process.kill()


def wait_until_gone(pidfd: int) -> None:
    assert select.select([pidfd], [], [], PATIENCE)[0], "the process still runs"
    os.close(pidfd)


def eventually(attempt: Callable[[], T], *refusals: type[Exception]) -> T:
    """Try again while it is refused: for a server that is coming back."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except refusals:
            if time.monotonic() > deadline:
                raise


def test_the_pause_doubles_within_a_bound() -> None:
    assert [pause(crashes) for crashes in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert pause(10) == pause(10**9) == LONGEST_PAUSE


def test_a_crashed_child_is_started_again_and_it_is_said() -> None:
    with supervising(THREE) as harness:
        first = harness.pid("worker")
        harness.until("api runs")
        os.kill(first, signal.SIGKILL)
        harness.until(r"^taskfold: worker ended by SIGKILL; starting it again in 0.1 s \(crash 1 in a row\)")
        again = int(harness.until(r"^taskfold: worker is started again as process (\d+)")[1])
        assert harness.pid("worker") == again != first
        os.kill(again, signal.SIGKILL)
        harness.until(r"starting it again in 0.2 s \(crash 2 in a row\)")
        harness.pid("worker")


def test_a_child_that_was_healthy_for_long_starts_a_new_count() -> None:
    with supervising("api.supervisor.STEADY = 0.0" + THREE) as harness:
        for _ in range(2):
            os.kill(harness.pid("api"), signal.SIGKILL)
            harness.until("crash 1 in a row")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_goes_from_the_last_to_the_first(number: signal.Signals) -> None:
    with supervising(THREE) as harness:
        for _ in range(3):
            harness.until("runs")
        harness.process.send_signal(number)
        harness.process.send_signal(number)  # the same request, twice in a moment
        assert harness.rest() == ["taskfold: stopping", "api stopping", "worker stopping", "server stopping"]
        assert harness.process.wait(PATIENCE) == 0


def test_a_stubborn_child_is_killed_after_its_time() -> None:
    script = THREE.replace('program("worker")', 'program("worker", "stubborn", stop_timeout=0.1)')
    with supervising(script) as harness:
        for _ in range(3):
            harness.until("runs")
        harness.process.send_signal(signal.SIGTERM)
        harness.until("api stopping")
        harness.until("worker did not stop in time and is killed")
        harness.until("server stopping")
        assert harness.process.wait(PATIENCE) == 1


def test_asked_again_it_waits_no_longer() -> None:
    script = THREE.replace('program("worker")', 'program("worker", "stubborn", stop_timeout=600)')
    with supervising("api.supervisor.SAME_REQUEST = 0.0" + script) as harness:
        for _ in range(3):
            harness.until("runs")
        harness.process.send_signal(signal.SIGINT)
        harness.until("api stopping")
        harness.process.send_signal(signal.SIGINT)
        harness.until("worker did not stop in time and is killed")
        assert harness.process.wait(PATIENCE) == 1


def test_a_kill_of_the_supervisor_ends_the_children() -> None:
    with supervising(THREE) as harness:
        gone = [os.pidfd_open(int(harness.until(r"runs (\d+)")[1])) for _ in range(3)]
        harness.process.kill()
        for pidfd in gone:
            wait_until_gone(pidfd)


def test_what_a_killed_child_started_is_ended_before_its_restart() -> None:
    with supervising(THREE.replace('program("api")', 'program("api", "parent")')) as harness:
        orphan = os.pidfd_open(int(harness.until(r"api forked (\d+)")[1]))
        os.kill(harness.pid("api"), signal.SIGKILL)
        harness.until("api is started again")
        wait_until_gone(orphan)


def test_a_child_that_cannot_be_started_again_is_tried_again() -> None:
    script = """
class Fussy:
    name, stop_signal, stop_timeout, starts = "fussy", 15, 5.0, 0
    def spawn(self):
        self.starts += 1
        if self.starts == 2:
            raise StartError("not now")
        return program("fussy").spawn()
with Supervisor([Fussy()]) as supervisor:
    supervisor.start()
    sys.exit(supervisor.run())
"""
    with supervising(script) as harness:
        os.kill(harness.pid("fussy"), signal.SIGKILL)
        harness.until("fussy cannot be started: not now; trying again in 0.2 s")
        harness.until("fussy is started again")


WAITING = """
with Supervisor([program("server"), {child}]) as supervisor:
    supervisor.start()
    try:
        print("ready", supervisor.wait_ready(lambda: {check}, {timeout}), flush=True)
    except StartError as error:
        sys.exit(str(error))
    sys.exit(supervisor.run())
"""


def test_a_child_that_ends_before_everything_is_ready_is_a_failed_start() -> None:
    fails = 'Program("api", [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ))'
    with supervising(WAITING.format(child=fails, check=False, timeout=60)) as harness:
        harness.until("api ended with status 3 before everything was ready")
        assert harness.process.wait(PATIENCE) == 1


def test_waiting_for_readiness_is_bounded() -> None:
    with supervising(WAITING.format(child='program("api")', check=False, timeout=0)) as harness:
        harness.until("not everything was ready within 0 s")
        assert harness.process.wait(PATIENCE) == 1


def test_a_stop_while_waiting_for_readiness_is_a_stop() -> None:
    with supervising(WAITING.format(child='program("api")', check=False, timeout=60)) as harness:
        for _ in range(2):
            harness.until("runs")
        harness.process.send_signal(signal.SIGTERM)
        harness.until("ready False")
        assert harness.process.wait(PATIENCE) == 0


def test_a_crashed_postgres_comes_back_at_the_same_port_with_the_same_data(tmp_path: Path) -> None:
    script = """
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as postgres, Supervisor([postgres]) as supervisor:
    print("adopted", postgres.process.pid, postgres.owner_url, flush=True)
    supervisor.start(running={postgres.name: postgres.process})
    sys.exit(supervisor.run())
"""
    with supervising(script, str(tmp_path)) as harness:
        said = harness.until(r"adopted (\d+) (\S+)")
        url = said[2]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        os.kill(int(said[1]), signal.SIGKILL)
        harness.until("PostgreSQL ended by SIGKILL; starting it again")
        again = os.pidfd_open(int(harness.until(r"PostgreSQL is started again as process (\d+)")[1]))

        def kept() -> object:
            with psycopg.connect(url, connect_timeout=5) as connection:
                return connection.execute("SELECT value FROM kept").fetchone()

        assert eventually(kept, psycopg.OperationalError) == (42,)
        harness.process.send_signal(signal.SIGTERM)
        assert harness.process.wait(PATIENCE) == 0
        wait_until_gone(again)


def test_a_supervisor_puts_the_signals_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    with Supervisor([Program("cat", ["/bin/cat"], {})]) as supervisor:
        assert signal.getsignal(signal.SIGTERM) != before[1]
        supervisor.start()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)] == before


def run_dev(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(dev, arguments)
    return done.exit_code, done.output


def test_dev_says_that_the_port_is_busy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        code, said = run_dev("--port", str(port), "--data-dir", str(tmp_path))
    assert (code, said) == (1, f"error: port {port} of 127.0.0.1 is in use; choose another with --port\n")


def test_dev_says_that_an_address_is_not_of_this_machine(tmp_path: Path) -> None:
    code, said = run_dev("--host", "192.0.2.1", "--port", "0", "--data-dir", str(tmp_path))
    assert (code, said.startswith("error: cannot listen on 192.0.2.1 port ")) == (1, True)


def test_dev_says_that_the_data_directory_is_busy(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        code, said = run_dev("--port", "0", "--data-dir", str(tmp_path))
    assert (code, said) == (1, f"error: data directory {tmp_path} is in use by process {os.getpid()}\n")


def test_dev_uses_the_servers_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFOLD_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("TASKFOLD_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(dev_module, "_taskfold", lambda *arguments: ["/bin/false"])
    with pytest.raises(StartError, match="`taskfold migrate` ended with status 1"), Interrupts() as interrupts:
        dev_module._run(Options("127.0.0.1", 0, tmp_path, 1), interrupts)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "secret_key"}
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_banner_names_an_address_that_can_be_reached() -> None:
    assert Options("0.0.0.0", 8000, Path(), 1).url == "http://127.0.0.1:8000"
    assert Options("::", 8000, Path(), 1).url == "http://[::1]:8000"
