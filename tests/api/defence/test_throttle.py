"""Guessing is slowed down, and never at the cost of whom it is aimed at."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import orjson
import pytest
from argon2 import extract_parameters

from commands import passwords
from tests.api.defence.asking import PROXIED, address, beside, email, log_in, post, register, statuses
from tests.house import Database, House, Servers, refused


@pytest.fixture
async def strict(database: Database, servers: Servers) -> AsyncIterator[House]:
    """Three failures of an account from an address, 15 of an account, 30 of a network."""
    async with House.open(database, servers, login_failures=3, registrations=4, **PROXIED) as house:
        yield house


async def test_guesses_at_one_account_are_refused_with_a_time_to_wait(strict: House) -> None:
    who, at = email(), address()
    await register(strict, who, address())
    assert await statuses(strict, 3, who, at) == [401, 401, 401]
    for password in ("wrong", "correct horse"):  # whether it would be right is no longer said
        answer = await log_in(strict, who, at, password)
        refused(answer, 429, "auth.throttled")
        assert 1 <= int(answer.headers["Retry-After"]) <= 1_800


async def test_an_unknown_account_is_throttled_the_same(strict: House) -> None:
    known, unknown = email(), email()
    await register(strict, known, address())
    at = {who: address() for who in (known, unknown)}
    for _ in range(5):
        answers = [await log_in(strict, who, at[who], "wrong") for who in (known, unknown)]
        documents = [orjson.loads(answer.content) | {"request_id": ""} for answer in answers]
        assert documents[0] == documents[1]
        assert answers[0].status_code == answers[1].status_code
        assert {*answers[0].headers} == {*answers[1].headers}


async def test_an_unknown_account_costs_the_same_work_as_a_wrong_password(strict: House) -> None:
    who = email()
    await register(strict, who, address())
    account = await strict.services.accounts.find("main", who)
    assert account is not None
    assert extract_parameters(passwords._NOBODY) == extract_parameters(account.password_hash)
    strict.services.passwords.close()  # now whoever verifies a password fails
    for name in (who, email()):
        assert (await log_in(strict, name, address())).status_code == 500


async def test_a_refusal_costs_no_work(strict: House) -> None:
    who, at = email(), address()
    await statuses(strict, 3, who, at)
    strict.services.passwords.close()
    refused(await log_in(strict, who, at), 429, "auth.throttled")


async def test_other_spellings_of_an_account_are_the_same_account(strict: House) -> None:
    who, at = email(), address()
    assert await statuses(strict, 2, who, at) == [401, 401]
    assert await statuses(strict, 2, who.upper(), at) == [401, 429]
    assert await statuses(strict, 1, f" {who} ", at) == [429]


async def test_the_neighbours_of_an_address_share_its_failures(strict: House) -> None:
    who, at = email(), address()
    assert await statuses(strict, 3, who, at) == [401, 401, 401]
    assert await statuses(strict, 1, who, beside(at)) == [429]
    assert await statuses(strict, 1, email(), at) == [401]
    assert await statuses(strict, 1, who, address()) == [401]


async def test_whoever_guesses_from_everywhere_slows_strangers_and_not_the_owner(strict: House) -> None:
    who, home = email(), address()
    await register(strict, who, home)
    for _ in range(15):
        await log_in(strict, who, address(), "wrong")
    refused(await log_in(strict, who, address()), 429, "auth.throttled")
    assert (await log_in(strict, who, home)).status_code == 200
    assert await statuses(strict, 4, who, home) == [401, 401, 401, 429]  # what he gets wrong himself still counts


async def test_whoever_guesses_from_the_same_network_slows_not_the_owner(strict: House) -> None:
    who, home = email(), address()
    await register(strict, who, home)
    assert await statuses(strict, 4, who, beside(home)) == [401, 401, 401, 429]
    for _ in range(30):
        await log_in(strict, email(), beside(home), "wrong")
    refused(await log_in(strict, email(), beside(home)), 429, "auth.throttled")
    assert (await log_in(strict, who, home)).status_code == 200


async def test_an_address_that_has_logged_in_once_is_known(strict: House) -> None:
    who, office = email(), address()
    await register(strict, who, address())
    assert (await log_in(strict, who, office)).status_code == 200
    for _ in range(15):
        await log_in(strict, who, address(), "wrong")
    assert (await log_in(strict, who, office)).status_code == 200


async def test_a_success_makes_good_the_failures_of_its_address(strict: House) -> None:
    who, home = email(), address()
    await register(strict, who, home)
    for _ in range(3):
        assert await statuses(strict, 2, who, home) == [401, 401]
        assert (await log_in(strict, who, home)).status_code == 200


async def test_an_attacker_with_an_account_of_his_own_gains_nothing_by_using_it(strict: House) -> None:
    mine, at = email(), address()
    await register(strict, mine, at)
    for _ in range(30):
        await log_in(strict, email(), at, "wrong")
        assert (await log_in(strict, mine, at)).status_code == 200
    refused(await log_in(strict, email(), at, "wrong"), 429, "auth.throttled")


async def test_guesses_sent_all_at_once_are_few_too(strict: House) -> None:
    who, at = email(), address()
    answers = await asyncio.gather(*[log_in(strict, who, at, "wrong") for _ in range(80)])
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) < 40  # three, thirty under way, and those that fail while another one reads the count
    assert codes.count(401) + codes.count(429) == 80
    refused(await log_in(strict, who, at, "wrong"), 429, "auth.throttled")


async def test_many_right_logins_at_once_are_all_let_in(strict: House) -> None:
    who, at = email(), address()
    await register(strict, who, address())
    answers = await asyncio.gather(*[log_in(strict, who, at) for _ in range(20)])
    assert {answer.status_code for answer in answers} == {200}


async def test_all_processes_count_together(strict: House, database: Database, servers: Servers) -> None:
    who, at = email(), address()
    async with House.open(database, servers, login_failures=3, **PROXIED) as other:
        assert await statuses(strict, 2, who, at) + await statuses(other, 1, who, at) == [401, 401, 401]
        assert await statuses(strict, 1, who, at) + await statuses(other, 1, who, at) == [429, 429]


async def test_without_redis_each_process_counts_by_itself(database: Database) -> None:
    nowhere = Servers("", "", "redis://127.0.0.1:1")
    async with House.open(database, nowhere, login_failures=3, **PROXIED) as house:
        who, at, home = email(), address(), address()
        await register(house, who, home)
        assert await statuses(house, 4, who, at) == [401, 401, 401, 429]
        for _ in range(15):
            await log_in(house, who, address(), "wrong")
        refused(await log_in(house, who, address()), 429, "auth.throttled")
        assert (await log_in(house, who, home)).status_code == 200


async def test_spoofed_headers_buy_nothing(database: Database, servers: Servers) -> None:
    apart = {"secret_key": uuid4().hex, "trusted_proxies": ""}  # from the run's other tests, whose address is the same
    async with House.open(database, servers, login_failures=3, **{**PROXIED, **apart}) as house:
        who = email()
        assert [(await log_in(house, who, address(), "wrong")).status_code for _ in range(4)] == [401, 401, 401, 429]
    async with House.open(database, servers, login_failures=3, **PROXIED) as house:
        who, at = email(), address()
        answers = [await log_in(house, who, f"{address()}, {at}", "wrong") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


async def test_refresh_tokens_cannot_be_guessed_for_long(strict: House) -> None:
    at, elsewhere = address(), address()
    tokens = (await register(strict, email(), elsewhere)).json()
    codes = [(await post(strict, "/auth/refresh", {"refresh_token": "x"}, at)).status_code for _ in range(31)]
    assert codes == [401] * 30 + [429]
    body = {"refresh_token": tokens["refresh_token"]}
    refused(await post(strict, "/auth/refresh", body, at), 429, "auth.throttled")
    assert (await post(strict, "/auth/refresh", body, elsewhere)).status_code == 200


async def test_registrations_from_one_network_are_few(strict: House) -> None:
    at = address()
    assert [(await register(strict, email(), at)).status_code for _ in range(4)] == [201] * 4
    refused(await register(strict, email(), beside(at)), 429, "auth.throttled")
    assert (await register(strict, email(), address())).status_code == 201


async def test_no_name_and_no_address_is_kept(strict: House) -> None:
    who, at = email(), address()
    await register(strict, who, at)
    await statuses(strict, 2, who, at)
    keys = [key.decode() async for key in strict.services.counting.scan_iter("taskfold:count:*")]
    assert any(key.startswith("taskfold:count:login:") for key in keys)
    assert not any(who in key or at in key for key in keys)
    async with strict.pool.connection() as connection:
        row = await (await connection.execute("SELECT string_agg(k::text, ',') FROM known_places k")).fetchone()
    assert row is not None
    assert who not in row[0]
    assert at not in row[0]
