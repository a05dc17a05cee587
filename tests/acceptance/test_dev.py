"""`taskfold dev` as somebody uses it: started in a terminal, killed in parts and as a whole, stopped, started again."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from websockets.sync.client import connect

from api.embedded.process import free_port

PATIENCE = 90.0


class Terminal:
    """A running `taskfold dev`, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.said = ""

    def until(self, pattern: str) -> re.Match[str]:
        """The first thing it says from here on that fits."""
        assert self.process.stdout is not None
        start = len(self.said)
        while not (match := re.search(pattern, self.said[start:])):
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], f"{pattern!r} not within {PATIENCE:.0f} s"
            text = os.read(self.process.stdout.fileno(), 65_536).decode()
            assert text, f"{pattern!r} was not said, but: {self.said}"
            self.said += text
        return match

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        return self.process.wait(PATIENCE)


@contextmanager
def dev(data: Path, port: int | None = None) -> Iterator[Terminal]:
    """Start it as a person does, and wait until it says that it runs."""
    port = port or free_port()
    command = [sys.executable, "-m", "api.cli", "dev", "--port", str(port), "--data-dir", str(data)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("TASKFOLD_")}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            terminal = Terminal(process, port)
            yield terminal
        finally:
            process.send_signal(signal.SIGTERM)
            if process.stdout is not None:
                process.stdout.read()
            process.wait(PATIENCE)


def descendants(pid: int) -> dict[int, str]:
    """All processes that a process started, and those that they started, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended in the meantime
        parents[int(entry.parent.name)] = int(fields[1])
    found: dict[int, str] = {}
    for child in parents:
        ancestor = child
        while (ancestor := parents.get(ancestor, 0)) > 1:
            if ancestor == pid:
                found[child] = command_line(child)
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def the_one(processes: dict[int, str], words: str) -> int:
    (pid,) = [pid for pid, command in processes.items() if words in command]
    return pid


@contextmanager
def gone_at_the_end(processes: dict[int, str]) -> Iterator[None]:
    """Whatever happens in the block, afterwards none of these processes runs."""
    handles = {pid: os.pidfd_open(pid) for pid in processes}
    try:
        yield
        for pid, handle in handles.items():
            assert select.select([handle], [], [], PATIENCE)[0], f"{processes[pid]} still runs"
    finally:
        for handle in handles.values():
            os.close(handle)


def register(base: str, email: str = "you@example.com") -> dict[str, str]:
    body = {"email": email, "password": "correct horse battery staple", "display_name": "You"}
    response = httpx.post(f"{base}/api/v1/auth/register", json=body, timeout=PATIENCE)
    assert response.status_code == 201, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


def logged_in(base: str) -> dict[str, str]:
    body = {"email": "you@example.com", "password": "correct horse battery staple"}
    response = httpx.post(f"{base}/api/v1/auth/login", json=body, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


def eventually(attempt: Callable[[], httpx.Response]) -> httpx.Response:
    """Send it again while nobody answers: for a program that is coming back."""
    for _ in range(100_000):
        try:
            response = attempt()
        except httpx.TransportError:
            continue
        if response.status_code != 503:
            return response
    raise AssertionError("it did not come back")


def tour(base: str, headers: dict[str, str]) -> dict[str, Any]:
    """Create, assign, complete, one illegal move, the history; and every change on a socket."""
    with (
        httpx.Client(base_url=f"{base}/api/v1", headers=headers, timeout=PATIENCE) as http,
        connect(f"{base.replace('http', 'ws', 1)}/ws/tasks", additional_headers=headers) as live,
    ):
        assert orjson.loads(live.recv(PATIENCE))["type"] == "hello"
        me = http.get("/users/profile").json()["id"]
        task: dict[str, Any] = http.post("/tasks", json={"title": "write the report"}).json()
        assigned = http.post(f"/tasks/{task['id']}/assign", json={"user_id": me})
        assert assigned.json()["assignee"] == {"type": "user", "id": me}
        done = http.post(f"/tasks/{task['id']}/complete")
        assert done.json()["status"] == "done"
        refused = http.post(f"/tasks/{task['id']}/start")
        assert (refused.status_code, refused.json()["allowed"]) == (409, ["reopen"])
        history = http.get(f"/tasks/{task['id']}/history").json()["items"]
        assert [event["type"] for event in history] == ["task.created", "task.assigned", "task.completed"]
        frames = [orjson.loads(live.recv(PATIENCE)) for _ in history]
        assert [frame["position"] for frame in frames] == [event["position"] for event in history]
        assert frames[-1]["task"] == done.json()
        return frames[-1]["task"]  # type: ignore[no-any-return]


def test_one_command_starts_everything_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data) as terminal:
        terminal.until("Ctrl-C stops everything")
        for words in (terminal.base, f"{terminal.base}/docs", f"{terminal.base}/api/v1/auth/register", str(data)):
            assert words in terminal.said
        assert httpx.get(f"{terminal.base}/docs").status_code == 200
        task = tour(terminal.base, register(terminal.base))
        everything = descendants(terminal.process.pid)
        for words in ("postgres -D", "redis-server", "api.cli work", "api.cli serve"):
            assert the_one(everything, words)
        with gone_at_the_end(everything):
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.ends() == 0, terminal.said
        assert "Traceback" not in terminal.said
    with dev(data) as terminal:
        terminal.until("Ctrl-C stops everything")
        kept = httpx.get(f"{terminal.base}/api/v1/tasks/{task['id']}", headers=logged_in(terminal.base))
        assert kept.json() == task


def test_a_killed_part_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as terminal:
        terminal.until("Ctrl-C stops everything")
        headers = register(terminal.base)
        parts = {
            "API": "api.cli serve",
            "worker": "api.cli work",
            "Redis": "redis-server",
            "PostgreSQL": "postgres -D",
        }
        for name, words in parts.items():
            os.kill(the_one(descendants(terminal.process.pid), words), signal.SIGKILL)
            terminal.until(rf"{name} ended by SIGKILL; starting it again")
            again = int(terminal.until(rf"{name} is started again as process (\d+)")[1])
            assert again in descendants(terminal.process.pid)
            body = {"title": f"after the end of {name}"}
            key = {"Idempotency-Key": name}
            created = eventually(
                lambda body=body, key=key: httpx.post(  # type: ignore[misc]
                    f"{terminal.base}/api/v1/tasks", json=body, headers=headers | key, timeout=PATIENCE
                )
            )
            assert created.status_code == 201, created.text
        position = created.headers["Taskfold-Position"]
        listed = eventually(
            lambda: httpx.get(
                f"{terminal.base}/api/v1/tasks?min_position={position}", headers=headers, timeout=PATIENCE
            )
        )
        assert [task["title"] for task in listed.json()["items"]] == [f"after the end of {name}" for name in parts][
            ::-1
        ]
        with gone_at_the_end(descendants(terminal.process.pid)):
            terminal.process.send_signal(signal.SIGTERM)
            assert terminal.ends() == 0, terminal.said


def test_a_kill_of_the_supervisor_leaves_nothing_running_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data) as terminal:
        terminal.until("Ctrl-C stops everything")
        task = tour(terminal.base, register(terminal.base))
        with gone_at_the_end(descendants(terminal.process.pid)):
            terminal.process.kill()
            assert terminal.ends() == -signal.SIGKILL
    with dev(data) as terminal:
        terminal.until("Ctrl-C stops everything")
        kept = httpx.get(f"{terminal.base}/api/v1/tasks/{task['id']}", headers=logged_in(terminal.base))
        assert kept.json() == task


def test_ctrl_c_during_the_start_leaves_nothing_running(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as terminal:
        while not any("redis-server" in command for command in descendants(terminal.process.pid).values()):
            assert terminal.process.poll() is None
        with gone_at_the_end(descendants(terminal.process.pid)):
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.ends() in (0, 130), terminal.said
        assert "Traceback" not in terminal.said


def test_a_busy_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with dev(tmp_path / "data", port) as terminal:
            assert terminal.ends() == 1
    assert terminal.said == f"error: port {port} of 127.0.0.1 is in use; choose another with --port\n"


def test_a_busy_data_directory_is_said_plainly(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data) as first:
        first.until("Ctrl-C stops everything")
        with dev(data) as second:
            assert second.ends() == 1
        assert second.said == f"error: data directory {data} is in use by process {first.process.pid}\n"
        assert httpx.get(f"{first.base}/healthz").status_code == 200
