"""The files a supervisor keeps in its data directory: the lock, the secrets, the logs."""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from api.embedded.errors import StartError

LOG_LIMIT = 8 * 1024 * 1024  # a log that is longer at the next start is set aside, so two of these are the most
TAIL_LINES = 12


def make_directory(path: Path) -> Path:
    """Make a directory that only we may enter; an existing one is left as it is. Answers its absolute path."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot use data directory {path}: {error.strerror}") from None
    return path.resolve()


class DirectoryLock:
    """One supervisor at a time in a directory.

    The lock is an flock, so the kernel lets go of it when the holder dies, however it dies: there is no stale lock.
    The process id inside is only there to be named to a person.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock or say who has it."""
        try:
            fd = os.open(make_directory(self._directory) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartError(f"cannot use data directory {self._directory}: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode().strip()
            os.close(fd)
            who = f"process {holder}" if holder else "another process"
            raise StartError(f"data directory {self._directory} is in use by {who}") from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        """Let go. The file stays: removing it would let two others hold two different files of the same name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def secret(path: Path, size: int = 24) -> str:
    """The secret kept at `path`, made at the first call."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(size) + "\n")
    return path.read_text().strip()


def open_log(path: Path) -> BinaryIO:
    """The log at `path`, to append to."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(f"{path.name}.old"))
    return path.open("ab")


def tail(path: Path, start: int) -> str:
    """The last lines that a log got since it was `start` bytes long."""
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
