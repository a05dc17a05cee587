"""Workflows over HTTP and sockets: made, chosen, previewed, changed; and the moves that they allow."""

import asyncio
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx

from api.workflows import REVIEWED, WITHOUT_REVIEW
from tests.house import Client, House, position_of, refused

Document = dict[str, Any]


def altered(**fields: Any) -> Document:
    """The workflow of the examples, with some members replaced."""
    return {**REVIEWED, **fields}


def plain() -> Document:
    """The same without a review, and nobody says where its tasks go."""
    return {**deepcopy(WITHOUT_REVIEW), "mapping": {}}


async def made(client: Client, body: Document = REVIEWED) -> Document:
    response = await client.post("/workflows", body)
    assert response.status_code == 201, response.text
    workflow: Document = response.json()
    return workflow


async def project(client: Client, workflow_id: str | None, key: str = "APP", **members: str) -> str:
    """A project that lives by a workflow; its id."""
    begun = await client.post("/projects", {"name": "Application", "key": key})
    path = f"/projects/{begun.json()['id']}"
    for user_id, role in members.items():
        assert (await client.call("PUT", f"{path}/members/{user_id}", {"role": role})).is_success
    assert (await client.call("PUT", f"{path}/workflow", {"workflow_id": workflow_id})).is_success
    return str(begun.json()["id"])


async def move(client: Client, task: Document, name: str, reason: str | None = None) -> httpx.Response:
    return await client.post(f"/tasks/{task['id']}/moves", {"move": name, "reason": reason})


async def test_a_workflow_is_made_read_and_changed(house: House) -> None:
    ada, bob = [await house.user() for _ in range(2)]
    response = await ada.post("/workflows", REVIEWED)
    workflow = response.json()
    path = f"/workflows/{workflow['id']}"
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/v1{path}")
    assert [status["limit"] for status in workflow["statuses"]] == [None, 5, None, None, None]
    assert workflow["moves"][0] == {
        "name": "start", "from": ["todo"], "to": "doing", "who": [], "requires": ["assignee"],
    }  # fmt: skip
    read = await bob.get(path, min_position=position_of(response))
    assert (read.json(), read.headers["ETag"]) == (workflow, '"1"')
    page = (await bob.get("/workflows")).json()
    assert page["items"] == [workflow]
    assert (page["standard"]["initial"], len(page["standard"]["moves"])) == ("todo", 5)
    changed = await ada.call("PUT", path, plain(), if_match='"1"')
    assert (changed.json()["name"], len(changed.json()["statuses"])) == ("Plain", 4)
    refused(await ada.call("PUT", path, REVIEWED, if_match='"1"'), 412, "precondition.failed")
    same = await ada.call("PUT", path, plain())
    assert (same.headers["ETag"], position_of(same)) == ('"2"', position_of(changed))
    refused(await bob.post("/workflows", REVIEWED), 403, "auth.forbidden")
    refused(await bob.call("PUT", path, REVIEWED), 403, "auth.forbidden")
    for nothing in (await ada.get(f"/workflows/{uuid4()}"), await ada.call("PUT", f"/workflows/{uuid4()}", REVIEWED)):
        refused(nothing, 404, "workflow.not_found")
    for _ in range(3):
        latest = await ada.post("/workflows", REVIEWED)
    found = await bob.items("/workflows", limit=1, min_position=position_of(latest))
    assert [item["id"] for item in found] == sorted(item["id"] for item in found)
    assert len(found) == 4


WRONG: list[tuple[Document, str, str]] = [
    (altered(initial="nowhere"), "workflow.invalid", "/initial"),
    (
        altered(statuses=[*REVIEWED["statuses"], {"name": "lost", "category": "open"}]),
        "workflow.invalid",
        "/statuses/5",
    ),
    (altered(moves=REVIEWED["moves"][:3]), "workflow.invalid", "/statuses/0"),
    (
        altered(moves=[*REVIEWED["moves"], {"name": "x", "from": ["todo"], "to": "y"}]),
        "workflow.invalid",
        "/moves/6/to",
    ),
    (altered(statuses=[]), "request.invalid", "/statuses"),
    (altered(statuses=[{"name": "todo", "category": "later"}]), "request.invalid", "/statuses/0/category"),
    (altered(statuses=[{"name": "todo", "category": "open", "limit": 0}]), "request.invalid", "/statuses/0/limit"),
    (
        altered(moves=[{"name": "x", "from": ["todo"], "to": "done", "who": ["all"]}]),
        "request.invalid",
        "/moves/0/who/0",
    ),
    (altered(more=1), "request.invalid", "/more"),
    (altered(name="a\u0000b"), "value.character", "/name"),
]


async def test_what_is_wrong_with_a_workflow_is_pointed_at_and_nothing_is_written(house: House) -> None:
    ada = await house.user()
    head = await house.head()
    for body, code, pointer in WRONG:
        problem = refused(await ada.post("/workflows", body), 422, code)
        assert pointer in [error["pointer"] for error in problem["errors"]]
    deep = "[" * 30_000
    for path in ("/workflows", f"/workflows/{uuid4()}/preview"):
        answer = await house.http.post(path, content=deep, headers={**ada.headers, "content-type": "application/json"})
        refused(answer, 400, "request.malformed")
    assert await house.head() == head


async def test_a_task_lives_by_the_workflow_of_its_project(house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    workflow = await made(ada)
    project_id = await project(bob, workflow["id"], **{eve.id: "editor"})
    task = await eve.task("write", project_id=project_id)
    path = f"/tasks/{task['id']}"
    illegal = refused(await move(eve, task, "submit"), 409, "task.illegal_move")
    assert (illegal["current_status"], illegal["allowed"]) == ("todo", ["cancel", "start"])
    missing = refused(await eve.post(f"{path}/start"), 409, "task.move_requires")
    assert missing["missing"] == ["assignee"]
    await eve.post(f"{path}/assign", {"user_id": eve.id})
    started = await eve.post(f"{path}/start")
    assert (started.json()["status"], started.json()["category"]) == ("doing", "active")
    assert (await move(eve, task, "submit")).json()["status"] == "review"
    others = refused(await eve.post(f"{path}/complete"), 403, "task.move_not_allowed")
    assert others["who"] == ["lead"]
    options = (await eve.get(f"{path}/moves")).json()
    listed = {item["move"]: item["why_not"] and item["why_not"]["code"] for item in options["items"]}
    assert listed == {"cancel": None, "complete": "task.move_not_allowed", "reject": None}
    assert (options["status"], options["version"]) == ("review", 4)
    done = await bob.post(f"{path}/complete")
    assert (done.json()["status"], done.json()["completed_at"] is not None) == ("done", True)
    types = [item["type"] for item in await eve.items(f"{path}/history")]
    assert types == ["task.created", "task.assigned", "task.started", "task.moved", "task.completed"]
    refused(await (await house.user()).get(f"{path}/moves"), 404, "task.not_found")
    outside = await eve.task("outside")
    assert [item["move"] for item in (await eve.get(f"/tasks/{outside['id']}/moves")).json()["items"]] == [
        "cancel",
        "complete",
        "start",
    ]


async def test_a_limit_holds_when_fifty_come_at_once(house: House) -> None:
    ada, bob = [await house.user() for _ in range(2)]
    moves = [{**rule, "requires": []} for rule in REVIEWED["moves"]]
    project_id = await project(ada, (await made(ada, altered(moves=moves)))["id"], **{bob.id: "editor"})
    tasks = [await ada.task(f"task {n}", project_id=project_id) for n in range(50)]
    answers = await asyncio.gather(*[move((ada, bob)[n % 2], task, "start") for n, task in enumerate(tasks)])
    refusals = [answer for answer in answers if not answer.is_success]
    assert len(answers) - len(refusals) == 5
    for answer in refusals:
        problem = refused(answer, 409, "workflow.limit_reached")
        assert (problem["to"], problem["limit"], problem["count"]) == ("doing", 5, 5)
    doing = await ada.items("/tasks", status="doing", min_position=await house.head())
    assert len(doing) == 5


async def test_a_change_is_previewed_and_maps_the_tasks_before_everybodys_eyes(house: House) -> None:
    ada, bob = [await house.user() for _ in range(2)]
    workflow = await made(ada, altered(moves=[{**rule, "requires": [], "who": []} for rule in REVIEWED["moves"]]))
    path = f"/workflows/{workflow['id']}"
    project_id = await project(bob, workflow["id"])
    tasks = [await bob.task(f"task {n}", project_id=project_id) for n in range(6)]
    for task in tasks:
        for name in ("start", "submit"):
            assert (await move(bob, task, name)).is_success
    await bob.call("DELETE", f"/tasks/{tasks[-1]['id']}")
    unsaid = (await ada.post(f"{path}/preview", plain())).json()
    assert (unsaid["tasks"], unsaid["why_not"]["code"]) == (5, "workflow.mapping_missing")
    refused(await ada.call("PUT", path, plain()), 409, "workflow.mapping_missing")
    narrow = plain()
    narrow["statuses"][1] = {"name": "doing", "category": "active", "limit": 2}
    narrow["mapping"] = {"review": "doing"}
    head = await house.head()
    preview = await ada.post(f"{path}/preview", narrow)
    assert preview.json() == {
        "tasks": 5,
        "moving": [{"project_id": project_id, "status": "review", "to": "doing", "tasks": 5}],
        "crowded": [{"project_id": project_id, "status": "doing", "limit": 2, "count": 5}],
        "why_not": None,
    }
    assert (position_of(preview), await house.head()) == (head, head)
    async with bob.socket() as socket:
        await socket.receive()
        changed = await ada.call("PUT", path, narrow)
        frames = await socket.changes(position_of(changed))
    assert {frame["task_id"]: frame["task"]["status"] for frame in frames} == {
        task["id"]: "doing" for task in tasks[:-1]
    }
    assert len(await bob.items("/tasks", status="doing", min_position=position_of(changed))) == 5
    refused(await bob.post(f"/tasks/{tasks[-1]['id']}/restore"), 409, "workflow.limit_reached")
    assert (await bob.post(f"/tasks/{tasks[0]['id']}/cancel")).json()["status"] == "dropped"


async def test_a_project_names_its_workflow_and_readers_see_their_own_projects_there(house: House) -> None:
    ada, bob, eve = [await house.user() for _ in range(3)]
    workflow = await made(ada)
    mine = await project(bob, workflow["id"])
    theirs = await project(ada, workflow["id"], "VEN")
    head = await house.head()
    for who, seen in ((ada, [mine, theirs]), (bob, [mine]), (eve, [])):
        read = (await who.get(f"/workflows/{workflow['id']}", min_position=head)).json()
        assert read["projects"] == seen
    assert (await bob.get(f"/projects/{mine}", min_position=head)).json()["workflow_id"] == workflow["id"]
    await bob.task("write", project_id=mine)
    path = f"/projects/{mine}/workflow"
    back = await bob.call("PUT", path, {"workflow_id": None})
    assert back.json()["workflow_id"] is None
    refused(await bob.call("PUT", path, {}), 422, "request.invalid")
    unknown = refused(await bob.call("PUT", path, {"workflow_id": str(uuid4())}), 422, "workflow.not_found")
    assert unknown["errors"][0]["pointer"] == "/workflow_id"
    mapped = await bob.call("PUT", path, {"workflow_id": workflow["id"], "mapping": {"todo": "doing"}})
    assert refused(mapped, 422, "workflow.mapping")["errors"][0]["pointer"] == "/mapping/todo"
    refused(await bob.call("PUT", f"/projects/{theirs}/workflow", {"workflow_id": None}), 404, "project.not_found")


async def test_the_examples_of_the_documentation_run_as_they_stand(house: House) -> None:
    ada = await house.user()
    schemas = (await house.http.get(f"{house.base}/openapi.json")).json()["components"]["schemas"]
    new, change, choice = [schemas[f"Workflow{name}"]["examples"][0] for name in ("Body", "Change", "Choice")]
    workflow = await made(ada, new)
    project_id = await project(ada, None)
    choice["workflow_id"] = workflow["id"]  # an id is all that cannot stand in a document
    preview = await ada.post(f"/workflows/{workflow['id']}/preview", change)
    assert (preview.status_code, preview.json()["why_not"]) == (200, None)
    for path, body in ((f"/projects/{project_id}/workflow", choice), (f"/workflows/{workflow['id']}", change)):
        answer = await ada.call("PUT", path, body)
        assert answer.status_code == 200, answer.text
