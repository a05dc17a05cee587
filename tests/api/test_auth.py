"""Registering, logging in and out, refreshing, tickets, and what a token is worth."""

import asyncio
from typing import Any

import jwt
import pytest

from api.tokens import AUDIENCE, ISSUER, TYPE
from tests.house import PASSWORD, Client, Database, House, Servers, refused


def _email(client: Client) -> str:
    return str(client.tokens["user"]["email"])


async def test_a_registration_answers_tokens_that_work(house: House) -> None:
    ada = await house.user()
    tokens = ada.tokens
    assert tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    assert (await ada.get("/users/profile")).json() == tokens["user"]


async def test_an_address_registers_once_a_workspace(house: House) -> None:
    ada = await house.user()
    body = {"email": f" {_email(ada).upper()} ", "password": PASSWORD, "display_name": "x"}
    head = await house.head()
    refused(await house.http.post("/auth/register", json=body), 409, "account.email_taken")
    assert await house.head() == head
    other = await house.http.post("/auth/register", json={**body, "workspace": "other"})
    assert other.status_code == 201
    refused(await house.http.post("/auth/register", json={**body, "workspace": "other"}), 403, "auth.invite_required")
    refused(await house.http.post("/auth/register", json={**body, "invite": "x"}), 403, "auth.invite_invalid")


async def test_of_many_who_found_a_workspace_at_once_one_does(house: House) -> None:
    def body(n: int) -> dict[str, str]:
        return {"email": f"a{n}@b.example", "password": PASSWORD, "display_name": "x", "workspace": "new"}

    answers = await asyncio.gather(*[house.http.post("/auth/register", json=body(n)) for n in range(4)])
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]


@pytest.mark.parametrize(("signup", "code"), [("closed", "auth.signup_closed"), ("invite", "auth.invite_required")])
async def test_an_installation_can_close_its_door(database: Database, servers: Servers, signup: str, code: str) -> None:
    async with House.open(database, servers, signup=signup, projecting=False) as house:
        body = {"email": "a@b.example", "password": PASSWORD, "display_name": "x"}
        refused(await house.http.post("/auth/register", json=body), 403, code)
        assert await house.head() == 0


async def test_one_logs_in_with_json_or_with_the_oauth2_form(house: House) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    for client, workspace in ((ada, "main"), (eve, "elsewhere")):
        body = {"email": _email(client).upper(), "password": PASSWORD, "workspace": workspace}
        form = {"username": _email(client), "password": PASSWORD, "grant_type": "password", "workspace": workspace}
        for answer in (
            await house.http.post("/auth/login", json=body),
            await house.http.post("/auth/login", data=form),
        ):
            assert answer.status_code == 200, answer.text
            assert answer.json()["user"] == client.tokens["user"]
            again = Client(house.http, answer.json(), house.base)
            assert (await again.get("/users/profile")).status_code == 200
    assert (await house.http.post("/auth/login", data={"username": _email(ada), "password": PASSWORD})).is_success


async def test_a_login_fails_the_same_for_every_cause(house: House) -> None:
    ada = await house.user()
    answers = [
        await house.http.post("/auth/login", json={"email": email, "password": password, "workspace": workspace})
        for email, password, workspace in (
            (_email(ada), "wrong horse", "main"),
            ("nobody@example.com", PASSWORD, "main"),
            (_email(ada), PASSWORD, "elsewhere"),
            (_email(ada) + "\x00", PASSWORD, "main"),
            (_email(ada), PASSWORD, "main\x00"),
            (_email(ada), "", "main"),
        )
    ]
    problems = [refused(answer, 401, "auth.bad_credentials") for answer in answers]
    assert len({problem["detail"] for problem in problems}) == 1


@pytest.mark.parametrize("form", [b"username", b"username=a&password=\xff", b"&".join([b"a=1"] * 30)])
async def test_a_form_that_cannot_be_read_is_refused(house: House, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(await house.http.post("/auth/login", content=form, headers=headers), 422, "request.invalid")


# --------------------------------------------------------------------------------------------------------- sessions


async def _refresh(house: House, token: str) -> Any:
    return await house.http.post("/auth/refresh", json={"refresh_token": token})


async def test_a_refresh_spends_its_token_for_a_successor(house: House) -> None:
    ada = await house.user()
    first = await _refresh(house, ada.tokens["refresh_token"])
    assert first.status_code == 200
    parallel = await asyncio.gather(*[_refresh(house, ada.tokens["refresh_token"]) for _ in range(20)])
    assert {answer.json()["refresh_token"] for answer in parallel} == {first.json()["refresh_token"]}
    second = await _refresh(house, first.json()["refresh_token"])
    assert second.json()["refresh_token"] not in (ada.tokens["refresh_token"], first.json()["refresh_token"])
    renewed = Client(house.http, second.json(), house.base)
    assert (await renewed.get("/users/profile")).json()["id"] == ada.id


async def test_a_token_that_was_spent_long_ago_ends_its_whole_family(house: House, database: Database) -> None:
    ada = await house.user()
    first = (await _refresh(house, ada.tokens["refresh_token"])).json()
    async with house.pool.connection() as connection:  # eleven seconds go by
        await connection.execute("UPDATE refresh_tokens SET spent_at = spent_at - interval '11 s'")
    refused(await _refresh(house, ada.tokens["refresh_token"]), 401, "auth.refresh_reused")
    refused(await _refresh(house, first["refresh_token"]), 401, "auth.refresh_invalid")
    await _until_revoked(ada)


async def _until_revoked(client: Client, within: float = 1.0) -> None:
    """Ask until the session has ended, which must be seen in time."""
    deadline = asyncio.get_running_loop().time() + within
    while (response := await client.get("/users/profile")).status_code == 200:
        assert asyncio.get_running_loop().time() < deadline, "the session still lives"
    refused(response, 401, "auth.session_revoked")


async def test_an_unknown_or_expired_refresh_token_is_refused(house: House) -> None:
    ada = await house.user()
    for token in ("", "x", "a\x00b", ada.tokens["access_token"][:200]):
        refused(await _refresh(house, token), 401, "auth.refresh_invalid")
    async with house.pool.connection() as connection:
        await connection.execute("UPDATE sessions SET expires_at = clock_timestamp()")
    refused(await _refresh(house, ada.tokens["refresh_token"]), 401, "auth.refresh_invalid")


async def test_a_logout_holds_at_once_and_within_a_second_everywhere(
    house: House, database: Database, servers: Servers
) -> None:
    ada = await house.user()
    async with House.open(database, servers, projecting=False) as other:
        there = Client(other.http, ada.tokens, other.base)
        assert (await there.get("/users/profile")).status_code == 200
        out = await house.http.post("/auth/logout", json={"refresh_token": ada.tokens["refresh_token"]})
        assert (out.status_code, out.content) == (204, b"")
        refused(await ada.get("/users/profile"), 401, "auth.session_revoked")
        refused(await ada.post("/tasks", {"title": "a"}), 401, "auth.session_revoked")
        await _until_revoked(there)
    refused(await _refresh(house, ada.tokens["refresh_token"]), 401, "auth.refresh_invalid")
    assert (await house.http.post("/auth/logout", json={"refresh_token": "unknown"})).status_code == 204


async def test_a_logout_ends_one_session_only(house: House) -> None:
    ada = await house.user()
    login = await house.http.post("/auth/login", json={"email": _email(ada), "password": PASSWORD})
    await house.http.post("/auth/logout", json={"refresh_token": ada.tokens["refresh_token"]})
    assert (await Client(house.http, login.json(), house.base).get("/users/profile")).status_code == 200


async def test_only_hashes_of_secrets_are_stored(house: House, database: Database) -> None:
    ada = await house.user()
    ticket = (await ada.post("/auth/ws-ticket")).json()["ticket"]
    async with house.pool.connection() as connection:
        rows = await (
            await connection.execute(
                "SELECT r::text FROM refresh_tokens r UNION ALL SELECT t::text FROM socket_tickets t"
                " UNION ALL SELECT a::text FROM accounts a"
            )
        ).fetchall()
    text = "".join(row[0] for row in rows)
    assert "$argon2id$" in text
    for secret in (ada.tokens["refresh_token"], ticket, PASSWORD):
        assert secret not in text


# ------------------------------------------------------------------------------------------------------------ tokens


async def test_a_short_lived_token_expires_and_can_be_refreshed(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, access_token_seconds=1, projecting=False) as house:
        ada = await house.user()
        while (response := await ada.get("/users/profile")).status_code == 200:
            pass
        refused(response, 401, "auth.token_expired")
        refused(await ada.post("/tasks", {"title": "a"}), 401, "auth.token_expired")
        renewed = Client(house.http, (await _refresh(house, ada.tokens["refresh_token"])).json(), house.base)
        assert (await renewed.get("/users/profile")).json()["id"] == ada.id


async def test_anybody_can_verify_a_token_with_the_published_key(house: House) -> None:
    ada = await house.user()
    response = await house.http.get(f"{house.base}/.well-known/jwks.json")
    (key,) = response.json()["keys"]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
    assert "d" not in key
    token = ada.tokens["access_token"]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": TYPE, "kid": key["kid"]}
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == ada.id
    assert claims["exp"] - claims["iat"] == 900


async def test_remembered_tokens_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.tokens.REMEMBERED", 2)
    clients = [await house.user() for _ in range(4)]
    for _ in range(2):
        for client in clients:
            assert (await client.get("/users/profile")).status_code == 200
    assert len(house.services.tokens._verified) == 2
