"""Shutting members out and letting them in again: what it does to roles, sessions and logins, also all at once."""

import asyncio
from typing import Any

import httpx

from domain.user import Role
from tests.house import PASSWORD, Client, House, position_of, refused


async def log_in(house: House, client: Client, password: str = PASSWORD) -> httpx.Response:
    body = {"email": client.tokens["user"]["email"], "password": password}
    return await house.http.post("/auth/login", json=body)


async def refresh(house: House, client: Client) -> httpx.Response:
    return await house.http.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})


async def events(house: House, stream_id: str) -> list[str]:
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT name FROM events WHERE stream_id = %s ORDER BY version", (stream_id,))
        return [row[0] for row in await cursor.fetchall()]


async def live_sessions(house: House, user_id: str) -> int:
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM sessions WHERE user_id = %s AND revoked_at IS NULL", (user_id,)
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_who_is_deactivated_cannot_act_read_refresh_or_log_in(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    done = await ada.post(f"/users/{bob.id}/deactivate", {"reason": "left us"})
    assert done.status_code == 200, done.text
    assert done.json() == {key: value for key, value in bob.tokens["user"].items() if key in done.json()} | {
        "active": False,
        "version": 2,
    }
    assert (await bob.post("/tasks", {"title": "x"})).status_code == 401
    assert (await bob.get("/tasks")).status_code == 401
    refused(await refresh(house, bob), 401, "auth.refresh_invalid")
    refused(await log_in(house, bob), 401, "auth.deactivated")
    refused(await log_in(house, bob, "wrong horse"), 401, "auth.bad_credentials")
    assert await live_sessions(house, bob.id) == 0
    listed = await ada.get(f"/users/{bob.id}", min_position=position_of(done))
    assert listed.json() == done.json()


async def test_programs_of_who_is_deactivated_are_shut_out_for_good(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    shown = (await bob.post("/auth/tokens", {"name": "a script", "scopes": ["read"]})).json()
    script = Client(house.http, {"access_token": shown["token"], "user": bob.tokens["user"]}, house.base)
    assert (await script.get("/tasks")).status_code == 200
    await ada.post(f"/users/{bob.id}/deactivate")
    assert (await script.get("/tasks")).status_code == 401
    await ada.post(f"/users/{bob.id}/reactivate")
    again = Client(house.http, (await log_in(house, bob)).json(), house.base)
    assert await again.items("/auth/tokens") == []


async def test_who_is_reactivated_logs_in_again_and_old_sessions_stay_ended(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    await ada.post(f"/users/{bob.id}/deactivate")
    back = await ada.post(f"/users/{bob.id}/reactivate")
    assert (back.status_code, back.json()["active"], back.json()["version"]) == (200, True, 3)
    refused(await refresh(house, bob), 401, "auth.refresh_invalid")
    again = Client(house.http, (await log_in(house, bob)).json(), house.base)
    assert (await again.post("/tasks", {"title": "x"})).status_code == 201


async def test_deactivating_twice_is_one_event(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    answers = await asyncio.gather(*[ada.post(f"/users/{bob.id}/deactivate") for _ in range(5)])
    assert {(answer.status_code, answer.headers["ETag"]) for answer in answers} == {(200, '"2"')}
    answers = await asyncio.gather(*[ada.post(f"/users/{bob.id}/reactivate") for _ in range(5)])
    assert {(answer.status_code, answer.headers["ETag"]) for answer in answers} == {(200, '"3"')}
    assert await events(house, bob.id) == ["user.joined", "user.deactivated", "user.reactivated"]


async def test_a_retry_with_a_key_answers_the_same_and_shuts_out_nobody_anew(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    first = await ada.post(f"/users/{bob.id}/deactivate", idempotency_key="k")
    await ada.post(f"/users/{bob.id}/reactivate")
    assert (await log_in(house, bob)).status_code == 200
    again = await ada.post(f"/users/{bob.id}/deactivate", idempotency_key="k")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert await live_sessions(house, bob.id) == 1


async def test_what_is_refused_ends_no_session(house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    refused(await eve.post(f"/users/{bob.id}/deactivate"), 403, "auth.forbidden")
    refused(await ada.post(f"/users/{bob.id}/deactivate", if_match='"7"'), 412, "precondition.failed")
    refused(await ada.post(f"/users/{ada.id}/deactivate"), 409, "user.last_admin")
    refused(await ada.post(f"/users/{bob.id}/deactivate", {"reason": "x", "role": "member"}), 422, "request.invalid")
    assert [await live_sessions(house, client.id) for client in (ada, bob)] == [1, 1]


async def test_a_change_that_is_refused_leaves_the_profile_as_it_was(house: House) -> None:
    ada = await house.user()
    before = (await ada.get("/users/profile")).json()
    answer = await ada.call("PUT", "/users/profile", {"display_name": "new"}, if_match='"7"')
    refused(answer, 412, "precondition.failed")
    assert (await ada.get("/users/profile")).json() == before


async def _active_admins(house: House, by: Client) -> list[str]:
    users = await by.items("/users", min_position=await house.head())
    return [user["id"] for user in users if user["role"] == Role.ADMIN and user["active"]]


async def test_two_admins_who_deactivate_each_other_at_once_leave_one(house: House) -> None:
    ada = await house.user()
    for _ in range(5):
        bob = await house.user(role="admin", by=ada)
        answers = await asyncio.gather(ada.post(f"/users/{bob.id}/deactivate"), bob.post(f"/users/{ada.id}/deactivate"))
        assert sorted(answer.status_code for answer in answers) == [200, 401]
        ada = ada if answers[0].status_code == 200 else bob
        assert await _active_admins(house, ada) == [ada.id]


async def test_of_many_admins_who_leave_at_once_one_stays(house: House) -> None:
    ada = await house.user()
    admins = [ada, *[await house.user(role="admin", by=ada) for _ in range(3)]]
    answers = await asyncio.gather(*[admin.post(f"/users/{admin.id}/deactivate") for admin in admins])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 409]
    [stayed] = [admin for admin, answer in zip(admins, answers, strict=True) if answer.status_code == 409]
    assert await _active_admins(house, stayed) == [stayed.id]


async def test_no_session_that_opens_meanwhile_outlives_a_deactivation(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    results: list[Any] = await asyncio.gather(
        *[log_in(house, bob) for _ in range(6)], ada.post(f"/users/{bob.id}/deactivate")
    )
    assert results[-1].status_code == 200
    for answer in results[:-1]:
        if answer.status_code == 200:
            spent = await house.http.post("/auth/refresh", json={"refresh_token": answer.json()["refresh_token"]})
            assert spent.status_code == 401
        else:
            refused(answer, 401, "auth.deactivated")
