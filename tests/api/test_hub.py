"""The hub, with publications in any order: holes are filled from the log, doubles are dropped."""

import asyncio
from dataclasses import dataclass, field
from itertools import permutations
from time import monotonic
from typing import Any

import msgspec
import orjson
import pytest
from psycopg_pool import PoolClosed

from api.database import Pool, make_pool, read_epoch
from api.migrations import migrate
from api.sockets import hub as hubs
from api.sockets.audiences import Told
from api.sockets.hub import IDLE_SECONDS, Hub
from domain.messages import AccessChange, Projected, TaskChange
from domain.policy import Eyes
from domain.user import Role
from projections import changes
from tests.house import Database, House, Servers, until


@dataclass(eq=False)
class Listener:
    """A socket as the hub sees one, that keeps what it is offered."""

    user_id: str
    eyes: Eyes
    offered: list[Any] = field(default_factory=list)
    is_behind = False

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        document = orjson.loads(frame[frame.index(b"{") :])
        assert (document["position"], document["task_id"]) == (position, task_id)
        self.offered.append((document["op"], position))

    def change_access(self, change: AccessChange, told: Told) -> None:
        self.eyes = change.after(self.eyes)
        self.offered.append(change.role)
        for task_id, frame in told or ():
            self.offer(task_id, change.position, frame)

    def restart(self, frame: bytes) -> None:
        document = orjson.loads(frame[frame.index(b"{") :])
        self.offered.append((document["reason"], document["epoch"], document["position"]))


async def _written(house: House) -> tuple[str, changes.Changes]:
    """A log with tasks and roles in it, projected; and all that changed."""
    ada = await house.user()
    bob = await house.user()
    for n in range(3):
        await ada.task(str(n), assignee={"id": bob.id})
    await ada.call("PUT", f"/users/{bob.id}/role", {"role": "auditor"})
    await ada.task("last")
    await house.project()
    async with house.pool.connection() as connection:
        row = await (await connection.execute("SELECT workspace_id::text FROM workspaces")).fetchone()
        assert row is not None
        return row[0], await changes.read(connection, row[0], 0, 1_000)


def _publication(workspace_id: str, whole: changes.Changes, after: int, to: int, *, empty: bool) -> Projected:
    def within(position: int) -> bool:
        return after < position <= to

    return Projected(
        workspace_id,
        "tasks",
        after,
        to,
        None if empty else [change for change in whole.tasks if within(change.position)],
        [] if empty else [change for change in whole.accesses if within(change.position)],
    )


async def _told(pool: Pool, workspace_id: str, user_id: str, role: Role, publications: list[Projected], to: int) -> Any:
    """What a socket that was there from position 0 is offered."""
    hub = Hub(pool)  # not started: it never looks by itself, so that only the publications speak
    feed = await hub.feed(workspace_id)
    feed.position = 0
    listener = Listener(user_id, Eyes(role, frozenset((user_id,))))
    feed.add(listener)
    for publication in publications:
        hub.receive(publication)
    await until(lambda: feed.position >= to)
    await hub.stop()
    return listener.offered


async def test_publications_in_any_order_are_handed_out_once_and_in_order(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        bob = whole.accesses[0].user_id
        ranges = [(0, 4), (4, 6), (3, whole.to)]
        expected = await _told(
            house.pool, workspace_id, bob, Role.MEMBER,
            [_publication(workspace_id, whole, 0, whole.to, empty=False)], whole.to,
        )  # fmt: skip
        assert expected[-2:] == [Role.AUDITOR, ("upsert", whole.to)]
        assert [told[1] for told in expected if isinstance(told, tuple)] == [
            change.position for change in whole.tasks if bob in (change.after or ()) or change.position == whole.to
        ]
        for order in permutations(ranges):
            for empty in (False, True):
                publications = [_publication(workspace_id, whole, *part, empty=empty) for part in order]
                told = await _told(house.pool, workspace_id, bob, Role.MEMBER, publications, whole.to)
                assert told == expected, order


async def test_publications_of_others_are_ignored(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, _ = await _written(house)
        hub = Hub(house.pool)
        feed = await hub.feed(workspace_id)
        hub.receive(Projected("another", "tasks", 0, 9, [], []))
        hub.receive(Projected(workspace_id, "users", 0, 9, None, []))
        assert feed.published.empty()
        assert await hub.feed(workspace_id) is feed
        await hub.stop()


async def test_a_newcomer_that_read_an_old_role_gets_the_new_one(pool: Pool) -> None:
    hub = Hub(pool)
    feed = await hub.feed("01a1fc0f-6098-7662-a7fb-b9e4a496577a")
    feed.hand_out([], [AccessChange(5, "u", Role.AUDITOR), AccessChange(7, "u", Role.MEMBER)], 8)
    assert feed.accesses_after(6, "u") == [AccessChange(7, "u", Role.MEMBER)]
    assert feed.accesses_after(7, "u") == feed.accesses_after(0, "v") == []
    await hub.stop()


async def test_an_event_that_is_not_understood_stops_a_feed_until_it_is(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        task = await ada.task()
        await house.project()
        async with ada.socket() as socket:
            await socket.receive()
            (workspace_id,) = house.services.hub._feeds
            odd = await house.insert_event(task["id"], "task.exploded", {})
            house.services.hub.receive(Projected(workspace_id, "tasks", odd - 1, odd, None, []))
            raw = msgspec.Raw(orjson.dumps(task))
            known = TaskChange(odd, task["id"], raw, frozenset({ada.id}), frozenset({ada.id}))
            feed = house.services.hub._feeds[workspace_id]
            await until(lambda: feed.published.empty())
            await house.mend_event(odd, "task.unassigned")
            assert [change["position"] for change in await socket.changes(odd)] == [known.position]


async def test_a_publication_of_what_the_log_does_not_have_is_left_to_the_next_look(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        hub = Hub(house.pool)
        feed = await hub.feed(workspace_id)
        hub.receive(Projected(workspace_id, "tasks", whole.to + 5, whole.to + 9, None, []))
        await until(lambda: hub.counts.holes == 1 and feed.published.empty())
        assert feed.position == whole.to
        hub.receive(Projected(workspace_id, "tasks", whole.to, whole.to + 1, [], []))
        await until(lambda: feed.position == whole.to + 1)
        await hub.stop()


async def test_a_workspace_is_followed_as_long_as_somebody_listens(pool: Pool) -> None:
    followed: list[tuple[str, str]] = []
    hub = Hub(
        pool, follow=lambda id_: followed.append(("follow", id_)), unfollow=lambda id_: followed.append(("leave", id_))
    )
    workspace_id = "01a1fc0f-6098-7662-a7fb-b9e4a496577a"
    feed = await hub.feed(workspace_id)
    listener = Listener("u", Eyes(Role.ADMIN, frozenset("u")))
    feed.add(listener)
    feed.emptied_at = -IDLE_SECONDS
    hub._close_idle()
    assert await hub.feed(workspace_id) is feed
    feed.discard(listener)
    hub._close_idle()
    assert await hub.feed(workspace_id) is feed
    feed.emptied_at -= 2 * IDLE_SECONDS
    hub._close_idle()
    assert followed == [("follow", workspace_id), ("leave", workspace_id)]
    assert await hub.feed(workspace_id) is not feed
    await hub.stop()


async def test_a_restore_while_it_runs_tells_every_socket_and_renews_the_epoch(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers) as house:
        ada = await house.user()
        async with ada.socket() as socket:
            hello = await socket.receive()
            before = await ada.task("before")
            await socket.until(before["position"])
            migrate(database.owner_url, database.serving_url, restored=True)
            while (told := await socket.receive())["type"] != "resync":
                pass
            assert told == {
                "type": "resync",
                "reason": "epoch_changed",
                "epoch": house.services.epoch,
                "position": before["position"],
            }
            answer = await ada.post("/tasks", {"title": "after"})
            assert answer.headers["Taskfold-Epoch"] != hello["epoch"]
            assert answer.headers["Taskfold-Epoch"] == house.services.epoch
            changes = await socket.changes(answer.json()["position"])
            assert [change["task"]["title"] for change in changes] == ["after"]


async def test_a_checkpoint_that_runs_backwards_means_nothing_as_long_as_the_log_does_not(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        renewed: list[str] = []
        hub = Hub(house.pool, renewed=renewed.append)
        feed = await hub.feed(workspace_id)
        listener = Listener("u", Eyes(Role.ADMIN, frozenset("u")))
        feed.add(listener)
        async with house.pool.connection() as connection:
            await connection.execute("UPDATE checkpoints SET position = position - 1 WHERE projection = 'tasks'")
        await hub._compare()
        assert (listener.offered, feed.position, renewed) == ([], whole.to, [])
        feed.position = whole.to + 5  # as after a restore that nobody told of
        await hub._compare()
        assert (listener.offered, feed.position, renewed) == (
            [("after_beyond_head", "", whole.to - 1)],
            whole.to - 1,
            [""],
        )
        await hub.stop()


async def test_a_checkpoint_that_runs_backwards_is_a_reason_to_look_at_the_epoch(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        renewed: list[str] = []
        hub = Hub(house.pool, read_epoch=lambda: read_epoch(house.pool), renewed=renewed.append)
        hub._epoch, hub._epoch_at = "of before", monotonic() + 3_600  # not to be looked at again for an hour
        feed = await hub.feed(workspace_id)
        listener = Listener("u", Eyes(Role.ADMIN, frozenset("u")))
        feed.add(listener)
        await hub._compare()
        assert listener.offered == []
        feed.position = whole.to + 5
        await hub._compare()
        epoch = house.services.epoch
        assert (listener.offered, feed.position, renewed) == ([("epoch_changed", epoch, whole.to)], whole.to, [epoch])
        await hub.stop()


async def test_what_was_read_of_another_log_is_not_handed_out(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        hub = Hub(house.pool)
        feed = await hub.feed(workspace_id)
        listener = Listener("u", Eyes(Role.ADMIN, frozenset("u")))
        feed.add(listener)
        feed.position = 0
        part = (whole.tasks, whole.accesses, whole.to)
        await hub._hand_out(feed, feed.restarts - 1, part)
        assert (listener.offered, feed.position) == ([], 0)
        await hub._hand_out(feed, feed.restarts, part)
        assert (len(listener.offered), feed.position) == (len(whole.tasks), whole.to)
        await hub.stop()


@dataclass(eq=False)
class Reader(Listener):
    """A socket that has taken what it was offered when it was looked at so often since."""

    looks: int = 3
    _looked: int = 0
    early: int = 0  # offers that came before it had taken those of another page

    @property
    def is_behind(self) -> bool:  # type: ignore[override]
        self._looked += 1
        return bool(self.offered) and self._looked <= self.looks

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        if position % 2 and self.offered and self._looked <= self.looks:  # each page begins with an odd one
            self.early += 1
        super().offer(task_id, position, frame)
        self._looked = 0


async def test_a_hole_is_filled_page_by_page_as_sockets_take_it_and_waits_for_none_for_long(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "PAGE", 2)
    monkeypatch.setattr(hubs, "DRAIN_SECONDS", 0)
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        expected = [("upsert", change.position) for change in whole.tasks]
        for looks, early in ((3, False), (10**9, True)):
            hub = Hub(house.pool)
            feed = await hub.feed(workspace_id)
            feed.position = 0
            reader = Reader("u", Eyes(Role.ADMIN, frozenset("u")), looks=looks)
            feed.add(reader)
            hub.receive(Projected(workspace_id, "tasks", whole.to - 1, whole.to, None, []))
            await until(lambda feed=feed: feed.position == whole.to)  # type: ignore[misc]
            assert reader.offered == expected
            assert bool(reader.early) is early
            await hub.stop()


async def test_those_who_come_together_have_one_feed_and_a_failure_leaves_nothing_behind(
    pool: Pool, database: Database
) -> None:
    followed: list[str] = []
    workspace_id = "01a1fc0f-6098-7662-a7fb-b9e4a496577a"
    closed = make_pool(database.serving_url, 2)
    away = Hub(closed, follow=followed.append, unfollow=followed.remove)
    for outcome in await asyncio.gather(*[away.feed(workspace_id) for _ in range(3)], return_exceptions=True):
        assert isinstance(outcome, PoolClosed)
    assert (followed, away._opening, away._feeds) == ([], {}, {})
    hub = Hub(pool, follow=followed.append, unfollow=followed.remove)
    feeds = await asyncio.gather(*[hub.feed(workspace_id) for _ in range(5)])
    assert all(feed is feeds[0] for feed in feeds)
    assert (followed, len(hub._consumers)) == ([workspace_id], 1)
    await hub.stop()
