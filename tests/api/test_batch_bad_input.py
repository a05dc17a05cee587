"""Bad input in batches: refused where it is, as outside of a batch, and never a failure."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.api.batching import command, sent
from tests.house import House, refused

WEIRD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "\x00",
    "x" * 30_000,
    "$",
    "$t",
    "../x",
    [],
    {},
    [[[]]],
    {"id": {"id": None}},
]
RAW = ["NaN", "1e400", "-0", "1e-999", '"\\u0000"', "[" * 50 + "]" * 50]
FIELDS = {
    "task.create": ("title", "due_at", "assignee", "tags", "estimate_minutes", "project_id", "more"),
    "task.edit": ("priority", "description"),
    "task.delete": ("subtasks",),
    "comment.edit": ("comment_id", "body"),
    "dependency.remove": ("type", "other_id"),
    "time.add": ("minutes", "on"),
    "project.choose_workflow": ("mapping",),
    "notification.read": ("through", "positions"),
    "tag.change": ("colour",),
}


@pytest.mark.parametrize("type_", FIELDS)
async def test_bad_data_is_refused_there_and_never_a_failure(house: House, type_: str) -> None:
    ada = await house.user()
    target = None if type_ in ("task.create", "notification.read") else (await ada.task())["id"]
    texts = [json.dumps(value) for value in WEIRD] + RAW
    for field in FIELDS[type_]:
        commands = [
            f'{{"id":"c{n}","type":"{type_}","target":{json.dumps(target)},"data":{{"{field}":{text}}}}}'
            for n, text in enumerate(texts)
        ]
        content = f'{{"commands":[{",".join(commands)}]}}'.encode()
        headers = {**ada.headers, "Content-Type": "application/json"}
        answer = await house.http.post("/commands", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        for verdict in answer.json()["verdicts"]:
            assert verdict["status"] in (200, 201, 404, 409, 422), verdict
            for error in verdict.get("problem", {}).get("errors", []):
                assert error["pointer"].startswith(f"/commands/{verdict['id'][1:]}/")


async def test_a_refusal_is_the_one_of_the_commands_own_route(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    for type_, method, path, data in (
        ("task.edit", "PATCH", f"/tasks/{task['id']}", {"title": " ", "more": 1}),
        ("task.edit", "PATCH", f"/tasks/{task['id']}", {"assignee": {"id": "nobody"}}),
        ("task.assign", "POST", f"/tasks/{task['id']}/assign", {"user_id": str(uuid4())}),
        ("task.move", "POST", f"/tasks/{task['id']}/moves", {"move": "fly"}),
        ("task.start", "POST", f"/tasks/{task['id']}/start", {"override": True}),
        ("comment.post", "POST", f"/tasks/{task['id']}/comments", {"body": "x", "reply_to": str(uuid4())}),
    ):
        outside = (await ada.call(method, path, data)).json()
        [verdict] = await sent(ada, command("a", type_, task["id"], **data))
        inside = verdict["problem"]
        for error in outside.get("errors", []):
            error["pointer"] = f"/commands/0/data{error['pointer']}"
        told = ("code", "status", "title", "errors", "allowed", "current_status")
        assert {name: inside.get(name) for name in told} == {name: outside.get(name) for name in told}


async def test_targets_and_further_parameters_are_asked_for(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    verdicts = await sent(
        ada,
        command("a", "task.start"),
        command("b", "task.create", task["id"], title="x"),
        command("c", "comment.edit", task["id"], body="x"),
        command("d", "task.delete", task["id"], subtasks="yes"),
        command("e", "task.delete", task["id"], trash=True),
        command("f", "dependency.remove", task["id"], type="fights", other_id=task["id"]),
        command("g", "task.assign", task["id"]),
        command("h", "tag.change", "$q4", colour="red"),
        command("i", "task.start", "nobody"),
    )
    pointers = [verdict["problem"]["errors"][0]["pointer"] for verdict in verdicts]
    assert pointers == [
        "/commands/0/target",
        "/commands/1/target",
        "/commands/2/data/comment_id",
        "/commands/3/data/subtasks",
        "/commands/4/data/trash",
        "/commands/5/data/type",
        "/commands/6/data",
        "/commands/7/data/colour",
        "/commands/8/target",
    ]


async def test_what_is_wrong_at_any_version_is_not_called_stale(house: House) -> None:
    """No version was looked at, so none can be said to be the current one."""
    ada = await house.user()
    task = await ada.task()
    outside = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": " "}, if_match='"1"')
    [inside] = await sent(ada, {**command("a", "task.edit", task["id"], title=" "), "if_match": 1})
    assert refused(outside, 422, "value.blank")["errors"][0]["pointer"] == "/title"
    assert (inside["problem"]["code"], inside["status"]) == ("value.blank", 422)


async def test_pointers_lead_to_names_with_any_characters(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    verdicts = await sent(
        ada,
        command("a", "task.edit", task["id"], **{"a/b~c": 1}),
        command("b", "task.delete", task["id"], **{"a/b~c": 1}),
    )
    pointers = [verdict["problem"]["errors"][0]["pointer"] for verdict in verdicts]
    assert pointers == ["/commands/0/data/a~1b~0c", "/commands/1/data/a~1b~0c"]


@pytest.mark.parametrize("wrong", [True, -1, 2**70, 1.5, "", "one", '"1', "1,", '1"', 'W/"1"', "*, 1", [1]])
async def test_versions_that_are_none_are_refused_where_they_stand(house: House, wrong: Any) -> None:
    ada = await house.user()
    body = {"commands": [{**command("a", "task.create", title="x"), "if_match": wrong}]}
    problem = refused(await ada.post("/commands", body), 422, "request.invalid")
    assert [error["pointer"] for error in problem["errors"]] == ["/commands/0/if_match"]


async def test_what_is_no_batch_is_refused_as_a_whole(house: House) -> None:
    ada = await house.user()
    one = command("a", "task.create", title="x")
    for commands, pointer in (
        ([], "/commands"),
        ([{**one, "id": "a b"}], "/commands/0/id"),
        ([{**one, "more": 1}], "/commands/0/more"),
        ([{**one, "data": []}], "/commands/0/data"),
        ([{**one, "id": str(n)} for n in range(501)], "/commands"),
    ):
        problem = refused(await ada.post("/commands", {"commands": commands}), 422, "request.invalid")
        assert problem["errors"][0]["pointer"] == pointer
    problem = refused(await ada.post("/commands", {"commands": [one, one]}), 422, "batch.duplicate_id")
    assert problem["errors"][0]["pointer"] == "/commands/1/id"
    assert await ada.items("/tasks") == []


@pytest.mark.parametrize("path", ["/tasks/bulk", "/commands"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_there_is_one_method_where_batches_are_taken(house: House, method: str, path: str) -> None:
    ada = await house.user()
    answer = await ada.call(method, path, {"title": "x"})
    refused(answer, 405, "route.method_not_allowed")
    assert answer.headers["Allow"] == "POST"
