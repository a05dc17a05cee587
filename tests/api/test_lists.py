"""Lists of tasks: filters, sorts, pages, search, and reading one's own writes."""

import asyncio
import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import orjson

from tests.house import Client, Database, House, Servers, position_of, refused, until
from tests.projections.reading import start_over

RANKS = {"low": 0, "normal": 1, "high": 2, "urgent": 3}


async def _titles(client: Client, path: str = "/tasks", **params: Any) -> list[str]:
    return [item["title"] for item in await client.items(path, **params)]


async def test_every_filter_narrows_a_list(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    a = await ada.task("a", tags=["x", "y"], priority="low", due_at="2027-01-01T00:00:00Z", description="apples")
    b = await ada.task("b", tags=["x"], priority="urgent", due_at="2027-02-01T00:00:00Z", assignee={"id": bob.id})
    await ada.call("PATCH", f"/tasks/{b['id']}", {"start_at": "2027-01-15T08:00:00Z"})
    c = await bob.task("c", tags=["me"])
    await ada.post(f"/tasks/{c['id']}/assign", {"user_id": ada.id})
    started = await ada.post(f"/tasks/{b['id']}/start")
    done = await ada.post(f"/tasks/{c['id']}/complete")
    at = position_of(done)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "abc"),
        ({"status": "todo"}, "a"),
        ({"status": ["todo", "done"]}, "ac"),
        ({"status": "me"}, ""),
        ({"category": ["active", "done"]}, "bc"),
        ({"priority": ["low", "urgent"]}, "ab"),
        ({"assignee": "me"}, "c"),
        ({"assignee": "none"}, "a"),
        ({"assignee": bob.id}, "b"),
        ({"assignee": str(uuid4())}, ""),
        ({"created_by": "me"}, "ab"),
        ({"created_by": bob.id}, "c"),
        ({"tag": "x"}, "ab"),
        ({"tag": ["x", "y"]}, "a"),
        ({"tag": "me"}, "c"),
        ({"due_before": "2027-02-01T00:00:00Z"}, "a"),
        ({"due_after": "2027-01-01T00:00:00Z"}, "b"),
        ({"due_after": "2026-12-31T23:00:00-02:00"}, "b"),
        ({"start_before": "2027-01-15T08:00:00Z"}, ""),
        ({"start_before": "2027-01-15T08:00:00.000001Z"}, "b"),
        ({"start_after": "2027-01-15T09:59:59+02:00"}, "b"),
        ({"overdue": True}, ""),
        ({"overdue": False}, "abc"),
        ({"updated_after": a["updated_at"]}, "bc"),
        ({"updated_after": started.json()["updated_at"]}, "c"),
        ({"q": "apples"}, "a"),
        ({"q": "x -apples"}, "b"),
        ({"project_id": str(uuid4())}, ""),
        ({"parent_id": str(uuid4())}, ""),
        ({"trashed": True}, ""),
        ({"tag": "x", "priority": "urgent", "category": "active", "q": "b"}, "b"),
    ]
    for params, expected in cases:
        found = await _titles(ada, sort="title", min_position=at, **params)
        assert "".join(found) == expected, params


async def _some(ada: Client) -> list[dict[str, Any]]:
    """Tasks with ties and holes in every field that can be sorted by."""
    dues = [None, "2027-01-01T00:00:00Z", "0001-01-02T00:00:00Z", None, "2027-01-01T00:00:00Z", "9999-12-30T00:00:00Z"]
    titles = ["b", "a", "a", "Ä", "ab", "B"]
    return [
        await ada.task(title, due_at=due, priority=priority)
        for title, due, priority in zip(titles, dues, ["low", "high", "low", "urgent", "normal", "high"], strict=True)
    ]


def _key(name: str) -> Callable[[dict[str, Any]], tuple[bool, Any]]:
    """The order that a sort promises: no due date comes last in both directions."""

    def key(task: dict[str, Any]) -> tuple[bool, Any]:
        value = task[name]
        return value is None, RANKS[value] if name == "priority" else value or ""

    return key


async def test_every_sort_orders_in_both_directions_with_ties_and_nulls(house: House) -> None:
    ada = await house.user()
    tasks = await _some(ada)
    at = tasks[-1]["position"]
    for name in ("priority", "due_at", "created_at", "updated_at", "title"):
        for descending in (False, True):
            expected = sorted(tasks, key=lambda task: task["id"], reverse=descending)
            expected.sort(key=_key(name), reverse=descending)
            if descending:
                expected.sort(key=lambda task: task[name] is None)
            sort = f"-{name}" if descending else name
            for limit in (1, 2, 50):
                found = await ada.items("/tasks", sort=sort, limit=limit, min_position=at)
                assert [task["id"] for task in found] == [task["id"] for task in expected], (sort, limit)
    found = await ada.items("/tasks", sort="-priority,due_at,-title", limit=2)
    ranked = [(-RANKS[task["priority"]], task["due_at"] or "~") for task in found]
    assert ranked == sorted(ranked)
    assert len(found) == len(tasks)


async def test_newest_comes_first_by_default(house: House) -> None:
    ada = await house.user()
    for title in "abc":
        task = await ada.task(title)
    assert await _titles(ada, min_position=task["position"]) == ["c", "b", "a"]


async def test_pages_stay_right_while_rows_come_and_go(house: House) -> None:
    ada = await house.user()
    tasks = [await ada.task(f"{n:02}") for n in range(0, 20, 2)]
    params: dict[str, Any] = {"sort": "title", "limit": 3}
    first = (await ada.get("/tasks", min_position=tasks[-1]["position"], **params)).json()
    assert [task["title"] for task in first["items"]] == ["00", "02", "04"]
    await ada.task("03")  # before the cursor: not shown any more
    await ada.call("DELETE", f"/tasks/{tasks[2]['id']}")  # the row that the cursor stands on
    await ada.call("DELETE", f"/tasks/{tasks[4]['id']}")  # a row that is still to come
    last = await ada.task("11")  # still to come as well
    rest = await _titles(ada, cursor=first["next_cursor"], min_position=last["position"], **params)
    assert rest == ["06", "10", "11", "12", "14", "16", "18"]


async def test_a_link_header_leads_to_the_next_page(house: House) -> None:
    ada = await house.user()
    for title in ("a b", "a c", "a d"):
        task = await ada.task(title, tags=["ü&"])
    seen, response = [], await ada.get("/tasks", limit=1, tag="ü&", sort="-title", min_position=task["position"])
    while True:
        seen += [item["title"] for item in response.json()["items"]]
        if response.json()["next_cursor"] is None:
            break
        link = response.headers["Link"]
        assert link.endswith('>; rel="next"')
        response = await ada.http.get(f"{house.base}{link[1 : link.index('>')]}", headers=ada.headers)
    assert seen == ["a d", "a c", "a b"]
    assert "Link" not in response.headers


def _forged(*of: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(of)).decode().rstrip("=")


async def test_a_forged_cursor_is_refused(house: House) -> None:
    ada = await house.user()
    for _ in range(2):
        task = await ada.task()
    page = (await ada.get("/tasks", limit=1, sort="title", min_position=task["position"])).json()
    good = page["next_cursor"]
    for sort, cursor in (
        ("title", "x"),
        ("title", "é"),
        ("title", good[:-2]),
        ("title", _forged("title", "x")),
        ("title", _forged(["title"], ["x"])),
        ("title", _forged(["title"], ["a task", "no uuid"])),
        ("title", _forged(["title"], ["\x00", str(uuid4())])),
        ("title", _forged(["title"], ["x", str(uuid4()), "y"])),
        ("-title", good),
        ("due_at", _forged(["due_at"], ["no date", str(uuid4())])),
        ("due_at", _forged(["due_at"], ["294277-01-01", str(uuid4())])),
        ("priority", _forged(["priority"], ["99999", str(uuid4())])),
    ):
        problem = refused(await ada.get("/tasks", sort=sort, cursor=cursor), 422, "cursor.invalid")
        assert problem["errors"][0]["pointer"] == "/query/cursor"
    refused(await ada.get("/tasks", cursor="x" * 4001), 422, "request.invalid")
    # A cursor only says where to go on: with the key of another's task it shows nothing of it.
    assert len(await ada.items("/tasks", sort="title", cursor=good)) == 1


async def test_a_sort_that_is_none_is_refused(house: House) -> None:
    ada = await house.user()
    for sort in ("name", "rank", "title,", "title,-title", "-", "--title", "title;drop"):
        problem = refused(await ada.get("/tasks", sort=sort), 422, "sort.unknown")
        assert problem["errors"][0] | {"detail": ""} == {"pointer": "/query/sort", "detail": "", "value": sort}
    refused(await ada.get("/tasks", sort=""), 422, "request.invalid")


async def test_a_search_ranks_titles_over_tags_over_descriptions(house: House) -> None:
    ada = await house.user()
    await ada.task("one", description="the walrus")
    await ada.task("two", tags=["walrus"])
    await ada.task("walrus")
    await ada.task("walrus too", description="walrus", tags=["walrus"])
    last = await ada.task("whale")
    found = await _titles(ada, "/tasks/search", q="walrus", min_position=last["position"])
    assert found == ["walrus too", "walrus", "two", "one"]
    assert await _titles(ada, "/tasks/search", q="walrus", limit=1) == found
    assert await _titles(ada, "/tasks/search", q='"walrus too"') == ["walrus too"]
    assert await _titles(ada, "/tasks/search", q="walrus", tag="walrus") == ["walrus too", "two"]
    assert await _titles(ada, "/tasks/search", q="'); drop table tasks; --") == []
    refused(await ada.get("/tasks/search"), 422, "request.invalid")
    refused(await ada.get("/tasks/search", q="a", sort="title"), 422, "request.invalid")


# ------------------------------------------------------------------------------------------ reading one's own writes

READS = ("/tasks", "/tasks/search?q=a", "/tasks/{task}", "/tasks/{task}/history", "/changes", "/users", "/users/{user}")


async def _read(client: Client, path: str, position: int) -> httpx.Response:
    return await client.http.get(f"{path}{'&' if '?' in path else '?'}min_position={position}", headers=client.headers)


async def test_every_read_waits_for_the_position_it_is_asked_for(house: House) -> None:
    ada = await house.user()
    for n in range(3):
        task = await ada.task(f"a {n}")
        for path in READS:
            response = await _read(ada, path.format(task=task["id"], user=ada.id), task["position"])
            assert position_of(response) >= task["position"], path
            assert response.headers["Taskfold-Epoch"]
        assert (await _titles(ada))[0] == f"a {n}"


async def test_a_position_beyond_the_log_is_refused_at_once(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, read_wait_ms=60_000) as house:
        ada = await house.user()
        head = await house.head()
        for path in READS:
            response = await _read(ada, path.format(task=uuid4(), user=ada.id), head + 1)
            problem = refused(response, 422, "position.beyond_head")
            assert problem["errors"][0]["pointer"] == "/query/min_position"
            assert problem["errors"][0]["value"] == head + 1
        assert position_of(await ada.get("/users/profile")) <= head


async def test_a_projection_that_stays_behind_answers_503(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=50) as house:
        ada = await house.user()
        task = await ada.task()
        for path in READS:
            response = await _read(ada, path.format(task=task["id"], user=ada.id), task["position"])
            refused(response, 503, "projection.behind")
        assert (await ada.get(f"/tasks/{task['id']}")).json() == task  # one's own write, without waiting
        await house.project()
        for path in READS:
            await _read(ada, path.format(task=task["id"], user=ada.id), task["position"])


async def test_a_projection_that_starts_over_never_answers_less_than_was_asked_for(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=50) as house:
        ada = await house.user()
        task = await ada.task()
        await house.project()
        assert position_of(await _read(ada, "/tasks", task["position"])) == task["position"]
        async with house.pool.connection() as connection, connection.transaction():
            await start_over(connection, "tasks")
        for _ in range(2):
            refused(await _read(ada, "/tasks", task["position"]), 503, "projection.behind")
        async with House.open(database, servers):
            async with asyncio.timeout(20):
                while (response := await _read(ada, "/tasks", task["position"])).status_code == 503:
                    pass
            assert response.json()["items"] == [task]


async def test_readers_wait_together_until_the_projection_comes(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, read_wait_ms=30_000) as house:
        ada = await house.user()
        first, second = await ada.task(), await ada.task()
        waiting = [
            asyncio.create_task(_read(ada, "/tasks", position))
            for position in (first["position"], second["position"], second["position"])
        ]
        await until(lambda: bool(house.services.positions._waiting))
        await house.project()
        for response in await asyncio.gather(*waiting):
            assert position_of(response) == second["position"]
        assert house.services.positions._waiting == {}


async def test_positions_of_pages_are_never_beyond_their_rows(house: House) -> None:
    ada = await house.user()
    await asyncio.gather(*[ada.task(str(n)) for n in range(30)])
    positions = []
    for _ in range(10):
        page = await ada.get("/tasks", limit=200)
        shown = max((item["position"] for item in page.json()["items"]), default=0)
        assert shown <= position_of(page)
        positions.append(position_of(page))
    assert all(before <= after for before, after in pairwise(positions))
