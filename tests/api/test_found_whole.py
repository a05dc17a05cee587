"""What is found, by force: counts beside the lists that they count, pages beside the whole, cursors of all kinds."""

import base64
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import orjson

from domain.instant import instant
from projections.facets import FACETS
from projections.task_list import SORTS
from tests.house import Client, House, refused

TASKS = 18
QUERIES = (
    "",
    "walrus",
    "-walrus",
    "walrus or seal -tag:ops",
    "is:open",
    "-is:overdue priority>=normal",
    "due:none",
    "has:comment",
    "seal -category:done",
    "assignee:me,none",
    "wal* sort:title",
)
# By what a list shows the tasks that a facet counts under a value.
NARROWED = {
    "status": "status:{}",
    "category": "category:{}",
    "priority": "priority:{}",
    "assignee": "assignee:{}",
    "creator": "creator:{}",
    "project": "project:{}",
    "tag": 'tag:"{}"',
}
DUE = {"overdue": "is:overdue", "past": "due<now is:closed", "later": "due>6d", None: "due:none"}


async def _fill(house: House) -> tuple[Client, Client, int]:
    ada, bob = await house.user(), await house.user()
    made = await ada.post("/projects", {"name": "Application", "key": "APP"})
    project = made.json()["id"]
    await ada.call("PUT", f"/projects/{project}/members/{bob.id}", {"role": "editor"})
    chance, now = Random(7), datetime.now(UTC)
    for n in range(TASKS):
        who = chance.choice([ada, bob])
        task = await who.task(
            chance.choice(["walrus", "Walrus", "seal", "a, b", "ß", "Z"]),
            description=chance.choice(["", "a seal"]),
            tags=chance.sample(["ops", "x, y", 'a "b"', "ÄÖ"], chance.randrange(3)),
            priority=chance.choice(["low", "normal", "high"]),
            due_at=chance.choice([None, instant(now - timedelta(days=2)), instant(now + timedelta(days=20))]),
            start_at=chance.choice([None, instant(now - timedelta(days=3))]),
            project_id=chance.choice([None, project]),
        )
        path = f"/tasks/{task['id']}"
        if n % 3 == 0:
            assigned = await who.post(f"{path}/assign", {"user_id": who.id})
            assert assigned.status_code == 200, assigned.text
        if n % 4 == 0:
            await who.post(f"{path}/complete")
        if n % 5 == 0:
            await who.post(f"{path}/comments", {"body": "a walrus said"})
        if n % 11 == 0:
            await who.call("DELETE", path)
    return ada, bob, await house.head()


async def test_counts_are_those_of_the_lists_that_they_stand_for(house: House) -> None:
    ada, bob, at = await _fill(house)
    for client, q in product((ada, bob), QUERIES):
        listed = await client.items("/tasks", q=f"{q} ", limit=200, min_position=at)
        answer = await client.get("/tasks/facets", q=f"{q} ", by=",".join(FACETS), min_position=at)
        counted = answer.json()
        assert (counted["total"], counted["cut"]) == (len(listed), False), q
        of_lists = {
            "status": [task["status"] for task in listed],
            "category": [task["category"] for task in listed],
            "priority": [task["priority"] for task in listed],
            "assignee": [task["assignee"] and task["assignee"]["id"] for task in listed],
            "creator": [task["created_by"] for task in listed],
            "project": [task["project_id"] for task in listed],
            "tag": [tag for task in listed for tag in task["tags"] or [None]],
        }
        for facet, values in of_lists.items():
            expected = {value: values.count(value) for value in set(values)}
            assert {each["value"]: each["tasks"] for each in counted["facets"][facet]} == expected, (q, facet)
        assert sum(each["tasks"] for each in counted["facets"]["due"]) == len(listed)


async def test_a_list_of_what_was_counted_has_as_many_tasks(house: House) -> None:
    ada, _, at = await _fill(house)
    counted = (await ada.get("/tasks/facets", q="-seal", by=",".join(FACETS), min_position=at)).json()["facets"]
    for facet, text in NARROWED.items():
        for each in counted[facet]:
            if each["value"] is None:
                q = {"tag": "-has:tags"}.get(facet, text.format("none"))
            else:
                q = text.format(each["value"].replace('"', '""'))
            assert len(await ada.items("/tasks", q=f"-seal {q}", limit=200)) == each["tasks"], q
    for each in counted["due"]:
        assert len(await ada.items("/tasks", q=f"-seal {DUE[each['value']]}")) == each["tasks"], each


async def test_pages_of_every_sort_are_the_whole_also_while_rows_change(house: House) -> None:
    ada, _, at = await _fill(house)
    names = [name for name in SORTS if name != "rank"]
    sorts = [*names, "priority,-title", "-priority,due_at,-created_at", "start_at,title", "-due_at,-priority"]
    for sort in sorts:
        whole = [task["id"] for task in await ada.items("/tasks", sort=sort, limit=200, min_position=at)]
        paged = [task["id"] for task in await ada.items("/tasks", sort=sort, limit=8)]
        assert paged == whole, sort
        assert len(set(paged)) == len(paged)
    for q in ("walrus", "walrus or seal", "w*"):
        whole = [task["id"] for task in await ada.items("/tasks/search", q=q, limit=200)]
        assert [task["id"] for task in await ada.items("/tasks/search", q=q, limit=3)] == whole, q
    whole = [task["id"] for task in await ada.items("/tasks", sort="-priority,title", limit=200)]
    first = (await ada.get("/tasks", sort="-priority,title", limit=6)).json()
    changed = {whole[2], whole[10], whole[14]}
    for n, task_id in enumerate(sorted(changed)):
        edited = await ada.call("PATCH", f"/tasks/{task_id}", {"priority": ["low", "urgent", "normal"][n]})
        assert edited.status_code == 200, edited.text
    cursor, head = first["next_cursor"], await house.head()
    rest = await ada.items("/tasks", sort="-priority,title", limit=6, cursor=cursor, min_position=head)
    seen = [task["id"] for task in (*first["items"], *rest) if task["id"] not in changed]
    assert seen == [task_id for task_id in whole if task_id not in changed]


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


ID = "018f0000-0000-7000-8000-000000000000"
AWAY = ["-created_at"], ["2026-01-01T00:00:00Z", ID]


FORGED = (
    "x",
    "é",
    "====",
    "bnVsbA",
    _cursor(),
    _cursor(["title"], ["a", ID]),
    _cursor(["-created_at"], ["2026-01-01T00:00:00Z"]),
    _cursor(["-created_at"], ["2026-13-01T00:00:00Z", ID]),
    _cursor(["-created_at"], ["999999-01-01", ID]),
    _cursor(["-created_at"], ["a\x00", ID]),
    _cursor(["-created_at"], ["now", "x"]),
    _cursor(["-created_at"], [1, ID]),
    _cursor(["-created_at"], ["", ""]),
    _cursor(*AWAY, ["1", 1]),
    _cursor(*AWAY, ["1", -1]),
    _cursor(*AWAY, ["1", 2**63]),
    base64.urlsafe_b64encode(b'[["-created_at"],["\\ud800","x"],null]').decode(),
    base64.urlsafe_b64encode(b"[" * 2_900).decode(),
)


async def test_a_cursor_that_nobody_gave_is_refused(house: House) -> None:
    ada = await house.user()
    task = await ada.task("walrus")
    at: dict[str, Any] = {"as_of": task["position"]}
    asked: list[tuple[str, dict[str, Any]]] = [
        *(("/tasks", params) for params in ({}, at, {"q": "walrus"})),
        *(("/tasks/search", params) for params in ({"q": "walrus"}, {"q": "walrsu"}, {"q": "walrus", **at})),
    ]
    for cursor, (path, params) in product(FORGED, asked):
        refused(await ada.get(path, cursor=cursor, **params), 422, "cursor.invalid")


async def test_a_forged_place_in_a_ranking_is_refused(house: House) -> None:
    ada = await house.user()
    await ada.task("walrus")
    for rank in ("x", "1e999", "", "0x"):
        cursor = _cursor(["rank"], [rank, ID])
        refused(await ada.get("/tasks/search", q="walrus", cursor=cursor), 422, "cursor.invalid")
    for rank in ("NaN", "Infinity", "-1"):
        cursor = _cursor(["rank"], [rank, ID])
        assert (await ada.get("/tasks/search", q="walrus", cursor=cursor)).status_code == 200
    refused(await ada.get("/tasks/search", q="is:open", cursor=cursor), 422, "cursor.invalid")


async def test_counts_have_no_pages(house: House) -> None:
    ada = await house.user()
    for name, value in (("limit", 1), ("cursor", "x"), ("sort", "title")):
        refused(await ada.get("/tasks/facets", **{name: value}), 422, "request.invalid")
