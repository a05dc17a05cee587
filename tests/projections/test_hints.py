"""Hints: they save waiting, and nothing depends on them. Redis may be slow, silent, killed, or never there."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from api.embedded.process import free_port
from api.embedded.redis import EmbeddedRedis
from api.services import make_redis
from commands.ids import new_id
from domain.messages import APPENDED_CHANNEL, Appended, decode_appended, encode
from projections import hints
from projections.database import Pool
from projections.hints import Listener, Sender
from tests.commands.desk import Connection, Desk, Team
from tests.house import until
from tests.projections.reading import checkpoint_of, eventually, fold_of, listening, reaches, rows_of, worker


class Ear:
    """A listener, and what it has heard."""

    def __init__(self, redis: Redis, channel: str) -> None:
        self.heard: list[bytes] = []
        self.losses = 0
        self.listener = Listener(redis, channel, self._receive, self._lost)

    def _receive(self, message: bytes) -> None:
        self.heard.append(message)
        if message == b"nonsense":
            raise ValueError("not understood")

    def _lost(self) -> None:
        self.losses += 1

    async def connected(self) -> None:
        await asyncio.wait_for(self.listener.connected.wait(), 20)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRedis]:
    """A Redis that can be killed without harm to other tests; whoever lost it comes back quickly."""
    monkeypatch.setattr(hints, "RECONNECT_SECONDS", 0.02)
    with EmbeddedRedis(tmp_path) as own:
        yield own


@pytest.fixture
async def client(own: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = make_redis(own.url)
    yield client
    await client.aclose()


def kill(own: EmbeddedRedis) -> None:
    own.process.kill()
    own.process.wait()


async def pings(client: Redis) -> int:
    """How often anybody has asked whether Redis is there."""
    statistics = await client.info("commandstats")
    return int(statistics.get("cmdstat_ping", {}).get("calls", 0))


async def say_until_heard(sender: Sender, ear: Ear, message: bytes) -> None:
    """Hints may be lost on the way, so say it as often as it takes."""

    def heard() -> bool:
        sender.send("channel", message)
        return message in ear.heard

    await until(heard)


async def test_without_redis_polling_finds_the_work(desk: Desk, owner: Connection, team: Team, pool: Pool) -> None:
    nowhere = make_redis(f"redis://127.0.0.1:{free_port()}/0")
    projector = worker(pool, nowhere, poll_seconds=0.02)
    await projector.start()
    await reaches(owner, team.workspace_id, 6)
    task_id = await desk.task(team)
    await reaches(owner, team.workspace_id, 7)
    await projector.stop()
    await nowhere.aclose()
    assert (await rows_of(owner, team.workspace_id)).tasks.keys() == {task_id}
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_a_hint_wakes_the_projections_that_it_concerns_long_before_the_next_look(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=3_600)
    await projector.start()
    await asyncio.wait_for(projector._listener.connected.wait(), 10)
    await reaches(owner, team.workspace_id, 6)
    await desk.task(team)

    async def hint(*kinds: str) -> None:
        message = encode(Appended(team.workspace_id, 7, frozenset(kinds)))
        await redis.publish(APPENDED_CHANNEL, message)

    await redis.publish(APPENDED_CHANNEL, b"nonsense")
    await hint("workspace")
    await hint("task")
    await reaches(owner, team.workspace_id, 7, "tasks")
    assert (await checkpoint_of(owner, team.workspace_id, "users")).position == 6
    await hint("user")
    await reaches(owner, team.workspace_id, 7, "users")
    await projector.stop()


async def test_hints_that_come_doubled_early_or_for_nobody_do_no_harm(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    projector = worker(pool, redis, poll_seconds=0.02)
    await projector.start()
    await asyncio.wait_for(projector._listener.connected.wait(), 10)
    for workspace_id in [team.workspace_id, new_id()] * 20:
        message = encode(Appended(workspace_id, 10**6, frozenset({"task", "user"})))
        await redis.publish(APPENDED_CHANNEL, message)
        await desk.task(team)
    await reaches(owner, team.workspace_id, 46)
    await projector.stop()
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_a_killed_redis_that_comes_back_carries_hints_again(
    own: EmbeddedRedis, client: Redis, said: pytest.LogCaptureFixture
) -> None:
    ear, sender = Ear(client, "channel"), Sender(client)
    ear.listener.start()
    sender.start()
    for round_ in range(1, 3):
        await ear.connected()
        assert ear.losses == round_  # whoever was away is told, so that it looks at the tables
        await say_until_heard(sender, ear, b"before %d" % round_)
        kill(own)
        await until(lambda: not ear.listener.connected.is_set())
        sender.send("channel", b"lost")
        await until(lambda: "hints not sent" in said.text)
        own.spawn()
        await ear.connected()
        await say_until_heard(sender, ear, b"after %d" % round_)
    assert "redis is away" in said.text
    await ear.listener.stop()
    await sender.stop()


async def test_a_projector_lives_through_the_death_of_redis_and_publishes_again(
    own: EmbeddedRedis, client: Redis, desk: Desk, owner: Connection, team: Team, pool: Pool
) -> None:
    projector = worker(pool, client, poll_seconds=0.02)
    await projector.start()
    await reaches(owner, team.workspace_id, 6)
    kill(own)
    await desk.task(team)
    await reaches(owner, team.workspace_id, 7)
    own.spawn()
    async with listening(client, team.workspace_id) as heard:
        position = 7

        async def published() -> bool:
            nonlocal position
            await desk.task(team)
            position += 1
            await reaches(owner, team.workspace_id, position)
            return heard.reached("tasks") > 7

        async with asyncio.timeout(20):
            while not await published():
                pass
    await projector.stop()
    assert await rows_of(owner, team.workspace_id) == await fold_of(owner, team.workspace_id)


async def test_a_listener_asks_a_silent_redis_and_leaves_one_that_does_not_answer(
    own: EmbeddedRedis, client: Redis, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hints, "SILENCE_SECONDS", 0.05)
    ear = Ear(client, "channel")
    ear.listener.start()
    await ear.connected()
    before = await pings(client)

    async def asked_thrice() -> bool:
        return await pings(client) >= before + 3

    await eventually(asked_thrice)
    assert ear.losses == 1  # it answered each time, so nobody left
    os.kill(own.process.pid, signal.SIGSTOP)
    try:
        await until(lambda: not ear.listener.connected.is_set())
        assert [vars(record)["error"] for record in said.records] == ["no answer to a ping"]
    finally:
        os.kill(own.process.pid, signal.SIGCONT)
    await ear.connected()
    assert ear.losses == 2
    await client.publish("channel", b"again")
    await until(lambda: ear.heard == [b"again"])
    await ear.listener.stop()


async def test_what_a_listener_does_not_understand_is_said_and_passed_over(
    redis: Redis, said: pytest.LogCaptureFixture
) -> None:
    ear = Ear(redis, channel := f"channel {new_id()}")
    ear.listener.start()
    await ear.connected()
    for message in (b"one", b"nonsense", b"two"):
        await redis.publish(channel, message)
    await until(lambda: ear.heard == [b"one", b"nonsense", b"two"])
    assert "hint not understood" in said.text
    await ear.listener.stop()


async def test_a_sender_keeps_order_and_drops_the_oldest_of_what_is_too_much(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "BUFFER", 3)
    ear, sender = Ear(redis, channel := f"channel {new_id()}"), Sender(redis)
    ear.listener.start()
    await ear.connected()
    sent = [b"%d" % n for n in range(5)]
    for message in sent:
        sender.send(channel, message)
    sender.start()
    await until(lambda: len(ear.heard) == 3)
    sender.send(channel, b"later")
    await until(lambda: len(ear.heard) == 4)
    assert ear.heard == [*sent[-3:], b"later"]
    await sender.stop()
    await ear.listener.stop()


async def test_what_waits_to_be_said_of_one_log_is_said_at_once(redis: Redis) -> None:
    ear, sender = Ear(redis, APPENDED_CHANNEL), Sender(redis)
    ear.listener.start()
    await ear.connected()
    one, two = new_id(), new_id()
    for workspace_id, position, kind in ((one, 3, "task"), (two, 1, "user"), (one, 5, "user"), (one, 4, "task")):
        sender.announce(Appended(workspace_id, position, frozenset({kind})))
    sender.start()
    expected = [Appended(one, 5, frozenset({"task", "user"})), Appended(two, 1, frozenset({"user"}))]
    await until(lambda: len(ours(ear, one, two)) == 2)
    assert ours(ear, one, two) == expected
    sender.announce(Appended(one, 6, frozenset({"task"})))
    await until(lambda: len(ours(ear, one, two)) == 3)
    assert ours(ear, one, two) == [*expected, Appended(one, 6, frozenset({"task"}))]
    await sender.stop()
    await ear.listener.stop()


def ours(ear: Ear, *workspaces: str) -> list[Appended]:
    """What was heard of these workspaces: others may use the channel too."""
    heard = [decode_appended(message) for message in ear.heard]
    return [appended for appended in heard if appended.workspace_id in workspaces]


async def test_a_channel_is_heard_from_when_it_is_followed_until_it_is_not(redis: Redis) -> None:
    ear = Ear(redis, f"channel {new_id()}")
    more = f"channel {new_id()}"

    async def followed() -> bool:
        return bool((await redis.pubsub_numsub(more))[0][1])

    async def left() -> bool:
        return not await followed()

    ear.listener.start()
    await ear.connected()
    assert not await followed()
    ear.listener.follow(more)
    await eventually(followed)
    await redis.publish(more, b"heard")
    await until(lambda: ear.heard == [b"heard"])
    assert ear.losses == 2  # what was said before it was followed may have been missed
    ear.listener.unfollow(more)
    await eventually(left)
    await ear.listener.stop()


async def test_what_was_not_started_can_be_stopped(redis: Redis) -> None:
    ear, sender = Ear(redis, "channel"), Sender(redis)
    await ear.listener.stop()
    await sender.stop()
    assert not ear.listener.connected.is_set()


async def test_a_projector_goes_on_when_the_database_was_away(
    owner: Connection, team: Team, pool: Pool, redis: Redis, said: pytest.LogCaptureFixture
) -> None:
    """Also a failure that cannot be put on record is said, and the work goes on as soon as it can."""
    projector = worker(pool, redis, poll_seconds=0.01, retry_seconds=0.01)
    await pool.close()
    await projector.start()
    await asyncio.wait_for(projector._listener.connected.wait(), 10)
    await redis.publish(APPENDED_CHANNEL, encode(Appended(team.workspace_id, 6, frozenset({"task"}))))
    await until(lambda: "could not be put on record" in said.text and "the database is away" in said.text)
    assert "projection failed" in said.text
    assert (await checkpoint_of(owner, team.workspace_id)).position == 0
    await projector.stop()
