"""Changing and forgetting passwords, and changing addresses: who may, what ends with it, and what nobody learns."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection

from commands.credentials import RESETS_MAX
from tests.house import PASSWORD, Client, Database, House, refused

NEW = "another horse"


def address(client: Client) -> str:
    return str(client.tokens["user"]["email"])


async def log_in(house: House, email: str, password: str = PASSWORD, workspace: str = "main") -> httpx.Response:
    body = {"email": email, "password": password, "workspace": workspace}
    return await house.http.post("/auth/login", json=body)


async def another_session(house: House, client: Client) -> Client:
    return Client(house.http, (await log_in(house, address(client))).json(), house.base)


async def refresh(house: House, client: Client) -> httpx.Response:
    return await house.http.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})


async def mails(house: House, recipient: str | None = None) -> list[tuple[str, str]]:
    """The subjects and texts that somebody got, or all mails for somebody."""
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT subject, body FROM outbox
            WHERE recipient IS NOT NULL AND recipient = coalesce(%s, recipient) ORDER BY mail_id
            """,
            (recipient,),
        )
        return await cursor.fetchall()


async def tokens(house: House, recipient: str) -> list[str]:
    found = [re.findall(r"#token=(\S+)", body) for _, body in await mails(house, recipient)]
    return [token for [token] in filter(None, found)]


async def forget(house: House, email: str, **more: str) -> httpx.Response:
    return await house.http.post("/auth/password/forgot", json={"email": email, **more})


async def reset(house: House, token: str, password: str = NEW) -> httpx.Response:
    return await house.http.post("/auth/password/reset", json={"token": token, "new_password": password})


async def events(house: House, user_id: str) -> list[tuple[str, dict[str, Any]]]:
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT name, data FROM events WHERE stream_id = %s ORDER BY version", (user_id,)
        )
        return await cursor.fetchall()


# ------------------------------------------------------------------------------------------------------ a new password


async def test_a_new_password_ends_all_other_sessions_and_its_owner_hears_of_it(house: House) -> None:
    ada = await house.user()
    other = await another_session(house, ada)
    changed = await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": NEW})
    assert (changed.status_code, changed.content) == (204, b"")
    refused(await refresh(house, other), 401, "auth.refresh_invalid")
    assert (await refresh(house, ada)).status_code == 200
    refused(await log_in(house, address(ada)), 401, "auth.bad_credentials")
    assert (await log_in(house, address(ada), NEW)).status_code == 200
    [(subject, body)] = await mails(house, address(ada))
    assert "was changed" in subject
    assert NEW not in body
    assert await events(house, ada.id) == [("user.joined", {"role": "admin"}), ("user.password_changed", {})]


async def test_programs_go_on_with_a_new_password_and_end_with_a_reset(house: House) -> None:
    ada = await house.user()
    await ada.post("/auth/tokens", {"name": "a script", "scopes": ["read"]})
    await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": NEW})
    assert len(await ada.items("/auth/tokens")) == 1
    await forget(house, address(ada))
    [token] = await tokens(house, address(ada))
    assert (await reset(house, token, PASSWORD)).status_code == 204
    again = await another_session(house, ada)
    assert await again.items("/auth/tokens") == []


async def test_a_program_changes_neither_password_nor_address(house: House) -> None:
    ada = await house.user()
    shown = (await ada.post("/auth/tokens", {"name": "a script", "scopes": ["read", "write", "admin"]})).json()
    script = Client(house.http, {"access_token": shown["token"], "user": ada.tokens["user"]}, house.base)
    body = {"current_password": PASSWORD, "new_password": NEW}
    refused(await script.post("/auth/password", body), 403, "auth.scope")
    body = {"new_email": "new@example.com", "password": PASSWORD}
    refused(await script.post("/auth/email", body), 403, "auth.scope")
    assert await mails(house) == []


async def test_who_does_not_know_the_password_does_not_change_it(house: House) -> None:
    ada = await house.user()
    for current in ("wrong horse", "", PASSWORD + " ", "x" * 1_000):
        body = {"current_password": current, "new_password": NEW}
        refused(await ada.post("/auth/password", body), 403, "auth.wrong_password")
    assert (await house.http.post("/auth/password", json=body)).status_code == 401
    assert (await log_in(house, address(ada))).status_code == 200
    assert await mails(house) == []


@pytest.mark.parametrize(
    ("password", "code"), [("short", "password.length"), ("Password1", "password.common"), ("", "password.length")]
)
async def test_a_password_that_is_too_weak_is_refused_everywhere_and_never_repeated(
    house: House, password: str, code: str
) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    [token] = await tokens(house, address(ada))
    answers = {
        "/new_password": [
            await ada.post("/auth/password", {"current_password": PASSWORD, "new_password": password}),
            await reset(house, token, password),
        ],
        "/password": [
            await house.http.post(
                "/auth/register", json={"email": "x@example.com", "password": password, "display_name": "x"}
            )
        ],
    }
    for pointer, problems in answers.items():
        for answer in problems:
            problem = refused(answer, 422, code)
            assert [error["pointer"] for error in problem["errors"]] == [pointer]
            assert not password or password not in answer.text
    assert (await reset(house, token)).status_code == 204, "a refusal spends no link"


async def test_ones_own_address_is_no_password(house: House) -> None:
    ada = await house.user()
    body = {"current_password": PASSWORD, "new_password": address(ada).upper()}
    refused(await ada.post("/auth/password", body), 422, "password.common")


# ------------------------------------------------------------------------------------------------ a forgotten password


async def test_a_link_gives_a_new_password_once_and_ends_every_session(house: House) -> None:
    ada = await house.user("acme")
    other = Client(house.http, (await log_in(house, address(ada), workspace="acme")).json(), house.base)
    asked = await forget(house, address(ada).upper(), workspace="acme")
    assert (asked.status_code, asked.content) == (202, b"")
    [token] = await tokens(house, address(ada))
    done = await reset(house, token)
    assert (done.status_code, done.content) == (204, b"")
    for client in (ada, other):
        refused(await refresh(house, client), 401, "auth.refresh_invalid")
    refused(await log_in(house, address(ada), workspace="acme"), 401, "auth.bad_credentials")
    assert (await log_in(house, address(ada), NEW, "acme")).status_code == 200
    refused(await reset(house, token, "a third horse"), 401, "auth.link_invalid")
    assert (await events(house, ada.id))[1:] == [("user.password_changed", {"reset": True})]
    assert "was changed" in (await mails(house, address(ada)))[-1][0]


async def test_of_many_who_use_a_link_at_once_one_does(house: House) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    [token] = await tokens(house, address(ada))
    passwords = [f"another horse {n}" for n in range(8)]
    answers = await asyncio.gather(*[reset(house, token, password) for password in passwords])
    assert sorted(answer.status_code for answer in answers) == [204] + [401] * 7
    [right] = [password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 204]
    assert (await log_in(house, address(ada), right)).status_code == 200
    assert [name for name, _ in await events(house, ada.id)] == ["user.joined", "user.password_changed"]


async def test_asking_says_nothing_of_whether_there_is_an_account(house: House) -> None:
    ada = await house.user()
    answers = [
        await forget(house, address(ada)),
        await forget(house, "nobody@example.com"),
        await forget(house, address(ada), workspace="elsewhere"),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    names = [sorted(set(answer.headers) - {"x-request-id"}) for answer in answers]
    assert names[0] == names[1] == names[2]
    assert len(await mails(house)) == 1
    async with house.pool.connection() as connection:  # the same was written each time: so it took as long
        cursor = await connection.execute(
            """
            SELECT (SELECT count(*) FROM outbox), (SELECT count(DISTINCT length(body)) FROM outbox),
                   (SELECT count(*) FROM account_tokens), (SELECT count(user_id) FROM account_tokens)
            """
        )
        assert await cursor.fetchone() == (3, 1, 3, 1)
    refused(await forget(house, "nobody"), 422, "email.malformed")
    refused(await forget(house, "a@b.example", workspace="No"), 422, "workspace.slug")


async def test_a_link_for_nobody_opens_nothing(house: House, database: Database) -> None:
    await house.user()
    await forget(house, "nobody@example.com")
    async with await AsyncConnection.connect(database.owner_url) as owner:
        [(body,)] = await (await owner.execute("SELECT body FROM outbox")).fetchall()
    refused(await reset(house, re.findall(r"#token=(\S+)", body)[0]), 401, "auth.link_invalid")


async def test_a_mailbox_is_not_flooded(house: House, database: Database) -> None:
    ada = await house.user()
    for _ in range(RESETS_MAX + 3):
        assert (await forget(house, address(ada))).status_code == 202
    got = await tokens(house, address(ada))
    assert len(got) == RESETS_MAX
    async with await AsyncConnection.connect(database.owner_url) as owner:
        await owner.execute("UPDATE account_tokens SET expires_at = clock_timestamp()")
    await forget(house, address(ada))
    assert len(await tokens(house, address(ada))) == RESETS_MAX + 1
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM account_tokens")
        assert await cursor.fetchone() == (1,), "what has run out is swept away"


async def test_a_link_runs_out_after_half_an_hour(house: House, database: Database) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    [token] = await tokens(house, address(ada))
    async with await AsyncConnection.connect(database.owner_url, autocommit=True) as owner:
        cursor = await owner.execute(
            "SELECT extract(epoch FROM expires_at - clock_timestamp()) BETWEEN 1700 AND 1800 FROM account_tokens"
        )
        assert await cursor.fetchone() == (True,)
        await owner.execute("UPDATE account_tokens SET expires_at = clock_timestamp()")
    refused(await reset(house, token), 401, "auth.link_invalid")


async def test_a_new_password_or_address_voids_every_link(house: House) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    await forget(house, address(ada))
    first, second = await tokens(house, address(ada))
    await ada.post("/auth/email", {"new_email": "new@example.com", "password": PASSWORD})
    [confirmation] = await tokens(house, "new@example.com")
    assert (await reset(house, second)).status_code == 204
    refused(await reset(house, first), 401, "auth.link_invalid")
    refused(await confirm(house, confirmation), 401, "auth.link_invalid")


async def test_who_is_deactivated_gets_no_new_password(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    await forget(house, address(bob))
    [token] = await tokens(house, address(bob))
    await ada.post(f"/users/{bob.id}/deactivate")
    refused(await reset(house, token), 401, "auth.deactivated")
    refused(await log_in(house, address(bob)), 401, "auth.deactivated")


# ------------------------------------------------------------------------------------------------------- a new address


async def confirm(house: House, token: str) -> httpx.Response:
    return await house.http.post("/auth/email/confirm", json={"token": token})


async def test_an_address_changes_when_who_reads_it_says_so(house: House) -> None:
    ada = await house.user()
    old = address(ada)
    asked = await ada.post("/auth/email", {"new_email": " Ada@New.example ", "password": PASSWORD})
    assert (asked.status_code, asked.content) == (202, b"")
    [(subject, notice)] = await mails(house, old)
    assert "about to change" in subject
    assert "new.example" not in notice.lower()
    assert (await ada.get("/users/profile")).json()["email"] == old
    [token] = await tokens(house, "Ada@New.example")
    done = await confirm(house, token)
    assert (done.status_code, done.content) == (204, b"")
    assert (await ada.get("/users/profile")).json()["email"] == "Ada@New.example"
    assert (await log_in(house, "ada@new.example")).status_code == 200
    refused(await log_in(house, old), 401, "auth.bad_credentials")
    refused(await confirm(house, token), 401, "auth.link_invalid")
    assert (await events(house, ada.id))[1:] == [("user.profile_changed", {"fields": ["email"]})]


async def test_an_address_is_asked_for_with_the_password_and_must_be_free(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    body = {"new_email": "new@example.com", "password": "wrong horse"}
    refused(await ada.post("/auth/email", body), 403, "auth.wrong_password")
    for taken in (address(bob).upper(), address(ada)):
        body = {"new_email": taken, "password": PASSWORD}
        refused(await ada.post("/auth/email", body), 409, "account.email_taken")
    refused(await ada.post("/auth/email", {"new_email": "nobody", "password": PASSWORD}), 422, "email.malformed")
    assert await mails(house) == []


async def test_an_address_that_was_taken_meanwhile_is_refused(house: House) -> None:
    ada = await house.user()
    await ada.post("/auth/email", {"new_email": "new@example.com", "password": PASSWORD})
    [token] = await tokens(house, "new@example.com")
    body = {"email": "NEW@example.com", "password": PASSWORD, "display_name": "x"}
    assert (await house.http.post("/auth/register", json=body)).status_code == 201
    head = await house.head()
    refused(await confirm(house, token), 409, "account.email_taken")
    assert await house.head() == head


async def test_a_link_is_good_for_its_purpose_alone(house: House) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    [forgotten] = await tokens(house, address(ada))
    await ada.post("/auth/email", {"new_email": "new@example.com", "password": PASSWORD})
    [confirmation] = await tokens(house, "new@example.com")
    refused(await confirm(house, forgotten), 401, "auth.link_invalid")
    refused(await reset(house, confirmation), 401, "auth.link_invalid")
    for token in ("", "x" * 200, "\x00"):
        refused(await confirm(house, token), 401, "auth.link_invalid")
        refused(await reset(house, token), 401, "auth.link_invalid")


async def test_who_reads_the_tables_holds_no_link_and_the_log_no_address(house: House) -> None:
    ada = await house.user()
    await forget(house, address(ada))
    await ada.post("/auth/email", {"new_email": "walrus@example.com", "password": PASSWORD})
    given = [*await tokens(house, address(ada)), *await tokens(house, "walrus@example.com")]
    await confirm(house, given[1])
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT t::text FROM account_tokens t UNION ALL SELECT e::text FROM events e")
        text = " ".join(row[0] for row in await cursor.fetchall())
    assert len(given) == 2
    for token in given:
        assert token not in text
        assert token.encode().hex() not in text
    assert "walrus" not in text
