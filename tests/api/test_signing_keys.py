"""The keys that sign access tokens: agreed on without a word, rotated without a restart, refused when retired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import psycopg
import pytest
from click.testing import CliRunner

from api.cli import main
from api.database import Pool
from api.signing_keys import SigningKeys, derive
from commands import signing_keys
from tests.house import SECRET, Client, Database, House, Servers, refused

LIFETIME = 900


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as connection:
        yield connection


@asynccontextmanager
async def two(database: Database, servers: Servers) -> AsyncIterator[tuple[House, House]]:
    """Two API processes at one database."""
    async with (
        House.open(database, servers) as one,
        House.open(database, servers, projecting=False) as other,
    ):
        yield one, other


async def rotate(house: House, *, at_once: bool = False) -> None:
    async with house.pool.connection() as connection:
        await signing_keys.rotate(connection, LIFETIME, at_once=at_once)


async def pass_time(owner: psycopg.AsyncConnection[Any], seconds: float) -> None:
    """Let everything about keys have been said so long ago."""
    await owner.execute(
        """
        UPDATE signing_keys SET created_at = created_at - make_interval(secs => %(s)s),
            signs_from = signs_from - make_interval(secs => %(s)s),
            retired_at = retired_at - make_interval(secs => %(s)s)
        """,
        {"s": seconds},
    )


async def kids(house: House) -> list[str]:
    response = await house.http.get(f"{house.base}/.well-known/jwks.json")
    return [key["kid"] for key in response.json()["keys"]]


def kid_of(client: Client) -> str:
    return str(jwt.get_unverified_header(client.tokens["access_token"])["kid"])


async def refreshed(house: House, client: Client) -> Client:
    response = await house.http.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})
    assert response.status_code == 200, response.text
    return Client(house.http, response.json(), house.base)


def at(house: House, client: Client) -> Client:
    return Client(house.http, client.tokens, house.base)


async def becomes(house: House, expected: list[str]) -> None:
    async with asyncio.timeout(10):
        while await kids(house) != expected:
            pass


async def test_processes_of_a_fresh_database_agree(database: Database, servers: Servers) -> None:
    async with two(database, servers) as (one, other):
        ada = await one.user()
        assert await kids(one) == await kids(other) == [kid_of(ada)]
        assert (await at(other, ada).get("/tasks")).status_code == 200


async def test_a_rotation_holds_in_every_process_without_a_restart_and_ends_no_session(
    database: Database, servers: Servers, owner: psycopg.AsyncConnection[Any]
) -> None:
    async with two(database, servers) as (one, other):
        ada = await one.user()
        old = kid_of(ada)
        await rotate(one)
        async with asyncio.timeout(10):
            while len(announced := await kids(other)) == 1:
                pass
        assert announced[0] == old, "the new key is known before it signs"
        assert kid_of(await one.user()) == old
        await pass_time(owner, signing_keys.ANNOUNCED_SECONDS)
        for house in (one, other):
            await becomes(house, announced[::-1])
        ben = await refreshed(one, ada)
        assert kid_of(ben) == announced[1]
        for house in (one, other):
            for client in (ada, ben):
                assert (await at(house, client).get("/tasks")).status_code == 200
        await pass_time(owner, LIFETIME + signing_keys.SPARE_SECONDS)
        for house in (one, other):
            await becomes(house, announced[1:])
            assert (await at(house, ben).get("/tasks")).status_code == 200
        refused(await ada.get("/tasks"), 401, "auth.token_invalid")  # its own time is over long ago


async def test_a_key_that_others_may_know_is_refused_at_once_on_rest_and_on_sockets(
    database: Database, servers: Servers
) -> None:
    async with two(database, servers) as (one, other):
        ada = await one.user()
        there = at(other, ada)
        assert (await there.get("/tasks")).status_code == 200  # remembered there
        async with there.socket() as socket:
            await socket.receive()
            await rotate(one, at_once=True)
            async with asyncio.timeout(5):
                while (response := await there.get("/tasks")).status_code == 200:
                    pass
                refused(response, 401, "auth.token_invalid")
                assert await socket.closed() == (4401, "auth.token_invalid")
        again = await refreshed(other, ada)
        assert kid_of(again) != kid_of(ada)
        assert (await again.get("/tasks")).status_code == 200


async def test_an_unknown_name_is_looked_up_once(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(database, servers) as (one, other):
        # From now on neither looks by itself.
        await asyncio.gather(one.services.keys.stop(), other.services.keys.stop())
        ada = await one.user()
        await rotate(one, at_once=True)
        await one.services.keys.run_once()
        fresh = await refreshed(one, ada)
        reads = 0
        read = other.services.keys._read

        async def counting() -> None:
            nonlocal reads
            reads += 1
            await read()

        monkeypatch.setattr(other.services.keys, "_read", counting)
        monkeypatch.setattr(other.services.keys, "_read_at", float("-inf"))  # the last look was long ago
        answers = await asyncio.gather(*[at(other, fresh).get("/tasks") for _ in range(10)])
        assert {answer.status_code for answer in answers} == {200}
        assert reads == 1
        key = derive(SECRET, b"another salt")
        claims = jwt.decode(fresh.tokens["access_token"], options={"verify_signature": False})
        stranger = jwt.encode(claims, key.private, "EdDSA", headers={"typ": "at+jwt", "kid": key.kid})
        for _ in range(10):
            refused(
                await at(other, Client(one.http, {"access_token": stranger}, "")).get("/tasks"),
                401,
                "auth.token_invalid",
            )
        assert reads == 1, "so soon after a look there is none"


async def test_another_secret_makes_other_keys(database: Database, servers: Servers) -> None:
    async with (
        House.open(database, servers) as one,
        House.open(database, servers, projecting=False, secret_key=SECRET[::-1]) as other,
    ):
        ada = await one.user()
        assert await kids(one) != await kids(other)
        refused(await at(other, ada).get("/tasks"), 401, "auth.token_invalid")


async def test_without_keys_nothing_starts_and_nothing_is_signed(
    pool: Pool, owner: psycopg.AsyncConnection[Any]
) -> None:
    keys = SigningKeys(pool, SECRET)
    with pytest.raises(LookupError):
        _ = keys.signing
    await owner.execute("DELETE FROM signing_keys")
    with pytest.raises(LookupError):
        await keys.start()


async def test_a_process_that_cannot_look_keeps_the_keys_it_has(house: House) -> None:
    ada = await house.user()
    async with await psycopg.AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        await owner.execute("ALTER TABLE signing_keys RENAME TO hidden")
        with pytest.raises(psycopg.Error):
            await house.services.keys.run_once()
        assert (await (await refreshed(house, ada)).get("/tasks")).status_code == 200
        await owner.execute("ALTER TABLE hidden RENAME TO signing_keys")


async def test_who_rotates_at_once_from_two_places_makes_two_keys_and_one_signs(house: House) -> None:
    await asyncio.gather(*[rotate(house, at_once=True) for _ in range(4)])
    await house.services.keys.run_once()
    async with house.pool.connection() as connection:
        rows = await signing_keys.read(connection)
    assert [row.retired for row in rows] == [True] * 4 + [False]
    assert await kids(house) == [derive(SECRET, rows[-1].salt).kid]


async def test_rotating_twice_keeps_what_was_announced(house: House, owner: psycopg.AsyncConnection[Any]) -> None:
    ada = await house.user()
    await rotate(house)
    await pass_time(owner, 1)
    await rotate(house)
    async with house.pool.connection() as connection:
        first, second, third = await signing_keys.read(connection)
    assert first.retired_at is not None
    assert second.retired_at is not None
    assert first.retired_at < second.retired_at
    assert third.retired_at is None
    await house.services.keys.run_once()
    assert await kids(house) == [derive(SECRET, row.salt).kid for row in (first, second, third)]
    assert (await ada.get("/tasks")).status_code == 200


def test_who_knows_the_salt_alone_or_the_secret_alone_derives_another_key() -> None:
    key = derive("secret", b"salt")
    assert derive("secret", b"salt").kid == key.kid
    assert len({key.kid, derive("secret", b"tlas").kid, derive("terces", b"salt").kid}) == 3
    assert "d" not in key.jwk


# ----------------------------------------------------------------------------------------------------- the command line


@pytest.fixture
def command(database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TASKFOLD_DATABASE_URL", database.serving_url)
    monkeypatch.setenv("TASKFOLD_REDIS_URL", servers.redis_url)
    monkeypatch.setenv("TASKFOLD_SECRET_KEY", SECRET)

    def run(*arguments: str) -> list[str]:
        done = CliRunner().invoke(main, ["keys", *arguments])
        assert done.exit_code == 0, done.output
        return [line.strip() for line in done.output.splitlines()]

    return run


async def test_an_operator_rotates_and_lists_keys(
    house: House, command: Any, owner: psycopg.AsyncConnection[Any]
) -> None:
    (first,) = await kids(house)
    _, listed = await asyncio.to_thread(command, "list")
    assert (listed.split()[0], listed.split()[2:]) == (first, ["signs"])
    (said,) = await asyncio.to_thread(command, "rotate")
    await house.services.keys.run_once()
    second = (await kids(house))[1]
    assert said.startswith(f"{second} signs from ")
    _, one, two = await asyncio.to_thread(command, "list")
    assert one.startswith(first)
    assert " signs until " in one
    assert two.startswith(second)
    assert " signs from " in two
    await pass_time(owner, signing_keys.ANNOUNCED_SECONDS)
    _, one, two = await asyncio.to_thread(command, "list")
    assert " accepted until " in one
    assert two.endswith(" signs")
    (said,) = await asyncio.to_thread(command, "rotate", "--at-once")
    await house.services.keys.run_once()
    assert said == f"{(await kids(house))[0]} signs now; what older keys have signed is refused"
    _, one, two, three = await asyncio.to_thread(command, "list")
    assert " retired since " in one
    assert " retired since " in two
    assert three.endswith(" signs")
