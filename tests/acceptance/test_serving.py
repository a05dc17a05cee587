"""`taskfold serve` and `taskfold work` as an installation runs them: processes of their own, set by the environment."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from api.embedded.process import end, free_port, spawn
from domain.user import Role
from tests.house import PASSWORD, SECRET, Client, Database, Socket

PATIENCE = 60.0
STOPPED = (0, -signal.SIGTERM)  # once it has drained, uvicorn ends by the signal that asked it to


class Installation:
    """A database of its own, and the programs that work on it."""

    def __init__(self, database: Database, environment: dict[str, str], folder: Path) -> None:
        self.owner_url = database.owner_url
        self._folder = folder
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._https: list[httpx.AsyncClient] = []
        self._env = {**environment, "TASKFOLD_LOG_FORMAT": "json"}

    def start(self, name: str, *arguments: str, **settings: str) -> None:
        """Start a program. Its output is kept under its name."""
        env = self._env | {f"TASKFOLD_{key.upper()}": value for key, value in settings.items()}
        with self._log(name).open("ab") as output:
            command = [sys.executable, "-m", "api.cli", *arguments]
            self._programs[name] = spawn(command, env=env, death_signal=signal.SIGTERM, output=output)

    async def api(self, name: str, *arguments: str, **settings: str) -> httpx.AsyncClient:
        """Start an API, and answer a client for it once it is ready."""
        port = free_port()
        self.start(name, "serve", "--port", str(port), *arguments, **settings)
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE)
        self._https.append(http)
        async with asyncio.timeout(PATIENCE):
            while not await self._is_ready(http, name):
                pass
        return http

    async def _is_ready(self, http: httpx.AsyncClient, name: str) -> bool:
        assert self._programs[name].poll() is None, self.said(name)
        try:
            return (await http.get(str(http.base_url.copy_with(path="/readyz")))).status_code == 200
        except httpx.TransportError:
            return False

    def signal(self, name: str, number: signal.Signals) -> None:
        self._programs[name].send_signal(number)

    async def ends(self, name: str) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self._programs[name].wait, PATIENCE)

    def said(self, name: str) -> str:
        return self._log(name).read_text()

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Its structured log."""
        return [orjson.loads(line) for line in self.said(name).splitlines()]

    async def stop(self) -> None:
        for http in self._https:
            await http.aclose()
        for program in self._programs.values():
            end(program, signal.SIGTERM, 20)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@pytest.fixture
async def installation(database: Database, environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Installation]:
    installation = Installation(database, environment, tmp_path)
    yield installation
    await installation.stop()


def base_of(http: httpx.AsyncClient) -> str:
    return str(http.base_url).removesuffix("/api/v1/")


async def register(http: httpx.AsyncClient, name: str) -> Client:
    body = {"email": f"{name}@example.com", "password": PASSWORD, "display_name": name}
    response = await http.post("/auth/register", json=body)
    assert response.status_code == 201, response.text
    return Client(http, response.json(), base_of(http))


def elsewhere(client: Client, http: httpx.AsyncClient) -> Client:
    """The same user with the same tokens, at another process."""
    return Client(http, client.tokens, base_of(http))


async def status_within_a_second(client: Client, status: int) -> int:
    """The status of reading one's own profile, asked until it is this one or a second has passed."""
    deadline = monotonic() + 1.0
    while True:
        response = await client.get("/users/profile")
        if response.status_code == status or monotonic() > deadline:
            return response.status_code


async def closing_code(socket: Socket, within: float) -> int:
    """With what the server closes the socket, whatever it sends before."""
    try:
        async with asyncio.timeout(within):
            while True:
                await socket.receive(within)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@asynccontextmanager
async def two(installation: Installation) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Two API processes and a worker on one log."""
    installation.start("worker", "work")
    one, other = await asyncio.gather(installation.api("one"), installation.api("other"))
    yield one, other


async def test_several_workers_of_one_api_share_the_log(installation: Installation) -> None:
    installation.start("worker", "work")
    http = await installation.api("api", "--workers", "2")
    ada = await register(http, "ada")
    task = await ada.task("shared")

    async def patch(number: int) -> httpx.Response:
        async with httpx.AsyncClient(base_url=http.base_url, timeout=PATIENCE) as mine:  # a connection of its own
            return await elsewhere(ada, mine).call("PATCH", f"/tasks/{task['id']}", {"title": f"title {number}"})

    answers = await asyncio.gather(*(patch(number) for number in range(40)))
    assert Counter(answer.status_code for answer in answers) == {200: 40}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 42))
    installation.signal("api", signal.SIGTERM)
    assert await installation.ends("api") in STOPPED


async def test_a_retry_at_another_process_has_one_effect_and_one_answer(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada = await register(one, "ada")
        at = (ada, elsewhere(ada, other))
        first = await at[0].post("/tasks", {"title": "once"}, idempotency_key="a")
        again = await at[1].post("/tasks", {"title": "once"}, idempotency_key="a")
        assert (first.json(), again.headers["Idempotency-Replayed"]) == (again.json(), "true")
        path = f"/tasks/{first.json()['id']}/start"
        tries = await asyncio.gather(
            *(at[n % 2].post(path, idempotency_key="b", if_match='"1"') for n in range(10)),
        )
        assert [answer.status_code for answer in tries] == [200] * 10, [answer.text for answer in tries]
        assert len({answer.content for answer in tries}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in tries) == 1
        history = (await ada.get(f"/tasks/{first.json()['id']}/history")).json()["items"]
        assert [event["type"] for event in history] == ["task.created", "task.started"]


async def test_two_admins_who_demote_each_other_at_two_processes_never_both_succeed(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada, bob = await register(one, "ada"), await register(other, "bob")
        for _ in range(8):
            await ada.call("PUT", f"/users/{bob.id}/role", {"role": "admin"})
            answers = await asyncio.gather(
                ada.call("PUT", f"/users/{bob.id}/role", {"role": "member"}),
                bob.call("PUT", f"/users/{ada.id}/role", {"role": "member"}),
            )
            won = [answer.status_code == 200 for answer in answers]
            assert sum(won) == 1, [answer.text for answer in answers]
            with psycopg.connect(installation.owner_url) as connection:
                row = connection.execute(ADMINS).fetchone()
            assert row == (1,)
            if won[1]:
                ada, bob = bob, ada  # whoever is admin now


ADMINS = """
    SELECT count(*) FROM (
        SELECT DISTINCT ON (stream_id) data->>'role' AS role FROM events
        WHERE name IN ('user.joined', 'user.role_changed') ORDER BY stream_id, version DESC) roles
    WHERE role = 'admin'
"""


async def test_64_writers_at_two_processes_on_10_tasks_lose_nothing(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada = await register(one, "ada")
        at = (ada, elsewhere(ada, other))
        tasks = [await ada.task(f"task {number}") for number in range(10)]

        async def write(number: int) -> list[tuple[str, int, int]]:
            receipts = []
            for turn in range(3):
                path = f"/tasks/{tasks[(number + turn) % 10]['id']}"
                answer = await at[number % 2].call("PATCH", path, {"title": f"{number} in turn {turn}"})
                while answer.status_code == 503:
                    answer = await at[number % 2].call("PATCH", path, {"title": f"{number} in turn {turn}"})
                assert answer.status_code == 200, answer.text
                receipts.append((path, answer.json()["version"], int(answer.headers["Taskfold-Position"])))
            return receipts

        receipts = [receipt for part in await asyncio.gather(*map(write, range(64))) for receipt in part]
        for task in tasks:
            versions = sorted(version for path, version, _ in receipts if path.endswith(task["id"]))
            assert versions == list(range(2, len(versions) + 2))
        positions = sorted(position for _, _, position in receipts)
        assert positions == list(range(positions[0], positions[0] + 64 * 3))


async def test_a_socket_sees_what_another_process_writes(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada = await register(one, "ada")
        async with elsewhere(ada, other).socket() as socket:
            assert (await socket.receive())["type"] == "hello"
            task = await ada.task("seen there")
            frame = await socket.receive()
            assert (frame["op"], frame["task"]) == ("upsert", task)
            read = await elsewhere(ada, other).get("/tasks", min_position=task["position"])
            assert read.json()["items"] == [task]


async def test_a_logout_bites_at_the_other_process(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada = await register(one, "ada")
        there = elsewhere(ada, other)
        assert (await there.get("/users/profile")).status_code == 200
        async with there.socket() as socket:
            assert (await socket.receive())["type"] == "hello"
            left = await ada.post("/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
            assert left.status_code == 204
            assert await status_within_a_second(there, 401) == 401
            assert await closing_code(socket, within=5.0) == 4401


async def test_a_change_of_role_bites_at_the_other_process(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada, bob = await register(one, "ada"), await register(one, "bob")
        there = elsewhere(bob, other)
        hidden = await ada.task("not bob's")
        path = f"/tasks/{hidden['id']}"
        for role, seen in ((Role.MANAGER, 200), (Role.MEMBER, 404), (Role.AUDITOR, 200)):
            assert (await ada.call("PUT", f"/users/{bob.id}/role", {"role": role})).status_code == 200
            # A command reads the role as an expectation of its append: it is right at once.
            changed = await there.call("PATCH", path, {"title": f"by a {role}"})
            assert changed.status_code == {Role.MANAGER: 200, Role.MEMBER: 404, Role.AUDITOR: 403}[role]
            deadline = monotonic() + 1.0
            while (read := await there.get(path)).status_code != seen and monotonic() < deadline:
                pass
            assert read.status_code == seen


async def test_a_socket_opened_right_after_a_demotion_shows_nothing_more(installation: Installation) -> None:
    async with two(installation) as (one, other):
        ada, bob = await register(one, "ada"), await register(one, "bob")
        there = elsewhere(bob, other)
        for _ in range(3):
            await ada.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})
            assert (await there.get("/tasks")).status_code == 200  # the other process knows bob as a manager
            await ada.call("PUT", f"/users/{bob.id}/role", {"role": "member"})
            async with there.socket() as socket:
                assert (await socket.receive())["type"] == "hello"
                await ada.task("not bob's")
                own = await bob.task("bob's")
                shown = await socket.changes(own["position"])
            # That tasks are gone may be told again: the demotion itself comes by the feed, sooner or later.
            assert [frame["task_id"] for frame in shown if frame["op"] == "upsert"] == [own["id"]]


async def test_a_stop_answers_what_is_under_way_and_tells_sockets_to_resume(installation: Installation) -> None:
    installation.start("worker", "work")
    http = await installation.api("api")
    ada = await register(http, "ada")
    async with ada.socket() as socket:
        assert (await socket.receive())["type"] == "hello"
        async with await psycopg.AsyncConnection.connect(installation.owner_url) as connection:
            await connection.execute("SELECT FROM logs FOR UPDATE")  # whatever is appended now has to wait
            writing = await under_way(ada, 20)
            installation.signal("api", signal.SIGTERM)
            assert await closing_code(socket, within=PATIENCE) == 1012
            assert not any(task.done() for task in writing)
        answers = await asyncio.gather(*writing)
    assert Counter(answer.status_code for answer in answers) == {201: 20}
    assert await installation.ends("api") in STOPPED
    with psycopg.connect(installation.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM events WHERE name = 'task.created'").fetchone() == (20,)
    assert "Traceback" not in installation.said("api")


async def under_way(client: Client, count: int) -> list[asyncio.Task[httpx.Response]]:
    """Commands that the server is working on for certain."""
    sent = asyncio.Semaphore(0)

    async def trace(event: str, _: object) -> None:
        if event == "http11.send_request_body.complete":
            sent.release()

    def create(number: int) -> Coroutine[Any, Any, httpx.Response]:
        body = {"title": f"task {number}"}
        return client.http.post("/tasks", json=body, headers=client.headers, extensions={"trace": trace})

    writing = [asyncio.create_task(create(number)) for number in range(count)]
    for _ in writing:
        await sent.acquire()
    for _ in range(5):  # all of it has arrived; each answer takes the server round its loop once
        assert (await client.http.get(f"{client.base}/healthz")).status_code == 200
    return writing


async def test_a_stopped_worker_gives_its_leases_back(installation: Installation) -> None:
    installation.start("worker", "work")
    http = await installation.api("api")
    ada = await register(http, "ada")
    task = await ada.task()
    assert (await ada.get("/tasks", min_position=task["position"])).status_code == 200
    installation.signal("worker", signal.SIGTERM)
    assert await installation.ends("worker") == 0
    with psycopg.connect(installation.owner_url) as connection:
        held = connection.execute("SELECT count(*) FROM checkpoints WHERE lease IS NOT NULL").fetchone()
    assert held == (0,)


@pytest.mark.parametrize("program", ["serve", "work"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("secret_key", "short and secret", "TASKFOLD_SECRET_KEY: String should have at least 32 characters"),
        ("signup", "everybody", "TASKFOLD_SIGNUP: Input should be 'open', 'invite' or 'closed', got 'everybody'"),
        ("pool_size", "many", "TASKFOLD_POOL_SIZE: Input should be a valid integer"),
        (
            "database_url",
            "mysql://root:hunter2@db/x",  # pragma: allowlist secret
            "TASKFOLD_DATABASE_URL: String should match pattern",
        ),
    ],
)
async def test_a_wrong_setting_stops_the_start_with_one_clear_line(
    installation: Installation, program: str, name: str, value: str, said: str
) -> None:
    installation.start("program", program, **{name: value})
    assert await installation.ends("program") == 1
    lines = installation.said("program").splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"error: {said}"), lines
    assert name not in ("secret_key", "database_url") or value not in lines[0]


async def test_a_missing_setting_is_named(installation: Installation) -> None:
    del installation._env["TASKFOLD_REDIS_URL"]
    installation.start("api", "serve")
    assert await installation.ends("api") == 1
    assert installation.said("api") == "error: TASKFOLD_REDIS_URL: is not set\n"


@pytest.mark.parametrize("program", ["work", "serve"])
async def test_a_database_that_does_not_answer_is_said_in_one_line(installation: Installation, program: str) -> None:
    place = f"127.0.0.1:{free_port()}"
    wrong = f"postgresql://taskfold:hunter2@{place}/taskfold"  # pragma: allowlist secret
    installation.start("worker", program, database_url=wrong)
    assert await installation.ends("worker") == 1
    (line,) = [line for line in installation.said("worker").splitlines() if line.startswith("error:")]
    assert line == f"error: TASKFOLD_DATABASE_URL: PostgreSQL at {place} does not answer"
    assert "Traceback" not in installation.said("worker")
    assert "hunter2" not in installation.said("worker")


async def test_logs_name_each_request_and_hold_no_secret(installation: Installation) -> None:
    installation.start("worker", "work")
    http = await installation.api("api")
    ada = await register(http, "ada")
    created = await ada.post("/tasks", {"title": "a private matter"}, x_request_id="the-request")
    assert created.headers["X-Request-ID"] == "the-request"
    await http.post("/auth/login", json={"email": "ada@example.com", "password": "a wrong one"})
    ticket = (await ada.post("/auth/ws-ticket")).json()["ticket"]
    async with Client(http, ada.tokens, ada.base).socket(ticket=ticket) as socket:
        assert (await socket.receive())["type"] == "hello"
    await http.post("/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
    installation.signal("api", signal.SIGTERM)
    assert await installation.ends("api") in STOPPED
    requests = [entry for entry in installation.logged("api") if entry["logger"] == "taskfold.access"]
    assert {"request_id": "the-request", "method": "POST", "path": "/api/v1/tasks", "status": 201}.items() <= next(
        entry for entry in requests if entry["request_id"] == "the-request"
    ).items()
    assert all(entry["request_id"] and entry["level"] and entry["at"] for entry in requests)
    everything = installation.said("api") + installation.said("worker")
    secrets = (PASSWORD, SECRET, "a wrong one", ticket, ada.tokens["access_token"], ada.tokens["refresh_token"])
    assert not [secret for secret in (*secrets, "ada@example.com", "a private matter") if secret in everything]
