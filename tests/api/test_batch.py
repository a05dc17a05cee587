"""Batches over HTTP: verdicts, references, all or nothing, keys, and what they would write."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.house import Client, Database, House, Servers, refused


async def send(client: Client, *commands: dict[str, Any], **more: Any) -> httpx.Response:
    headers = {name: more.pop(name) for name in ("idempotency_key",) if name in more}
    return await client.post("/commands", {"commands": list(commands), **more}, **headers)


async def sent(client: Client, *commands: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The verdicts."""
    answer = await send(client, *commands, **more)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    outcomes = [verdict["outcome"] for verdict in body["verdicts"]]
    assert [verdict["id"] for verdict in body["verdicts"]] == [command["id"] for command in commands]
    assert {name: body[name] for name in ("done", "refused", "not_done", "would_do")} == {
        name: outcomes.count(name) for name in ("done", "refused", "not_done", "would_do")
    }
    verdicts: list[dict[str, Any]] = body["verdicts"]
    return verdicts


def command(id_: str, type_: str, target: str | None = None, **data: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "data": data, **({} if target is None else {"target": target})}


async def test_each_command_is_done_as_its_own_route_does_it(house: House) -> None:
    ada = await house.user()
    made, begun, said = await sent(
        ada,
        command("a", "task.create", title="Write the report", tags=["q4"]),
        command("b", "task.start", "$a", reason="now"),
        command("c", "comment.post", "$a", body="begun"),
    )
    task = (await ada.get(f"/tasks/{made['created']}")).json()
    assert made["status"] == 201
    assert made["location"] == f"/api/v1/tasks/{task['id']}"
    assert (made["body"]["status"], made["version"]) == ("todo", 1)
    assert begun["body"] == task
    assert begun["position"] == begun["body"]["position"] == made["position"] + 1
    assert said["location"] == f"/api/v1/tasks/{task['id']}/comments/{said['created']}"
    history = await ada.items(f"/tasks/{task['id']}/history")
    assert [event["type"] for event in history] == ["task.created", "task.started"]
    assert len({event["causation_id"] for event in history}) == 2


async def test_a_refused_command_leaves_the_others_alone_and_who_refers_to_it_is_not_done(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    head = await house.head()
    verdicts = await sent(
        ada,
        command("no", "task.reopen", task["id"]),
        command("bad", "task.create", title="", due_at="tomorrow"),
        command("after", "task.start", "$bad"),
        command("yes", "task.start", task["id"]),
        command("unknown", "task.fly", task["id"]),
        command("nobody", "task.assign", task["id"], user_id="x"),
    )
    assert [verdict["outcome"] for verdict in verdicts] == [
        "refused",
        "refused",
        "not_done",
        "done",
        "refused",
        "refused",
    ]
    problems = [verdict.get("problem", {}) for verdict in verdicts]
    codes = ["task.illegal_move", "request.invalid", "batch.reference_failed", None, "batch.unknown_type"]
    assert [problem.get("code") for problem in problems] == [*codes, "request.invalid"]
    assert problems[0]["allowed"] == ["cancel", "complete", "start"]
    assert problems[0]["instance"] == "/api/v1/commands#/commands/0"
    assert [error["pointer"] for error in problems[1]["errors"]] == [
        "/commands/1/data/title",
        "/commands/1/data/due_at",
    ]
    assert [verdict["status"] for verdict in verdicts] == [409, 422, 424, 200, 422, 422]
    assert problems[4]["errors"][0]["pointer"] == "/commands/4/type"
    assert problems[5]["errors"][0]["pointer"] == "/commands/5/data/user_id"
    assert await house.head() == head + 1


async def test_all_or_nothing_is_one_append_with_one_cause(house: House) -> None:
    ada = await house.user()
    made = await sent(
        ada,
        command("p", "project.create", name="Application", key="APP"),
        command("t", "task.create", title="write", project_id="$p", assignee={"id": ada.id}),
        command("s", "subtask.create", "$t", title="ask"),
        command("i", "checklist.add", "$t", text="figures"),
        command("c", "checklist.change", "$t", item_id="$i", checked=True),
        command("m", "task.start", "$s"),
        atomic=True,
    )
    assert [verdict["outcome"] for verdict in made] == ["done"] * 6
    assert made[4]["body"]["items"][0]["checked_by"] == ada.id
    assert [verdict["body"].get("key") for verdict in made[:3]] == ["APP", "APP-1", "APP-2"]
    causes = {
        event["causation_id"]
        for verdict in (made[1], made[2])
        for event in await ada.items(f"/tasks/{verdict['created']}/history")
    }
    assert len(causes) == 1
    task = (await ada.get(f"/tasks/{made[1]['created']}")).json()
    assert (task["project_id"], [one["id"] for one in task["subtasks"]]) == (made[0]["created"], [made[2]["created"]])


async def test_one_refusal_undoes_all_of_an_atomic_batch(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    head = await house.head()
    verdicts = await sent(
        ada,
        command("a", "task.create", title="one"),
        command("b", "task.start", task["id"]),
        command("c", "task.start", task["id"]),
        command("d", "task.create", title="two"),
        atomic=True,
        idempotency_key="atomic",
    )
    assert [verdict["outcome"] for verdict in verdicts] == ["not_done", "not_done", "refused", "not_done"]
    assert verdicts[2]["problem"]["code"] == "task.illegal_move"
    assert {verdict["problem"]["code"] for verdict in verdicts if verdict["id"] != "c"} == {"batch.rolled_back"}
    assert await house.head() == head
    again = await send(ada, command("a", "task.create", title="one"), idempotency_key="atomic")
    assert again.json()["done"] == 1, "what was refused has recorded no key"


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_retry_of_a_batch_answers_the_same_and_has_no_second_effect(house: House, atomic: bool) -> None:
    ada = await house.user()
    task = await ada.task()
    commands = [
        command("t", "task.create", title="write"),
        command("same", "task.edit", task["id"], title=task["title"]),
        command("i", "checklist.add", "$t", text="figures"),
        command("c", "checklist.change", "$t", item_id="$i", checked=True),
        command("h", "time.add", "$t", minutes=5, on="2026-11-21"),
    ]
    first = await send(ada, *commands, atomic=atomic, idempotency_key="k")
    head = await house.head()
    assert first.json()["done"] == 5
    await ada.call("PATCH", f"/tasks/{first.json()['verdicts'][0]['created']}", {"title": "moved on"})
    house.services.streams.clear()
    again = await send(ada, *commands, atomic=atomic, idempotency_key="k")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert again.json() == first.json()
    assert again.headers["Taskfold-Position"] == first.headers["Taskfold-Position"] == str(head)
    assert await house.head() == head + 1
    reused = await send(ada, *commands[:1], atomic=atomic, idempotency_key="k")
    refused(reused, 422, "idempotency.key_reused")
    refused(await ada.post("/tasks", {"title": "x"}, idempotency_key="k"), 422, "idempotency.key_reused")
    assert await house.head() == head + 1


async def test_commands_name_the_versions_that_they_expect_one_by_one(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    commands = [
        {**command("a", "task.edit", task["id"], title="first"), "if_match": 1},
        {**command("b", "task.edit", task["id"], title="second"), "if_match": '"2"'},
        {**command("c", "task.edit", task["id"], title="third"), "if_match": "2, 7"},
        {**command("d", "task.edit", task["id"], title="fourth"), "if_match": "*"},
    ]
    verdicts = await sent(ada, *commands)
    assert [verdict["status"] for verdict in verdicts] == [200, 200, 412, 200]
    problem = verdicts[2]["problem"]
    assert (problem["code"], problem["current_version"]) == ("precondition.failed", 3)
    assert [(one["field"], one["version"]) for one in problem["changed"]] == [("title", 3)]
    stale = await sent(ada, {**commands[0], "if_match": 0}, dry_run=True)
    assert stale[0]["problem"]["current_version"] == 4


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("$later", "an earlier command"),
        ("$nobody", "an earlier command"),
        ("$x", "an earlier"),
        ("$edit", "creates nothing"),
    ],
)
async def test_a_reference_to_what_is_not_made_before_is_refused(house: House, target: str, told: str) -> None:
    ada = await house.user()
    task = await ada.task()
    verdicts = await sent(
        ada,
        command("edit", "task.edit", task["id"], title="$later"),
        command("x", "task.start", target),
        command("later", "task.create", title="$100", parent_id=target),
    )
    assert verdicts[0]["body"]["title"] == "$later", "a title is no reference"
    [error] = verdicts[1]["problem"]["errors"]
    assert (verdicts[1]["problem"]["code"], error["pointer"]) == ("batch.reference", "/commands/1/target")
    assert told in error["detail"]
    if target != "$x":
        assert verdicts[2]["problem"]["errors"][0]["pointer"] == "/commands/2/data/parent_id"


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


async def test_a_personal_token_reaches_in_a_batch_as_far_as_outside(house: House) -> None:
    ada = await house.user()
    for scopes, code in ((["read"], None), (["write"], "auth.scope"), (["write", "admin"], "")):
        made = await ada.post("/auth/tokens", {"name": "x", "scopes": scopes})
        token = Client(house.http, {**ada.tokens, "access_token": made.json()["token"]}, house.base)
        answer = await send(token, command("t", "task.create", title="x"), command("p", "team.create", name="x"))
        if code is None:
            refused(answer, 403, "auth.scope")
            continue
        task, team = answer.json()["verdicts"]
        assert task["outcome"] == "done"
        assert team.get("problem", {}).get("code", "") == code


async def test_a_batch_costs_as_many_requests_as_it_has_commands(database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False, rate_token=20) as house:
        ada = await house.user()
        answer = await send(ada, command("a", "task.create", title="x"), command("b", "task.create", title="y"))
        left = int(answer.headers["RateLimit"].split("r=")[1].split(";")[0])
        more = [command(str(n), "task.create", title="x") for n in range(left)]
        again = await send(ada, *more[:-1])
        assert again.json()["done"] == left - 1
        assert int(again.headers["RateLimit"].split("r=")[1].split(";")[0]) == 1
        problem = await send(ada, *more[:2])
        assert problem.status_code == 429
        assert problem.headers["Retry-After"]


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


async def test_whoever_may_not_is_answered_as_outside_of_a_batch(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task()
    verdicts = await sent(
        bob,
        command("a", "task.start", task["id"]),
        command("b", "task.start", str(uuid4())),
        command("c", "user.change_role", ada.id, role="member"),
    )
    assert [verdict["problem"]["code"] for verdict in verdicts] == [
        "task.not_found",
        "task.not_found",
        "auth.forbidden",
    ]
    assert verdicts[0]["problem"]["detail"] == verdicts[1]["problem"]["detail"]
    await ada.post(f"/users/{bob.id}/deactivate")
    assert (await send(bob, command("a", "task.create", title="x"))).status_code == 401


async def test_commands_that_go_one_by_one_are_each_done_once_wherever_they_are_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do where others are faster again and again."""
    monkeypatch.setattr("api.batch.running.TOGETHER", 0)
    ada = await house.user()
    commands = [
        command("t", "task.create", title="write"),
        command("i", "checklist.add", "$t", text="figures"),
        command("no", "task.reopen", "$t"),
        command("c", "checklist.change", "$t", item_id="$i", checked=True),
        command("after", "task.start", "$nobody"),
    ]
    executor, real, calls = house.services.executor, house.services.executor.execute, []

    async def cut_off(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            raise TimeoutError
        return await real(*arguments, **more)

    head = await house.head()
    with monkeypatch.context() as cut:
        cut.setattr(executor, "execute", cut_off)
        refused(await send(ada, *commands, idempotency_key="k"), 503, "store.unavailable")
    assert await house.head() == head + 2
    again = await send(ada, *commands, idempotency_key="k")
    assert [verdict["outcome"] for verdict in again.json()["verdicts"]] == [
        "done",
        "done",
        "refused",
        "done",
        "refused",
    ]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await house.head() == head + 3
    assert (await send(ada, *commands, idempotency_key="k")).json()["done"] == 3
    without = (await send(ada, *commands)).json()["verdicts"]
    assert [verdict["outcome"] for verdict in without] == ["done", "done", "refused", "done", "refused"]
    assert await house.head() == head + 6


async def test_the_same_batch_sent_at_once_has_one_effect(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    commands = [command("t", "task.create", title="write"), command("s", "task.start", "$t")]
    answers = await asyncio.gather(*(send(ada, *commands, idempotency_key="k") for _ in range(8)))
    assert all(answer.status_code == 200 for answer in answers)
    assert {answer.text for answer in answers} == {answers[0].text}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await house.head() == head + 2
