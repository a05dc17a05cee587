"""Invites: made, listed, withdrawn, and used once, in every kind of installation and also all at once."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg import AsyncConnection

from tests.house import PASSWORD, Client, Database, House, Servers, refused


async def invited(by: Client, email: str, role: str = "member", **headers: str) -> httpx.Response:
    return await by.post("/users/invites", {"email": email, "role": role}, **headers)


async def mailed(house: House, email: str) -> list[str]:
    """The tokens that an address got by mail."""
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT body FROM outbox WHERE recipient = %s ORDER BY mail_id", (email,))
        return [re.findall(r"#\w+=(\S+)", row[0])[0] for row in await cursor.fetchall()]


async def register(house: House, email: str, invite: str | None, **more: Any) -> httpx.Response:
    body = {"email": email, "password": PASSWORD, "display_name": "New", "invite": invite, **more}
    return await house.http.post("/auth/register", json=body)


async def joined(house: House, by: Client, email: str, role: str = "member") -> Client:
    assert (await invited(by, email, role)).status_code == 201
    answer = await register(house, email, (await mailed(house, email))[-1])
    assert answer.status_code == 201, answer.text
    return Client(house.http, answer.json(), house.base)


async def test_an_invite_brings_its_address_into_the_workspace_with_its_role(house: House) -> None:
    ada = await house.user("acme")
    made = await invited(ada, " Bob@Example.com ", "manager")
    assert made.status_code == 201, made.text
    document = made.json()
    assert document.keys() == {"id", "email", "role", "status", "created_by", "created_at", "expires_at"}
    assert (document["email"], document["role"], document["status"]) == ("Bob@Example.com", "manager", "open")
    assert document["created_by"] == ada.id
    one = await ada.http.get(f"{house.base}{made.headers['Location']}", headers=ada.headers)
    assert one.json() == document
    assert [item["id"] for item in await ada.items("/users/invites")] == [document["id"]]
    [token] = await mailed(house, "Bob@Example.com")
    answer = await register(house, "bob@example.com", token)
    assert answer.status_code == 201, answer.text
    bob = Client(house.http, answer.json(), house.base)
    assert (await bob.get("/users/profile")).json()["role"] == "manager"
    assert {user["id"] for user in await ada.items("/users", min_position=await house.head())} == {ada.id, bob.id}
    assert await ada.items("/users/invites") == []
    refused(await ada.get(f"/users/invites/{document['id']}"), 404, "invite.not_found")
    refused(await register(house, "bob@example.com", token), 403, "auth.invite_invalid")


async def test_who_invited_is_a_fact_of_the_joining_and_no_address_gets_into_the_log(house: House) -> None:
    ada = await house.user()
    bob = await joined(house, ada, "walrus@example.com")
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT data->>'invited_by' FROM events WHERE stream_id = %s AND name = 'user.joined'", (bob.id,)
        )
        assert await cursor.fetchone() == (ada.id,)
        cursor = await connection.execute(
            "SELECT count(*) FROM events WHERE (data::text || meta::text) LIKE '%walrus%'"
        )
        assert await cursor.fetchone() == (0,)


async def test_of_20_who_use_an_invite_at_once_one_joins(house: House) -> None:
    ada = await house.user()
    await invited(ada, "bob@example.com")
    [token] = await mailed(house, "bob@example.com")
    answers = await asyncio.gather(*[register(house, "bob@example.com", token) for _ in range(20)])
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 19
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM events WHERE name = 'user.joined'),
                   (SELECT count(*) FROM events WHERE name = 'invite.accepted'), (SELECT count(*) FROM invites)
            """
        )
        assert await cursor.fetchone() == (2, 2, 1, 0)


async def test_an_invite_is_for_its_address_alone_and_for_its_workspace(house: House) -> None:
    ada = await house.user("acme")
    await invited(ada, "bob@example.com")
    [token] = await mailed(house, "bob@example.com")
    head = await house.head()
    for answer in (
        await register(house, "eve@example.com", token),
        await register(house, "bob@example.com", token, workspace="main"),
        await register(house, "bob@example.com", token, workspace="other"),
        await register(house, "bob@example.com", token[:-1]),
        await register(house, "bob@example.com", ""),
        await register(house, "bob@example.com", "\x00"),
    ):
        refused(answer, 403, "auth.invite_invalid")
    assert await house.head() == head
    assert (await register(house, "bob@example.com", token, workspace="acme")).status_code == 201


async def test_an_invite_runs_out(house: House, database: Database) -> None:
    ada = await house.user()
    await invited(ada, "bob@example.com")
    [token] = await mailed(house, "bob@example.com")
    async with await AsyncConnection.connect(database.owner_url) as owner:
        cursor = await owner.execute(
            "SELECT extract(epoch FROM expires_at - created_at) BETWEEN 604790 AND 604800 FROM invites"
        )
        assert await cursor.fetchone() == (True,)  # seven days, and the time that it took
        await owner.execute("UPDATE invites SET expires_at = clock_timestamp()")
    refused(await register(house, "bob@example.com", token), 403, "auth.invite_invalid")
    assert await ada.items("/users/invites") == []


async def test_a_withdrawn_invite_lets_nobody_in(house: House) -> None:
    ada = await house.user()
    made = (await invited(ada, "bob@example.com")).json()
    [token] = await mailed(house, "bob@example.com")
    gone = await ada.call("DELETE", f"/users/invites/{made['id']}")
    assert (gone.status_code, gone.json()["status"], gone.json()["email"]) == (200, "withdrawn", None)
    refused(await register(house, "bob@example.com", token), 403, "auth.invite_invalid")
    refused(await ada.call("DELETE", f"/users/invites/{made['id']}"), 404, "invite.not_found")
    refused(await ada.call("DELETE", f"/users/invites/{uuid4()}"), 404, "invite.not_found")
    assert await ada.items("/users/invites") == []


async def test_the_invites_of_who_was_shut_out_are_worth_nothing(house: House) -> None:
    ada = await house.user()
    mary = await house.user(role="manager", by=ada)
    await invited(mary, "bob@example.com")
    [token] = await mailed(house, "bob@example.com")
    await ada.post(f"/users/{mary.id}/deactivate")
    refused(await register(house, "bob@example.com", token), 403, "auth.invite_invalid")
    await ada.post(f"/users/{mary.id}/reactivate")
    assert (await register(house, "bob@example.com", token)).status_code == 201


async def test_only_admins_and_managers_see_and_create_invites(house: House) -> None:
    ada = await house.user()
    mary, bob = await house.user(role="manager", by=ada), await house.user()
    own = (await invited(ada, "x@example.com", "admin")).json()
    assert [item["email"] for item in await mary.items("/users/invites")] == ["x@example.com"]
    refused(await mary.call("DELETE", f"/users/invites/{own['id']}"), 403, "auth.forbidden")
    refused(await invited(mary, "y@example.com", "manager"), 403, "auth.forbidden")
    refused(await invited(bob, "y@example.com"), 403, "auth.forbidden")
    for path in ("", f"/{own['id']}"):
        refused(await bob.get(f"/users/invites{path}"), 403, "auth.forbidden")
    assert await mailed(house, "y@example.com") == []


async def test_another_workspace_has_invites_of_its_own(house: House) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    made = (await invited(ada, "x@example.com")).json()
    assert await eve.items("/users/invites") == []
    refused(await eve.get(f"/users/invites/{made['id']}"), 404, "invite.not_found")
    refused(await eve.call("DELETE", f"/users/invites/{made['id']}"), 404, "invite.not_found")


async def test_a_member_is_not_invited_again(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    email = ada.tokens["user"]["email"].upper()
    refused(await invited(ada, email), 409, "account.email_taken")
    refused(await invited(ada, "nobody"), 422, "email.malformed")
    refused(await ada.post("/users/invites", {"email": "x@example.com", "role": "king"}), 422, "request.invalid")
    assert await house.head() == head
    assert await mailed(house, email) == []


async def test_an_address_has_one_open_invite_at_a_time(house: House, database: Database) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    answers = await asyncio.gather(*[invited(ada, email) for email in ("bob@example.com", "BOB@example.com") * 3])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    head = await house.head()
    refused(await invited(ada, "Bob@example.com", "auditor"), 409, "invite.exists")
    assert await house.head() == head
    assert (await invited(eve, "bob@example.com")).status_code == 201
    [first] = await ada.items("/users/invites")
    await ada.call("DELETE", f"/users/invites/{first['id']}")
    assert (await invited(ada, "bob@example.com", "auditor")).status_code == 201
    async with await AsyncConnection.connect(database.owner_url, autocommit=True) as owner:
        await owner.execute("UPDATE invites SET expires_at = clock_timestamp()")
    assert (await invited(ada, "bob@example.com")).status_code == 201
    assert len(await ada.items("/users/invites")) == 1


async def test_a_retried_invite_sends_one_mail_and_is_answered_even_when_it_was_used(house: House) -> None:
    ada = await house.user()
    first = await invited(ada, "bob@example.com", idempotency_key="k")
    again = await invited(ada, "bob@example.com", idempotency_key="k")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    [token] = await mailed(house, "bob@example.com")
    await register(house, "bob@example.com", token)
    assert (await invited(ada, "bob@example.com", idempotency_key="k")).json() == first.json()
    assert len(await mailed(house, "bob@example.com")) == 1


@pytest.mark.parametrize("signup", ["open", "invite", "closed"])
async def test_invites_open_an_installation_that_is_not_closed(
    database: Database, servers: Servers, signup: str
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        await invited(ada, "bob@example.com")
        [token] = await mailed(house, "bob@example.com")
    async with House.open(database, servers, signup=signup, projecting=False) as house:
        again = Client(house.http, ada.tokens, house.base)
        if signup == "closed":
            refused(await register(house, "bob@example.com", token), 403, "auth.signup_closed")
            refused(await invited(again, "eve@example.com"), 403, "auth.signup_closed")
        else:
            assert (await register(house, "bob@example.com", token)).status_code == 201
            assert (await invited(again, "eve@example.com")).status_code == 201


async def test_who_reads_the_tables_holds_no_invite(house: House) -> None:
    ada = await house.user()
    await invited(ada, "bob@example.com")
    [token] = await mailed(house, "bob@example.com")
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT i::text FROM invites i UNION ALL SELECT e::text FROM events e")
        text = " ".join(row[0] for row in await cursor.fetchall())
    assert token not in text
    assert token.encode().hex() not in text
