"""Rate limits: who asks too much is told when to come again, in every process, and nobody else notices."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.exceptions import RedisError

from api.defence.rates import Counter, Limits, RateLimited, Rates
from api.defence.sharing import Sharing
from tests.api.defence.asking import PROXIED, address
from tests.house import Client, Database, House, Servers, refused

TOKEN = b"Bearer one"
STRICT: dict[str, Any] = {"rate_seconds": 3_600, "rate_token": 8, "rate_account": 12, "rate_address": 20, **PROXIED}


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _rates(clock: Clock, token: int = 100, account: int = 100, per_address: int = 100) -> Rates:
    return Rates(Limits(10, token, account, per_address), "secret", clock)


def _admitted(rates: Rates, times: int, at: str = "1.1.1.1", authorization: bytes | None = None) -> int:
    """How many of so many requests were let through."""
    passed = 0
    for _ in range(times):
        try:
            rates.admit(at, authorization)
            passed += 1
        except RateLimited:
            pass
    return passed


def test_an_address_has_a_limit_of_its_own(clock: Clock) -> None:
    rates = _rates(clock, per_address=5)
    assert _admitted(rates, 8) == 5
    assert _admitted(rates, 8, "2.2.2.2") == 5


def test_a_token_has_a_limit_of_its_own_wherever_it_is_used_from(clock: Clock) -> None:
    rates = _rates(clock, token=5)
    for token in (TOKEN, b"Bearer two"):
        rates.learn(token, f"user of {token!r}")
        assert _admitted(rates, 4, "1.1.1.1", token) + _admitted(rates, 4, "2.2.2.2", token) == 5


def test_what_comes_together_is_charged_for_each_or_refused_as_a_whole(clock: Clock) -> None:
    rates = _rates(clock, token=10)
    rates.learn(TOKEN, "ada")
    rates.admit("1.1.1.1", TOKEN)
    assert rates.charge("1.1.1.1", TOKEN, 6).startswith(b'"token";r=3;')
    with pytest.raises(RateLimited, match="at most 10 requests"):
        rates.charge("1.1.1.1", TOKEN, 4)
    assert rates.charge("1.1.1.1", TOKEN, 3).startswith(b'"token";r=0;')
    assert rates.charge("1.1.1.1", TOKEN, 100, at_most=True).startswith(b'"token";r=0;')
    assert _admitted(rates, 1, "1.1.1.1", TOKEN) == 0
    assert rates.charge("1.1.1.1", b"Bearer nobody", 5).startswith(b'"address";r=')


@pytest.mark.parametrize("wanted", [2, 5, 9])
def test_who_sends_many_at_once_is_told_when_all_of_them_fit(clock: Clock, wanted: int) -> None:
    """The request itself is the first of them, and counts each time."""
    rates = _rates(clock, token=10)
    rates.learn(TOKEN, "ada")
    rates.admit("1.1.1.1", TOKEN)
    rates.charge("1.1.1.1", TOKEN, 7)
    rates.admit("1.1.1.1", TOKEN)
    with pytest.raises(RateLimited) as refusal:
        rates.charge("1.1.1.1", TOKEN, wanted)
    clock.now += refusal.value.retry_after
    rates.learn(TOKEN, "ada")
    rates.admit("1.1.1.1", TOKEN)
    rates.charge("1.1.1.1", TOKEN, wanted)


def test_who_sends_more_at_once_than_ever_fits_is_told_so(clock: Clock) -> None:
    rates = _rates(clock, token=10)
    rates.learn(TOKEN, "ada")
    rates.admit("1.1.1.1", TOKEN)
    with pytest.raises(RateLimited, match="this one counts as 21") as refusal:
        rates.charge("1.1.1.1", TOKEN, 20)
    assert 1 <= refusal.value.retry_after <= 20


def test_an_account_has_a_limit_over_all_its_tokens(clock: Clock) -> None:
    rates = _rates(clock, account=5)
    passed = 0
    for token in (TOKEN, b"Bearer two"):
        rates.learn(token, "ada")
        passed += _admitted(rates, 4, "1.1.1.1", token)
    assert passed == 5


def test_a_token_that_nobody_verified_counts_for_its_address_alone(clock: Clock) -> None:
    rates = _rates(clock, token=2, per_address=5)
    assert _admitted(rates, 8, "1.1.1.1", TOKEN) == 5
    assert rates.tokens.young == {}


def test_what_is_refused_is_not_counted(clock: Clock) -> None:
    rates = _rates(clock, token=5, per_address=20)
    rates.learn(TOKEN, "ada")
    assert _admitted(rates, 100, "1.1.1.1", TOKEN) == 5
    assert _admitted(rates, 100) == 15


def test_the_window_slides(clock: Clock) -> None:
    rates = _rates(clock, per_address=10)
    assert _admitted(rates, 20) == 10
    clock.now += 10  # the whole of the last window weighs still
    assert _admitted(rates, 20) == 0
    clock.now += 5
    assert _admitted(rates, 20) == 5
    clock.now += 20
    assert _admitted(rates, 20) == 10


def test_after_the_stated_wait_one_more_is_let_through(clock: Clock) -> None:
    rates = _rates(clock, per_address=3)
    clock.now += 2.5
    assert _admitted(rates, 3) == 3
    with pytest.raises(RateLimited) as refusal:
        rates.admit("1.1.1.1", None)
    assert refusal.value.field == b'"address";r=0;t=%d' % refusal.value.retry_after
    clock.now += refusal.value.retry_after
    assert _admitted(rates, 1) == 1


def test_a_token_is_known_over_the_turn_of_a_window(clock: Clock) -> None:
    rates = _rates(clock, token=5)
    rates.learn(TOKEN, "ada")
    assert _admitted(rates, 9, "1.1.1.1", TOKEN) == 5
    clock.now += 10
    assert _admitted(rates, 1, "1.1.1.1", TOKEN) == 0
    clock.now += 20
    assert _admitted(rates, 9, "1.1.1.1", TOKEN) == 9  # for its address alone, until it is verified again


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.defence.rates.MOST", 10)
    rates = _rates(clock)
    for n in range(50):
        token = b"Bearer %d" % n
        rates.learn(token, f"user {n}")
        rates.admit(f"address {n}", token)
    assert max(len(kind.young) for kind in (rates.addresses, rates.accounts, rates.tokens)) <= 10
    assert len(rates._owners) <= 10
    assert len(rates._pairs) <= 10


# ------------------------------------------------------------------------------------------------------- all processes


async def _shared(sharing: list[Sharing], rates: list[Rates]) -> None:
    for _ in range(2):  # the first one hears of what the others told after it
        for one, counted in zip(sharing, rates, strict=True):
            counted.hot |= dict.fromkeys(counted.addresses.young.values())
            await one.run_once()


async def test_processes_share_one_limit(house: House, clock: Clock) -> None:
    rates = [_rates(clock, per_address=90) for _ in range(3)]
    sharing = [Sharing(one, house.services.counting) for one in rates]
    at = address()
    assert [_admitted(one, 30, at) for one in rates] == [30, 30, 30]
    await _shared(sharing, rates)
    assert [_admitted(one, 1, at) for one in rates] == [0, 0, 0]
    clock.now += 10  # and what one of them did not see of the last window it hears
    late = _rates(clock, per_address=90)
    assert _admitted(late, 1, at) == 1
    await _shared([Sharing(late, house.services.counting)], [late])
    assert _admitted(late, 1, at) == 0


async def test_what_is_far_from_its_limit_is_nobodys_business(house: House, clock: Clock) -> None:
    rates = _rates(clock, per_address=3_200)
    sharing = Sharing(rates, house.services.counting)
    at = address()
    _admitted(rates, 100, at)
    assert await sharing.run_once() == 0
    _admitted(rates, 10, at)
    assert await sharing.run_once() == 1
    assert await sharing.run_once() == 0, "nothing new"


async def test_neither_addresses_nor_tokens_leave_the_process(house: House, clock: Clock) -> None:
    rates = _rates(clock)
    counters = [Counter(rates.tokens, TOKEN), Counter(rates.addresses, "1.1.1.1")]
    names = [rates.digest(counter) for counter in counters]
    assert [re.fullmatch(r"(token|address):[0-9a-f]{32}", name) is not None for name in names] == [True, True]
    assert names != [Rates(rates.limits, "another", clock).digest(counter) for counter in counters]


async def test_without_redis_each_process_goes_by_its_own_count(database: Database, clock: Clock) -> None:
    nowhere = Servers("", "", "redis://127.0.0.1:1")
    async with House.open(database, nowhere, **PROXIED) as house:
        rates = _rates(clock, per_address=5)
        assert _admitted(rates, 9) == 5
        with pytest.raises((RedisError, OSError, TimeoutError)):
            await Sharing(rates, house.services.counting).run_once()
        assert _admitted(rates, 9) == 0


# --------------------------------------------------------------------------------------------------------- over HTTP


@pytest.fixture
async def strict(database: Database, servers: Servers) -> AsyncIterator[House]:
    """In an hour: 8 requests a token, 12 an account, 20 an address. Its secret keeps its counts from other tests'."""
    async with House.open(database, servers, **STRICT, secret_key=uuid4().hex) as house:
        yield house


async def _ask(client: Client, at: str, path: str = "/users/profile") -> httpx.Response:
    return await client.http.get(path, headers={**client.headers, "X-Forwarded-For": at})


async def test_every_answer_of_the_api_names_the_limits(strict: House) -> None:
    at = address()
    ada = await strict.user()
    for path in ("/users/profile", "/users/profile", "/nothing", "/tasks/x"):
        response = await _ask(ada, at, path)
        assert (
            response.headers["RateLimit-Policy"] == '"token";q=8;w=3600, "account";q=12;w=3600, "address";q=20;w=3600'
        )
        found = re.fullmatch(r'"(token|account|address)";r=(\d+);t=(\d+)', response.headers["RateLimit"])
        assert found is not None, response.headers["RateLimit"]
        assert int(found[2]) < 20
        assert 1 <= int(found[3]) <= 3_600
    created = await strict.http.post("/tasks", json={"title": "a"}, headers=ada.headers)
    assert created.status_code == 201
    assert '"token";q=8' in created.headers["RateLimit-Policy"]


async def test_who_asks_too_much_is_refused_and_nobody_else(strict: House) -> None:
    ada, bob = await strict.user(), await strict.user()
    first, second = address(), address()
    assert [(await _ask(ada, first)).status_code for _ in range(9)] == [200] * 9  # the first one made it known
    refusal = await _ask(ada, second)
    problem = refused(refusal, 429, "rate.limited")
    assert "for this token" in problem["detail"]
    assert refusal.headers["RateLimit"].startswith('"token";r=0;t=')
    assert 1 <= int(refusal.headers["Retry-After"]) <= 7_200
    refused(await ada.post("/tasks", {"title": "a"}), 429, "rate.limited")
    assert [(await _ask(bob, second)).status_code for _ in range(8)] == [200] * 8


async def test_an_address_is_refused_whatever_it_asks_for(strict: House) -> None:
    at = address()
    answers = [await strict.http.get("/tasks", headers={"X-Forwarded-For": at}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert "for this address" in refused(answers[-1], 429, "rate.limited")["detail"]
    spoofed = await strict.http.get("/tasks", headers={"X-Forwarded-For": f"{address()}, {at}"})
    refused(spoofed, 429, "rate.limited")
    refused(await strict.http.get(f"{strict.base}/readyz", headers={"X-Forwarded-For": at}), 429, "rate.limited")


async def test_sockets_that_open_are_counted_too(strict: House) -> None:
    at = address()
    url = f"{strict.base}/ws/tasks"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "X-Forwarded-For": at,
    }
    for _ in range(20):
        await strict.http.get("/tasks", headers={"X-Forwarded-For": at})
    response = await strict.http.get(url, headers=upgrade)
    assert response.status_code == 429
    assert response.json()["code"] == "rate.limited"
    assert int(response.headers["Retry-After"]) >= 1


async def test_processes_that_serve_hear_of_each_other(strict: House, database: Database, servers: Servers) -> None:
    at = address()
    key = strict.settings.secret_key
    async with House.open(database, servers, **STRICT, secret_key=key) as other, asyncio.timeout(20):
        for _ in range(18):
            await strict.http.get("/tasks", headers={"X-Forwarded-For": at})
        passed = 0
        while (await other.http.get("/tasks", headers={"X-Forwarded-For": at})).status_code != 429:
            passed += 1
            await asyncio.sleep(0)
        assert passed <= 20
        while (await strict.http.get("/tasks", headers={"X-Forwarded-For": at})).status_code != 429:
            pass
