"""Secrets that are sent to the wrong place show up nowhere: not in answers, not in logs."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.defence.secrets import HIDDEN, is_private, without
from api.logs import Json
from tests.house import PASSWORD, Database, House, Servers

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    clients = [logging.getLogger(name) for name in ("httpx", "httpcore", "websockets.client")]
    for logger in clients:  # what they say is not said by the program
        logger.setLevel(logging.ERROR)
    yield
    for logger in clients:
        logger.setLevel(logging.NOTSET)
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
async def talkative(database: Database, servers: Servers) -> AsyncIterator[House]:
    async with House.open(database, servers, log_level="DEBUG", log_format="json", projecting=False) as house:
        yield house


@pytest.fixture
def written(talkative: House) -> io.StringIO:
    """All that the program writes to its log."""
    text = io.StringIO()
    (handler,) = [one for one in logging.getLogger().handlers if isinstance(getattr(one, "formatter", None), Json)]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(text)
    talkative.app.front._access_log._write = text.write  # type: ignore[attr-defined]
    return text


_WRONG_BODIES: list[dict[str, Any]] = [
    {"password": [SECRET]},
    {"password": {"value": SECRET}},
    {"email": {"password": SECRET}},
    {"email": SECRET},
    {"email": [SECRET]},
    {"display_name": SECRET + "\x00", "email": "a@example.com", "password": SECRET},
    {"pasword": SECRET},
    {SECRET: 1} | {"password": SECRET},
    {"refresh_token": [SECRET]},
    {"refresh_token": {"token": SECRET}, "token": SECRET},
    {"workspace": {"token": SECRET}},
    {"workspace": SECRET.upper() * 3, "email": "a@example.com", "password": SECRET},
    {"invite": {"x": SECRET}},
]


async def _mistakes(house: House) -> list[httpx.Response]:
    """Whatever can be wrong about a request with a secret in it."""
    http = house.http
    ada = await house.user()
    answers = [
        await http.post(f"/auth/{path}", json={name: value for name, value in body.items() if name != SECRET})
        for path in ("login", "register", "refresh", "logout")
        for body in _WRONG_BODIES
    ]
    answers += [
        await http.post("/auth/login", data={"username": "a@example.com", "password": SECRET}),
        await http.post("/auth/login", data={"password": SECRET, "secret": SECRET}),
        await http.post("/auth/login", content=f"password={SECRET}".encode(), headers={"Content-Type": "text/plain"}),
        await http.post(
            "/auth/login", content=f'{{"password": "{SECRET}'.encode(), headers={"Content-Type": "application/json"}
        ),
        await http.get("/tasks", headers={"Authorization": SECRET}),
        await http.get("/tasks", headers={"Authorization": f"Bearer {SECRET}"}),
        await http.get("/tasks", headers={"Authorization": f"Basic {SECRET}"}),
        await http.get(
            f"/tasks?{urlencode({'token': SECRET, 'access_token': SECRET, 'limit': SECRET})}", headers=ada.headers
        ),
        await ada.post("/tasks", {"title": "a", "token": SECRET}),
        await ada.post("/tasks", {"title": {"password": SECRET}}),
        await ada.call("PUT", "/users/profile", {"display_name": "a", "password": SECRET}),
        await ada.call("PUT", "/users/profile", {"preferences": [{"api_key": SECRET}]}),
    ]
    for query in (f"?ticket={SECRET}", f"?token={SECRET}&after={SECRET}"):
        async with connect(f"{house.base.replace('http', 'ws', 1)}/ws/tasks{query}", compression=None) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert SECRET not in str(closed.value)
    return answers


async def test_a_secret_in_the_wrong_place_is_neither_answered_nor_logged(
    talkative: House, written: io.StringIO
) -> None:
    for answer in await _mistakes(talkative):
        assert 400 <= answer.status_code < 500, answer.text
        assert SECRET.lower() not in answer.text.lower(), answer.text
        assert not any(SECRET in value for value in answer.headers.values())
    token = (await talkative.user()).tokens["access_token"]
    await talkative.http.get("/users/profile", headers={"Authorization": f"Bearer {token}"})
    talkative.app.front._access_log.flush()  # type: ignore[attr-defined]
    text = written.getvalue()
    assert '"path":"/api/v1/auth/login"' in text
    assert '"path":"/api/v1/users/profile"' in text
    for secret in (SECRET, SECRET.upper(), PASSWORD, token, "argon2id"):
        assert secret not in text


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "refresh_token", "Token", "client-secret", "Authorization", "api_key", "invite"],
)
def test_fields_of_secrets_are_known_by_their_names(name: str) -> None:
    assert is_private(name)


@pytest.mark.parametrize("name", ["title", "email", "key", "/api/v1/tasks", "description", "assignee"])
def test_other_fields_are_shown(name: str) -> None:
    assert not is_private(name)


def test_what_is_around_a_secret_is_shown() -> None:
    value = {"a": 1, "password": "x", "b": [{"token": ["y"], "c": None}]}
    assert without(value) == {"a": 1, "password": HIDDEN, "b": [{"token": HIDDEN, "c": None}]}
