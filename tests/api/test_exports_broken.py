"""Exports of slow clients, while others work, and what breaks in the middle."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from api import streaming
from domain.exchange import Line
from domain.task import Task
from projections import exports
from tests.api.crowded import crowd
from tests.house import Client, House, position_of, refused, until

LONG = 99_000  # characters, without words: what is found takes time to be indexed
MANY = 48  # times as much is more than the 3 MB that the buffers between client and server hold


class Slow:
    """A client that takes what it wants, when it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self.is_whole = False

    @classmethod
    @asynccontextmanager
    async def of(cls, house: House, client: Client, path: str) -> AsyncIterator["Slow"]:
        """One that has sent its request, and read the head of the answer."""
        place = urlsplit(house.base)
        plug = socket.socket()
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, (place.hostname, place.port))
        reader, writer = await asyncio.open_connection(sock=plug, limit=65_536)
        lines = [f"GET /api/v1{path} HTTP/1.1", f"Host: {place.netloc}", *map(": ".join, client.headers.items())]
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    async def lines(self) -> AsyncIterator[Line]:
        """Line by line, until the answer ends or breaks off."""
        while size := await self._size():
            self._rest += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
            *whole, self._rest = self._rest.split(b"\n")
            for line in whole:
                yield msgspec.json.decode(line, type=Line)

    async def _size(self) -> int:
        line = await self._reader.readline()
        self.is_whole = line == b"0\r\n"
        return int(line or b"0", 16)


@pytest.fixture
async def board(house: House, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Somebody with many long tasks, which are exported four at a time."""
    monkeypatch.setattr(exports, "AT_ONCE", 4)
    ada = await house.user()
    head = await crowd(house, ada, MANY, LONG)
    assert (await ada.get("/tasks", min_position=head, limit=1)).status_code == 200
    return ada


EXPORT = "/tasks/export?format=jsonl"


async def test_a_slow_client_gets_one_position_whatever_happens_meanwhile(house: House, board: Client) -> None:
    items = await board.items("/tasks", sort="created_at")
    async with Slow.of(house, board, EXPORT) as client:
        found = client.lines()
        first = await anext(found)
        await board.call("PATCH", f"/tasks/{items[-1]['id']}", {"title": "changed"})
        await board.call("DELETE", f"/tasks/{items[-2]['id']}")
        await board.post(f"/tasks/{items[-3]['id']}/checklist", {"text": "new"})
        last = await board.task("new")
        await board.get("/tasks", min_position=last["position"], limit=1)
        rest = [line async for line in found]
    assert client.is_whole
    assert first.export is not None
    assert first.export.tasks == MANY
    assert [line.task for line in rest if line.task is not None] == msgspec.convert(items, list[Task])
    assert not [line for line in rest if line.checklist is not None]
    assert rest[-1].end is not None
    assert (rest[-1].end.tasks, rest[-1].end.position) == (MANY, first.export.position)


async def _cut(house: House, client: Slow) -> None:
    """All that is left of an export, which is not whole."""
    rest = [line async for line in client.lines()]
    assert not client.is_whole
    assert not [line for line in rest if line.end is not None]
    await until(lambda: not house.services.exports.taken_by)


async def test_who_logs_out_meanwhile_gets_no_more(house: House, board: Client) -> None:
    async with Slow.of(house, board, EXPORT) as client:
        await house.http.post("/auth/logout", json={"refresh_token": board.tokens["refresh_token"]})
        await _cut(house, client)


async def test_who_comes_to_see_less_meanwhile_gets_no_more(house: House, board: Client) -> None:
    manager = await house.user(role="manager", by=board)
    await manager.get("/tasks", limit=1)
    async with Slow.of(house, manager, EXPORT) as client:
        await board.call("PUT", f"/users/{manager.id}/role", {"role": "member"})
        await _cut(house, client)


async def test_who_takes_nothing_is_cut(house: House, board: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STALL_SECONDS", 0.05)
    async with Slow.of(house, board, EXPORT) as client:
        await until(lambda: not house.services.exports.taken_by)
        await _cut(house, client)


async def test_an_export_ends_with_its_client_and_makes_room_for_the_next(house: House, board: Client) -> None:
    async with Slow.of(house, board, EXPORT), Slow.of(house, board, EXPORT):
        refused(await board.get("/tasks/export", format="csv"), 429, "export.too_many")
        other = await house.user()
        assert (await other.get("/tasks/export", format="csv")).status_code == 200
    await until(lambda: not house.services.exports.taken_by)
    assert (await board.get("/tasks/export", format="csv", category="done")).status_code == 200


async def test_what_breaks_in_the_database_is_no_end(house: House, board: Client) -> None:
    async with Slow.of(house, board, EXPORT) as client:
        await house.services.pool.close()
        await _cut(house, client)


async def test_ordinary_clients_report_what_breaks_off(house: House, board: Client) -> None:
    headers = board.headers | {"Accept-Encoding": "identity"}
    async with house.http.stream("GET", EXPORT, headers=headers) as response:
        await house.http.post("/auth/logout", json={"refresh_token": board.tokens["refresh_token"]})
        with pytest.raises(httpx.RemoteProtocolError):
            await response.aread()


async def test_a_position_is_named_before_the_first_byte_of_the_text(house: House, board: Client) -> None:
    async with house.http.stream("GET", EXPORT, headers=board.headers) as response:
        assert position_of(response) == await house.head()
