"""The whole program as an installation runs it: real servers and processes, each of which can be killed at any time."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from signal import SIGTERM
from types import TracebackType
from typing import Final, Self

from api.embedded import EmbeddedPostgres, EmbeddedRedis
from api.embedded.process import end, ending, free_port, spawn
from tests.faults.bell import Bell
from tests.house import SECRET

PARTS: Final = ("API", "worker", "PostgreSQL", "Redis")


class Rig:
    """PostgreSQL (with durable commits), Redis, an API process and a worker.

    `story` tells what was done to them, for the one who reads about a failure.
    """

    def __init__(self, folder: Path, bell: Bell | None = None, **settings: object) -> None:
        self.bell = bell or Bell()
        self.story: list[str] = []
        self.postgres = EmbeddedPostgres(folder)
        self.redis = EmbeddedRedis(folder)
        self._folder = folder
        self._settings = settings
        self._port = free_port()
        self._env: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._stack = ExitStack()

    @property
    def base(self) -> str:
        """Where the API is, also after a restart."""
        return f"http://127.0.0.1:{self._port}"

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
        for part in ("API", "worker"):
            if part in self._running:
                end(self._running[part], SIGTERM, 20)
        self._stack.close()

    def set(self, **variables: str) -> None:
        """Other environment variables for what is started from now on."""
        self._env |= variables

    def start(self, part: str) -> None:
        """Start a part, or start it again where it was, without waiting until it answers."""
        self.story.append(f"start {part}")
        self._killed.discard(part)
        self._running[part] = self._spawners()[part]()
        self.bell.ring()

    def kill(self, part: str) -> None:
        """kill -9."""
        self.story.append(f"kill {part}")
        self._killed.add(part)
        self._running[part].kill()
        self._running[part].wait()
        self.bell.ring()

    def revive(self) -> None:
        """Start again what ended by itself, as a supervisor would; not what was killed on purpose."""
        for part in self._running.keys() - self._killed:
            if self._running[part].poll() is not None:
                self.story.append(f"{part} {ending(self._running[part])} by itself")
                self.start(part)

    def said(self, part: str) -> str:
        """What a program wrote."""
        return self._log(part).read_text(errors="replace")

    def _spawners(self) -> Mapping[str, Callable[[], subprocess.Popen[bytes]]]:
        return {
            "API": lambda: self._program("API", "serve", "--port", str(self._port)),
            "worker": lambda: self._program("worker", "work"),
            "PostgreSQL": self.postgres.spawn,
            "Redis": self.redis.spawn,
        }

    def _environment(self) -> dict[str, str]:
        settings = {"signup": "open", "access_token_seconds": 86_400, "log_format": "json", **self._settings}
        return {
            **os.environ,
            "TASKFOLD_DATABASE_URL": self.postgres.serving_url,
            "TASKFOLD_MIGRATE_URL": self.postgres.owner_url,
            "TASKFOLD_REDIS_URL": self.redis.url,
            "TASKFOLD_SECRET_KEY": SECRET,
            **{f"TASKFOLD_{name.upper()}": str(value) for name, value in settings.items()},
        }

    def _migrate(self) -> None:
        process = self._program("migrate", "migrate")
        assert process.wait(60) == 0, self.said("migrate")

    def _program(self, part: str, *arguments: str) -> subprocess.Popen[bytes]:
        """With the death of this process it ends too, whatever becomes of the tests."""
        command = [sys.executable, "-m", "api.cli", *arguments]
        with self._log(part).open("ab") as output:
            return spawn(command, env=self._env, death_signal=SIGTERM, output=output)

    def _log(self, part: str) -> Path:
        return self._folder / f"{part}.log"
