"""Keeps a few child programs running in the foreground, and stops them in order.

It waits on signals only: the kernel's SIGCHLD when a child ends, SIGINT, SIGTERM or SIGHUP when it shall stop.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from api.embedded.errors import StartError
from api.embedded.process import ending, spawn

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
STEADY = 10.0  # a child that ran so long is healthy: its next crash counts as the first again
CHECK_EVERY = 0.1  # how often `wait_ready` asks
SAME_REQUEST = 1.0  # `timeout`, `make` and terminals may send one request to stop twice
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child(Protocol):
    """What can be supervised: a `Program`, or an embedded server (which may be running already)."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def stop_signal(self) -> signal.Signals:
        """What asks it to stop."""

    @property
    def stop_timeout(self) -> float:
        """How long it may take to stop before it is killed."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to keep running. Its output passes through to ours."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 15.0

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it. If we die, it is asked to stop as we would have asked it."""
        return spawn(self.argv, env=self.env, death_signal=self.stop_signal)


@dataclass(slots=True)
class _Post:
    """A child's place: who works there now, and when somebody shall again."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    crashes: int = 0
    due: float | None = None


def pause(crashes: int) -> float:
    """How long to wait after so many crashes in a row: twice as long each time, within a bound."""
    return min(FIRST_PAUSE * 2.0 ** min(crashes - 1, 32), LONGEST_PAUSE)


class Supervisor:
    """Starts children in the order given, restarts the crashed, stops them in reverse order.

    To be entered in the main thread: `with Supervisor(children) as supervisor:`. Leaving it stops what still runs.
    """

    def __init__(self, children: Iterable[Child]) -> None:
        self._children = tuple(children)
        self._posts: list[_Post] = []
        self._asked_at: float | None = None
        self._hurry = False
        self._wake, self._waker = socket.socketpair()
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for end in (self._wake, self._waker):
            end.setblocking(False)
            self._restore.enter_context(end)
        # The bytes make select() return; the handlers only have to exist for the bytes to be written.
        self._restore.callback(signal.set_wakeup_fd, self._set_wakeup())
        self._handle(signal.SIGCHLD, lambda number, frame: None)
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                self._handle(number, self._on_stop_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            self._restore.close()

    def _set_wakeup(self) -> int:
        return signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def _handle(self, number: signal.Signals, handler: Callable[[int, FrameType | None], Any]) -> None:
        self._restore.callback(signal.signal, number, signal.signal(number, handler))

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        elif now - self._asked_at > SAME_REQUEST:
            self._hurry = True

    def start(self, running: Mapping[str, subprocess.Popen[bytes]] | None = None) -> None:
        """Start all children, but adopt those that are `running` already, by name."""
        for child in self._children:
            process = (running or {}).get(child.name)
            self._posts.append(_Post(child, process or child.spawn(), time.monotonic()))

    def wait_ready(self, check: Callable[[], bool], timeout: float) -> bool:
        """Wait until `check` holds. A child that ends before that is a failed start: it would end again.

        False if we were asked to stop instead.
        """
        deadline = time.monotonic() + timeout
        while self._asked_at is None:
            self._sleep(CHECK_EVERY)
            for post in self._ended():
                raise StartError(f"{post.child.name} {_how(post)} before everything was ready")
            if check():
                return True
            if time.monotonic() > deadline:
                raise StartError(f"not everything was ready within {timeout:.0f} s")
        return False

    def run(self) -> int:
        """Keep everything running until asked to stop, then stop it. Answers the exit code."""
        while self._asked_at is None:
            for post in self._ended():
                self._plan_restart(post)
            self._restart_due()
            self._sleep(self._until_next_restart())
        say("stopping")
        return self.stop()

    def stop(self) -> int:
        """Stop the children, the last started first, each within its time; then by force. 0 if none needed that.

        Asked a second time meanwhile, it does not wait any longer.
        """
        forced = 0
        while self._posts:
            post = self._posts.pop()
            if post.process is not None:
                forced += not self._stop(post.child, post.process)
        return 1 if forced else 0

    def _stop(self, child: Child, process: subprocess.Popen[bytes]) -> bool:
        if process.returncode is None:  # not reaped, so the id is still its own
            os.kill(process.pid, child.stop_signal)
        deadline = time.monotonic() + child.stop_timeout
        obeyed = True
        while not _has_ended(process):
            left = deadline - time.monotonic()
            if left <= 0 or self._hurry:
                obeyed = False
                say(f"{child.name} did not stop in time and is killed")
                break
            self._sleep(left)
        _bury(process)
        return obeyed

    def _ended(self) -> list[_Post]:
        """The posts whose child has just ended. Nothing of it is left running."""
        ended = [post for post in self._posts if post.process is not None and _has_ended(post.process)]
        for post in ended:
            assert post.process is not None
            _bury(post.process)
        return ended

    def _plan_restart(self, post: _Post) -> None:
        now = time.monotonic()
        post.crashes = 1 if now - post.since > STEADY else post.crashes + 1
        wait = pause(post.crashes)
        post.due = now + wait
        say(f"{post.child.name} {_how(post)}; starting it again in {wait:.1f} s (crash {post.crashes} in a row)")
        post.process = None

    def _restart_due(self) -> None:
        for post in self._posts:
            if post.due is None or post.due > time.monotonic():
                continue
            post.due = None
            post.since = time.monotonic()
            try:
                post.process = post.child.spawn()
            except (StartError, OSError) as error:
                post.crashes += 1
                post.due = time.monotonic() + pause(post.crashes)
                say(f"{post.child.name} cannot be started: {error}; trying again in {pause(post.crashes):.1f} s")
            else:
                say(f"{post.child.name} is started again as process {post.process.pid}")

    def _until_next_restart(self) -> float | None:
        dues = [post.due for post in self._posts if post.due is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _sleep(self, seconds: float | None) -> None:
        """Until a signal comes, or so long."""
        if select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                while self._wake.recv(4096):
                    pass


def say(message: str) -> None:
    """Tell the person at the terminal, if there still is one."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"taskfold: {message}\n")
        sys.stderr.flush()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Has it ended? It is left as a zombie, which keeps its process id, and its group's, from being used again."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _bury(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's process group (its own children, such as API processes), then reap it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _how(post: _Post) -> str:
    assert post.process is not None
    return ending(post.process)
