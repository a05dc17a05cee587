"""Notifications over HTTP: who is told of what, and what they have read."""

from typing import Any

import pytest

from api.database import Pool
from commands.ids import new_id
from projections import builds, rebuilding
from projections.comparing import Pair
from projections.drift import check
from projections.drift_sample import every
from projections.notifying import NOTIFICATIONS
from tests.house import Client, House, position_of, refused


async def _told(client: Client, position: int, **query: Any) -> list[tuple[str, str, str]]:
    """Reason, event and title of what somebody was told, newest first."""
    items = await client.items("/notifications", min_position=position, **query)
    return [(item["reason"], item["event"], item["task"]["title"]) for item in items]


async def test_whoever_a_task_concerns_is_told_once_and_never_of_their_own_doing(house: House) -> None:
    bob, ada, eve = await house.user(), await house.user(), await house.user()
    task = await bob.task("report", assignee={"id": ada.id})
    path = f"/tasks/{task['id']}"
    assert await _told(ada, task["position"]) == [("assigned", "task.assigned", "report")]
    assert await _told(bob, task["position"]) == []
    edited = await ada.call("PATCH", path, {"title": "figures"})
    assert await _told(bob, position_of(edited)) == [("updated", "task.edited", "figures")]
    said = await bob.post(f"{path}/comments", {"body": f"@{{{ada.id}}} please"})
    comment = said.json()["id"]
    items = await ada.items("/notifications", min_position=position_of(said))
    assert [(item["reason"], item["comment_id"], item["actor"]) for item in items] == [
        ("mentioned", comment, bob.id),
        ("assigned", None, bob.id),
    ]
    await bob.call("PATCH", f"{path}/comments/{comment}", {"body": f"@{{{ada.id}}} please, and thanks"})
    moved = await bob.post(f"{path}/start")
    assert (await _told(ada, position_of(moved)))[:2] == [
        ("updated", "task.started", "figures"),
        ("mentioned", "comment.posted", "figures"),
    ]
    gone = await ada.call("DELETE", path)
    assert (await _told(bob, position_of(gone)))[0] == ("updated", "task.deleted", "figures")
    assert await _told(eve, position_of(gone)) == []


async def test_a_team_and_those_whose_task_is_free_are_told(house: House) -> None:
    ada, bob, carol = await house.user(), await house.user(), await house.user()
    team = await ada.team(bob, carol)
    task, blocker = await ada.task("late"), await ada.task("first")
    given = await ada.post(f"/tasks/{task['id']}/assign", {"team_id": team})
    for member in (bob, carol):
        assert await _told(member, position_of(given)) == [("assigned", "task.assigned", "late")]
    await ada.call("DELETE", f"/teams/{team}/members/{carol.id}")
    linked = await ada.post(f"/tasks/{blocker['id']}/dependencies", {"type": "blocks", "task_id": task["id"]})
    assert linked.is_success, linked.text
    done = await ada.post(f"/tasks/{blocker['id']}/complete")
    assert await _told(bob, position_of(done)) == [
        ("unblocked", "task.blocker_closed", "late"),
        ("assigned", "task.assigned", "late"),
    ]
    assert await _told(carol, position_of(done)) == []  # who cannot see the task today does not see the old one either
    back = await ada.call("PUT", f"/teams/{team}/members/{carol.id}", {"role": "member"})
    assert [reason for reason, *_ in await _told(carol, position_of(back))] == ["assigned"]


async def test_preferences_hide_what_is_not_wanted_and_bring_it_back(house: House) -> None:
    bob, ada = await house.user(), await house.user()
    task = await bob.task(assignee={"id": ada.id})
    edited = await bob.call("PATCH", f"/tasks/{task['id']}", {"title": "other"})
    at = position_of(edited)
    assert [reason for reason, *_ in await _told(ada, at)] == ["updated", "assigned"]
    for chosen, left in (
        ({"updated": False}, ["assigned"]),
        ({"assigned": False}, ["updated"]),
        ({}, ["updated", "assigned"]),
    ):
        changed = await ada.call("PUT", "/users/profile", {"preferences": {"notifications": chosen}})
        assert changed.is_success, changed.text
        page = (await ada.get("/notifications", min_position=at)).json()
        assert ([item["reason"] for item in page["items"]], page["unread"]) == (left, len(left))


async def test_marks_are_read_at_once_and_pages_follow_on_each_other(house: House) -> None:
    bob, ada = await house.user(), await house.user()
    task = await bob.task(assignee={"id": ada.id})
    for n in range(4):
        edited = await bob.call("PATCH", f"/tasks/{task['id']}", {"title": f"title {n}"})
    path, at = "/notifications", position_of(edited)
    first = await ada.get(path, min_position=at, limit=2)
    assert 'rel="next"' in first.headers["Link"]
    positions = [item["position"] for item in await ada.items(path, limit=2)]
    assert positions == sorted(positions, reverse=True)
    assert (len(positions), first.json()["unread"]) == (5, 5)
    marked = await ada.post(f"{path}/read", {"positions": positions[:2]}, idempotency_key="m")
    assert (marked.status_code, marked.json()["version"], marked.headers["ETag"]) == (200, 1, '"1"')
    again = await ada.post(f"{path}/read", {"positions": positions[:2]})
    assert again.headers["ETag"] == '"1"'
    left = await ada.get(path, unread=True)
    assert [item["position"] for item in left.json()["items"]] == positions[2:]
    assert (left.json()["unread"], left.headers["ETag"]) == (3, '"1"')
    everything = await ada.post(f"{path}/read", {"through": position_of(left)}, if_match='"1"')
    assert everything.json()["through"] == position_of(left)
    assert (await ada.get(path)).json()["unread"] == 0
    unread = await ada.post(f"{path}/unread", {"positions": [positions[3], positions[0]]})
    assert unread.status_code == 200
    assert [item["position"] for item in await ada.items(path, unread="true")] == [positions[0], positions[3]]
    assert [item["read"] for item in await ada.items(path)] == [False, True, True, False, True]
    assert (await bob.get(path)).json() == {"items": [], "next_cursor": None, "unread": 0}
    refused(await ada.post(f"{path}/read", {"positions": [10**9]}), 422, "position.beyond_head")
    refused(await ada.post(f"{path}/read", {"through": 10**9}), 422, "position.beyond_head")
    bodies: list[Any] = [
        {},
        {"positions": []},
        {"positions": [1], "through": 1},
        {"positions": [0]},
        {"positions": "1"},
    ]
    for body in bodies:
        refused(await ada.post(f"{path}/read", body), 422, "request.invalid")
    refused(await ada.post(f"{path}/read", {"through": 1}, if_match='"1"'), 412, "precondition.failed")
    assert (await bob.post(f"{path}/unread", {"positions": [1]})).status_code == 200  # an inbox that was empty so far


@pytest.fixture
async def busy(house: House) -> tuple[House, Client]:
    """A workspace with things that happened in it, also to a team that changes and to somebody who sees less later."""
    ada, bob, carol = await house.user(), await house.user(), await house.user()
    team = await ada.team(bob)
    for n in range(6):
        task = await ada.task(f"task {n}", assignee={"id": (bob, carol)[n % 2].id})
        path = f"/tasks/{task['id']}"
        await ada.post(f"{path}/assign", {"team_id": team})
        await bob.post(f"{path}/comments", {"body": f"@{{{ada.id}}}"})
        await ada.call("PUT", f"/teams/{team}/members/{carol.id}", {"role": "member"})
        for watcher in (bob, carol):
            assert (await watcher.call("PUT", f"{path}/watchers/{watcher.id}")).is_success
        await ada.call("DELETE", f"/teams/{team}/members/{carol.id}")
        last = await ada.call("PATCH", path, {"description": "long" * 2_000})
    await bob.get("/notifications", min_position=position_of(last))
    return house, carol


async def _rows(pool: Pool, build: int) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT notification_id, user_id, position, reason, event, task_id, comment_id, actor, at"
            " FROM notifications WHERE build = %s ORDER BY 1",
            (build,),
        )
        return await cursor.fetchall()


async def test_rows_are_a_pure_function_of_the_log(busy: tuple[House, Client]) -> None:
    house, carol = busy
    async with house.pool.connection() as connection:
        row = await (await connection.execute("SELECT workspace_id::text FROM logs")).fetchone()
        assert row is not None
        before = await _rows(house.pool, 1)
        assert {row[3] for row in before} == {"assigned", "mentioned", "updated"}
        # She watches still, and was told of nothing that happened while she could not see the task.
        assert {row[4] for row in before if str(row[1]) == carol.id} == {"task.assigned"}
        build = await builds.begin(connection, row[0], "notifications", 1.0)
        assert build == 2
        compared = await rebuilding.compare(connection, NOTIFICATIONS, Pair(row[0], 1, 2), new_id(), 10)
        assert compared.differing == 0
        await rebuilding.swap(connection, NOTIFICATIONS, row[0], 2, new_id())
        assert await _rows(house.pool, 2) == before
        async for windows in every(connection, row[0], NOTIFICATIONS):
            assert (await check(connection, row[0], NOTIFICATIONS, windows)).differences == []
        await connection.execute("UPDATE notifications SET reason = 'assigned' WHERE reason = 'mentioned'")
        await connection.execute("DELETE FROM notifications WHERE position = (SELECT max(position) FROM notifications)")
        found = [
            one
            async for ids in every(connection, row[0], NOTIFICATIONS)
            for one in (await check(connection, row[0], NOTIFICATIONS, ids)).differences
        ]
        assert {(one.sort.value, one.field) for one in found} == {("differs", "reason"), ("has no row", None)}
