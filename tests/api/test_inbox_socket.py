"""`/ws/notifications`: what one is told and what one has read, live and after an absence."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect

from api.sockets import told
from tests.house import Client, Database, House, Servers, Socket, position_of, until

Frame = dict[str, Any]


def _brief(frames: list[Frame]) -> list[tuple[Any, ...]]:
    return [
        (each["op"], each["position"], each["notification"]["reason"] if each["op"] == "upsert" else None)
        for each in frames
        if each["type"] == "change"
    ]


async def _until(socket: Socket, position: int) -> list[Frame]:
    """The changes up to the one at a position."""
    found: list[Frame] = []
    while not found or found[-1]["position"] < position:
        frame = await socket.receive()
        found += [frame] if frame["type"] == "change" else []
    return found


async def _tell(boss: Client, path: str, n: int) -> int:
    return position_of(await boss.call("PATCH", path, {"title": f"title {n}"}))


async def test_what_one_is_told_and_reads_comes_live_and_again_after_a_cut_without_hole_or_double(house: House) -> None:
    boss, ada, bob = await house.user(), await house.user(), await house.user()
    task = await boss.task(assignee={"id": ada.id})
    path = f"/tasks/{task['id']}"
    await ada.items("/notifications", min_position=task["position"])
    async with (
        ada.socket("notifications") as one,
        ada.socket("notifications") as other,
        bob.socket("notifications") as his,
        boss.socket("notifications") as overseeing,
    ):
        hello = await one.receive()
        assert (hello["type"], set(hello)) == ("hello", {"type", "epoch", "position"})
        await other.receive()
        await boss.post(f"{path}/comments", {"body": f"@{{{ada.id}}}"})
        first = await _tell(boss, path, 1)
        marked = position_of(await ada.post("/notifications/read", {"positions": [first]}))
        all_read = position_of(await ada.post("/notifications/read", {"through": first}))
        back = position_of(await ada.post("/notifications/unread", {"positions": [first]}))
        live = await _until(one, back)
        assert _brief(live)[-4:] == [
            ("upsert", first, "updated"),
            ("read", marked, None),
            ("read_through", all_read, None),
            ("unread", back, None),
        ]
        assert (live[-3]["positions"], live[-2]["through"], live[-1]["positions"]) == ([first], first, [first])
        assert await _until(other, back) == live
        given = await boss.post(f"{path}/comments", {"body": f"well, @{{{boss.id}}}"})
        await boss.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})  # who sees every task is told no more
        mine = await boss.task(assignee={"id": bob.id})
        assert _brief(await _until(his, mine["position"])) == [("upsert", mine["position"], "assigned")]
        last = await _until(one, position_of(given))
        hers = await _tell(ada, path, 2)  # of all this, an admin is told what is theirs alone
        assert _brief(await _until(overseeing, hers)) == [("upsert", hers, "updated")]
        listed = {item["position"]: item for item in await ada.items("/notifications")}
        for frame in [*live, *last]:
            if frame["op"] == "upsert":
                item = listed[frame["position"]]
                assert {**frame["notification"], "task": item["task"], "read": item["read"]} == item
    everything = [*live, *last]
    for cut in range(len(everything) + 1):
        after = everything[cut - 1]["position"] if cut else hello["position"]
        async with ada.socket("notifications", after=after, epoch=hello["epoch"]) as again:
            frames = await again.until(position_of(given))
            assert [frame for frame in frames if frame["type"] == "change"] == everything[cut:]


async def test_what_was_missed_and_what_comes_meanwhile_meet_without_hole_or_double(house: House) -> None:
    boss, ada = await house.user(), await house.user()
    task = await boss.task(assignee={"id": ada.id})
    path = f"/tasks/{task['id']}"
    told_at = [await _tell(boss, path, n) for n in range(10)]

    async def write() -> None:
        told_at.extend([await _tell(boss, path, n) for n in range(10, 40)])

    writing = asyncio.create_task(write())
    seen: list[int] = []
    after = task["position"]
    while not writing.done() or not seen or seen[-1] < told_at[-1]:
        async with ada.socket("notifications", after=after) as socket:
            for _ in range(9):
                frame = await socket.receive()
                seen += [frame["position"]] if frame["type"] == "change" else []
                if seen and seen[-1] >= told_at[-1] and writing.done():
                    break
            after = seen[-1] if seen else after
    await writing
    assert seen == told_at


async def test_lost_sight_a_preference_and_too_long_an_absence(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    boss, ada = await house.user(), await house.user()
    team = await boss.team(ada)
    task, own = await boss.task(), await boss.task(assignee={"id": ada.id})
    given = position_of(await boss.post(f"/tasks/{task['id']}/assign", {"team_id": team}))
    assert (await ada.call("PUT", f"/tasks/{task['id']}/watchers/{ada.id}")).is_success
    async with ada.socket("notifications", after=own["position"]) as socket:
        assert _brief(await _until(socket, given)) == [("upsert", given, "assigned")]
        await boss.call("DELETE", f"/teams/{team}/members/{ada.id}")
        await _tell(boss, f"/tasks/{task['id']}", 1)  # she watches it, and sees it no more
        edited = await _tell(boss, f"/tasks/{own['id']}", 2)
        assert _brief(await _until(socket, edited)) == [("upsert", edited, "updated")]
    async with ada.socket("notifications", after=own["position"]) as socket:
        assert _brief(await socket.until(edited)) == [("upsert", edited, "updated")]
    await ada.call("PUT", "/users/profile", {"preferences": {"notifications": {"updated": False}}})
    async with ada.socket("notifications", after=own["position"]) as socket:
        assert _brief(await socket.until(edited)) == []
        await _tell(boss, f"/tasks/{own['id']}", 3)
        said = position_of(await boss.post(f"/tasks/{own['id']}/comments", {"body": f"@{{{ada.id}}}"}))
        assert _brief(await _until(socket, said)) == [("upsert", said, "mentioned")]
    monkeypatch.setattr(told, "MOST", 0)
    async with ada.socket("notifications", after=own["position"]) as socket:
        assert [(await socket.receive())["type"] for _ in range(2)] == ["hello", "resync"]
        assert socket.frames[-1]["reason"] == "too_far_behind"
    for query, reason in ({"after": 10**9}, "after_beyond_head"), ({"after": 1, "epoch": "other"}, "epoch_changed"):
        async with ada.socket("notifications", **query) as socket:
            assert [(await socket.receive()).get("reason") for _ in range(2)] == [None, reason]


async def test_a_ticket_opens_one_socket_and_who_may_not_come_in_is_told_why(house: House) -> None:
    boss, ada = await house.user(), await house.user()
    ticket = (await ada.post("/auth/ws-ticket")).json()["ticket"]
    url = f"{house.base.replace('http', 'ws', 1)}/api/v1/ws/notifications?ticket={ticket}"
    async with connect(url, compression=None) as connection:
        assert (await Socket(connection).receive())["type"] == "hello"
        async with connect(url, compression=None) as second:
            assert await Socket(second).closed() == (4401, "auth.ticket_invalid")
        await boss.post(f"/users/{ada.id}/deactivate")
        assert (await Socket(connection).closed())[0] == 4401
    async with boss.socket("notifications", after="x") as socket:
        assert (await socket.closed())[0] == 1008


async def test_publications_that_are_lost_are_filled_from_the_log(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        boss, ada = await house.user(), await house.user()
        await house.project()
        async with ada.socket("notifications") as socket:
            await socket.receive()
            task = await boss.task(assignee={"id": ada.id})
            told_at = [await _tell(boss, f"/tasks/{task['id']}", n) for n in range(3)]
            marked = position_of(await ada.post("/notifications/read", {"through": told_at[0]}))
            await house.project()  # the projector was not started: it publishes nothing
            found = await _until(socket, marked)
            assert [frame["position"] for frame in found] == [task["position"], *told_at, marked]
            assert house.services.inboxes.counts.holes >= 1
            await until(lambda: all(feed.position >= marked for feed in house.services.inboxes._feeds.values()))
