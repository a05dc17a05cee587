"""The hub, with publications in any order: holes are filled from the log, doubles are dropped."""

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import msgspec
import orjson

from api.database import Pool
from api.sockets.hub import Hub
from domain.messages import Projected, RoleChange, TaskChange
from domain.user import Role
from projections import changes
from tests.house import Database, House, Servers, until


@dataclass(eq=False)
class Listener:
    """A socket as the hub sees one, that keeps what it is offered."""

    user_id: str
    role: Role
    offered: list[Any] = field(default_factory=list)

    def offer(self, frame: str, position: int) -> None:
        document = orjson.loads(frame)
        assert document["position"] == position
        self.offered.append((document["op"], position))

    def change_role(self, role: Role) -> None:
        self.role = role
        self.offered.append(role)


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
        [] if empty else [change for change in whole.roles if within(change.position)],
    )


async def _told(pool: Pool, workspace_id: str, user_id: str, role: Role, publications: list[Projected], to: int) -> Any:
    """What a socket that was there from position 0 is offered."""
    hub = Hub(pool)  # not started: it never looks by itself, so that only the publications speak
    feed = await hub.feed(workspace_id)
    feed.position = 0
    listener = Listener(user_id, role)
    feed.subscribers.add(listener)
    for publication in publications:
        hub.receive(publication)
    await until(lambda: feed.position >= to)
    await hub.stop()
    return listener.offered


async def test_publications_in_any_order_are_handed_out_once_and_in_order(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        workspace_id, whole = await _written(house)
        bob = whole.roles[0].user_id
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
    feed.hand_out([], [RoleChange(5, "u", Role.AUDITOR), RoleChange(7, "u", Role.MEMBER)], 8)
    assert feed.role_after(6, "u") is Role.MEMBER
    assert feed.role_after(7, "u") is None
    assert feed.role_after(0, "v") is None
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
