"""Whatever ends a login or a token on one API process ends it on another, in the stated time, without Redis.

The other process is a program of its own, so that nothing but the database tells it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import httpx
import pytest

from api.embedded.process import free_port
from tests.house import SECRET, Client, Database, House, Servers, Socket, refused

NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there
REST_SECONDS = 1.0
SOCKET_SECONDS = 5.0
AT_ONCE = 5
COUNTS = [pytest.param(48), pytest.param(1_000, marks=pytest.mark.faults)]


@dataclass(frozen=True)
class Credential:
    """Something that lets somebody in, what is said once it does not, and how to end it."""

    client: Client
    code: str
    end: Callable[[], Awaitable[httpx.Response]]


async def logged_out(house: House, owner: Client) -> Credential:
    session = await _session(house, owner)
    body = {"refresh_token": session.tokens["refresh_token"]}
    return Credential(session, "auth.session_revoked", lambda: house.http.post("/auth/logout", json=body))


async def ended_session(house: House, owner: Client) -> Credential:
    session = await _session(house, owner)
    session_id = house.services.identify(session.headers["Authorization"]).session_id
    return Credential(session, "auth.session_revoked", lambda: owner.call("DELETE", f"/auth/sessions/{session_id}"))


async def revoked_token(house: House, owner: Client) -> Credential:
    made = (await owner.post("/auth/tokens", {"name": "a script", "scopes": ["read"]})).json()
    client = Client(house.http, {"access_token": made["token"]}, house.base)
    return Credential(client, "auth.token_revoked", lambda: owner.call("DELETE", f"/auth/tokens/{made['id']}"))


KINDS = (logged_out, ended_session, revoked_token)


async def _session(house: House, owner: Client) -> Client:
    """One more login of a user, without the work that a password takes on purpose."""
    services = house.services
    workspace_id = services.identify(owner.headers["Authorization"]).workspace_id
    session, refresh_token = await services.sessions.open(workspace_id, owner.id)
    tokens = {"access_token": services.tokens.sign(session), "refresh_token": refresh_token}
    return Client(house.http, tokens, house.base)


async def credentials(house: House, count: int) -> list[Credential]:
    owners = [await house.user() for _ in range(1 + count // 200)]  # a user has 100 personal tokens at most
    return [await kind(house, owners[n // 200]) for n, kind in enumerate(islice(cycle(KINDS), count))]


@asynccontextmanager
async def another_process(database: Database) -> AsyncIterator[str]:
    """`taskfold serve` on the same database. Answers its address."""
    port = free_port()
    environment = {
        **os.environ,
        "TASKFOLD_DATABASE_URL": database.serving_url,
        "TASKFOLD_REDIS_URL": NOWHERE,
        "TASKFOLD_SECRET_KEY": SECRET,
        "TASKFOLD_LOG_LEVEL": "ERROR",
    }
    argv = (sys.executable, "-m", "api.cli", "serve", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*argv, env=environment)
    base = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=base) as http:
            while True:
                try:
                    if (await http.get("/healthz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0)
        yield base
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def both(database: Database, servers: Servers) -> AsyncIterator[tuple[House, str]]:
    async with (
        House.open(database, servers, projecting=False, redis_url=NOWHERE) as house,
        another_process(database) as base,
    ):
        yield house, base


@pytest.mark.parametrize("count", COUNTS)
async def test_every_revocation_bites_within_a_second_on_another_process(
    database: Database, servers: Servers, count: int
) -> None:
    clock = asyncio.get_running_loop().time
    async with both(database, servers) as (house, base), httpx.AsyncClient(base_url=base, timeout=30) as there:

        async def seconds_until_refused(credential: Credential) -> float:
            headers = credential.client.headers
            assert (await there.get("/api/v1/users/profile", headers=headers)).status_code == 200
            assert (await credential.end()).status_code == 204
            ended = clock()
            async with asyncio.timeout(30):
                while (response := await there.get("/api/v1/users/profile", headers=headers)).status_code != 401:
                    pass
            refused(response, 401, credential.code)
            command = await there.post("/api/v1/tasks", json={"title": "a"}, headers=headers)
            refused(command, 401, credential.code)
            return clock() - ended

        took: list[float] = []
        waiting = await credentials(house, count)
        while waiting:
            some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            took += await asyncio.gather(*[seconds_until_refused(credential) for credential in some])
        assert len(took) == count
        late = [seconds for seconds in took if seconds > REST_SECONDS]
        assert not late, f"{len(late)} of {count} took longer, up to {max(late):.2f} s"


@pytest.mark.parametrize("count", COUNTS)
async def test_every_revocation_closes_its_socket_on_another_process_within_five_seconds(
    database: Database, servers: Servers, count: int
) -> None:
    clock = asyncio.get_running_loop().time
    async with both(database, servers) as (house, base), AsyncExitStack() as stack:
        all_of_them = await credentials(house, count)

        async def closed(socket: Socket) -> tuple[tuple[int | None, str | None], float]:
            return await socket.closed(), clock()

        closing = []
        for credential in all_of_them:
            there = Client(house.http, credential.client.tokens, base)
            socket = await stack.enter_async_context(there.socket())
            await socket.receive()
            closing.append(asyncio.create_task(closed(socket)))
        ended: list[float] = []
        for credential in all_of_them:
            assert (await credential.end()).status_code == 204
            ended.append(clock())
        async with asyncio.timeout(30):
            found = await asyncio.gather(*closing)
        assert [why for why, _ in found] == [(4401, credential.code) for credential in all_of_them]
        assert max(at - since for (_, at), since in zip(found, ended, strict=True)) <= SOCKET_SECONDS
