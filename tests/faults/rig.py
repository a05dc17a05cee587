"""The whole program as an installation runs it: real servers and processes, each of which can be killed or stopped."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from time import monotonic
from types import TracebackType
from typing import Final, Self

from api.embedded import EmbeddedPostgres, EmbeddedRedis
from api.embedded.process import end, ending, free_port, spawn
from tests.faults.bell import Bell
from tests.house import SECRET

ROOT: Final = Path(__file__).parents[2]
SERVERS: Final = ("PostgreSQL", "Redis")
PAUSE: Final = 18  # looks (four a second) until a program that stopped itself goes on: past the end of its leases


class Rig:
    """PostgreSQL (with durable commits), Redis, processes of the API and workers: `API 1`, `API 2`, `worker 1` …

    `story` tells what was done to them, for the one who reads about a failure.
    """

    def __init__(self, folder: Path, bell: Bell | None = None, *, apis: int = 1, workers: int = 1, **settings: object):
        self.bell = bell or Bell()
        self.story: list[str] = []
        self.postgres = EmbeddedPostgres(folder)
        self.redis = EmbeddedRedis(folder)
        self.apis = tuple(f"API {number}" for number in range(1, apis + 1))
        self.workers = tuple(f"worker {number}" for number in range(1, workers + 1))
        self.on_crash: Callable[[], None] = lambda: None
        self._began = monotonic()
        self._folder = folder
        self._settings = settings
        self._ports = {part: free_port() for part in self.apis}
        self._env: dict[str, str] = {}
        self._own: dict[str, dict[str, str]] = {}
        self._planted: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._stopped: set[str] = set()
        self._paused: dict[str, int] = {}
        self.held: set[str] = set()  # those that stay stopped when they stop themselves
        self._stack = ExitStack()

    def tell(self, what: str) -> None:
        """Add to the story, with the seconds since the beginning."""
        self.story.append(f"{monotonic() - self._began:.1f} s: {what}")

    @property
    def programs(self) -> tuple[str, ...]:
        """The processes of the program."""
        return (*self.apis, *self.workers)

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that can be killed."""
        return (*self.programs, *SERVERS)

    @property
    def bases(self) -> list[str]:
        """Where the processes of the API are, also after a restart."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    def __enter__(self) -> Self:
        try:
            self._running["PostgreSQL"] = self._stack.enter_context(self.postgres).process
            self._running["Redis"] = self._stack.enter_context(self.redis).process
            self._env = self._environment()
            self._migrate()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end_programs()
        self._stack.close()

    def end_programs(self) -> None:
        """Ask them to end, all at once, and see to it that they do."""
        for part in tuple(self._stopped):
            self.go_on(part)
        ending = [self._running.pop(part) for part in self.programs if part in self._running]
        for process in ending:
            process.send_signal(SIGCONT)  # one that stopped itself too
            process.send_signal(SIGTERM)
        for process in ending:
            end(process, SIGTERM, 20)

    def set(self, part: str, **variables: str) -> None:
        """Other environment variables for a program when it is started next."""
        self._own.setdefault(part, {}).update(variables)

    def plant(self, part: str, bug: str) -> None:
        """From its next start on, a program runs with a bug of `tests.faults.planted`."""
        self._planted[part] = bug

    def start(self, part: str) -> None:
        """Start a part, or start it again where it was, without waiting until it answers."""
        self.tell(f"start {part}")
        self._killed.discard(part)
        self._running[part] = self._spawn(part)
        self.bell.ring()

    def start_programs(self) -> None:
        """Start all of them."""
        for part in (*self.workers, *self.apis):
            self.start(part)

    def kill(self, part: str) -> None:
        """kill -9, also of one that is stopped."""
        self.tell(f"kill {part}")
        self._crash(part)
        self._killed.add(part)
        self._stopped.discard(part)
        self._running[part].kill()
        self._running[part].wait()
        self.bell.ring()

    def stop(self, part: str) -> None:
        """SIGSTOP: it is there, and does nothing."""
        self.tell(f"stop {part}")
        self._stopped.add(part)
        self._running[part].send_signal(SIGSTOP)

    def go_on(self, part: str) -> None:
        """SIGCONT, after a stop of ours or its own."""
        self.tell(f"go on {part}")
        self._stopped.discard(part)
        if self._running[part].poll() is None:
            self._running[part].send_signal(SIGCONT)
        self.bell.ring()

    def kill_backend(self, pid: int) -> None:
        """kill -9 of one process of PostgreSQL, upon which all of it begins anew."""
        self.tell("kill a backend")
        self._crash("PostgreSQL")
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)

    def stop_backend(self, pid: int) -> None:
        """SIGSTOP of one process of PostgreSQL."""
        self.tell("stop a backend")
        with suppress(ProcessLookupError):
            os.kill(pid, SIGSTOP)

    def go_on_backend(self, pid: int) -> None:
        """SIGCONT of it."""
        self.tell("let the backend go on")
        with suppress(ProcessLookupError):
            os.kill(pid, SIGCONT)

    def backends(self) -> list[int]:
        """The processes of PostgreSQL that serve connections of the program."""
        found = []
        for pid in _children(self._running["PostgreSQL"].pid):
            with suppress(OSError):
                title = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"127.0.0.1(" in title and b" taskfold " in title:
                    found.append(pid)
        return found

    def revive(self) -> None:
        """Start again what ended by itself and let go on what stopped itself, as a supervisor would; not what was
        killed or stopped on purpose. Called a few times a second.
        """
        for part in self._running.keys() - self._killed - self._stopped:
            if self._running[part].poll() is not None:
                self._restart(part)
            elif part in self.programs and part not in self.held and self.stopped_itself(part):
                self._paused[part] = self._paused.get(part, 0) + 1
                if self._paused[part] > PAUSE:
                    del self._paused[part]
                    self.go_on(part)

    def _restart(self, part: str) -> None:
        self.tell(f"{part} {ending(self._running[part])} by itself")
        if part in SERVERS:
            self._crash(part)
        self.set(part, TASKFOLD_FAILPOINTS="")
        self.start(part)

    def stopped_itself(self, part: str) -> bool:
        """Whether a program has stopped at a failpoint."""
        return os.waitid(os.P_PID, self._running[part].pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def is_alive(self, part: str) -> bool:
        """Whether it runs, or is stopped."""
        return part in self._running and self._running[part].poll() is None

    def pid(self, part: str) -> int:
        """The process of a part that runs."""
        return self._running[part].pid

    def said(self, part: str) -> str:
        """What a program wrote."""
        return self._log(part).read_text(errors="replace")

    def tracebacks(self) -> str:
        """The end of what the API wrote, where it failed in a way that it did not expect."""
        said = "".join(self.said(part) for part in self.apis if self._log(part).exists())
        return said[-4_000:] if "Traceback" in said else ""

    def _crash(self, part: str) -> None:
        if part == "PostgreSQL":
            self.on_crash()

    def _spawn(self, part: str) -> subprocess.Popen[bytes]:
        if part == "PostgreSQL":
            return self.postgres.spawn()
        if part == "Redis":
            return self.redis.spawn()
        if part in self._ports:
            return self._program(part, "serve", "--port", str(self._ports[part]))
        return self._program(part, "work")

    def _environment(self) -> dict[str, str]:
        settings = {
            "signup": "open",
            **dict.fromkeys(("registrations", "rate_token", "rate_account", "rate_address"), 10**9),
            "access_token_seconds": 86_400,
            "log_format": "json",
            **self._settings,
        }
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TASKFOLD_DATABASE_URL": self.postgres.serving_url,
            "TASKFOLD_MIGRATE_URL": self.postgres.owner_url,
            "TASKFOLD_REDIS_URL": self.redis.url,
            "TASKFOLD_SECRET_KEY": SECRET,
            "TASKFOLD_FAILPOINTS_ALLOWED": "1",
            **{f"TASKFOLD_{name.upper()}": str(value) for name, value in settings.items()},
        }

    def _migrate(self) -> None:
        process = self._program("migrate", "migrate")
        assert process.wait(60) == 0, self.said("migrate")

    def _program(self, part: str, *arguments: str) -> subprocess.Popen[bytes]:
        """With the death of this process it ends too, whatever becomes of the tests."""
        bug = self._planted.get(part)
        module: Sequence[str] = ("api.cli",) if bug is None else ("tests.faults.planted", bug)
        command = [sys.executable, "-m", *module, *arguments]
        with self._log(part).open("ab") as output:
            env = self._env | self._own.get(part, {})
            return spawn(command, env=env, death_signal=SIGTERM, output=output)

    def _log(self, part: str) -> Path:
        return self._folder / f"{part}.log"


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
