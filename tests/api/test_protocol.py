"""Answers in one write: whole, in order, and also where there is no body or the request asks to go on first."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.protocol import OneWrite
from tests.house import House


class Recorder:
    """The other side of a transport: what was written, call by call."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_head_and_body_are_one_write_and_what_follows_goes_out_at_once() -> None:
    there = Recorder()
    transport = OneWrite(there)
    for part in (b"head ", b"body ", b"more", b""):
        transport.write(part)
    assert there.written == [b"head body ", b"more", b""]


def test_a_head_without_a_body_goes_out_before_the_end() -> None:
    there = Recorder()
    transport = OneWrite(there)
    transport.write(b"head")
    assert (there.written, transport.is_closing()) == ([], False)
    transport.close()
    assert (there.written, there.closed) == ([b"head"], True)


def test_an_end_without_anything_is_only_an_end() -> None:
    there = Recorder()
    OneWrite(there).close()
    assert (there.written, there.closed) == ([], True)


def test_the_leave_to_go_on_is_never_held_back() -> None:
    there = Recorder()
    transport = OneWrite(there)
    transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    transport.write(b"HTTP/1.1 201 Created\r\n\r\n")
    transport.write(b"{}")
    assert there.written == [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 201 Created\r\n\r\n{}"]


@pytest.fixture
async def wire(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = house.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_requests_sent_ahead_are_answered_in_order(
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = wire
    writer.write(b"".join(f"{verb} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for verb in ("GET /healthz", "GET /nowhere")))
    writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"404", b"405"]
    assert answers[0].endswith(b'{"status":"alive"}')


async def test_a_client_that_asks_whether_to_go_on_is_told(
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = wire
    head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.read()).startswith(b"HTTP/1.1 422")
