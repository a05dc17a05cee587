"""Lists by a query: what each filter finds, for whoever asks, and where a query is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.instant import instant
from tests.house import Client, House, position_of, refused


async def _found(client: Client, q: str, **more: Any) -> str:
    return "".join(sorted(task["title"] for task in await client.items("/tasks", q=q, **more)))


def _in(**span: float) -> str:
    return instant(datetime.now(UTC) + timedelta(**span))


async def test_every_filter_finds_what_it_says(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    made = await ada.post("/projects", {"name": "Application", "key": "APP"})
    project = made.json()["id"]
    await ada.call("PUT", f"/projects/{project}/members/{bob.id}", {"role": "editor"})
    a = await ada.task("a", tags=["ops", "x, y"], priority="low", due_at=_in(days=3), description="apples")
    b = await ada.task("b", priority="urgent", due_at=_in(days=-2), project_id=project, estimate_minutes=90)
    await bob.task("c", project_id=project, parent_id=b["id"], due_at=_in(days=20), tags=["ops"])
    d = await ada.task("d", due_at=_in(days=-1), estimate_minutes=10)
    await ada.post(f"/tasks/{a['id']}/assign", {"user_id": ada.id})
    await ada.post(f"/tasks/{b['id']}/assign", {"user_id": bob.id})
    await ada.post(f"/tasks/{b['id']}/start")
    await ada.post(f"/tasks/{a['id']}/dependencies", {"type": "blocked_by", "task_id": d["id"]})
    await ada.post(f"/tasks/{a['id']}/comments", {"body": "walrus"})
    file = await ada.http.post(f"/tasks/{d['id']}/attachments?name=a.json", json={}, headers=ada.headers)
    assert file.status_code == 201, file.text
    e = await ada.task("e", priority="high")
    await ada.post(f"/tasks/{e['id']}/complete")
    at = await house.head()
    cases = {
        " ": "abcde",
        "status:todo": "acd",
        "status:open,in_progress": "abcd",
        "category:done,active": "be",
        "-status:done": "abcd",
        "priority:low,urgent": "ab",
        "priority>=high": "be",
        "priority<normal": "a",
        "assignee:me": "a",
        "assignee:none": "cde",
        f"assignee:me,{bob.id}": "ab",
        "-assignee:me": "bcde",
        "creator:me": "abde",
        f"creator:{bob.id}": "c",
        "project:app": "bc",
        f"project:{project}": "bc",
        "project:none": "ade",
        "project:NONE": "",
        "parent:app-1": "c",
        f"parent:{b['id']}": "c",
        "parent:none": "abde",
        "key:APP-1,app-2": "bc",
        "tag:ops": "ac",
        'tag:"x, y"': "a",
        "tag:none-such,ops -priority:low": "c",
        "tag:OPS": "",
        "due<7d": "abd",
        "due>=-36h due<7d": "ad",
        "due<today": "bd",
        "due>7d": "c",
        "due:none": "e",
        "due:3d": "a",
        "due>1d,": None,
        "created>-1d": "abcde",
        "created<-1d": "",
        "updated:today,yesterday": "abcde",
        "completed>-1d": "e",
        "completed:none": "abcd",
        "estimate>=1.5h": "b",
        "estimate<2h": "bd",
        "estimate:10,1.5h": "bd",
        "estimate:none,10": "acde",
        "is:overdue": "bd",
        "is:overdue -is:active": "d",
        "is:closed": "e",
        "is:open,done": "acde",
        "is:blocked": "a",
        "is:unassigned": "cde",
        "has:comment": "a",
        "has:attachment": "d",
        "has:comment,attachment -is:blocked": "d",
        "has:due,estimate": "abcd",
        "has:subtasks": "b",
        "has:dependencies": "ad",
        "has:tags -has:project": "a",
        "apples": "a",
        "app*": "a" + "bc",
        "walrus": "a",
        "walrus or b": "ab",
        '"apples walrus"': "",
        "-apples tag:ops": "c",
        "APP-1": "b",
        "app-*": "",
        "b is:active priority:urgent due<now project:APP": "b",
    }
    for q, expected in cases.items():
        if expected is None:
            refused(await ada.get("/tasks", q=q), 422, "query.invalid")
        elif q not in ("app*", "app-*"):
            assert await _found(ada, q, min_position=at) == expected, q
    assert await _found(bob, "is:overdue") == "b", "a query finds what its reader sees"
    assert await _found(bob, "assignee:me") == "b"
    assert await _found(ada, "tag:ops", priority="low") == "a", "other parameters narrow it"


async def test_a_query_sorts_unless_the_request_does(house: House) -> None:
    ada = await house.user()
    for title, priority in (("b", "low"), ("c", "high"), ("a", "high")):
        task = await ada.task(title, priority=priority)

    async def titles(**params: Any) -> str:
        return "".join([item["title"] for item in await ada.items("/tasks", min_position=task["position"], **params)])

    assert await titles(q="sort:-priority,title", limit=1) == "acb"
    assert await titles(q="sort:-priority,-title", limit=2) == "cab"
    assert await titles(q="sort:-priority", sort="title") == "abc"


async def test_a_wrong_query_is_refused_where_it_is_wrong(house: House) -> None:
    ada = await house.user()
    for path in ("/tasks", "/tasks/search", "/tasks/facets"):
        problem = refused(await ada.get(path, q="a statsu:open"), 422, "query.invalid")
        assert (problem["column"], problem["length"], problem["suggestions"]) == (3, 6, ["status", "tags"])
        assert problem["errors"][0]["pointer"] == "/query/q"
        assert "statsu" in problem["detail"]
    refused(await ada.get("/tasks", q="x" * 501), 422, "request.invalid")


async def test_an_old_name_of_a_tag_finds_the_same_tasks(house: House) -> None:
    ada = await house.user()
    await ada.task("a", tags=["q4"])
    renamed = await ada.call("PATCH", "/tags/q4", {"name": "quarter-4"})
    assert renamed.status_code == 200, renamed.text
    at = await house.head()
    for name in ("q4", "quarter-4"):
        assert await _found(ada, f"tag:{name}", min_position=at) == "a"
        assert await ada.items("/tasks", tag=name, min_position=at) != []


async def test_the_past_is_asked_by_the_same_queries(house: House) -> None:
    ada = await house.user()
    a = await ada.task("a", tags=["ops"], priority="low", due_at=_in(days=3))
    b = await ada.task("b", description="apples")
    then = b["position"]
    await ada.call("PATCH", f"/tasks/{a['id']}", {"tags": [], "priority": "high", "due_at": None})
    await ada.post(f"/tasks/{b['id']}/complete")
    at = await house.head()
    for q, past, now in (
        ("tag:ops", "a", ""),
        ("priority:high", "", "a"),
        ("due<7d", "a", ""),
        ("status:done", "", "b"),
        ("-is:done", "ab", "a"),
        ("apples", "b", "b"),
        ("-apples", "a", "a"),
        ("updated>-1m sort:title", "ab", "ab"),
        ("project:none", "ab", "ab"),
    ):
        assert (await _found(ada, q, as_of=then), await _found(ada, q, min_position=at)) == (past, now), q
    problem = refused(await ada.get("/tasks", q="a has:comment", as_of=then), 422, "query.not_in_past")
    assert problem["column"] == 7
    refused(await ada.get("/tasks/facets", as_of=then), 422, "query.not_in_past")


async def test_facets_count_what_a_list_shows_to_whoever_asks(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    await ada.task("a", tags=["x", "y"], priority="low", due_at=_in(days=-1))
    await ada.task("b", tags=["x"], due_at=_in(days=30))
    c = await bob.task("c", tags=["x"])
    await ada.post(f"/tasks/{c['id']}/assign", {"user_id": ada.id})
    await ada.post(f"/tasks/{c['id']}/complete")
    at = await house.head()
    answer = await ada.get(
        "/tasks/facets", min_position=at, by="status,tag,priority,assignee,creator,project,due,category"
    )
    assert answer.status_code == 200, answer.text
    counted = {
        name: {each["value"]: each["tasks"] for each in found} for name, found in answer.json()["facets"].items()
    }
    assert counted == {
        "status": {"todo": 2, "done": 1},
        "category": {"open": 2, "done": 1},
        "tag": {"x": 3, "y": 1},
        "priority": {"normal": 2, "low": 1},
        "assignee": {None: 2, ada.id: 1},
        "creator": {ada.id: 2, bob.id: 1},
        "project": {None: 3},
        "due": {"overdue": 1, "later": 1, None: 1},
    }
    assert (answer.json()["total"], answer.json()["cut"], position_of(answer)) == (3, False, at)
    narrowed = (await ada.get("/tasks/facets", q="tag:x -is:done", priority="low", by="tag")).json()
    assert narrowed == {
        "facets": {"tag": [{"value": "x", "tasks": 1}, {"value": "y", "tasks": 1}]},
        "total": 1,
        "cut": False,
    }
    assert (await bob.get("/tasks/facets", by="tag")).json()["total"] == 1
    for by in ("status,status", "x", "status,"):
        refused(await ada.get("/tasks/facets", by=by), 422, "facet.unknown")
    renamed = await ada.call("PATCH", "/tags/y", {"name": "x"})
    assert renamed.status_code == 200
    both = (await ada.get("/tasks/facets", by="tag", min_position=await house.head())).json()
    assert both["facets"]["tag"] == [{"value": "x", "tasks": 3}]


@pytest.mark.parametrize("who", ["ada", "bob"])
async def test_more_than_can_be_counted_or_ranked_is_said(
    house: House, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.facets.MOST_COUNTED", 2)
    monkeypatch.setattr("projections.searching.MOST_RANKED", 2)
    ada = await house.user()
    asking = ada if who == "ada" else await house.user()
    for _ in range(3):
        last = await asking.task("walrus")
    counted = (await asking.get("/tasks/facets", by="status", min_position=last["position"])).json()
    assert (counted["total"], counted["cut"]) == (2, True)
    assert counted["facets"]["status"] == [{"value": "todo", "tasks": 2}]
    found = (await asking.get("/tasks/search", q="walrus")).json()
    assert (found["cut"], found["items"][0]["id"]) == (True, last["id"])


async def test_a_phrase_is_looked_for_page_by_page_and_found_as_often_as_it_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.task_pages.MOST_LOOKED", 2)
    ada = await house.user()
    titles = ("a sea cow", "cow, sea", "cow and sea", "cow or sea", "cow", "b sea cow", "c sea cow")
    for title in titles:
        await ada.task(title, priority="high" if title.startswith("c") else "low")
    said = await ada.task("said")
    await ada.call("POST", f"/tasks/{said['id']}/comments", {"body": "the sea cow"})
    there = {"min_position": await house.head()}
    for sort, expected in (
        ("created", ["a sea cow", "b sea cow", "c sea cow", "said"]),
        ("-priority,title", ["c sea cow", "said", "a sea cow", "b sea cow"]),
    ):
        pages = [(await ada.get("/tasks", q=f'"sea cow" sort:{sort}', **there)).json()]
        while pages[-1]["next_cursor"] is not None:
            more = {"cursor": pages[-1]["next_cursor"]}
            pages.append((await ada.get("/tasks", q=f'"sea cow" sort:{sort}', **more)).json())
        assert [item["title"] for page in pages for item in page["items"]] == expected
        assert max(len(page["items"]) for page in pages) <= 2 < len(pages)


async def test_a_search_says_where_it_has_not_looked_at_all_that_has_the_words_of_a_phrase(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.facets.MOST_COUNTED", 2)
    monkeypatch.setattr("projections.searching.MOST_RANKED", 2)
    ada = await house.user()
    await ada.task("sea cow, the old one")
    for _ in range(2):
        await ada.task("cow, sea")
    await ada.task("sea cow", description="sea or cow")
    there = {"min_position": await house.head()}
    found = (await ada.get("/tasks/search", q='"sea cow"', **there)).json()
    assert ([item["title"] for item in found["items"]], found["cut"]) == (["sea cow"], True)
    counted = (await ada.get("/tasks/facets", q='"sea cow"', by="status")).json()
    assert counted == {"facets": {"status": [{"value": "todo", "tasks": 1}]}, "total": 1, "cut": True}
    found = (await ada.get("/tasks/search", q='"old one"')).json()
    assert (len(found["items"]), found["cut"]) == (1, False)
