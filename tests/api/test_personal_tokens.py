"""Personal access tokens: made once, good for what their scopes say, gone at once when they are revoked."""

import asyncio
import re
from typing import Any

import psycopg
import pytest

from commands import personal_tokens
from tests.house import Client, Database, House, Servers, refused

WHOLE = re.compile(r"tfp_[0-9A-Za-z]{49}")


async def made(owner: Client, *scopes: str, **body: Any) -> tuple[Client, dict[str, Any]]:
    """A client with a personal token of somebody, and what is shown of the token."""
    response = await owner.post("/auth/tokens", {"name": "a script", "scopes": scopes or ["read", "write"], **body})
    assert response.status_code == 201, response.text
    assert response.headers["Cache-Control"] == "no-store"
    shown: dict[str, Any] = response.json()
    return Client(owner.http, {"access_token": shown.pop("token"), "user": owner.tokens["user"]}, owner.base), shown


async def test_a_token_works_for_reads_commands_and_sockets(house: House) -> None:
    ada = await house.user()
    script, shown = await made(ada)
    assert shown.keys() == {"id", "name", "scopes", "created_at", "expires_at", "last_used_at"}
    assert (shown["name"], shown["scopes"], shown["last_used_at"]) == ("a script", ["read", "write"], None)
    assert WHOLE.fullmatch(script.tokens["access_token"])
    async with script.socket() as socket:
        task = await script.task("by a script")
        assert [change["task"] for change in await socket.changes(task["position"])] == [task]
    assert task["created_by"] == ada.id
    assert (await script.get(f"/tasks/{task['id']}")).json() == task
    assert (await script.post(f"/tasks/{task['id']}/start")).status_code == 200
    assert (await script.get("/users/profile")).json()["id"] == ada.id


async def test_a_token_is_listed_without_what_is_secret(house: House, database: Database) -> None:
    ada, bob = await house.user(), await house.user()
    script, first = await made(ada, "read", name="first")
    _, second = await made(ada, "write", "read", "write", name="second", expires_in_days=366)
    assert second["scopes"] == ["read", "write"]
    assert await ada.items("/auth/tokens") == [second, first]
    assert await ada.items("/auth/tokens", limit=1) == [second, first]
    assert await bob.items("/auth/tokens") == []
    assert (await script.get("/tasks")).status_code == 200
    (_, used) = await ada.items("/auth/tokens")
    assert used["last_used_at"] > first["created_at"]
    async with house.pool.connection() as connection:
        rows = await (await connection.execute("SELECT t::text FROM personal_tokens t")).fetchall()
    secret = script.tokens["access_token"]
    assert all(secret not in row[0] and secret.encode().hex() not in row[0] for row in rows)


@pytest.mark.parametrize(
    ("scopes", "answers"),
    [
        (["read"], (200, 403, 403, 403)),
        (["write"], (403, 201, 200, 403)),
        (["admin"], (403, 403, 403, 200)),
        (["read", "write", "admin"], (200, 201, 200, 200)),
    ],
)
async def test_a_token_does_what_its_scopes_say_and_no_more(
    house: House, scopes: list[str], answers: tuple[int, ...]
) -> None:
    ada, bob = await house.user(), await house.user()
    script, _ = await made(ada, *scopes)
    given = [
        await script.get("/tasks"),
        await script.post("/tasks", {"title": "a"}),
        await script.call("PUT", "/users/profile", {"display_name": "b"}),
        await script.call("PUT", f"/users/{bob.id}/role", {"role": "manager"}),
    ]
    assert tuple(response.status_code for response in given) == answers
    for response, scope in zip(given, ("read", "write", "write", "admin"), strict=True):
        if response.status_code == 403:
            assert refused(response, 403, "auth.scope")["needed"] == scope


async def test_a_socket_needs_the_scope_to_read(house: House) -> None:
    script, _ = await made(await house.user(), "write")
    async with script.socket() as socket:
        assert await socket.closed() == (4403, "auth.scope")


async def test_the_role_of_the_owner_bounds_a_token(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    script, _ = await made(bob, "read", "write", "admin")
    refused(await script.call("PUT", f"/users/{ada.id}/role", {"role": "member"}), 403, "auth.forbidden")
    task = await ada.task("not for bob")
    refused(await script.get(f"/tasks/{task['id']}"), 404, "task.not_found")


async def test_a_token_makes_no_other_and_learns_nothing_of_logins(house: House) -> None:
    ada = await house.user()
    script, shown = await made(ada, "read", "write", "admin")
    for method, path, body in (
        ("GET", "/auth/tokens", None),
        ("POST", "/auth/tokens", {"name": "a", "scopes": ["read"]}),
        ("DELETE", f"/auth/tokens/{shown['id']}", None),
        ("POST", "/auth/ws-ticket", None),
    ):
        problem = refused(await script.call(method, path, body), 403, "auth.scope")
        assert "needed" not in problem
    assert [token["id"] for token in await ada.items("/auth/tokens")] == [shown["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "a"},
        {"scopes": ["read"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x" * 101, "scopes": ["read"]},
        {"name": " ", "scopes": ["read"]},
        {"name": "a\x00b", "scopes": ["read"]},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "scopes": "read"},
        {"name": "a", "scopes": ["read"] * 4},
        {"name": "a", "scopes": ["read"], "expires_in_days": 0},
        {"name": "a", "scopes": ["read"], "expires_in_days": 367},
        {"name": "a", "scopes": ["read"], "expires_in_days": None},
        {"name": "a", "scopes": ["read"], "user_id": "01a1fc1e-e9a0-7f68-9805-405c2de78fb1"},
    ],
)
async def test_a_token_of_no_sense_is_refused(house: House, body: dict[str, Any]) -> None:
    ada = await house.user()
    assert (await ada.post("/auth/tokens", body)).status_code == 422
    assert await ada.items("/auth/tokens") == []


async def test_a_user_has_so_many_tokens_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_tokens, "MOST", 3)
    ada, bob = await house.user(), await house.user()
    body = {"name": "a", "scopes": ["read"]}
    answers = await asyncio.gather(*[ada.post("/auth/tokens", body) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
    refused(await ada.post("/auth/tokens", body), 409, "token.too_many")
    assert (await bob.post("/auth/tokens", body)).status_code == 201
    await ada.call("DELETE", f"/auth/tokens/{(await ada.items('/auth/tokens'))[0]['id']}")
    assert (await ada.post("/auth/tokens", body)).status_code == 201


async def test_a_token_expires_also_where_it_is_remembered(house: House) -> None:
    ada = await house.user()
    script, shown = await made(ada)
    async with await psycopg.AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute("UPDATE personal_tokens SET expires_at = clock_timestamp() + interval '1 s'")
    async with script.socket() as socket:
        while (response := await script.get("/tasks")).status_code == 200:
            pass
        refused(response, 401, "auth.token_expired")
        refused(await script.post("/tasks", {"title": "a"}), 401, "auth.token_expired")
        assert await socket.closed() == (4401, "auth.token_expired")
    assert [token["id"] for token in await ada.items("/auth/tokens")] == [shown["id"]]


async def test_a_revoked_token_ends_at_once_here_and_soon_elsewhere(
    house: House, database: Database, servers: Servers
) -> None:
    ada, bob = await house.user(), await house.user()
    script, shown = await made(ada)
    path = f"/auth/tokens/{shown['id']}"
    async with House.open(database, servers, projecting=False) as other:
        there = Client(other.http, script.tokens, other.base)
        assert (await there.get("/tasks")).status_code == 200
        async with there.socket() as socket:
            refused(await bob.call("DELETE", path), 404, "token.not_found")
            assert (await script.get("/tasks")).status_code == 200
            assert (await ada.call("DELETE", path)).status_code == 204
            refused(await script.get("/tasks"), 401, "auth.token_revoked")
            refused(await script.post("/tasks", {"title": "a"}), 401, "auth.token_revoked")
            async with asyncio.timeout(1):
                while (response := await there.get("/tasks")).status_code == 200:
                    pass
            refused(response, 401, "auth.token_revoked")
            async with asyncio.timeout(5):
                assert await socket.closed() == (4401, "auth.token_revoked")
    async with House.open(database, servers, projecting=False) as fresh:  # it has never seen the token
        refused(await Client(fresh.http, script.tokens, fresh.base).get("/tasks"), 401, "auth.token_revoked")
    refused(await ada.call("DELETE", path), 404, "token.not_found")
    assert await ada.items("/auth/tokens") == []
    assert (await ada.get("/tasks")).status_code == 200


async def test_what_happened_while_nobody_could_look_is_not_missed(house: House) -> None:
    """A socket lives as long as its token: the revocations of the last minutes alone would not do."""
    ada = await house.user()
    _, shown = await made(ada)
    revocations = house.services.revocations
    await ada.call("DELETE", f"/auth/tokens/{shown['id']}")
    async with await psycopg.AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute("UPDATE personal_tokens SET revoked_at = revoked_at - interval '1 hour'")
    await revocations.run_once()
    assert shown["id"] not in revocations
    revocations._read_at -= 3_600  # the last look was an hour ago
    await revocations.run_once()
    assert shown["id"] in revocations


# ------------------------------------------------------------------------------------------------------- looking it up


class Looks:
    """How often the database is asked for a token."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        find = house.services.personal.find

        async def counting(token: str) -> Any:
            self.count += 1
            return await find(token)

        monkeypatch.setattr(house.services.personal, "find", counting)


async def test_a_token_is_looked_up_once_by_many_who_ask_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    script, _ = await made(await house.user())
    looks = Looks(house, monkeypatch)
    answers = await asyncio.gather(*[script.get("/tasks") for _ in range(20)])
    assert {answer.status_code for answer in answers} == {200}
    assert (await script.task("a"))["title"] == "a"
    assert looks.count == 1


async def test_a_token_is_looked_up_again_after_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.recognition.KNOWN_SECONDS", 0.0)
    script, _ = await made(await house.user())
    looks = Looks(house, monkeypatch)
    for _ in range(3):
        assert (await script.get("/tasks")).status_code == 200
    assert looks.count == 3


async def test_its_use_is_noted_once_a_minute(house: House) -> None:
    ada = await house.user()
    script, _ = await made(ada)
    token = script.tokens["access_token"]
    await house.services.personal.find(token)
    (first,) = await ada.items("/auth/tokens")
    await house.services.personal.find(token)
    assert await ada.items("/auth/tokens") == [first]
    async with house.pool.connection() as connection:
        await connection.execute("UPDATE personal_tokens SET last_used_at = last_used_at - interval '61 s'")
    await house.services.personal.find(token)
    (later,) = await ada.items("/auth/tokens")
    assert later["last_used_at"] > first["last_used_at"]


async def test_an_unknown_token_costs_one_look_up_and_a_mistyped_one_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.user()
    script, _ = await made(ada)
    looks = Looks(house, monkeypatch)
    good = script.tokens["access_token"]
    typos = [good[:n] + ("x" if good[n] != "x" else "y") + good[n + 1 :] for n in range(4, len(good))]
    for token in (*typos, "tfp_", good[:-1], good + "0", f"tfp_{'é' * 49}", good.upper(), good + "\u00a0"):
        headers = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
        refused(await house.http.get("/tasks", headers=headers), 401, "auth.token_invalid")
    assert looks.count == 0
    stranger = {"Authorization": f"Bearer {personal_tokens.make()}"}
    for _ in range(3):
        refused(await house.http.get("/tasks", headers=stranger), 401, "auth.token_invalid")
    assert looks.count == 1


async def test_what_is_remembered_of_refused_tokens_is_bounded_and_short(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.recognition.REFUSED", 2)
    looks = Looks(house, monkeypatch)

    async def ask(token: str) -> None:
        refused(await house.http.get("/tasks", headers={"Authorization": f"Bearer {token}"}), 401, "auth.token_invalid")

    tokens = [personal_tokens.make() for _ in range(3)]
    for token in tokens:
        await ask(token)
    await ask(tokens[2])
    assert looks.count == 3
    await ask(tokens[0])
    assert looks.count == 4
    monkeypatch.setattr("api.recognition.REFUSED_SECONDS", 0.0)
    fresh = personal_tokens.make()
    await ask(fresh)
    await ask(fresh)
    assert looks.count == 6


def test_made_tokens_are_whole_and_all_different() -> None:
    tokens = {personal_tokens.make() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(WHOLE.fullmatch(token) and personal_tokens.is_whole(token) for token in tokens)
