"""Batches over HTTP: verdicts, references, all or nothing, keys, and what they would write."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.api.batching import command, send, sent
from tests.house import Client, Database, House, Servers, refused


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


async def test_a_dry_run_says_that_a_batch_is_too_large_where_it_is_all_or_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.batch.EVENTS_MAX", 2)
    ada = await house.user()
    commands = [command(str(n), "task.create", title="write") for n in range(3)]
    found = [await send(ada, *commands, atomic=True, dry_run=dry_run) for dry_run in (True, False)]
    problems = [refused(answer, 409, "batch.too_large") for answer in found]
    assert [(problem["events"], problem["most"]) for problem in problems] == [(3, 2)] * 2
    assert (await send(ada, *commands, dry_run=True)).json()["would_do"] == 3
    assert (await send(ada, *commands)).json()["done"] == 3


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
