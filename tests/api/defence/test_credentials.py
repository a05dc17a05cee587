"""Passwords are guessed no faster by who holds a token, links no faster than logins, and no mailbox is flooded."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.defence.asking import PROXIED, address, email, log_in, post, register
from tests.api.test_invites import mailed
from tests.house import PASSWORD, Database, House, Servers, refused


@pytest.fixture
async def strict(database: Database, servers: Servers) -> AsyncIterator[House]:
    async with House.open(database, servers, login_failures=3, registrations=4, **PROXIED) as house:
        yield house


@pytest.fixture
async def inviting(database: Database, servers: Servers) -> AsyncIterator[House]:
    async with House.open(database, servers, login_failures=3, invites=40, **PROXIED) as house:
        yield house


async def as_member(house: House, path: str, body: dict[str, Any], who: httpx.Response, at: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who.json()['access_token']}", "X-Forwarded-For": at}
    return await house.http.post(path, json=body, headers=headers)


GUESSES = [
    ("/auth/password", {"current_password": "wrong", "new_password": "another horse"}),
    ("/auth/email", {"new_email": "new@example.com", "password": "wrong"}),
]


@pytest.mark.parametrize(("path", "body"), GUESSES)
async def test_who_holds_a_token_guesses_at_the_password_three_times(
    strict: House, path: str, body: dict[str, str]
) -> None:
    who = await register(strict, email(), address())
    at = address()
    for _ in range(3):
        refused(await as_member(strict, path, body, who, at), 403, "auth.wrong_password")
    right = {**body, "current_password" if path == "/auth/password" else "password": PASSWORD}
    refused(await as_member(strict, path, right, who, at), 429, "auth.throttled")
    assert (await log_in(strict, who.json()["user"]["email"], at)).status_code == 200, "its owner is not shut out"


async def test_an_account_gets_so_many_mails_and_unknown_ones_are_treated_the_same(strict: House) -> None:
    known = email()
    await register(strict, known, address())
    for who in (known, email()):
        answers = [
            await post(strict, "/auth/password/forgot", {"email": name}, address())
            for name in (who, who.upper(), f" {who}", who)
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]


async def test_a_member_invites_so_often_and_an_address_is_invited_so_often_whoever_asks(inviting: House) -> None:
    admins = [await inviting.user(f"workspace{n}") for n in range(3)]
    same = email()
    answers = [
        (await admin.post("/users/invites", {"email": spelling})).status_code
        for admin, spelling in zip(admins, (same, f" {same.upper()}", same), strict=True)
    ]
    assert answers == [201, 201, 429]
    ada = admins[0]
    made = [(await ada.post("/users/invites", {"email": email()})).status_code for _ in range(40)]
    assert made == [201] * 39 + [429]
    problem = refused(await ada.post("/users/invites", {"email": email()}), 429, "auth.throttled")
    assert "password" not in problem["detail"]
    assert (await admins[1].post("/users/invites", {"email": email()})).status_code == 201


async def test_who_joins_by_an_invite_is_known_there_from_then_on(inviting: House) -> None:
    ada, guest, home = await inviting.user("acme"), email(), address()
    assert (await ada.post("/users/invites", {"email": guest})).status_code == 201
    [token] = await mailed(inviting, guest)
    body = {"email": guest, "password": PASSWORD, "display_name": "Guest", "invite": token}
    assert (await post(inviting, "/auth/register", body, home)).status_code == 201
    login = {"email": guest, "password": PASSWORD, "workspace": "acme"}
    for _ in range(6):  # by far too many, each from elsewhere
        for _ in range(3):
            await post(inviting, "/auth/login", {**login, "password": "wrong"}, address())
    refused(await post(inviting, "/auth/login", login, address()), 429, "auth.throttled")
    assert (await post(inviting, "/auth/login", login, home)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("/auth/password/reset", {"new_password": "another horse"}), ("/auth/email/confirm", {})],
)
async def test_links_are_guessed_so_often_from_a_network(strict: House, path: str, body: dict[str, str]) -> None:
    at = address()
    answers = [await post(strict, path, {**body, "token": f"guess {n}"}, at) for n in range(31)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
