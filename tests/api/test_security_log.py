"""What happens to sessions, credentials and permissions is logged, and who was refused; by ids alone."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.defence.front import BASE
from api.logs import AccessLog, Json
from api.security_log import EVENTS
from tests.api.described import Described
from tests.api.test_invites import invited
from tests.house import PASSWORD, Client, House


class Heard(logging.Handler):
    """The lines of a log, read again."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self.setFormatter(Json())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(orjson.loads(self.format(record)))

    def take(self) -> list[dict[str, Any]]:
        lines, self.lines = self.lines, []
        return lines


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger, handler = logging.getLogger("taskfold.security"), Heard()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def said(line: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """What, by whom, about whom."""
    return line.get("code", line["message"]), line["user"], line["about"]


async def test_everything_that_changes_who_may_come_in_has_a_name(house: House) -> None:
    described = await Described.of(house)
    known = {(operation.method, f"{BASE}{operation.path}") for operation in described.operations.values()}
    assert EVENTS.keys() <= known
    guarded = {(method, path) for method, path in known if method != "GET" and path.startswith(f"{BASE}/auth/")}
    assert guarded <= EVENTS.keys()


async def test_commands_of_a_batch_are_told_of_as_they_are_outside(house: House, heard: Heard) -> None:
    ada, bob = await house.user(), await house.user()
    heard.take()
    promoted = {"id": "a", "type": "user.change_role", "target": bob.id, "data": {"role": "manager"}}
    task = {"id": "t", "type": "task.create", "data": {"title": "x"}}
    assert (await ada.post("/commands", {"commands": [promoted, task]})).json()["done"] == 2
    assert (await bob.post("/commands", {"commands": [promoted]})).json()["refused"] == 1
    lines = heard.take()
    assert [said(line)[:2] for line in lines] == [("role changed", ada.id), ("auth.forbidden", bob.id)]
    assert (lines[0]["method"], lines[0]["path"]) == ("PUT", f"{BASE}/users/{bob.id}/role")


async def test_logins_and_their_failures_are_told_apart(house: House, heard: Heard) -> None:
    ada = await house.user()
    email = ada.tokens["user"]["email"]
    session = heard.take()[0]["session"]
    for body in ({"email": email, "password": "wrong"}, {"email": "nobody@example.com", "password": "wrong"}):
        assert (await house.http.post("/auth/login", json=body)).status_code == 401
    right = await house.http.post("/auth/login", json={"email": email, "password": PASSWORD})
    refreshed = await house.http.post("/auth/refresh", json={"refresh_token": right.json()["refresh_token"]})
    await house.http.post("/auth/logout", json={"refresh_token": refreshed.json()["refresh_token"]})
    await house.http.post("/auth/refresh", json={"refresh_token": "none of ours"})
    lines = heard.take()
    assert [said(line) for line in lines] == [
        ("auth.bad_credentials", None, ada.id),
        ("auth.bad_credentials", None, None),
        ("session opened", ada.id, ada.id),
        ("session refreshed", ada.id, None),
        ("session ended", ada.id, None),
        ("auth.refresh_invalid", None, None),
    ]
    assert {line["level"] for line in lines if "code" in line} == {"WARNING"}
    assert lines[2]["session"] == lines[3]["session"] == lines[4]["session"] != session
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert right.headers["X-Request-ID"] == lines[2]["request_id"]
    assert email not in str(lines)


async def test_what_is_given_and_taken_away_is_told_with_who_did_it(house: House, heard: Heard) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team(bob)
    heard.take()
    token = (await bob.post("/auth/tokens", {"name": "script", "scopes": ["read"]})).json()
    await bob.call("DELETE", f"/auth/tokens/{token['id']}")
    await bob.call("DELETE", "/auth/sessions")
    await ada.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})
    await ada.call("DELETE", f"/teams/{team}/members/{bob.id}")
    await invited(bob, "eve@example.com")
    await bob.post("/auth/password", {"current_password": PASSWORD, "new_password": "another horse battery"})
    await house.http.post("/auth/password/forgot", json={"email": bob.tokens["user"]["email"]})
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT body FROM outbox WHERE body LIKE '%%#%%=%%' ORDER BY mail_id DESC")
        link = re.findall(r"#\w+=(\S+)", (await cursor.fetchall())[0][0])[0]
    reset = {"token": link, "new_password": "a third horse battery"}
    assert (await house.http.post("/auth/password/reset", json=reset)).status_code == 204
    await ada.post(f"/users/{bob.id}/deactivate")
    lines = heard.take()
    assert [said(line) for line in lines] == [
        ("token made", bob.id, None),
        ("token revoked", bob.id, None),
        ("other sessions ended", bob.id, None),
        ("role changed", ada.id, None),
        ("team member removed", ada.id, None),
        ("invite made", bob.id, None),
        ("password changed", bob.id, None),
        ("password forgotten", None, None),
        ("password reset", None, bob.id),
        ("user deactivated", ada.id, None),
    ]
    assert lines[3]["path"] == f"{BASE}/users/{bob.id}/role"
    for private in ("example.com", token["token"], link, PASSWORD, "script"):
        assert private not in str(lines)


async def test_who_is_refused_is_told_with_the_reason(house: House, heard: Heard) -> None:
    await house.user()
    bob = await house.user()
    script = (await bob.post("/auth/tokens", {"name": "x", "scopes": ["read"]})).json()
    heard.take()
    await bob.post("/teams", {"name": "x"})
    await Client(house.http, {"access_token": script["token"]}, house.base).post("/tasks", {"title": "x"})
    await bob.post("/auth/password", {"current_password": "wrong", "new_password": "another horse battery"})
    await house.http.get("/tasks", headers={"Authorization": "Bearer none-of-ours"})
    async with connect(f"{house.base.replace('http', 'ws', 1)}/ws/tasks?ticket=none", compression=None) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    await house.http.get("/tasks")  # nobody says to be anybody: nothing to tell
    assert [said(line) for line in heard.take()] == [
        ("auth.forbidden", bob.id, None),
        ("auth.scope", None, bob.id),
        ("auth.wrong_password", bob.id, None),
        ("auth.token_invalid", None, None),
        ("auth.ticket_invalid", None, None),
    ]


async def test_access_lines_name_the_user(house: House) -> None:
    ada, written = await house.user(), list[str]()
    house.app.front._access_log = log = AccessLog("json", written.append)  # type: ignore[attr-defined]
    await ada.get("/tasks")
    await ada.task()
    await ada.get("/auth/tokens")
    await house.http.get("/tasks")
    log.flush()
    lines = [orjson.loads(line) for line in "".join(written).splitlines()]
    assert [(line["path"].removeprefix(BASE), line["user"]) for line in lines] == [
        ("/tasks", ada.id),
        ("/tasks", ada.id),
        ("/auth/tokens", ada.id),
        ("/tasks", None),
    ]
