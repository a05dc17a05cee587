"""The program, as tests use it: started for real in this process, driven over HTTP and WebSocket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
import orjson
import uvicorn
from fastapi import FastAPI
from psycopg import AsyncConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.app import create_app
from api.cli.serve import uvicorn_options
from api.database import Pool, make_pool
from api.services import Services, make_redis
from api.settings import Settings
from commands.ids import new_id
from projections import checkpoints
from projections.projector import Projector
from projections.registry import PROJECTIONS

SECRET = "a secret of forty characters for the tests!"
PASSWORD = "correct horse"
_names = count(1)


class Servers(NamedTuple):
    """Where the run's servers are."""

    owner_url: str
    serving_url: str
    redis_url: str


class Database(NamedTuple):
    """Where one test's database is."""

    owner_url: str
    serving_url: str


def replaced(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, after a look at every member that it must have (RFC 9457)."""
    assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code, problem
    assert problem["type"].endswith(code)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.url.path
    assert problem["request_id"] == response.headers["X-Request-ID"]
    for error in problem.get("errors", []):
        assert error.keys() == {"pointer", "detail", "value"}
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    if status in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1
    return problem


async def until(holds: Callable[[], bool], wait_seconds: float = 20.0) -> None:
    """Let the program run until something holds."""
    async with asyncio.timeout(wait_seconds):
        while not holds():  # noqa: ASYNC110  (there is no event for it, and nothing here but waiting to do)
            await asyncio.sleep(0)


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as httpx takes them beside others that are no text."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def position_of(response: httpx.Response) -> int:
    """The position that an answer names."""
    assert response.is_success, response.text
    return int(response.headers["Taskfold-Position"])


@dataclass
class Client:
    """A logged-in user with an HTTP client."""

    http: httpx.AsyncClient
    tokens: dict[str, Any]
    base: str

    @property
    def id(self) -> str:
        return str(self.tokens["user"]["id"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """Header names are written with underscores: `if_match='"1"'`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=json, headers={**self.headers, **named})

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params, headers=self.headers)

    async def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """The items of every page, by following the cursors."""
        found: list[dict[str, Any]] = []
        while True:
            response = await self.get(path, **params)
            assert response.status_code == 200, response.text
            page = response.json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            params["cursor"] = page["next_cursor"]

    async def post(self, path: str, json: Any = None, **headers: str) -> httpx.Response:
        return await self.call("POST", path, json, **headers)

    async def task(self, title: str = "a task", **fields: Any) -> dict[str, Any]:
        """Create a task."""
        response = await self.post("/tasks", {"title": title, **fields})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    async def team(self, *members: "Client", role: str = "member") -> str:
        """Make a team of these; its id."""
        response = await self.post("/teams", {"name": "a team"})
        assert response.status_code == 201, response.text
        for member in members:
            path = f"/teams/{response.json()['id']}/members/{member.id}"
            assert (await self.call("PUT", path, {"role": role})).status_code == 200
        return str(response.json()["id"])

    @asynccontextmanager
    async def socket(self, path: str = "tasks", **query: Any) -> AsyncIterator["Socket"]:
        """A socket, on `/ws/tasks` unless it is another one."""
        url = f"{self.base.replace('http', 'ws', 1)}/ws/{path}"
        url = f"{url}?{urlencode(query)}" if query else url
        async with connect(url, additional_headers=self.headers, compression=None) as connection:
            yield Socket(connection)


@dataclass
class Socket:
    """A socket, and every frame it has received."""

    connection: ClientConnection
    frames: list[dict[str, Any]] = field(default_factory=list)

    async def receive(self, wait_seconds: float = 10.0) -> dict[str, Any]:
        """The next frame; pings are answered on the way."""
        while True:
            async with asyncio.timeout(wait_seconds):
                frame: dict[str, Any] = orjson.loads(await self.connection.recv())
            if frame["type"] == "ping":
                await self.connection.send('{"type":"pong"}')
                continue
            self.frames.append(frame)
            return frame

    async def until(self, position: int) -> list[dict[str, Any]]:
        """All frames up to the one that finishes a position."""
        frames = []
        while True:
            frame = await self.receive()
            frames.append(frame)
            if frame["type"] == "through" and frame["position"] >= position:
                return frames

    async def closed(self) -> tuple[int | None, str | None]:
        """Why the server closed it: the code and the reason."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed:
            return self.connection.close_code, self.connection.close_reason

    async def changes(self, position: int) -> list[dict[str, Any]]:
        """The changes up to a position."""
        return [frame for frame in await self.until(position) if frame["type"] == "change"]


class House:
    """A running program."""

    def __init__(
        self, app: FastAPI, base: str, projector: Projector, settings: Settings, pool: Pool, owner_url: str
    ) -> None:
        self.app = app
        self.base = base
        self.projector = projector
        self.settings = settings
        self.pool = pool
        self.owner_url = owner_url
        # Without certificates, which it needs for nothing here, and which take 20 ms to read.
        self.http = httpx.AsyncClient(base_url=f"{base}/api/v1", timeout=30, verify=False)

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    async def project(self) -> None:
        """Project all there is, where no projector runs by itself."""
        async with self.pool.connection() as connection:
            lags = await checkpoints.lags(connection, list(PROJECTIONS))
        for lag in lags:
            while await self.projector.run_once(lag.workspace_id, lag.projection):
                pass

    async def insert_event(self, stream_id: str, name: str, data: Any) -> int:
        """Put an event into the log past all rules, as only the owner of the tables can. Answers its position."""
        async with await AsyncConnection.connect(self.owner_url) as connection:
            cursor = await connection.execute(
                """
                WITH head AS (
                    UPDATE logs l SET position = l.position + 1
                    FROM (SELECT workspace_id, max(version) + 1 AS version FROM events WHERE stream_id = %(stream)s
                          GROUP BY workspace_id) s
                    WHERE s.workspace_id = l.workspace_id
                    RETURNING l.workspace_id, l.position, l.recorded_at, s.version)
                INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                                    digest, salt, meta, data)
                SELECT h.workspace_id, h.position, %(stream)s, h.version, 1, h.recorded_at, %(name)s,
                       sha256(''), uuid_send(gen_random_uuid()), %(meta)s, %(data)s
                FROM head h RETURNING position
                """,
                {
                    "stream": stream_id,
                    "name": name,
                    "meta": '{"actor": "x", "correlation_id": "x", "causation_id": "x"}',
                    "data": orjson.dumps(data).decode(),
                },
            )
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def mend_event(self, position: int, name: str) -> None:
        """Give an event another name: what an owner would have to do who first drops the trigger."""
        async with await AsyncConnection.connect(self.owner_url) as connection:
            await connection.execute("ALTER TABLE events DISABLE TRIGGER append_only")
            await connection.execute("UPDATE events SET name = %s, data = '{}' WHERE position = %s", (name, position))
            await connection.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER append_only")

    async def head(self) -> int:
        """How many events there are, in all logs."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute("SELECT coalesce(sum(position), 0)::bigint FROM logs")).fetchone()
        return int(row[0]) if row else 0

    async def user(self, workspace: str = "main", role: str | None = None, by: Client | None = None) -> Client:
        """Register somebody; `by` an admin, with a role."""
        name = f"user{next(_names)}"
        response = await self.http.post(
            "/auth/register",
            json={
                "email": f"{name}@example.com",
                "password": PASSWORD,
                "display_name": name,
                "workspace": workspace,
            },
        )
        assert response.status_code == 201, response.text
        client = Client(self.http, response.json(), self.base)
        if role is not None:
            assert by is not None
            changed = await by.call("PUT", f"/users/{client.id}/role", {"role": role})
            assert changed.status_code == 200, changed.text
        return client

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, servers: Servers, *, projecting: bool = True, **settings: Any
    ) -> AsyncIterator["House"]:
        """Start the program, and stop it in the end."""
        folder = TemporaryDirectory(prefix="taskfold-blobs-")
        chosen = Settings(
            **{
                "blobs_dir": folder.name,
                "database_url": database.serving_url,
                "redis_url": servers.redis_url,
                "secret_key": SECRET,
                "signup": "open",
                "log_level": "ERROR",
                "login_failures": 1_000_000,  # the run's tests share one Redis, and one address
                "registrations": 1_000_000,
                "invites": 100_000_000,
                **dict.fromkeys(("rate_token", "rate_account", "rate_address"), 10**9),
                **settings,
            }
        )
        pool = make_pool(chosen.database_url, 4, derived=True)
        await pool.open(wait=True)
        redis = make_redis(chosen.redis_url)
        projector = Projector(pool, redis, new_id())
        app = create_app(chosen)
        async with serving(app) as base:
            house = cls(app, base, projector, chosen, pool, database.owner_url)
            if projecting:
                await projector.start()
            try:
                yield house
            finally:
                await house.http.aclose()
                if projecting:
                    await projector.stop()
        await redis.aclose()
        await pool.close()
        folder.cleanup()


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app on a free port of this machine, as `taskfold serve` does."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on and each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    options = {**uvicorn_options("127.0.0.1", 0, 1), "loop": "none", "lifespan": "on"}
    server = _Server(uvicorn.Config(app, **options))  # type: ignore[arg-type]
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:
        if running.done():
            await running
        await asyncio.sleep(0)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.end()
        await running
        listener.close()


class _Server(uvicorn.Server):
    """One that ends as soon as it may, and not some tenths of a second later; signals are the test runner's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def end(self) -> None:
        """Answer what is under way, and end."""
        self.should_exit = True
        self._told.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(10):  # rounds of the loop, in which those end that have nothing to do
            await asyncio.sleep(0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wait_tasks_to_complete(), self.config.timeout_graceful_shutdown)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()
