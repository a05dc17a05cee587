"""Exports: everything of a list, and nothing else, at one position."""

import csv
import io
from typing import Any

import httpx
import msgspec
import pytest

from domain.exchange import Line, values_of
from tests.house import Client, House, position_of, refused

NASTY = ('=HYPERLINK("http://example.com")', "+1", "-1;=2", "@x", "'quoted'", "two; - lines", "ünïcode ✓, 𠀀")


async def export(client: Client, **query: Any) -> httpx.Response:
    response = await client.get("/tasks/export", **query)
    assert response.status_code == 200, response.text
    return response


def records(response: httpx.Response) -> list[dict[str, Any]]:
    """The records of a CSV, as who reads it by the page gets them."""
    return [values_of(record) for record in csv.DictReader(io.StringIO(response.text, newline=""))]


def lines(response: httpx.Response) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in response.content.splitlines()]


def tasks(response: httpx.Response) -> list[dict[str, Any]]:
    """The documents of the tasks, as they stand there."""
    found = [msgspec.json.decode(line) for line in response.content.splitlines()]
    return [line["task"] for line in found if "task" in line]


async def some(ada: Client) -> list[dict[str, Any]]:
    """Tasks with everything that a task can have."""
    first = await ada.task(
        NASTY[0], description="two\n- lines", tags=["a;b", "-x"], due_on="2027-01-31", due_zone="Asia/Tokyo"
    )
    rest = [await ada.task(title, parent_id=first["id"], priority="high") for title in NASTY[1:]]
    await ada.post(f"/tasks/{first['id']}/dependencies", {"type": "blocked_by", "task_id": rest[0]["id"]})
    await ada.post(f"/tasks/{first['id']}/assign", {"user_id": ada.id})
    last = await ada.post(f"/tasks/{rest[1]['id']}/start")
    return await ada.items("/tasks", sort="created_at", min_position=position_of(last))


async def test_lines_are_the_documents_of_the_list_between_a_beginning_and_an_end(house: House) -> None:
    ada = await house.user()
    items = await some(ada)
    response = await export(ada, format="jsonl")
    assert tasks(response) == items
    found, position = lines(response), position_of(response)
    assert (first := found[0].export) is not None
    assert (first.format, first.position, first.tasks) == (1, position, len(items))
    assert (first.epoch, response.headers["Taskfold-Tasks"]) == (house.services.epoch, str(len(items)))
    assert (end := found[-1].end) is not None
    assert (end.tasks, end.position) == (len(items), position)
    assert [line.user.email for line in found if line.user is not None] == [ada.tokens["user"]["email"]]
    assert response.headers["Content-Type"] == "application/jsonl"
    assert response.headers["Content-Disposition"] == f'attachment; filename="tasks-{position}.jsonl"'


async def test_records_hold_what_people_wrote_and_no_field_begins_a_formula(house: House) -> None:
    ada = await house.user()
    items = await some(ada)
    response = await export(ada, format="csv")
    found = records(response)
    assert [record["title"] for record in found] == list(NASTY)
    for record, item in zip(found, items, strict=True):
        assert {name: record.get(name) for name in ("id", "status", "priority", "due_at", "due_on")} == {
            name: item[name] for name in ("id", "status", "priority", "due_at", "due_on")
        }
        assert (record.get("description", ""), record.get("tags", [])) == (item["description"], item["tags"])
    assert found[0]["blocked_by"] == [items[1]["id"]]
    assert (found[0]["assignee"], found[0]["assignee_type"]) == (ada.tokens["user"]["email"], "user")
    assert found[1]["parent_id"] == items[0]["id"]
    for row in csv.reader(io.StringIO(response.text, newline="")):
        assert not [field for field in row if field[:1] in "=+-@\t\r\n" and field]
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    marked = await export(ada, format="csv", bom="true")
    assert marked.content == b"\xef\xbb\xbf" + response.content


async def test_it_comes_packed_for_who_takes_that_and_says_so(house: House) -> None:
    ada = await house.user()
    await some(ada)
    plain = await house.http.get("/tasks/export?format=csv", headers=ada.headers | {"Accept-Encoding": "br, gzip;q=0"})
    packed = await house.http.get("/tasks/export?format=csv", headers=ada.headers | {"Accept-Encoding": "br, gzip"})
    assert packed.text == plain.text
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize(
    "query",
    [
        {"priority": "high", "sort": "-title"},
        {"category": "active"},
        {"tag": "a;b"},
        {"q": "lines"},
        {"q": "walrus"},  # which is said in a comment
        {"assignee": "me"},
        {"due_before": "2030-01-01T00:00:00Z"},
        {"trashed": "true"},
    ],
)
async def test_it_holds_what_the_list_of_the_same_filters_holds(house: House, query: dict[str, str]) -> None:
    ada = await house.user()
    items = await some(ada)
    await ada.call("DELETE", f"/tasks/{items[-1]['id']}")
    said = await ada.post(f"/tasks/{items[2]['id']}/comments", {"body": "The walrus wants it."})
    listed = await ada.items("/tasks", **{"sort": "created_at", "min_position": position_of(said), **query})
    response = await export(ada, format="jsonl", min_position=position_of(said), **query)
    assert tasks(response) == listed
    assert listed, "nothing would be equal to nothing"


async def test_the_past_is_exported_as_it_was_also_what_was_said_then(house: House) -> None:
    ada = await house.user()
    items = await some(ada)
    path = f"/tasks/{items[0]['id']}"
    comment = (await ada.post(f"{path}/comments", {"body": "before"})).json()["id"]
    then = position_of(await ada.post(f"{path}/checklist", {"text": "ask"}))
    await ada.call("PATCH", f"{path}/comments/{comment}", {"body": "after"})
    await ada.post(f"{path}/comments", {"body": "later"})
    await ada.post(f"{path}/checklist", {"text": "more"})
    last = await ada.call("PATCH", path, {"title": "renamed"})
    now = await export(ada, format="jsonl", include="comments", min_position=position_of(last))
    past = await export(ada, format="jsonl", include="comments", as_of=then)
    assert tasks(past) == await ada.items("/tasks", sort="created_at", as_of=then)
    assert [line.comment.body for line in lines(past) if line.comment] == ["before"]
    assert [line.comment.body for line in lines(now) if line.comment] == ["after", "later"]
    assert [[item.text for item in line.checklist.items] for line in lines(past) if line.checklist] == [["ask"]]
    assert [[item.text for item in line.checklist.items] for line in lines(now) if line.checklist] == [["ask", "more"]]
    assert (position_of(past), "Taskfold-Tasks" in past.headers) == (then, False)
    assert (lines(past)[0].export.tasks, lines(past)[-1].end.tasks) == (None, len(items))  # type: ignore[union-attr]


async def test_what_is_around_a_task_follows_it_behind_the_names_in_it(house: House) -> None:
    ada = await house.user()
    eve, task = await house.user(), await ada.task()
    team = await ada.team(eve)
    project = (await ada.post("/projects", {"name": "Application", "key": "APP"})).json()["id"]
    await ada.post(f"/tasks/{task['id']}/assign", {"team_id": team})
    await ada.call("PATCH", f"/tasks/{task['id']}", {"project_id": project})
    await ada.call("PUT", f"/projects/{project}/members/{eve.id}", {"role": "editor"})
    head = (await eve.post(f"/tasks/{task['id']}/comments", {"body": "first"})).json()["id"]
    await ada.post(f"/tasks/{task['id']}/comments", {"body": "answer", "reply_to": head})
    gone = (await ada.post(f"/tasks/{task['id']}/comments", {"body": "gone"})).json()["id"]
    await ada.call("DELETE", f"/tasks/{task['id']}/comments/{gone}")
    last = await eve.post(f"/tasks/{task['id']}/time-entries", {"minutes": 30, "on": "2027-01-31", "note": "=1"})
    bare = await export(ada, format="jsonl", min_position=position_of(last))
    assert [name for line in lines(bare) for name in _kind(line)] == [
        "export",
        "project",
        "team",
        "user",
        "task",
        "end",
    ]
    found = lines(await export(ada, format="jsonl", include=["comments", "time"]))
    kinds = [name for line in found for name in _kind(line)]
    assert kinds == [
        *("export", "project", "team", "user", "task"),
        *("user", "comment", "comment", "time_entry", "end"),
    ]
    assert [line.project.key for line in found if line.project] == ["APP"]
    assert [line.user.id for line in found if line.user] == [ada.id, eve.id]
    assert [(line.comment.body, line.comment.reply_to) for line in found if line.comment] == [
        ("first", None),
        ("answer", head),
    ]
    assert [(one.user_id, one.minutes, one.note) for line in found if (one := line.time_entry)] == [(eve.id, 30, "=1")]
    [record] = records(await export(ada, format="csv"))
    assert (record["project"], record["key"], record["assignee"]) == ("APP", "APP-1", "a team")


def _kind(line: Line) -> list[str]:
    return [name for name in Line.__struct_fields__ if getattr(line, name) is not None]


async def test_one_exports_what_one_sees_and_hears_of_nobody_else(house: House) -> None:
    ada, eve, bob = await house.user(), await house.user(), await house.user()
    await bob.task("of nobody's business")
    last = await ada.task("for Eve", assignee={"id": eve.id})
    response = await export(eve, format="jsonl", min_position=last["position"])
    assert [task["title"] for task in tasks(response)] == ["for Eve"]
    assert {line.user.id for line in lines(response) if line.user} == {ada.id, eve.id}
    assert bob.id not in response.text
    stranger = await house.user("elsewhere")
    assert tasks(await export(stranger, format="jsonl")) == []


async def test_todays_name_of_a_tag_is_exported(house: House) -> None:
    ada = await house.user()
    await ada.task(tags=["old"])
    renamed = await ada.call("PATCH", "/tags/old", {"name": "new"})
    response = await export(ada, format="csv", tag="old", min_position=position_of(renamed))
    assert [record["tags"] for record in records(response)] == [["new"]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "request.invalid"),
        ({"format": "xlsx"}, "request.invalid"),
        ({"format": "csv", "limit": 5}, "request.invalid"),
        ({"format": "csv", "include": "files"}, "request.invalid"),
        ({"format": "csv", "sort": "rank"}, "sort.unknown"),
        ({"format": "csv", "as_of": 999}, "position.beyond_head"),
        ({"format": "csv", "as_of": 1, "min_position": 999}, "position.beyond_head"),
        ({"format": "csv", "as_of": "2999-01-01T00:00:00Z"}, "as_of.future"),
        ({"format": "csv", "min_position": 999}, "position.beyond_head"),
    ],
)
async def test_what_cannot_be_exported_is_refused_before_a_line_is_sent(
    house: House, query: dict[str, Any], code: str
) -> None:
    ada = await house.user()
    refused(await ada.get("/tasks/export", **query), 422, code)
