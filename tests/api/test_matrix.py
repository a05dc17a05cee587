"""The matrix of permissions: every operation of OpenAPI, and the socket, by everybody who may ask."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.defence.front import BASE
from api.policies import Open, policy_of
from api.settings import Settings
from domain import policy
from domain.policy import Action, Relation
from domain.user import Role
from tests.api.cast import NOBODY, OVERSEERS, OWN, PERSONAS, Cast, cast
from tests.api.matrix import CASES, LOGGED_IN, Case
from tests.house import SECRET, House, position_of

APP = create_app(Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", secret_key=SECRET))
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation for path in APP.openapi()["paths"].values() for operation in path.values()
}
ASKED = {name for name, operation in OPERATIONS.items() if operation["x-policy"] not in (Open.PUBLIC, Open.BEARER)}


def test_every_route_names_its_policy() -> None:
    routes = [route for route in iter_route_contexts(APP.routes) if route.path != "/openapi.json"]
    assert [route.path for route in routes if policy_of(route.endpoint) is None] == []
    assert {"/ws/tasks", f"{BASE}/tasks/{{task_id}}"} < {route.path for route in routes}


def test_every_operation_that_asks_who_is_there_has_a_row_in_the_matrix() -> None:
    assert set(CASES) == ASKED
    for case in CASES.values():
        assert set(case.verdicts) == set(PERSONAS)


async def _ask(people: Cast, persona: str, case: Case) -> httpx.Response:
    method, path, body = await case.make(people, persona)
    client = people[persona]
    headers = {} if persona == "anonymous" else client.headers
    return await people.house.http.request(method, path, json=body, headers=headers)


def _bare(response: httpx.Response) -> str:
    """A refusal without the ids of what was asked for and of the request itself."""
    problem = response.json()
    text = response.text.replace(problem["request_id"], "REQUEST")
    for segment in response.request.url.path.split("/"):
        if _is_id(segment):
            text = text.replace(segment, "ID")
    return text


def _is_id(segment: str) -> bool:
    try:
        return bool(UUID(segment))
    except ValueError:
        return False


async def _answers(people: Cast, case: Case) -> dict[str, int]:
    """What everybody is answered. What may not be seen is compared with what is not there on the way."""
    answers = {}
    for persona in PERSONAS:
        response = await _ask(people, persona, case)
        answers[persona] = response.status_code
        if response.status_code == 404 and case.hides:
            method, path, body = await case.make(people, persona)
            nothing = "/".join(str(uuid4()) if _is_id(segment) else segment for segment in path.split("/"))
            absent = await people.house.http.request(method, nothing, json=body, headers=people[persona].headers)
            assert _bare(response) == _bare(absent)
    return answers


@pytest.mark.parametrize("operation", CASES)
async def test_everybody_is_answered_as_the_matrix_says(house: House, operation: str) -> None:
    case = CASES[operation]
    assert await _answers(await cast(house), case) == dict(case.verdicts)


@pytest.mark.parametrize(("path", "query"), [("/tasks", {}), ("/tasks/search", {"q": "matrix"}), ("/changes", {})])
async def test_lists_hold_what_one_may_see_and_nothing_else(house: House, path: str, query: dict[str, str]) -> None:
    people = await cast(house)
    for persona in LOGGED_IN:
        task = await people.task(persona)
        client = people[persona]
        head = await house.head()
        await people["admin"].get("/tasks", min_position=head)
        items = await client.items(path, **query)
        found = {item.get("task_id", item.get("id")) for item in items if item.get("op") != "removed"}
        assert (task["id"] in found) == (persona in (*OWN, *OVERSEERS, "auditor")), persona


async def test_sockets_tell_what_one_may_see_and_nothing_else(house: House) -> None:
    people = await cast(house)
    for persona in LOGGED_IN:
        async with people[persona].socket() as socket:
            await socket.receive()
            task = await people.task(persona)
            moved = await people["admin"].post(f"/tasks/{task['id']}/start")
            told = [frame["task_id"] for frame in await socket.changes(position_of(moved)) if frame["op"] == "upsert"]
        assert (task["id"] in told) == (persona in (*OWN, *OVERSEERS, "auditor")), persona


async def test_sockets_are_closed_to_who_is_nobody(house: House) -> None:
    people = await cast(house)
    for persona in NOBODY:
        async with people[persona].socket() as socket:
            assert (await socket.closed())[0] == 4401, persona


LOOSENED = [
    (Action.TASK_EDIT, Role.MEMBER, "editTask"),
    (Action.TASK_READ, Role.MEMBER, "getTask"),
    (Action.TASK_MOVE, Role.AUDITOR, "startTask"),
    (Action.USER_CHANGE_ROLE, Role.MANAGER, "changeRole"),
    (Action.TEAM_CREATE, Role.MEMBER, "createTeam"),
    (Action.TEAM_ADD_MEMBER, Role.MEMBER, "addTeamMember"),
    (Action.UNDO, Role.MEMBER, "undo"),
]


@pytest.mark.parametrize(("action", "role", "operation"), LOOSENED)
async def test_a_policy_that_is_loosened_fails_the_matrix(
    house: House, monkeypatch: pytest.MonkeyPatch, action: Action, role: Role, operation: str
) -> None:
    case, people = CASES[operation], await cast(house)
    monkeypatch.setitem(policy._TABLE[action], role, int(Relation.UNRELATED))
    assert await _answers(people, case) != dict(case.verdicts)


async def test_a_deactivated_account_is_nobody(house: House) -> None:
    people = await cast(house)
    member = people["unrelated"]
    assert (await people["admin"].post(f"/users/{member.id}/deactivate")).status_code == 200
    for _ in range(2):
        answer = await member.get("/tasks")
        assert (answer.status_code, answer.json()["code"]) in ((401, "auth.deactivated"), (401, "auth.session_revoked"))
