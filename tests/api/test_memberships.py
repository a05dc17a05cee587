"""Sockets whose users get other roles and teams: what they come to see and cease to see, live and after any absence."""

from typing import Any

import pytest

from projections import sight
from tests.house import Client, Database, House, Servers, position_of

Told = list[tuple[Any, ...]]


def _told(frames: list[dict[str, Any]]) -> Told:
    return [
        (frame["op"], frame["position"], frame["task_id"]) if frame["type"] == "change" else ("resync", frame["reason"])
        for frame in frames
        if frame["type"] in ("change", "resync")
    ]


async def _resumed(client: Client, after: int, to: int) -> Told:
    async with client.socket(after=after) as socket:
        return _told(await socket.until(to))


async def _join(admin: Client, team: str, user: Client) -> int:
    return position_of(await admin.call("PUT", f"/teams/{team}/members/{user.id}"))


async def _leave(admin: Client, team: str, user: Client) -> int:
    return position_of(await admin.call("DELETE", f"/teams/{team}/members/{user.id}"))


async def _role(admin: Client, user: Client, role: str) -> int:
    return position_of(await admin.call("PUT", f"/users/{user.id}/role", {"role": role}))


def _all(op: str, position: int, *tasks: dict[str, Any]) -> Told:
    """A frame for each of these, in the order of their ids."""
    return [(op, position, id_) for id_ in sorted(task["id"] for task in tasks)]


async def test_a_socket_follows_its_user_in_and_out_of_a_team(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team()
    mine = {"type": "team", "id": team}
    one, two, three = [await ada.task(str(n), assignee=mine) for n in range(3)]
    binned = await ada.task("binned", assignee=mine)
    await ada.call("DELETE", f"/tasks/{binned['id']}")
    async with bob.socket() as socket:
        start = (await socket.receive())["position"]
        unseen = position_of(started := await ada.post(f"/tasks/{one['id']}/start"))
        joined = await _join(ada, team, bob)
        paused = position_of(await ada.post(f"/tasks/{one['id']}/pause"))
        away = position_of(await ada.post(f"/tasks/{three['id']}/unassign"))
        left = await _leave(ada, team, bob)
        hidden = position_of(await ada.post(f"/tasks/{one['id']}/start"))
        live = await socket.until(hidden)
    assert _told(live) == [
        *_all("upsert", joined, one, two, three),
        *_all("upsert", paused, one),
        *_all("removed", away, three),
        *_all("removed", left, one, two),
    ]
    shown = {frame["task_id"]: frame["task"] for frame in live if frame.get("position") == joined}
    assert shown == {one["id"]: started.json(), two["id"]: two, three["id"]: three}
    # Who was away is told what is gone, whatever they held, and nothing of what they may not see any more.
    gone = [*_all("removed", away, three), *_all("removed", left, one, two)]
    for after in (start, unseen, joined, paused):
        assert await _resumed(bob, after, hidden) == gone, after
    assert await _resumed(bob, away, hidden) == gone[1:]
    assert await _resumed(bob, left, hidden) == []
    # And back again: what was lost while away comes, as it is there.
    rejoined = await _join(ada, team, bob)
    last = await ada.task("last", assignee=mine)
    expected = [*_all("removed", left, one, two), *_all("upsert", rejoined, one, two)]
    got = await _resumed(bob, away, last["position"])
    assert got[:4] == expected
    assert {task_id for _, _, task_id in got[4:]} == {last["id"]}


async def test_a_team_that_ends_takes_its_tasks_along(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team(bob, role="lead")
    own = await bob.task("bob's own", assignee={"type": "team", "id": team})
    theirs = await ada.task("theirs", assignee={"type": "team", "id": team})
    async with bob.socket(after=theirs["position"]) as socket:
        await socket.receive()
        deleted = position_of(await ada.call("DELETE", f"/teams/{team}"))
        frames = await socket.until(deleted)
    ((op, position, task_id),) = _told(frames)
    assert (op, task_id) == ("removed", theirs["id"])
    assert theirs["position"] < position <= deleted
    assert await _resumed(bob, own["position"], deleted) == _told(frames)


async def test_a_role_that_sees_more_or_less_is_told_task_by_task(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    own = await bob.task("own")
    others = [await ada.task(str(n)) for n in range(3)]
    gone = await ada.task("gone")
    await ada.call("DELETE", f"/tasks/{gone['id']}")
    async with bob.socket() as socket:
        start = (await socket.receive())["position"]
        up = await _role(ada, bob, "auditor")
        level = await _role(ada, bob, "manager")  # sees the same
        changed = position_of(await ada.post(f"/tasks/{others[0]['id']}/start"))
        down = await _role(ada, bob, "member")
        end = position_of(await ada.post(f"/tasks/{own['id']}/start"))
        live = _told(await socket.until(end))
    raised, lowered = [min(frame[1] for frame in live if frame[0] == op) for op in ("upsert", "removed")]
    assert start < raised <= up <= level < changed < lowered <= down < end
    assert live == [
        *_all("upsert", raised, *others),
        *_all("upsert", changed, others[0]),
        *_all("removed", lowered, *others),
        *_all("upsert", end, own),
    ]
    for after in (start, up, level, changed):
        assert await _resumed(bob, after, end) == [*_all("removed", lowered, *others), *_all("upsert", end, own)]


async def test_who_gains_or_loses_too_many_at_once_reads_the_lists_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "MOST", 2)
    ada, bob = await house.user(), await house.user()
    team = await ada.team()
    tasks = [await ada.task(str(n), assignee={"type": "team", "id": team}) for n in range(3)]
    async with bob.socket() as socket:
        start = (await socket.receive())["position"]
        await _join(ada, team, bob)
        await _leave(ada, team, bob)
        await ada.post(f"/tasks/{tasks[0]['id']}/unassign")
        joined = await _join(ada, team, bob)
        await _role(ada, bob, "auditor")  # one more
        last = await ada.task("another")
        await ada.task("and another")
        down = await _role(ada, bob, "member")
        live = _told(await socket.until(down))
    for got in (live, await _resumed(bob, start, down)):
        assert got[:2] == [("resync", "teams_changed")] * 2
        assert got[-1] == ("resync", "role_changed")
    assert live[2:4] == _all("upsert", joined, *tasks[1:])
    assert _all("upsert", last["position"], last)[0] in live


async def test_who_opens_a_socket_before_a_departure_is_projected_is_told_of_it(
    database: Database, servers: Servers
) -> None:
    """The log knows already, the socket begins where the projection is."""
    async with House.open(database, servers, projecting=False) as house:
        ada, bob = await house.user(), await house.user()
        team = await ada.team(bob)
        out, kept = [await ada.task(str(n), assignee={"type": "team", "id": team}) for n in range(2)]
        await house.project()
        away = position_of(await ada.post(f"/tasks/{out['id']}/unassign"))
        left = await _leave(ada, team, bob)
        async with bob.socket(after=kept["position"]) as socket:
            assert (await socket.receive())["position"] == kept["position"]
            await house.project()
            frames = await socket.until(left)
        assert _told(frames) == [*_all("removed", away, out), *_all("removed", left, kept)]


async def test_a_user_with_sockets_everywhere_is_told_everywhere(
    house: House, database: Database, servers: Servers
) -> None:
    ada, bob = await house.user(), await house.user()
    team = await ada.team()
    task = await ada.task(assignee={"type": "team", "id": team})
    async with House.open(database, servers, projecting=False) as other:
        there = Client(other.http, bob.tokens, other.base)
        async with bob.socket() as one, bob.socket() as two, there.socket() as three:
            for socket in (one, two, three):
                await socket.receive()
            joined = await _join(ada, team, bob)
            for socket in (one, two, three):
                assert _told(await socket.until(joined)) == _all("upsert", joined, task)
