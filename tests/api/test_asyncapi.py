"""What `/asyncapi.json` says of the sockets is what they send."""

import asyncio
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.asyncapi import CLOSE_CODES, INBOX, MESSAGES, REASONS, document
from api.sockets import connection, frames
from tests.api.references import references, resolved
from tests.house import Client, Database, House, Servers

DOCUMENT = document()
ROOT = Path(__file__).parents[2]


def kinds(frame: dict[str, Any]) -> list[str]:
    """The messages whose schema a frame is of."""
    components = {"components": DOCUMENT["components"]}
    return [
        name
        for name, message in DOCUMENT["components"]["messages"].items()
        if Draft202012Validator(
            {**message["payload"], **components}, format_checker=Draft202012Validator.FORMAT_CHECKER
        ).is_valid(frame)
    ]


@pytest.mark.parametrize("name", MESSAGES | INBOX)
def test_an_example_is_of_its_message_and_of_no_other(name: str) -> None:
    for example in (MESSAGES | INBOX)[name]["examples"]:
        assert kinds(example["payload"]) == [name]
        assert kinds({**example["payload"], "more": 1}) == []


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert all(resolved(DOCUMENT, {"$ref": reference}) for reference in found)
    assert {f"#/components/messages/{name}" for name in MESSAGES | INBOX} < found


def _payload(frame: bytes) -> dict[str, Any]:
    payload: dict[str, Any] = orjson.loads(frame[2:])  # short frames: two bytes before the payload (RFC 6455 §5.2)
    return payload


def test_frames_of_rare_occasions_are_described_too() -> None:
    assert kinds(_payload(frames.through(7, 3))) == ["through"]
    for reason in REASONS:
        assert kinds(_payload(frames.resync(reason))) == ["resync"]
        assert kinds(_payload(frames.restart(reason, "1-1-0", 7))) == ["resync"]
    assert kinds(_payload(frames.resync("for_no_reason"))) == []


async def _until(socket: ClientConnection, wanted: str, seen: dict[str, list[Any]]) -> dict[str, Any]:
    """Receive frames, each of exactly one message, up to one that is wanted."""
    async with asyncio.timeout(20):
        while True:
            frame = orjson.loads(await socket.recv())
            (kind,) = kinds(frame)
            seen.setdefault(kind, []).append(frame)
            if kind == "ping":
                await socket.send(orjson.dumps({"type": "pong"}))
            if kind == wanted:
                return dict(frame)


def _open(client: Client, query: str = "", path: str = "tasks") -> connect:
    url = f"{client.base.replace('http', 'ws', 1)}/ws/{path}{query}"
    return connect(url, additional_headers=client.headers, compression=None)


async def test_every_frame_of_a_session_is_of_one_message(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, socket_ping_seconds=0.2) as house:
        bob = await house.user()
        seen: dict[str, list[Any]] = {}
        async with _open(bob) as socket:
            hello = await _until(socket, "hello", seen)
            task = await bob.task()
            await _until(socket, "upsert", seen)
            await bob.call("DELETE", f"/tasks/{task['id']}")
            await _until(socket, "removed", seen)
            await _until(socket, "ping", seen)
            through = await _until(socket, "through", seen)
        async with _open(bob, f"?after={through['position']}&epoch=another") as socket:
            assert (await _until(socket, "resync", seen))["reason"] == "epoch_changed"
        async with _open(bob, f"?after={through['position'] + 9}&epoch={hello['epoch']}") as socket:
            assert (await _until(socket, "resync", seen))["reason"] == "after_beyond_head"
        assert set(seen) == set(MESSAGES) - {"pong"}
        eve = await house.user()
        async with _open(eve, path="notifications") as socket:
            await _until(socket, "hello", seen)
            task = await bob.task(assignee={"id": eve.id})
            told = await _until(socket, "notification", seen)
            assert told["position"] == task["position"]
            for path, kind, body in (
                ("read", "read", {"positions": [told["position"]]}),
                ("unread", "unread", {"positions": [told["position"]]}),
                ("read", "read_through", {"through": told["position"]}),
            ):
                assert (await eve.post(f"/notifications/{path}", body)).is_success
                await _until(socket, kind, seen)
            await _until(socket, "through", seen)
        assert set(seen) == set(MESSAGES | INBOX) - {"pong"}


async def test_close_codes_are_those_that_are_described(house: House) -> None:
    ada = await house.user()
    for query, headers, code in (
        ("", {}, connection.NOT_AUTHENTICATED),
        ("", {**ada.headers, "Origin": "https://evil.example"}, connection.NOT_ALLOWED),
        ("?after=minus", ada.headers, connection.MALFORMED),
    ):
        url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks{query}"
        async with connect(url, additional_headers=headers) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == code
            assert code in CLOSE_CODES


def test_every_close_code_and_reason_of_the_program_is_described_and_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "api/sockets").glob("*.py"))
    assert set(CLOSE_CODES) == {int(code) for code in re.findall(r"^[A-Z_]+: Final = (\d{4})\b", source, re.MULTILINE)}
    called = set(re.findall(r'(?:Resync|restart|resync)\([^"\n]*"(\w+)"', source))
    called |= set(re.findall(r'"(\w+_changed)"', source))
    assert called == set(REASONS)
    guide = (ROOT / "docs/api.md").read_text()
    assert [code for code in CLOSE_CODES if f"| {code} |" not in guide] == []
    assert [reason for reason in REASONS if f"`{reason}`" not in guide] == []
