"""The program of the fan-out suite: a worker, an API that takes the commands, and an API that only has sockets.

Two API processes share one log, as they do in any larger installation. So what is measured on the second is the way of
a change from Redis to its sockets, and no command disturbs it.
"""

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import perf_counter
from typing import Any, Final

import orjson

from api.embedded.process import free_port
from bench.servers import Servers

PATH: Final = "/ws/tasks"
START_SECONDS: Final = 30.0
ALL_SEEING: Final = 3  # users who see every task: an admin and managers
MEMBERS: Final = 5  # users who see their own
PASSWORD: Final = "correct horse battery"
LIGHT_BYTES: Final = 70  # of description; the frame of such a change has about 670
HEAVY_BYTES: Final = 9_000
HEAVY_TASKS: Final = 20
TASKS: Final = 200  # no burst changes one of them twice: every change counts


@dataclass(frozen=True, slots=True)
class User:
    """A member of the workspace, with an access token."""

    id: str
    token: str


class Api:
    """A small client of one API process, a connection for each request: none is old when its turn comes."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
        """What is answered. Raises `RuntimeError` when that is a problem."""
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request(method, path, None if body is None else orjson.dumps(body), headers)
        response = connection.getresponse()
        said = response.read()
        connection.close()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path} was answered {response.status}: {said[:300].decode()}")
        answer: dict[str, Any] = orjson.loads(said)
        return answer


@dataclass(slots=True)
class Program:
    """It runs. `sockets_pid` and `sockets_port` are those of the API that only has sockets."""

    sockets_pid: int
    sockets_port: int
    pids: tuple[int, ...]  # all of its processes
    api: Api
    overseers: list[User]
    members: list[User]
    light: Iterator[str] = field(default_factory=lambda: iter(()))  # the tasks that are changed, by turns
    heavy: Iterator[str] = field(default_factory=lambda: iter(()))  # the same with long descriptions

    def make_tasks(self) -> None:
        """The tasks that are going to change, as many for each member, one after another."""
        self.light, self.heavy = self._made(TASKS, LIGHT_BYTES), self._made(HEAVY_TASKS, HEAVY_BYTES)

    def _made(self, count: int, size: int) -> Iterator[str]:
        turn = islice(cycle(self.members), count)
        made = [self._command("POST", "/api/v1/tasks", _task(user, size)) for user in turn]
        self._until_projected(made[-1]["position"])
        return cycle([task["id"] for task in made])

    def audience(self, sockets: int) -> dict[str, int]:
        """How many sockets each token has: half of them see everything, half of them what is their member's."""
        users = [*islice(cycle(self.overseers), sockets // 2), *islice(cycle(self.members), sockets - sockets // 2)]
        counts: dict[str, int] = {}
        for user in users:
            counts[user.token] = counts.get(user.token, 0) + 1
        return counts

    def change(self, tasks: Iterator[str]) -> None:
        """Let the admin give the next task a new title, and wait until that is projected: a publication of its own.

        The title says when the command was sent.
        """
        title = {"title": f"at {perf_counter():.6f}"}
        self._until_projected(self._command("PATCH", f"/api/v1/tasks/{next(tasks)}", title)["position"])

    def expected(self, changes: int) -> dict[str, int]:
        """How many of the next changes each token gets. The members take turns, so that must come out even."""
        if changes % len(self.members):
            raise ValueError(f"{changes} changes are not the same number for each of {len(self.members)} members")
        each = changes // len(self.members)
        return {user.token: changes for user in self.overseers} | {user.token: each for user in self.members}

    def _command(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.api.call(method, path, body, self.overseers[0].token)

    def _until_projected(self, position: int) -> None:
        path = f"/api/v1/tasks?limit=1&min_position={position}"
        self.api.call("GET", path, token=self.overseers[0].token)


@contextmanager
def running(servers: Servers) -> Iterator[Program]:
    """Start it on a database of its own, with its users. No socket is asked for pongs or closed because it stalls."""
    database = servers.database("fanout")
    environment = servers.environment(database) | {
        "TASKFOLD_ACCESS_TOKEN_SECONDS": "86400",
        "TASKFOLD_SOCKET_PING_SECONDS": "300",
        "TASKFOLD_SOCKET_SEND_SECONDS": "300",
    }
    with ExitStack() as stack:
        worker = stack.enter_context(servers.program("fanout-work", ["api.cli", "work"], environment))
        writer_port, sockets_port = free_port(), free_port()
        writer = stack.enter_context(serving(servers, "fanout-writer", writer_port, environment))
        sockets = stack.enter_context(serving(servers, "fanout-sockets", sockets_port, environment))
        api = Api(writer_port)
        users = [register(api, number) for number in range(ALL_SEEING + MEMBERS)]
        for user in users[1:ALL_SEEING]:
            api.call("PUT", f"/api/v1/users/{user.id}/role", {"role": "manager"}, users[0].token)
        program = Program(
            sockets_pid=sockets.pid,
            sockets_port=sockets_port,
            pids=(worker.pid, writer.pid, sockets.pid),
            api=api,
            overseers=users[:ALL_SEEING],
            members=users[ALL_SEEING:],
        )
        program.make_tasks()
        yield program


@contextmanager
def serving(
    servers: Servers,
    name: str,
    port: int,
    environment: dict[str, str],
    arguments: tuple[str, ...] = ("api.cli", "serve"),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server at a port, and wait until it answers."""
    with servers.program(name, [*arguments, "--port", str(port)], environment) as process:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not answer")
            time.sleep(0.05)
        yield process


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _task(assignee: User, size: int) -> dict[str, Any]:
    return {
        "title": "not changed yet",
        "description": "x" * size,
        "priority": "high",
        "due_at": "2027-01-31T17:00:00Z",
        "assignee": {"type": "user", "id": assignee.id},
        "tags": ["q4", "board"],
    }


def register(api: Api, number: int) -> User:
    """A new member of `main`; the first one of all is its admin."""
    body = {"email": f"user{number}@example.com", "password": PASSWORD, "display_name": f"User {number}"}
    tokens = api.call("POST", "/api/v1/auth/register", body)
    return User(tokens["user"]["id"], tokens["access_token"])
