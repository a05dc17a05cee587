"""PostgreSQL processes that a killed supervisor or postmaster left on a data directory."""

import contextlib
import os
import signal
import time
from pathlib import Path

from api.embedded.errors import StartError

PATIENCE = 5.0
POLL = 0.01


def clear(data: Path, cluster: str) -> None:
    """End what still runs on this data directory, then remove a stale `postmaster.pid`.

    The caller holds the directory's lock, so no supervisor is alive and these processes are dying or stuck. PostgreSQL
    itself looks only whether the process id in its file is alive, and ids are used again: after a reboot or in a
    container it may be anybody's, and the server would never start. So the processes are asked what they are.
    """
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if _send_and_wait(data, cluster, number):
            with contextlib.suppress(FileNotFoundError):
                (data / "postmaster.pid").unlink()
            return
    raise StartError(f"an earlier PostgreSQL on {data} does not end: processes {running(data, cluster)}")


def _send_and_wait(data: Path, cluster: str, number: signal.Signals) -> bool:
    for pid in running(data, cluster):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    deadline = time.monotonic() + PATIENCE
    while running(data, cluster):  # not our children, so there is nothing to wait on
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def running(data: Path, cluster: str) -> list[int]:
    """The PostgreSQL processes of this data directory."""
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if _works_on(pid, data, cluster)]


def _works_on(pid: int, data: Path, cluster: str) -> bool:
    """By its title: a server process carries the cluster's name there, a postmaster the directory as well.

    A title can be read of every process; the working directory only with the right to trace it.
    """
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # ended in the meantime
    words = title.rstrip(b"\0").split(b"\0")
    if words[0].startswith(b"postgres: "):
        return words[0].startswith(f"postgres: {cluster}: ".encode())
    return os.path.basename(words[0]) == b"postgres" and os.fsencode(data) in words
