"""What every command understands and answers: versions, keys, positions, request ids."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.house import Client, Database, House, Servers, encoded, position_of, refused


async def test_every_answer_to_a_command_names_version_position_and_epoch(house: House) -> None:
    ada = await house.user()
    epoch = (await ada.http.get(f"{house.base}/version")).json()["epoch"]
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    answers = [
        await ada.call("PUT", path, {"title": "b"}),
        await ada.call("PATCH", path, {"title": "c"}),
        await ada.post(f"{path}/assign", {"user_id": ada.id}),
        await ada.post(f"{path}/unassign"),
        *[await ada.post(f"{path}/{move}") for move in ("start", "pause", "complete", "reopen", "cancel")],
        await ada.post(f"{path}/moves", {"move": "reopen"}),
        await ada.call("DELETE", path),
        await ada.post(f"{path}/restore"),
    ]
    for version, answer in enumerate(answers, 2):
        assert answer.headers["ETag"] == f'"{version}"' == f'"{answer.json()["version"]}"'
        assert position_of(answer) == answer.json()["position"] == task["position"] + version - 1
        assert answer.headers["Taskfold-Epoch"] == epoch
        assert "Idempotency-Replayed" not in answer.headers
    profile = await ada.call("PUT", "/users/profile", {"display_name": "Ada"})
    assert (profile.headers["ETag"], profile.headers["Taskfold-Epoch"]) == ('"2"', epoch)
    assert position_of(profile) == await house.head()


# --------------------------------------------------------------------------------------------------------- If-Match


@pytest.mark.parametrize("if_match", ['"2"', '"1", "2"', "*"])
async def test_a_command_with_the_current_version_goes_on(house: House, if_match: str) -> None:
    ada = await house.user()
    task = await ada.task()
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "b"})
    started = await ada.post(f"/tasks/{task['id']}/start", if_match=if_match)
    assert started.json()["status"] == "in_progress"


async def test_a_command_with_an_older_version_learns_what_changed_since(house: House) -> None:
    ada = await house.user()
    bob = await house.user(role="manager", by=ada)
    task = await ada.task("a")
    edited = (await bob.call("PATCH", f"/tasks/{task['id']}", {"title": "b", "tags": ["x"]})).json()
    started = (await ada.post(f"/tasks/{task['id']}/start")).json()
    head = await house.head()
    problem = refused(await ada.post(f"/tasks/{task['id']}/complete", if_match='"1"'), 412, "precondition.failed")
    assert problem["current_version"] == 3
    assert problem["changed"] == [
        {"field": "title", "by": bob.id, "at": edited["updated_at"], "version": 2},
        {"field": "tags", "by": bob.id, "at": edited["updated_at"], "version": 2},
        {"field": "status", "by": ada.id, "at": started["updated_at"], "version": 3},
        {"field": "category", "by": ada.id, "at": started["updated_at"], "version": 3},
    ]
    problem = refused(await ada.post(f"/tasks/{task['id']}/complete", if_match='"2"'), 412, "precondition.failed")
    assert {change["field"] for change in problem["changed"]} == {"status", "category"}
    problem = refused(await ada.post(f"/tasks/{task['id']}/complete", if_match='"9"'), 412, "precondition.failed")
    assert problem["changed"] == []
    assert await house.head() == head


async def test_a_precondition_goes_before_the_rules_but_not_before_permissions(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task()
    await ada.post(f"/tasks/{task['id']}/start")
    refused(await ada.post(f"/tasks/{task['id']}/start", if_match='"1"'), 412, "precondition.failed")
    refused(await bob.post(f"/tasks/{task['id']}/start", if_match='"1"'), 404, "task.not_found")


async def test_a_malformed_precondition_is_refused_as_such(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    for if_match in ("1", '"a"', 'W/"1"', '"1" "2"', "", '"1",', '"99999999999"', "é"):
        headers = [*encoded(ada.headers), (b"If-Match", if_match.encode())]
        refused(await ada.http.post(f"/tasks/{task['id']}/start", headers=headers), 400, "precondition.malformed")
    assert (await ada.get(f"/tasks/{task['id']}")).json() == task


async def test_of_two_parallel_commands_with_one_version_one_wins(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    answers = await asyncio.gather(*[ada.call("PATCH", path, {"title": f"t{n}"}, if_match='"1"') for n in range(8)])
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert (await ada.get(path)).json()["version"] == 2


# -------------------------------------------------------------------------------------------------- Idempotency-Key


async def _ten(ada: Client, method: str, path: str, body: Any, **headers: str) -> list[httpx.Response]:
    return await asyncio.gather(*[ada.call(method, path, body, **headers) for _ in range(10)])


RETRIED: list[tuple[str, str | None, Any, int]] = [
    ("POST", None, {"title": "b"}, 1),
    ("PUT", "", {"title": "b"}, 1),
    ("PATCH", "", {"title": "b"}, 1),
    ("PATCH", "", {"title": "a task"}, 0),  # changes nothing: the key is recorded too
    ("DELETE", "", None, 1),
    ("POST", "/start", None, 1),
    ("POST", "/moves", {"move": "start"}, 1),
    ("POST", "/unassign", None, 0),
    ("POST", "/restore", None, 0),
]


@pytest.mark.parametrize("if_match", [None, '"1"'])
async def test_a_retry_with_the_same_key_has_one_effect(house: House, if_match: str | None) -> None:
    ada = await house.user()
    for n, (method, suffix, body, events) in enumerate(RETRIED):
        task = await ada.task()
        path = "/tasks" if suffix is None else f"/tasks/{task['id']}{suffix}"
        headers = {"idempotency_key": f"k{n}"} | ({"if_match": if_match} if if_match and suffix is not None else {})
        head = await house.head()
        answers = await _ten(ada, method, path, body, **headers)
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1
        assert answers[0].is_success, answers[0].text
        assert sum(answer.headers.get("Idempotency-Replayed") == "true" for answer in answers) == 9
        assert len({(answer.headers["ETag"], answer.headers["Taskfold-Position"]) for answer in answers}) == 1
        assert await house.head() == head + events


async def test_a_replay_answers_the_past_although_the_task_moved_on(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    first = await ada.post(f"{path}/start", idempotency_key="k", if_match='"1"')
    await ada.post(f"{path}/complete")
    again = await ada.post(f"{path}/start", idempotency_key="k", if_match='"1"')
    assert again.content == first.content
    assert again.headers["ETag"] == first.headers["ETag"] == '"2"'
    assert again.headers["Idempotency-Replayed"] == "true"
    await ada.call("DELETE", path)
    assert (await ada.post(f"{path}/start", idempotency_key="k")).content == first.content


async def test_a_key_outlives_a_restart(database: Database, servers: Servers) -> None:
    async with House.open(database, servers) as house:
        ada = await house.user()
        first = await ada.post("/tasks", {"title": "a"}, idempotency_key="k")
        head = await house.head()
    async with House.open(database, servers) as house:
        again = Client(house.http, ada.tokens, house.base)
        answer = await again.post("/tasks", {"title": "a"}, idempotency_key="k")
        assert (answer.content, answer.headers["Idempotency-Replayed"]) == (first.content, "true")
        assert await house.head() == head


async def test_parallel_retries_at_two_processes_have_one_effect(
    house: House, database: Database, servers: Servers
) -> None:
    ada = await house.user()
    async with House.open(database, servers, projecting=False) as other:
        there = Client(other.http, ada.tokens, other.base)
        head = await house.head()
        answers = await asyncio.gather(
            *[one.post("/tasks", {"title": "a"}, idempotency_key="k") for one in (ada, there) for _ in range(5)]
        )
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    assert await house.head() == head + 1


async def test_a_key_belongs_to_one_request(house: House) -> None:
    ada = await house.user()
    first = await ada.post("/tasks", {"title": "a"}, idempotency_key="k")
    path = f"/tasks/{first.json()['id']}"
    for attempt in (
        ada.post("/tasks", {"title": "b"}, idempotency_key="k"),
        ada.post(f"{path}/start", idempotency_key="k"),
        ada.call("PUT", path, {"title": "a"}, idempotency_key="k"),
    ):
        problem = refused(await attempt, 422, "idempotency.key_reused")
        assert problem["errors"][0]["pointer"] == "/headers/idempotency-key"


async def test_keys_belong_to_their_user(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    answers = [await one.post("/tasks", {"title": "a"}, idempotency_key="k") for one in (ada, bob)]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert "Idempotency-Replayed" not in answers[1].headers


async def test_a_rejected_command_leaves_its_key_free(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}/reopen"
    refused(await ada.post(path, idempotency_key="k"), 409, "task.illegal_move")
    await ada.post(f"/tasks/{task['id']}/complete")
    answer = await ada.post(path, idempotency_key="k")
    assert answer.json()["status"] == "todo"
    assert "Idempotency-Replayed" not in answer.headers


async def test_a_malformed_key_is_refused(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    for key in (b"", b"a b", b"\xe9", b"a\tb", b"a" * 256, b"a" * 20_000):
        headers = [*encoded(ada.headers), (b"Idempotency-Key", key)]
        response = await ada.http.post("/tasks", json={"title": "a"}, headers=headers)
        refused(response, 400, "idempotency.key_malformed")
    assert await house.head() == head


async def test_the_longest_key_is_taken(house: House) -> None:
    ada = await house.user()
    answers = [await ada.post("/tasks", {"title": "a"}, idempotency_key="~" * 255) for _ in range(2)]
    assert answers[0].content == answers[1].content


async def test_a_profile_and_a_role_change_once_a_key(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    for path, body in (
        ("/users/profile", {"display_name": "Ada", "preferences": {"a": 1}}),
        (f"/users/{bob.id}/role", {"role": "manager"}),
    ):
        head = await house.head()
        answers = await _ten(ada, "PUT", path, body, idempotency_key=f"k{path}")
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
        assert await house.head() == head + 1


# ------------------------------------------------------------------------------------------------------ request ids


async def test_a_request_id_is_echoed_and_kept_with_the_event(house: House) -> None:
    ada = await house.user()
    response = await ada.post("/tasks", {"title": "a"}, x_request_id="req/42")
    assert response.headers["X-Request-ID"] == "req/42"
    history = await ada.items(f"/tasks/{response.json()['id']}/history")
    assert history[0]["correlation_id"] == "req/42"
    assert history[0]["causation_id"] != "req/42"


async def test_a_request_id_that_is_no_token_is_replaced(house: House) -> None:
    for given in (b"", b"a b", b"\xff", b"x" * 129):
        response = await house.http.get("/nothing", headers=[(b"X-Request-ID", given)])
        made = refused(response, 404, "route.not_found")["request_id"]
        assert made.encode() != given
        assert len(made) == 36


async def test_a_refusal_names_the_request(house: House) -> None:
    ada = await house.user()
    response = await ada.post(f"/tasks/{uuid4()}/start", x_request_id="mine")
    assert refused(response, 404, "task.not_found")["request_id"] == "mine"
