"""Templates, with real servers: written, changed, read by version, and made into tasks."""

from typing import Any

import pytest
from psycopg import AsyncConnection

from api.templates import ONBOARDING
from domain.template_check import TASKS_MAX
from tests.house import Client, House, position_of, refused

SAID: dict[str, Any] = {"variables": {"who": "Eve", "first_day": "2027-02-01"}, "roles": {"office": None}}


async def template(client: Client, body: dict[str, Any] = ONBOARDING) -> str:
    made = await client.post("/templates", body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def tasks(*refs: str, **fields: Any) -> dict[str, Any]:
    return {"name": "Any", "tasks": [{"ref": ref, "title": f"write {ref}", **fields} for ref in refs]}


async def count(house: House) -> int:
    """How many events there are."""
    async with house.pool.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM events")).fetchone()
    return int(row[0]) if row else 0


async def test_a_template_is_read_as_it_was_written(house: House) -> None:
    admin = await house.user()
    made = await admin.post("/templates", ONBOARDING)
    template = made.json()
    assert made.headers["Location"] == f"/api/v1/templates/{template['id']}"
    assert made.headers["ETag"] == '"1"'
    read = await admin.get(f"/templates/{template['id']}", min_position=position_of(made))
    assert read.json() == template
    assert read.headers["ETag"] == '"1"'
    assert template["roles"] == ["office"]
    assert [task["title"] for task in template["tasks"]] == [task["title"] for task in ONBOARDING["tasks"]]
    assert template["tasks"][1]["due"] == {"offset": "-5bd", "time": "12:00", "anchor": "first_day"}
    assert template["variables"][2] == {"name": "laptops", "kind": "number", "required": False, "default": 1}
    again = {key: template[key] for key in ("name", "description", "variables", "tasks")}
    put = await admin.call("PUT", f"/templates/{template['id']}", again)
    assert (put.status_code, put.headers["ETag"]) == (200, '"1"')  # what is answered is taken, and changes nothing


async def test_the_list_shows_templates_in_a_few_words_by_pages(house: House) -> None:
    admin = await house.user()
    ids = [await template(admin, tasks("a")), await template(admin)]
    gone = await template(admin, tasks("b"))
    deleted = await admin.call("DELETE", f"/templates/{gone}")
    first = await admin.get("/templates", min_position=position_of(deleted), limit=1)
    then = await admin.get("/templates", limit=1, cursor=first.json()["next_cursor"])
    items = [*first.json()["items"], *then.json()["items"]]
    assert [item["id"] for item in items] == ids
    assert [item["tasks"] for item in items] == [1, 3]
    assert then.json()["next_cursor"] is None
    refused(await admin.get(f"/templates/{gone}"), 404, "template.not_found")
    refused(await admin.get(f"/templates/{gone}/versions"), 404, "template.not_found")


async def test_every_version_can_be_read_and_made_into_tasks(house: House) -> None:
    admin = await house.user()
    id_ = await template(admin)
    changed = await admin.call("PATCH", f"/templates/{id_}", tasks("new") | {"variables": []}, if_match='"1"')
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    stale = await admin.call("PATCH", f"/templates/{id_}", {"name": "x"}, if_match='"1"')
    assert refused(stale, 412, "precondition.failed")["current_version"] == 2
    listed = await admin.get(f"/templates/{id_}/versions", min_position=position_of(changed))
    assert [(item["version"], item["name"], item["tasks"]) for item in listed.json()["items"]] == [
        (2, "Any", 1),
        (1, "Onboarding", 3),
    ]
    assert {item["saved_by"] for item in listed.json()["items"]} == {admin.id}
    page = await admin.get(f"/templates/{id_}/versions", limit=1)
    rest = await admin.get(f"/templates/{id_}/versions", limit=1, cursor=page.json()["next_cursor"])
    assert [item["version"] for item in rest.json()["items"]] == [1]
    first = await admin.get(f"/templates/{id_}/versions/1")
    assert (first.json()["name"], first.json()["roles"]) == ("Onboarding", ["office"])
    made = await admin.post(f"/templates/{id_}/instantiate", SAID | {"version": 1})
    assert (made.status_code, made.json()["template_version"]) == (201, 1)
    assert set(made.json()["tasks"]) == {"all", "laptop", "accounts"}
    latest = await admin.post(f"/templates/{id_}/instantiate", {})
    assert latest.json()["template_version"] == 2
    for version in (3, 2**31 - 1):
        refused(await admin.get(f"/templates/{id_}/versions/{version}"), 404, "template.version_not_found")
        answer = await admin.post(f"/templates/{id_}/instantiate", {"version": version})
        refused(answer, 404, "template.version_not_found")


async def test_the_tasks_that_are_made_are_tasks_like_any(house: House) -> None:
    admin, eve = await house.user(), await house.user()
    project = (await admin.post("/projects", {"name": "New people", "key": "NEW"})).json()["id"]
    assert (await admin.call("PUT", f"/projects/{project}/members/{eve.id}", {"role": "viewer"})).is_success
    id_ = await template(admin)
    wish = SAID | {"roles": {"office": {"id": eve.id}}, "zone": "Europe/Berlin", "project_id": project}
    made = await admin.post(f"/templates/{id_}/instantiate", wish)
    answer, position = made.json(), position_of(made)
    assert made.headers["Location"] == f"/api/v1/tasks/{answer['tasks']['all']}"
    listed = (await eve.get("/tasks", project_id=project, min_position=position, sort="created_at")).json()["items"]
    assert {task["id"] for task in listed} == set(answer["tasks"].values())
    [root] = answer["roots"]
    read = (await admin.get(f"/tasks/{root['id']}")).json()
    assert read == root
    assert (root["title"], root["key"], root["due_on"], root["due_zone"]) == (
        *("Welcome Eve", "NEW-1", "2027-02-08", "Europe/Berlin"),
    )
    laptop = (await eve.get(f"/tasks/{answer['tasks']['laptop']}")).json()
    assert (laptop["title"], laptop["due_at"]) == ("Order 1 laptop for Eve", "2027-01-25T11:00:00.000000Z")
    assert laptop["assignee"] == {"type": "user", "id": eve.id}
    checklist = (await eve.get(f"/tasks/{laptop['id']}/checklist")).json()["items"]
    assert [item["text"] for item in checklist] == ["Ask Eve for a model", "Order it"]
    blocked = await admin.post(f"/tasks/{answer['tasks']['accounts']}/start")
    refused(blocked, 409, "task.blocked")
    told = (await eve.get("/notifications", min_position=position)).json()["items"]
    assert {item["task_id"] for item in told} >= {laptop["id"], answer["tasks"]["accounts"]}


async def test_a_retry_with_the_same_key_answers_what_the_first_one_answered(house: House) -> None:
    admin = await house.user()
    path = f"/templates/{await template(admin)}/instantiate"
    first = await admin.post(path, SAID, idempotency_key="one")
    assert (await admin.post(f"/tasks/{first.json()['tasks']['all']}/cancel", {"close_subtasks": True})).is_success
    before = await count(house)
    again = await admin.post(path, SAID, idempotency_key="one")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert await count(house) == before
    other = await admin.post(path, SAID | {"start": "2027-01-04"}, idempotency_key="one")
    refused(other, 422, "idempotency.key_reused")


async def test_what_one_task_is_refused_for_writes_nothing_of_any(house: House) -> None:
    admin = await house.user()
    member, stranger = await house.user(), await house.user()
    body = tasks("a", "b", "c")
    body["tasks"][2]["assignee"] = {"role": "last"}
    path = f"/templates/{await template(admin, body)}/instantiate"
    before = await count(house)
    problem = refused(await member.post(path, {"roles": {"last": {"id": stranger.id}}}), 403, "assignee.not_allowed")
    assert problem["ref"] == "c"
    nobody = await member.post(path, {"roles": {"last": {"id": "019c2f3e-0000-7000-8000-0000000000ff"}}})
    assert refused(nobody, 422, "assignee.not_found")["errors"][0]["pointer"] == "/roles/last/id"
    assert await count(house) == before
    assert (await member.post(path, {"roles": {"last": {"id": member.id}}})).status_code == 201


async def test_a_dry_run_shows_what_is_then_made_and_writes_nothing(house: House) -> None:
    admin = await house.user()
    project = (await admin.post("/projects", {"name": "New people", "key": "DRY"})).json()["id"]
    path = f"/templates/{await template(admin)}/instantiate"
    wish = SAID | {"project_id": project, "zone": "Asia/Tokyo"}
    before = await count(house)
    shown = await admin.post(path, wish | {"dry_run": True}, idempotency_key="akey")
    assert (shown.status_code, shown.headers["Taskfold-Position"]) == (200, str(before))
    assert await count(house) == before
    made = await admin.post(path, wish, idempotency_key="akey")
    assert (made.status_code, await count(house)) == (201, before + shown.json()["events"])
    for task in shown.json()["tasks"]:
        is_now = (await admin.get(f"/tasks/{made.json()['tasks'][task['ref']]}")).json()
        same = ("key", "title", "description", "status", "priority", "due_at", "due_on", "due_zone", "tags", "assignee")
        assert {name: task[name] for name in same} == {name: is_now[name] for name in same}
    refused(await admin.post(path, {"dry_run": True}), 422, "template.variable_missing")


async def test_as_many_tasks_as_may_be_are_made_in_one_append(house: House) -> None:
    admin = await house.user()
    body = tasks(*(f"t{n}" for n in range(TASKS_MAX)), checklist=["one"])
    for n, task in enumerate(body["tasks"][1:], 1):
        task["parent"] = f"t{n // 4}"
    path = f"/templates/{await template(admin, body)}/instantiate"
    before = await count(house)
    made = await admin.post(path, {})
    assert (made.status_code, len(made.json()["tasks"])) == (201, TASKS_MAX)
    after = await count(house)
    assert after == before + 1 + 3 * TASKS_MAX - 1  # of each the creation, an item, and its parent's knowing of it
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(DISTINCT (recorded_at, meta->>'causation_id')) FROM events WHERE position > %s", (before,)
        )
        assert await cursor.fetchone() == (1,)
    tree = await admin.get(f"/tasks/{made.json()['tasks']['t0']}/subtasks", min_position=position_of(made))
    assert tree.json()["progress"]["total"] == TASKS_MAX - 1


async def test_the_zone_of_whoever_asks_is_where_days_are(house: House) -> None:
    admin = await house.user()
    profile = {"display_name": "Ada", "time_zone": "Pacific/Auckland"}
    assert (await admin.call("PUT", "/users/profile", profile)).is_success
    path = f"/templates/{await template(admin, tasks('a', due={'offset': '+1d', 'time': '09:00'}))}/instantiate"
    made = await admin.post(path, {"start": "2027-01-04T12:00:00Z"})  # the fifth, in Auckland
    [root] = made.json()["roots"]
    assert (root["due_at"], root["due_zone"]) == ("2027-01-05T20:00:00.000000Z", "Pacific/Auckland")


async def test_a_template_of_a_task_makes_that_task_again(house: House) -> None:
    admin = await house.user()
    root = await admin.task("Plan {{it}}", due_at="2027-01-08T16:00:00Z", tags=["q1"], estimate_minutes=90)
    first = (await admin.post(f"/tasks/{root['id']}/subtasks", {"title": "first"})).json()
    second = (
        await admin.post(
            f"/tasks/{root['id']}/subtasks", {"title": "second", "due_on": "2027-01-06", "due_zone": "UTC"}
        )
    ).json()
    link = {"type": "blocked_by", "task_id": first["id"]}
    assert (await admin.post(f"/tasks/{second['id']}/dependencies", link)).is_success
    assert (await admin.post(f"/tasks/{first['id']}/checklist", {"text": "look"})).is_success
    made = await admin.post(f"/tasks/{root['id']}/template", {"name": "Plans"})
    assert made.status_code == 201, made.text
    template = made.json()
    assert made.headers["Location"] == f"/api/v1/templates/{template['id']}"
    assert [task["due"] for task in template["tasks"]] == [
        {"offset": "+2d", "time": "16:00", "anchor": None},
        None,
        {"offset": "+0d", "time": None, "anchor": None},
    ]
    again = (await admin.post(f"/templates/{template['id']}/instantiate", {"start": "2027-02-01"})).json()
    [copy] = again["roots"]
    assert {name: copy[name] for name in ("title", "tags", "estimate_minutes", "due_at")} == {
        "title": "Plan {{it}}",
        "tags": ["q1"],
        "estimate_minutes": 90,
        "due_at": "2027-02-03T16:00:00.000000Z",
    }
    later = (await admin.get(f"/tasks/{again['tasks']['t3']}")).json()
    assert (later["title"], later["due_on"]) == ("second", "2027-02-01")
    assert later["links"] == [{"type": "blocked_by", "task_id": again["tasks"]["t2"], "closed": False}]
    checklist = (await admin.get(f"/tasks/{again['tasks']['t2']}/checklist")).json()
    assert [item["text"] for item in checklist["items"]] == ["look"]


async def test_what_a_version_said_can_be_erased_and_the_others_go_on(house: House) -> None:
    admin = await house.user()
    made = await admin.post("/templates", tasks("a"))
    path = f"/templates/{made.json()['id']}"
    changed = await admin.call("PATCH", path, {"name": "New"})
    async with await AsyncConnection.connect(house.owner_url) as connection:
        await connection.execute(
            "SELECT erase(workspace_id, position, 'asked to be forgotten') FROM events WHERE position = %s",
            (position_of(made),),
        )
    refused(await admin.get(f"{path}/versions/1", min_position=position_of(changed)), 404, "template.version_not_found")
    refused(await admin.post(f"{path}/instantiate", {"version": 1}), 404, "template.version_not_found")
    listed = (await admin.get(f"{path}/versions")).json()["items"]
    assert [(item["version"], item["name"], item["tasks"]) for item in listed] == [(2, "New", 1), (1, None, 0)]
    assert (await admin.post(f"{path}/instantiate", {})).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/tasks"),
        ({"name": "x", "tasks": []}, "/tasks"),
        (tasks("a") | {"variables": [{"name": "x", "default": True}]}, "/variables/0/default"),
        (tasks("a", due={"offset": "tomorrow"}), "/tasks/0/due/offset"),
        (tasks("a", due={"offset": "+1d", "time": "25:00"}), "/tasks/0/due/time"),
        (tasks("a", assignee={"role": "x", "id": "019c2f3e-0000-7000-8000-0000000000ff"}), "/tasks/0/assignee"),
        (tasks("a", id="x"), "/tasks/0/id"),
    ],
)
async def test_what_is_no_template_is_refused_with_its_place(house: House, body: dict[str, Any], pointer: str) -> None:
    admin = await house.user()
    problem = refused(await admin.post("/templates", body), 422, "request.invalid")
    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem["errors"]
