"""The second factor: added with a code, asked for at each login, each code once, removed with both or by an admin."""

import asyncio
import base64
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from commands.one_time import STEP_SECONDS, Vault, as_text, code_at, new_recovery_codes, new_secret, step_of
from tests.api.defence.asking import PROXIED, address, log_in, post
from tests.house import PASSWORD, SECRET, Client, Database, House, Servers, refused


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    @property
    def step(self) -> int:
        return int(self.now // STEP_SECONDS)


@pytest.fixture
def clock(house: House) -> Clock:
    clock = Clock()
    house.services.second_factors.clock = clock
    return clock


def secret_of(enrolment: dict[str, Any]) -> bytes:
    text = enrolment["secret"]
    return base64.b32decode(text + "=" * (-len(text) % 8))


async def begun(client: Client, **headers: str) -> bytes:
    answer = await client.post("/auth/second-factor", {"password": PASSWORD}, **headers)
    assert answer.status_code == 201, answer.text
    return secret_of(answer.json())


async def added(client: Client, clock: Clock, **headers: str) -> tuple[bytes, list[str]]:
    """A second factor: its secret, and the recovery codes. Then time goes on, so that the next code is a fresh one."""
    secret = await begun(client, **headers)
    answer = await client.post("/auth/second-factor/confirm", {"otp": code_at(secret, clock.step)}, **headers)
    assert answer.status_code == 200, answer.text
    clock.now += STEP_SECONDS
    return secret, answer.json()["recovery_codes"]


async def login(house: House, client: Client, **more: str) -> httpx.Response:
    body = {"email": client.tokens["user"]["email"], "password": PASSWORD, **more}
    return await house.http.post("/auth/login", json=body)


async def events(house: House, client: Client) -> list[tuple[str, Any, str]]:
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT name, data, meta->>'actor' FROM events WHERE stream_id = %s ORDER BY version", (client.id,)
        )
        return (await cursor.fetchall())[1:]


async def test_a_login_asks_for_a_code_once_the_factor_is_confirmed(house: House, clock: Clock) -> None:
    ada = await house.user()
    assert (await ada.get("/auth/second-factor")).json() == {"enabled": False, "added_at": None, "recovery_codes": 0}
    first = await begun(ada)
    assert (await login(house, ada)).status_code == 200, "what was only begun is asked for by nobody"
    secret = await begun(ada)
    refused(await ada.post("/auth/second-factor/confirm", {"otp": code_at(first, clock.step)}), 403, "auth.wrong_otp")
    code = code_at(secret, clock.step)
    confirmed = await ada.post("/auth/second-factor/confirm", {"otp": code})
    assert confirmed.status_code == 200, confirmed.text
    standing = (await ada.get("/auth/second-factor")).json()
    assert (standing["enabled"], standing["recovery_codes"]) == (True, len(confirmed.json()["recovery_codes"]))
    refused(await login(house, ada), 401, "auth.otp_needed")
    refused(await login(house, ada, otp=code), 401, "auth.bad_otp")  # used already
    refused(await login(house, ada, otp=code_at(secret, clock.step), password="wrong"), 401, "auth.bad_credentials")
    clock.now += STEP_SECONDS
    assert (await login(house, ada, otp=code_at(secret, clock.step))).status_code == 200
    refused(await ada.post("/auth/second-factor", {"password": PASSWORD}), 409, "second_factor.exists")
    assert await events(house, ada) == [("user.second_factor_added", {}, ada.id)]


async def test_the_form_of_oauth2_takes_a_code_too(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, _ = await added(ada, clock)
    form = {"username": ada.tokens["user"]["email"], "password": PASSWORD}
    refused(await house.http.post("/auth/login", data=form), 401, "auth.otp_needed")
    answer = await house.http.post("/auth/login", data={**form, "otp": code_at(secret, clock.step)})
    assert answer.status_code == 200


async def test_of_six_who_use_a_code_at_once_one_logs_in(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, [recovery, *_] = await added(ada, clock)
    for code in (code_at(secret, clock.step), recovery):
        answers = await asyncio.gather(*[login(house, ada, otp=code) for _ in range(6)])
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5


async def test_a_code_is_good_in_its_time_and_once(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, _ = await added(ada, clock)
    clock.now += 10 * STEP_SECONDS
    for step in (clock.step - 2, clock.step + 1, clock.step + 2):
        refused(await login(house, ada, otp=code_at(secret, step)), 401, "auth.bad_otp")
    assert (await login(house, ada, otp=code_at(secret, clock.step - 1))).status_code == 200  # a slow typist
    assert (await login(house, ada, otp=code_at(secret, clock.step))).status_code == 200
    for step in (clock.step - 1, clock.step):
        refused(await login(house, ada, otp=code_at(secret, step)), 401, "auth.bad_otp")


async def test_a_recovery_code_is_good_once_however_it_is_typed(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, codes = await added(ada, clock)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", code) for code in codes)
    assert (await login(house, ada, otp=codes[0].lower().replace("-", " "))).status_code == 200
    refused(await login(house, ada, otp=codes[0]), 401, "auth.bad_otp")
    assert (await ada.get("/auth/second-factor")).json()["recovery_codes"] == 9
    both = {"password": PASSWORD, "otp": code_at(secret, clock.step)}
    renewed = (await ada.post("/auth/second-factor/recovery-codes", both)).json()["recovery_codes"]
    assert not set(renewed) & set(codes)
    refused(await login(house, ada, otp=codes[1]), 401, "auth.bad_otp")
    assert (await login(house, ada, otp=renewed[0])).status_code == 200


async def test_it_is_removed_with_both_and_not_with_one(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, codes = await added(ada, clock)
    path = "/auth/second-factor/remove"
    right = {"password": PASSWORD, "otp": code_at(secret, clock.step)}
    refused(await ada.post(path, {**right, "password": "wrong"}), 403, "auth.wrong_password")
    refused(await ada.post(path, {**right, "otp": "000000"}), 403, "auth.wrong_otp")
    refused(await ada.post(path, {"password": PASSWORD}), 422, "request.invalid")
    assert (await ada.post(path, {**right, "otp": codes[0]})).status_code == 204
    assert (await login(house, ada)).status_code == 200
    for same, body in ((path, right), ("/auth/second-factor/recovery-codes", right)):
        refused(await ada.post(same, body), 404, "second_factor.not_found")
    refused(await ada.post("/auth/second-factor/confirm", {"otp": "000000"}), 404, "second_factor.not_found")
    assert [name for name, _, _ in await events(house, ada)] == [
        "user.second_factor_added",
        "user.second_factor_removed",
    ]
    await added(ada, clock)  # and another may be had
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT subject FROM outbox ORDER BY mail_id")
        assert [row[0].removeprefix("Your login to Taskfold asks for ") for row in await cursor.fetchall()] == [
            "a second factor now",
            "no second factor any more",
            "a second factor now",
        ]


async def test_an_admin_takes_away_that_of_another_and_never_their_own(house: House, clock: Clock) -> None:
    ada, bob = await house.user(), await house.user()
    for user in (ada, bob):
        await added(user, clock)
    refused(await bob.post(f"/users/{ada.id}/second-factor/reset"), 403, "auth.forbidden")
    refused(await ada.post(f"/users/{ada.id}/second-factor/reset"), 409, "second_factor.own")
    answer = await ada.post(f"/users/{bob.id}/second-factor/reset")
    assert (answer.status_code, answer.json()["id"]) == (200, bob.id)
    assert (await login(house, bob)).status_code == 200
    refused(await login(house, ada), 401, "auth.otp_needed")
    refused(await ada.post(f"/users/{bob.id}/second-factor/reset"), 404, "second_factor.not_found")
    assert (await events(house, bob))[-1] == ("user.second_factor_removed", {"reset": True}, ada.id)


async def test_a_new_password_by_mail_does_not_pass_the_second_factor(house: House, clock: Clock) -> None:
    ada = await house.user()
    await added(ada, clock)
    await house.http.post("/auth/password/forgot", json={"email": ada.tokens["user"]["email"]})
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT body FROM outbox ORDER BY mail_id DESC LIMIT 1")
        [(body,)] = await cursor.fetchall()
    token = re.findall(r"#token=(\S+)", body)[0]
    reset = {"token": token, "new_password": "another horse battery"}
    assert (await house.http.post("/auth/password/reset", json=reset)).status_code == 204
    refused(await login(house, ada, password="another horse battery"), 401, "auth.otp_needed")


async def test_codes_are_guessed_no_faster_than_passwords(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, login_failures=3, **PROXIED) as house:
        house.services.second_factors.clock = clock = Clock()
        ada, at = await house.user(), address()
        email = ada.tokens["user"]["email"]
        secret, _ = await added(ada, clock, x_forwarded_for=at)
        for _ in range(5):  # no guess at anything
            refused(await log_in(house, email, at), 401, "auth.otp_needed")
        guess = {"email": email, "password": PASSWORD, "otp": "000000"}
        statuses = [(await post(house, "/auth/login", guess, at)).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        right = {**guess, "otp": code_at(secret, clock.step)}
        refused(await post(house, "/auth/login", right, at), 429, "auth.throttled")
        both = {"password": PASSWORD, "otp": "000000"}
        tries = [await ada.post("/auth/second-factor/remove", both, x_forwarded_for=at) for _ in range(4)]
        assert [answer.status_code for answer in tries] == [403, 403, 403, 429]


async def test_where_it_is_required_who_has_none_may_add_one_and_nothing_else(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, second_factor="required") as house:
        house.services.second_factors.clock = clock = Clock()
        ada = await house.user()
        for method, path, body in (
            ("GET", "/tasks", None),
            ("POST", "/tasks", {"title": "x"}),
            ("GET", "/users/profile", None),
            ("POST", "/auth/tokens", {"name": "x", "scopes": ["read"]}),
            ("POST", "/auth/ws-ticket", None),
            ("DELETE", "/auth/sessions", None),
        ):
            refused(await ada.call(method, path, body), 403, "auth.factor_needed")
        async with ada.socket() as socket:
            assert await socket.closed() == (4403, "auth.factor_needed")
        await added(ada, clock)
        refused(await ada.get("/tasks"), 403, "auth.factor_needed")  # this token is as it was made
        answer = await house.http.post("/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
        whole = Client(house.http, answer.json(), house.base)
        assert (await whole.get("/tasks")).status_code == 200
        assert (await whole.post("/auth/tokens", {"name": "x", "scopes": ["read"]})).status_code == 201
        await house.http.post("/auth/logout", json={"refresh_token": whole.tokens["refresh_token"]})
        refused(await ada.get("/auth/second-factor"), 401, "auth.session_revoked")


async def test_no_secret_and_no_code_is_stored_in_the_clear(house: House, clock: Clock) -> None:
    ada = await house.user()
    secret, codes = await added(ada, clock)
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT secret FROM second_factors")
        [(sealed,)] = await cursor.fetchall()
        cursor = await connection.execute("SELECT code_hash FROM recovery_codes")
        hashes = b"".join(row[0] for row in await cursor.fetchall())
    assert secret not in sealed
    assert as_text(secret).encode() not in sealed
    assert not any(code.replace("-", "").encode() in hashes for code in codes)
    owner = f"{(await house.services.accounts.find('main', ada.tokens['user']['email'])).workspace_id}/{ada.id}"  # type: ignore[union-attr]
    assert Vault(SECRET).open(sealed, owner) == secret
    assert Vault(SECRET).open(sealed, "somebody else") is None
    assert Vault("another secret of forty characters here").open(sealed, owner) is None


def test_codes_are_those_of_rfc_6238() -> None:
    secret = b"12345678901234567890"
    expected = {59: "287082", 1_111_111_109: "081804", 1_234_567_890: "005924", 20_000_000_000: "353130"}
    for now, code in expected.items():
        assert code_at(secret, now // STEP_SECONDS) == code
        assert step_of(secret, code, now) == now // STEP_SECONDS


async def test_an_authenticator_reads_the_secret_from_the_uri(house: House) -> None:
    ada = await house.user()
    enrolment = (await ada.post("/auth/second-factor", {"password": PASSWORD})).json()
    uri = urlsplit(enrolment["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    query = {name: value for name, [value] in parse_qs(uri.query).items()}
    assert query["secret"].rstrip("=") == enrolment["secret"]
    assert query["issuer"] == "Taskfold"


def test_secrets_and_codes_differ_each_time() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len({code for _ in range(100) for code in new_recovery_codes()}) == 1_000
