"""The sockets: each change once, in order, through any cut; and who may hold one."""

import asyncio
from typing import Any

import orjson
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from domain import messages
from domain.messages import CHANGES_CHANNEL, PROJECTED_CHANNEL, Projected
from tests.house import Client, Database, House, Servers, Socket, position_of, until

NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there


def _told(frames: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(frame["op"], frame["position"]) for frame in frames if frame["type"] == "change"]


async def _closed(socket: Socket) -> tuple[int, str]:
    """How the server ends a socket, whatever it says before."""
    try:
        while True:
            async with asyncio.timeout(20):
                await socket.connection.recv()
    except ConnectionClosed:
        return socket.connection.close_code or 0, socket.connection.close_reason or ""


async def _refusal(house: House, query: str = "", **headers: str) -> tuple[int, str]:
    url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks{query}"
    async with connect(url, additional_headers=headers, compression=None) as connection:
        return await _closed(Socket(connection))


async def test_a_socket_gets_each_change_once_and_in_order(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        hello = await socket.receive()
        assert hello.keys() == {"type", "epoch", "position"}
        task = await ada.task()
        await ada.post(f"/tasks/{task['id']}/start")
        done = await ada.post(f"/tasks/{task['id']}/complete")
        changes = await socket.changes(position_of(done))
    assert [change["task"]["version"] for change in changes] == [1, 2, 3]
    assert changes[-1] == {
        "type": "change",
        "op": "upsert",
        "position": position_of(done),
        "task_id": task["id"],
        "task": done.json(),
    }


async def test_the_socket_is_also_found_below_the_base_path(house: House) -> None:
    ada = await house.user()
    under = Client(ada.http, ada.tokens, f"{house.base}/api/v1")
    async with under.socket() as socket:
        assert (await socket.receive())["type"] == "hello"


async def test_a_resumed_socket_gets_what_it_missed_and_goes_on_live(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        hello = await socket.receive()
        first = await ada.task()
        await socket.until(first["position"])
    missed = [await ada.task(str(n)) for n in range(3)]
    async with ada.socket(after=first["position"], epoch=hello["epoch"]) as socket:
        await socket.receive()
        last = await ada.task("live")
        changes = await socket.changes(last["position"])
    assert _told(changes) == [("upsert", task["position"]) for task in [*missed, last]]


async def test_a_resume_while_others_write_has_no_hole_and_no_double(house: House) -> None:
    ada = await house.user()
    start = await ada.task()
    epoch = house.services.epoch
    stop = asyncio.Event()

    async def write() -> int:
        while not stop.is_set():
            last = await ada.task()
        return int(last["position"])

    writers = [asyncio.create_task(write()) for _ in range(3)]
    seen, after = [], start["position"]
    for _ in range(12):  # a cut each time, at whatever place
        async with ada.socket(after=after, epoch=epoch) as socket:
            frames = await socket.until(after + 1)
        seen += _told(frames)
        after = frames[-1]["position"]
    stop.set()
    end = max(await asyncio.gather(*writers))
    async with ada.socket(after=after, epoch=epoch) as socket:
        seen += _told(await socket.until(end))
    assert [position for _, position in seen] == list(range(start["position"] + 1, end + 1))


async def test_many_sockets_get_the_same_frames(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as one, ada.socket() as two:
        for socket in (one, two):
            await socket.receive()
        tasks = await asyncio.gather(*[ada.task(str(n)) for n in range(20)])
        last = max(task["position"] for task in tasks)
        assert await one.changes(last) == await two.changes(last)
    assert len(_told(one.frames)) == 20


async def test_who_loses_sight_of_a_task_is_told_so_live_and_after_a_cut(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    async with bob.socket() as socket:
        hello = await socket.receive()
        hidden = await ada.task("hidden")
        shown = await ada.task("shown", assignee={"id": bob.id})
        gone = await ada.task("gone", assignee={"id": bob.id})
        taken = position_of(await ada.post(f"/tasks/{shown['id']}/unassign"))
        deleted = position_of(await ada.call("DELETE", f"/tasks/{gone['id']}"))
        silent = position_of(await ada.post(f"/tasks/{shown['id']}/start"))
        live = await socket.until(silent)
    expected = [
        ("upsert", shown["position"]),
        ("upsert", gone["position"]),
        ("removed", taken),
        ("removed", deleted),
    ]
    assert _told(live) == expected
    assert live[2] == {"type": "change", "op": "removed", "position": taken, "task_id": shown["id"]}
    assert live[-1] == {"type": "through", "position": silent}  # also past what is not theirs
    async with bob.socket(after=hello["position"], epoch=hello["epoch"]) as socket:
        again = await socket.until(silent)
    assert _told(again) == expected
    assert hidden["id"] not in str(socket.frames)


async def test_a_restored_task_comes_back(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    async with ada.socket(after=task["position"]) as socket:
        await socket.receive()
        await ada.call("DELETE", f"/tasks/{task['id']}")
        restored = await ada.post(f"/tasks/{task['id']}/restore")
        changes = await socket.changes(position_of(restored))
    assert [change["op"] for change in changes] == ["removed", "upsert"]
    assert changes[1]["task"] == restored.json()


async def test_workspaces_share_no_socket(house: House) -> None:
    ada, eve = await house.user(), await house.user("elsewhere")
    async with eve.socket() as socket:
        await socket.receive()
        await ada.task("secret")
        theirs = await eve.task("theirs")
        changes = await socket.changes(theirs["position"])
    assert [change["task"]["title"] for change in changes] == ["theirs"]


# ------------------------------------------------------------------------------------------------------------ resync


async def test_a_client_of_another_epoch_or_of_the_future_must_resync(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    epoch = house.services.epoch
    for query, reason in (
        ({"after": 1, "epoch": "another"}, "epoch_changed"),
        ({"epoch": "another"}, "epoch_changed"),
        ({"after": task["position"] + 3, "epoch": epoch}, "after_beyond_head"),
        ({"after": 10**17}, "after_beyond_head"),
    ):
        async with ada.socket(**query) as socket:
            assert (await socket.receive())["type"] == "hello"
            assert await socket.receive() == {"type": "resync", "reason": reason}
            again = await ada.task()  # and from there on it lives
            assert ("upsert", again["position"]) in _told(await socket.until(again["position"]))


async def test_a_client_that_missed_too_much_must_resync(house: House) -> None:
    house.services.missed.most = 1
    ada = await house.user()
    for _ in range(2):
        task = await ada.task()
    await ada.items("/tasks", min_position=task["position"])
    async with ada.socket(after=1) as socket:
        await socket.receive()
        assert await socket.receive() == {"type": "resync", "reason": "too_far_behind"}


async def test_a_resume_ahead_of_the_projection_is_no_resync(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        known = await ada.task("known")
        async with ada.socket(after=known["position"], epoch=house.services.epoch) as socket:
            await socket.receive()
            new = await ada.task("new")
            await house.project()
            assert _told(await socket.until(new["position"])) == [("upsert", new["position"])]
            assert "resync" not in {frame["type"] for frame in socket.frames}


async def test_a_demotion_elsewhere_holds_for_a_socket_that_opens_just_then(
    house: House, database: Database, servers: Servers
) -> None:
    ada = await house.user()
    mary = await house.user(role="manager", by=ada)
    async with House.open(database, servers, projecting=False) as other:
        there = Client(other.http, mary.tokens, other.base)
        async with there.socket() as first:  # the feed of this process is open, and its cache knows a manager
            await first.receive()
            demoted = await ada.call("PUT", f"/users/{mary.id}/role", {"role": "member"})
            await first.until(position_of(demoted))
            async with there.socket() as second:
                await second.receive()
                hidden = await ada.task("hidden")
                assert hidden["position"] > position_of(demoted)
                assert _told(await second.until(hidden["position"])) == []


# ------------------------------------------------------------------------------------------------- who may hold one


async def test_a_ticket_opens_one_socket_once(house: House) -> None:
    ada = await house.user()
    answer = (await ada.post("/auth/ws-ticket")).json()
    assert answer["expires_in"] == 30
    url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks?ticket={answer['ticket']}"
    async with connect(url, compression=None) as connection:
        socket = Socket(connection)
        assert (await socket.receive())["type"] == "hello"
        task = await ada.task()
        assert len(await socket.changes(task["position"])) == 1
    assert await _refusal(house, f"?ticket={answer['ticket']}") == (4401, "auth.ticket_invalid")


async def test_a_ticket_expires_and_dies_with_its_session(house: House) -> None:
    ada = await house.user()
    expired, revoked = [(await ada.post("/auth/ws-ticket")).json()["ticket"] for _ in range(2)]
    async with house.pool.connection() as connection:  # thirty seconds go by
        await connection.execute("UPDATE socket_tickets SET expires_at = expires_at - interval '30 s'")
    assert await _refusal(house, f"?ticket={expired}") == (4401, "auth.ticket_invalid")
    last = (await ada.post("/auth/ws-ticket")).json()["ticket"]
    await house.http.post("/auth/logout", json={"refresh_token": ada.tokens["refresh_token"]})
    for ticket in (revoked, last, "", "x"):
        assert await _refusal(house, f"?ticket={ticket}") == (4401, "auth.ticket_invalid")


async def test_nobody_holds_a_socket_without_a_token(house: House) -> None:
    ada = await house.user()
    assert await _refusal(house) == (4401, "auth.missing")
    assert await _refusal(house, Authorization="Bearer x") == (4401, "auth.token_invalid")
    assert (await _refusal(house, Authorization=f"Bearer {ada.tokens['refresh_token']}"))[0] == 4401


async def test_a_place_that_is_none_is_refused(house: House) -> None:
    ada = await house.user()
    for after in ("x", "-1", "1.5", "%C2%B2", "1" * 19):
        code, reason = await _refusal(house, f"?after={after}", **ada.headers)
        assert (code, "whole number" in reason) == (1008, True)


async def test_only_pages_of_known_origins_may_open_a_socket(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, cors_origins="https://tasks.example, https://b.example") as house:
        ada = await house.user()
        for origin in ("https://evil.example", "null", "http://[", "https://tasks.example.evil", ""):
            assert await _refusal(house, Origin=origin, **ada.headers) == (4403, "origin not allowed")
        url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks"
        for origin in ("https://tasks.example", house.base):
            headers = {**ada.headers, "Origin": origin}
            async with connect(url, additional_headers=headers, compression=None) as connection:
                assert (await Socket(connection).receive())["type"] == "hello"


async def test_a_revoked_session_loses_its_sockets_within_5_seconds(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        await socket.receive()
        await house.http.post("/auth/logout", json={"refresh_token": ada.tokens["refresh_token"]})
        async with asyncio.timeout(5):
            assert await _closed(socket) == (4401, "auth.session_revoked")


async def test_a_socket_ends_when_its_token_expires(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, access_token_seconds=2) as house:
        ada = await house.user()
        async with ada.socket() as socket:
            assert await _closed(socket) == (4401, "auth.token_expired")


# ------------------------------------------------------------------------------------------------- silence and ends


async def test_a_client_that_says_no_pong_is_cut(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, socket_ping_seconds=0.05) as house:
        ada = await house.user()
        async with ada.socket() as socket, ada.socket() as alive:
            await alive.receive()
            answering = asyncio.create_task(alive.until(3))
            while (frame := orjson.loads(await socket.connection.recv()))["type"] != "ping":
                assert frame["type"] in ("hello", "through")
            assert await _closed(socket) == (4408, "no pong")
            task = await ada.task()  # who answers stays
            assert task["position"] == 3
            assert _told(await answering) == [("upsert", 3)]


async def test_a_server_that_stops_says_so(database: Database, servers: Servers) -> None:
    async with House.open(database, servers) as house:
        ada = await house.user()
        url = f"{house.base.replace('http', 'ws', 1)}/ws/tasks"
        socket = Socket(await connect(url, additional_headers=ada.headers, compression=None))
        await socket.receive()
    assert (await _closed(socket))[0] == 1012


async def test_the_hub_tells_its_sockets_when_it_stops(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        await socket.receive()
        house.services.hub.stopping.set()
        assert await _closed(socket) == (1012, "server restarting; resume with after")


async def test_a_client_that_leaves_is_forgotten(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        await socket.receive()
        (feed,) = house.services.hub._feeds.values()
        assert len(feed.subscribers) == 1
    await until(lambda: not feed.subscribers)
    assert (await ada.task())["version"] == 1


# --------------------------------------------------------------------------------------------------------- lost hints


async def test_without_redis_everything_works_by_looking(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, redis_url=NOWHERE) as house:
        ada = await house.user()
        async with ada.socket() as socket:
            await socket.receive()
            tasks = [await ada.task(str(n)) for n in range(3)]
            assert len(await ada.items("/tasks", min_position=tasks[-1]["position"])) == 3
            changes = await socket.changes(tasks[-1]["position"])
        assert _told(changes) == [("upsert", task["position"]) for task in tasks]
        ready = await house.http.get(f"{house.base}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert ready.json()["redis"]["status"] == "away"


async def test_a_publication_with_a_hole_before_it_is_filled_from_the_log(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        await house.project()
        async with ada.socket() as socket:
            hello = await socket.receive()
            tasks = [await ada.task(str(n)) for n in range(4)]
            last = tasks[-1]["position"]
            (workspace,) = house.services.hub._feeds
            redis = Redis.from_url(servers.redis_url)
            for after, to in ((last - 1, last), (hello["position"], last), (0, 1)):  # late, doubled, long past
                message = Projected(workspace, "tasks", after, to, None, [])
                await redis.publish(PROJECTED_CHANNEL, messages.encode(message))
            for noise in (b"", b"\xff", b"[1]", b'["x","users",0,9,[],[]]'):
                await redis.publish(PROJECTED_CHANNEL, noise)
                await redis.publish(f"{CHANGES_CHANNEL}{workspace}", noise)
            await redis.aclose()
            changes = await socket.changes(last)
        assert [change["task"] for change in changes] == tasks
