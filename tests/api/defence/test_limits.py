"""Heads and bodies that are too large, too many or too slow are cut off, and what is ordinary never is."""

import asyncio
from typing import Any

import pytest

from api import protocol
from tests.api.defence.wires import Raw, raw
from tests.house import House, refused

GET = "GET /api/v1/tasks HTTP/1.1"


async def _refusal(wire: Raw, status: int, code: str) -> None:
    got, fields, document = await wire.answer()
    assert (got, document["code"], document["status"]) == (status, code, status)
    assert fields["content-type"] == "application/problem+json"
    assert fields["connection"] == "close"
    assert fields["x-request-id"] == document["request_id"]
    assert fields["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        ([GET, "Host: x", f"X-Big: {'a' * 40_000}"], 431, "request.head_too_large"),
        ([GET, "Host: x", *[f"X-{n}: {'a' * 500}" for n in range(90)]], 431, "request.head_too_large"),
        ([GET, "Host: x", *[f"X-{n}: a" for n in range(100)]], 431, "request.head_too_large"),
        ([f"GET /api/v1/tasks?q={'a' * 9_000} HTTP/1.1", "Host: x"], 414, "request.target_too_long"),
        ([f"GET /{'a' * 9_000} HTTP/1.1", "Host: x"], 414, "request.target_too_long"),
        ([GET, "Host: x", *[f"X-{n}: a" for n in range(98)], "Connection: close"], 401, "auth.missing"),
        ([f"GET /api/v1/tasks?q={'a' * 8_000} HTTP/1.1", "Host: x", "Connection: close"], 401, "auth.missing"),
        (["nonsense"], 400, "request.malformed"),
        ([GET, "Host: x", "Content-Length: -1"], 400, "request.malformed"),
        (["GET / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "Content-Length: 1"], 400, "request.malformed"),
    ],
)
async def test_a_head_has_limits(house: House, lines: list[str], status: int, code: str) -> None:
    async with raw(house) as wire:
        wire.send(*lines)
        await _refusal(wire, status, code)


async def test_a_head_without_end_is_cut_off(house: House) -> None:
    async with raw(house) as wire:
        wire.writer.write(f"{GET}\r\nX: ".encode())
        for _ in range(5):
            wire.writer.write(b"a" * 8_000)
            await wire.writer.drain()
        await _refusal(wire, 431, "request.head_too_large")


async def test_requests_sent_ahead_are_each_measured_alone(house: House) -> None:
    async with raw(house) as wire:
        for n in range(4):
            wire.send("GET /healthz HTTP/1.1", "Host: x", f"X: {'a' * 12_000}", *["Connection: close"] * (n == 3))
        async with asyncio.timeout(20):
            answers = (await wire.reader.read()).split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200"] * 4


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.05)


@pytest.mark.usefixtures("_soon")
async def test_a_head_that_comes_too_slowly_is_cut_off(house: House) -> None:
    async with raw(house) as wire:
        wire.writer.write(f"{GET}\r\nHost: x\r\n".encode())
        await _refusal(wire, 408, "request.too_slow")
    async with raw(house) as wire:  # the second one on a connection too
        wire.send("GET /healthz HTTP/1.1", "Host: x")
        assert await wire.reader.readuntil(b"}") != b""
        wire.writer.write(b"GET")
        await _refusal(wire, 408, "request.too_slow")


@pytest.mark.usefixtures("_soon")
async def test_a_connection_that_says_nothing_is_closed(house: House) -> None:
    async with raw(house) as wire, asyncio.timeout(20):
        assert await wire.reader.read() == b""


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/auth/login", "/api/v1/auth/refresh"])
async def test_a_body_that_comes_too_slowly_is_cut_off(house: House, path: str) -> None:
    ada = await house.user()
    head = await house.head()
    async with raw(house) as wire:
        token = f"Authorization: {ada.headers['Authorization']}"
        wire.send(f"POST {path} HTTP/1.1", "Host: x", token, "Content-Type: application/json", "Content-Length: 100")
        wire.writer.write(b'{"title"')
        await _refusal(wire, 408, "request.too_slow")
    assert await house.head() == head


@pytest.mark.usefixtures("_soon")
async def test_who_has_his_answer_may_not_go_on_sending_for_ever(house: House) -> None:
    async with raw(house) as wire, asyncio.timeout(20):
        wire.send("POST /api/v1/tasks HTTP/1.1", "Host: x", "Content-Length: 100", body=b"{")
        assert b" 401 " in await wire.reader.read()


async def test_a_body_that_comes_fast_enough_may_take_its_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.02)
    monkeypatch.setattr(protocol, "BODY_BYTES", 0)  # whatever has come by then is enough
    ada = await house.user()
    struck = asyncio.Event()
    strike = protocol.Http._on_slow_body

    def striking(self: protocol.Http) -> None:
        strike(self)
        struck.set()

    monkeypatch.setattr(protocol.Http, "_on_slow_body", striking)
    body = b'{"title":"' + b"a" * 90 + b'"}'
    async with raw(house) as wire:
        token = f"Authorization: {ada.headers['Authorization']}"
        head = ["POST /api/v1/tasks HTTP/1.1", "Host: x", token, "Content-Type: application/json", "Connection: close"]
        wire.send(*head, f"Content-Length: {len(body)}", body=body[:10])
        for piece in (body[10:20], body[20:30]):
            await asyncio.wait_for(struck.wait(), 20)
            struck.clear()
            wire.writer.write(piece)
        wire.writer.write(body[30:])
        status, _, document = await wire.answer()
    assert (status, document["title"]) == (201, "a" * 90)


# -------------------------------------------------------------------------------------------------------------- JSON

DEEP = b'{"title":' + b"[" * 64 + b"]" * 64 + b"}"
BAD_JSON: dict[str, bytes] = {
    "doubled name": b'{"title": "a", "title": "b"}',
    "doubled with an escape": b'{"title": "a", "t\\u0069tle": "b"}',
    "doubled deep inside": b'{"title": "a", "tags": [{"a": {"b": 1, "b": 1}}]}',
    "65 levels": DEEP,
    "65 levels of objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "20,001 arrays": b'{"title":"a","tags":[' + b"[]," * 20_000 + b"[]]}",
    "a mark of byte order": b'\xef\xbb\xbf{"title": "a"}',
    "invalid UTF-8": b'{"title": "\xff"}',
    "an overlong form": b'{"title": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16-le"),
}


@pytest.mark.parametrize("name", BAD_JSON)
async def test_json_that_readers_disagree_on_is_refused_everywhere(house: House, name: str) -> None:
    ada = await house.user()
    head = await house.head()
    for path in ("/tasks", "/auth/login", "/auth/register", "/auth/refresh", "/auth/logout"):
        headers = {**ada.headers, "Content-Type": "application/json"}
        response = await house.http.post(path, content=BAD_JSON[name], headers=headers)
        refused(response, 400, "request.malformed")
    assert await house.head() == head


@pytest.mark.parametrize(
    "body",
    [
        b' \n{"title": "a"} ',
        b'{"title": "[[[[[{{{{{\\"[[[[", "description": "' + b"[{" * 200 + b'"}',
        b'{"title": "a", "tags": [' + b",".join(b'"{[%d"' % n for n in range(50)) + b"]}",
        b'{"title": "a", "description": "title\\": 1, \\"title"}',
    ],
)
async def test_sound_json_is_taken_however_it_looks(house: House, body: bytes) -> None:
    ada = await house.user()
    headers = {**ada.headers, "Content-Type": "application/json"}
    response = await house.http.post("/tasks", content=body, headers=headers)
    assert response.status_code == 201, response.text


async def test_64_levels_are_not_too_deep(house: House) -> None:
    ada = await house.user()
    value: Any = 1
    for _ in range(61):
        value = [value]
    answer = await ada.call("PUT", "/users/profile", {"preferences": {"a": value, "b": [[]] * 100}})
    assert answer.status_code == 200, answer.text
