"""`POST /undo`: what one command did is taken back, by whom that may be, and what stands in the way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection

from commands import undoing
from tests.api.test_personal_tokens import made
from tests.house import Client, House, position_of, refused


async def undone(client: Client, position: int, **more: Any) -> dict[str, Any]:
    answer = await client.post("/undo", {"position": position, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def types(found: dict[str, Any], of: str) -> list[str]:
    return [event["type"] for event in found[of]]


async def test_an_edit_is_taken_back_and_done_again(house: House) -> None:
    ada = await house.user()
    task = await ada.task("before", tags=["a"])
    path = f"/tasks/{task['id']}"
    edited = await ada.call("PATCH", path, {"title": "after", "tags": ["b"], "priority": "high"})
    answer = await ada.post("/undo", {"position": position_of(edited)})
    found = answer.json()
    assert (types(found, "undone"), types(found, "written")) == (["task.edited"], ["task.edited"])
    assert [event["position"] for event in found["written"]] == [position_of(answer)]
    stays = {field: found["task"][field] for field in ("version", "position", "updated_at")}
    assert found["task"] == {**task, **stays}
    assert (await ada.get(path)).json() == found["task"]
    assert (answer.headers["ETag"], found["task"]["version"]) == ('"3"', 3)
    again = await undone(ada, position_of(answer))
    assert (again["task"]["title"], again["task"]["tags"], again["task"]["priority"]) == ("after", ["b"], "high")
    listed = await ada.items("/tasks", min_position=again["task"]["position"])
    assert listed == [again["task"]]


async def test_any_position_of_a_command_stands_for_all_of_it(house: House) -> None:
    """Here the last event is of the board of the project, and the first one of the parent."""
    ada = await house.user()
    project = (await ada.post("/projects", {"name": "application", "key": "APP"})).json()["id"]
    root = await ada.task(project_id=project)
    part = (await ada.post(f"/tasks/{root['id']}/subtasks", {"title": "a part"})).json()
    await ada.post(f"/tasks/{part['id']}/start")
    closed = await ada.post(f"/tasks/{root['id']}/complete", {"close_subtasks": True})
    last = position_of(closed)
    previews = [await undone(ada, last - n, dry_run=True) for n in range(6)]
    assert len({str(found["written"]) for found in previews}) == 1
    assert (await ada.get(f"/tasks/{root['id']}")).json() == closed.json()
    found = await undone(ada, last)
    assert {event["position"] for event in found["undone"]} >= set(range(last - 5, last + 1))
    assert types(found, "written") == types(previews[0], "written")
    assert {event["position"] for event in previews[0]["written"]} == {None}
    assert (found["task"]["id"], found["task"]["status"], found["task"]["completed_at"]) == (root["id"], "todo", None)
    assert (await ada.get(f"/tasks/{part['id']}")).json()["status"] == "in_progress"
    assert found["task"]["subtasks"] == [{"id": part["id"], "closed": False}]


async def test_a_move_that_is_taken_back_leaves_the_task_done_since_when_it_was(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    done = (await ada.post(f"/tasks/{task['id']}/complete")).json()
    reopened = await ada.post(f"/tasks/{task['id']}/reopen")
    found = await undone(ada, position_of(reopened))
    assert types(found, "written") == ["task.status_restored"]
    assert (found["task"]["status"], found["task"]["completed_at"]) == ("done", done["completed_at"])
    [row] = await ada.items("/tasks", min_position=found["task"]["position"])
    assert row == found["task"]
    history = (await ada.get(f"/tasks/{task['id']}/history")).json()["items"]
    assert history[-1]["changes"]["status"] == {"from": "todo", "to": "done"}


async def test_what_changed_since_is_named_with_who_and_where(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}"
    edited = await ada.call("PATCH", path, {"title": "mine", "priority": "high"})
    later = await bob.call("PATCH", path, {"title": "his", "description": "and this"})
    problem = refused(await ada.post("/undo", {"position": position_of(edited)}), 409, "undo.changed_since")
    assert (problem["event_position"], problem["fields"]) == (position_of(edited), ["title"])
    [changed] = problem["changed"]
    event = (await ada.get(f"{path}/history")).json()["items"][-1]
    expected = {"field": "title", "by": bob.id, "version": 4, "position": position_of(later)}
    assert changed == expected | {"at": event["recorded_at"]}
    refused(await ada.post("/undo", {"position": position_of(edited), "dry_run": True}), 409, "undo.changed_since")
    await undone(bob, position_of(later))
    assert (await undone(ada, position_of(edited)))["task"]["title"] == task["title"]


async def test_a_retry_with_the_same_key_answers_the_same_and_does_nothing_more(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    edited = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "after"})
    body = {"position": position_of(edited)}
    answers = await asyncio.gather(*(ada.post("/undo", body, idempotency_key="u") for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 4
    await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "later"})
    late = await ada.post("/undo", body, idempotency_key="u")
    assert (late.text, late.headers["Idempotency-Replayed"]) == (answers[0].text, "true")
    refused(await ada.post("/undo", {"position": 1}, idempotency_key="u"), 422, "idempotency.key_reused")
    stale = await ada.post("/undo", {"position": position_of(edited)}, if_match='"1"')
    assert refused(stale, 412, "precondition.failed")["current_version"] == 4


async def test_what_is_too_old_stays_and_a_known_key_is_answered_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.user()
    task = await ada.task()
    edited = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "after"})
    body = {"position": position_of(edited)}
    done = await ada.post("/undo", body, idempotency_key="u")
    monkeypatch.setattr(undoing, "timedelta", lambda days: timedelta(days=days - 30))
    problem = refused(await ada.post("/undo", {"position": position_of(done)}), 409, "undo.too_old")
    assert problem["days"] == 30
    assert problem["recorded_at"] == done.json()["task"]["updated_at"]
    assert (await ada.post("/undo", body, idempotency_key="u")).text == done.text


async def test_what_nobody_can_take_back_says_why(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    changed = await ada.call("PUT", "/users/profile", {"display_name": "Countess"})
    problem = refused(await ada.post("/undo", {"position": position_of(changed)}), 409, "undo.impossible")
    assert [event["type"] for event in problem["events"]] == ["user.profile_changed"]
    assert problem["events"][0]["why"]
    task = await ada.task()
    edited = await ada.call("PATCH", f"/tasks/{task['id']}", {"description": "forget this"})
    async with await AsyncConnection.connect(house.owner_url) as owner:
        await owner.execute("SELECT erase(workspace_id, %s, 'asked') FROM workspaces", (position_of(edited),))
    house.services.streams.clear()
    problem = refused(await ada.post("/undo", {"position": position_of(edited)}), 409, "undo.erased")
    assert problem["positions"] == [position_of(edited)]
    joined = (await bob.get("/users/profile")).json()
    refused(await bob.post("/undo", {"position": joined["version"]}), 403, "auth.forbidden")


async def test_no_position_and_one_that_is_not_to_be_seen_are_one_answer(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task()
    bare = []
    for position in (task["position"], await house.head() + 1_000, 2**53 - 1):
        problem = refused(await bob.post("/undo", {"position": position}), 404, "undo.not_found")
        bare.append({name: value for name, value in problem.items() if name != "request_id"})
    assert bare[0] == bare[1] == bare[2]
    for wrong in (0, -1, 2**53, "1", 1.5, None):
        refused(await ada.post("/undo", {"position": wrong}), 422, "request.invalid")
    refused(await ada.post("/undo", {}), 422, "request.invalid")
    await ada.post(f"/users/{bob.id}/deactivate")
    assert (await bob.post("/undo", {"position": 2**53 - 1})).status_code == 401


async def test_who_lost_sight_of_what_they_did_finds_nothing_to_take_back(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    given = await bob.post(f"/tasks/{task['id']}/assign", {"user_id": bob.id})
    started = await bob.post(f"/tasks/{task['id']}/start")
    assert given.status_code == 200
    await ada.post(f"/tasks/{task['id']}/unassign")
    refused(await bob.post("/undo", {"position": position_of(started)}), 404, "undo.not_found")
    assert (await undone(ada, position_of(started)))["task"]["status"] == "todo"


async def test_a_comment_says_again_what_it_said(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}/comments"
    posted = await bob.post(path, {"body": f"a walrus, @{{{ada.id}}}"})
    comment = f"{path}/{posted.json()['id']}"
    edited = await bob.call("PATCH", comment, {"body": "an oyster"})
    deleted = await bob.call("DELETE", comment)
    back = await undone(ada, position_of(deleted))
    assert (types(back, "written"), back["task"]) == (["comment.restored"], None)
    assert (await ada.get(comment)).json()["body"] == "an oyster"
    first = await undone(bob, position_of(edited))
    shown = (await ada.get(comment)).json()
    was = posted.json()
    assert shown == {
        **was,
        "version": 5,
        "position": first["written"][0]["position"],
        "updated_at": shown["updated_at"],
    }
    assert await ada.items(path, min_position=shown["position"]) == [shown]
    found = await ada.items("/tasks/search", q="walrus", min_position=shown["position"])
    assert [row["id"] for row in found] == [task["id"]]


async def test_a_file_is_there_again_with_its_bytes(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}/attachments"
    put = await house.http.post(path, files={"file": ("a.txt", b"the bytes")}, headers=ada.headers)
    own = f"{path}/{put.json()['id']}"
    removed = await ada.call("DELETE", own)
    refused(await ada.get(f"{own}/content"), 404, "attachment.not_found")
    found = await undone(ada, position_of(removed))
    assert types(found, "written") == ["attachment.added"]
    assert (await ada.get(f"{own}/content")).content == b"the bytes"
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT position, due_at = 'infinity' FROM blobs")
        assert await cursor.fetchall() == [(found["written"][0]["position"], True)]
    gone = await undone(ada, found["written"][0]["position"])
    assert types(gone, "written") == ["attachment.removed"]
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT due_at - clock_timestamp() FROM blobs")
        row = await cursor.fetchone()
        assert row is not None
        assert timedelta(days=29) < row[0] < timedelta(days=31)
        await connection.execute("DELETE FROM blobs")
    problem = refused(await ada.post("/undo", {"position": gone["written"][0]["position"]}), 409, "undo.depends")
    assert "bytes" in problem["detail"]


async def test_taking_a_reactivation_back_ends_the_sessions(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    off = await ada.post(f"/users/{bob.id}/deactivate")
    found = await undone(ada, position_of(off))
    assert types(found, "written") == ["user.reactivated"]
    body = {"email": bob.tokens["user"]["email"], "password": "correct horse"}
    logged_in = (await house.http.post("/auth/login", json=body)).json()
    again = Client(bob.http, logged_in, bob.base)
    assert (await again.get("/users/profile")).status_code == 200
    found = await undone(ada, found["written"][0]["position"])
    assert types(found, "written") == ["user.deactivated"]
    async with house.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM sessions WHERE user_id = %s AND revoked_at IS NULL", (bob.id,)
        )
        assert await cursor.fetchone() == (0,)


async def test_an_invite_that_is_taken_back_lets_nobody_in(house: House) -> None:
    ada = await house.user()
    invited = await ada.post("/users/invites", {"email": "eve@example.com", "role": "member"})
    await undone(ada, position_of(invited))
    assert (await ada.get("/users/invites")).json()["items"] == []
    assert (await ada.post("/users/invites", {"email": "eve@example.com", "role": "member"})).status_code == 201


async def test_a_project_that_was_deleted_is_there_again_with_its_members(house: House) -> None:
    await house.user()
    ada, bob = await house.user(), await house.user()
    project = (await ada.post("/projects", {"name": "application", "key": "APP"})).json()
    path = f"/projects/{project['id']}"
    added = await ada.call("PUT", f"{path}/members/{bob.id}", {"role": "viewer"})
    before = (await ada.get(path, min_position=position_of(added))).json()
    deleted = await ada.call("DELETE", path)
    refused(await bob.post("/undo", {"position": position_of(deleted)}), 404, "undo.not_found")
    found = await undone(ada, position_of(deleted))
    last = found["written"][-1]["position"]
    after = (await ada.get(path, min_position=last)).json()
    stays = ("version", "position", "updated_at")
    assert {**after, **{name: before[name] for name in stays}} == before
    assert (await bob.get(path)).status_code == 200
    assert (await ada.task(project_id=project["id"]))["key"] == "APP-1"


async def test_a_token_without_the_scope_of_admins_takes_back_no_deed_of_theirs(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    script, _ = await made(ada, "read", "write")
    whole, _ = await made(ada, "write", "admin")
    changed = await ada.call("PUT", f"/users/{bob.id}/role", {"role": "manager"})
    task = await ada.task()
    started = await ada.post(f"/tasks/{task['id']}/start")
    problem = refused(await script.post("/undo", {"position": position_of(changed)}), 403, "auth.scope")
    assert problem["needed"] == "admin"
    assert (await undone(script, position_of(started)))["task"]["status"] == "todo"
    await undone(whole, position_of(changed))
    assert (await bob.get("/users/profile")).json()["role"] == "member"


async def test_the_scope_that_is_missing_tells_nobody_what_they_do_not_see(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    script, _ = await made(bob, "write")
    created = await ada.post("/projects", {"name": "secret", "key": "SEC"})
    bare = []
    for position in (position_of(created), 2**53 - 1):
        problem = refused(await script.post("/undo", {"position": position}), 404, "undo.not_found")
        bare.append({name: value for name, value in problem.items() if name != "request_id"})
    assert bare[0] == bare[1]


async def test_a_preview_names_the_version_that_is_no_longer_so(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    edited = await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "after"})
    body = {"position": position_of(edited), "dry_run": True}
    problem = refused(await ada.post("/undo", body, if_match='"1"'), 412, "precondition.failed")
    assert (problem["current_version"], [change["version"] for change in problem["changed"]]) == (2, [2])
    assert (await ada.post("/undo", body, if_match='"2"')).status_code == 200


async def test_dashboards_see_what_was_taken_back_and_nobody_is_told_what_is_not_so(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    async with bob.socket(after=task["position"]) as socket:
        started = await ada.post(f"/tasks/{task['id']}/start")
        unassigned = await ada.post(f"/tasks/{task['id']}/unassign")
        back = await undone(ada, position_of(unassigned))
        open_ = await undone(ada, position_of(started))
        changes = await socket.changes(open_["task"]["position"])
    assert [change["op"] for change in changes] == ["upsert", "removed", "upsert", "upsert"]
    assert changes[-1]["task"] == open_["task"]
    told = await bob.items("/notifications", min_position=open_["task"]["position"])
    assert [(each["event"], each["reason"]) for each in told[:2]] == [
        ("task.status_restored", "updated"),
        ("task.assigned", "assigned"),
    ]
    assert told[1]["position"] == back["task"]["position"]


async def test_a_batch_in_parts_is_taken_back_as_one_among_what_others_did(house: House) -> None:
    """Its commands are found by the request that they came with, however far apart they stand in the log."""
    ada, bob = await house.user(), await house.user()
    kept = await ada.task("kept")
    first = (await ada.call("POST", "/tasks", {"title": "first"}, x_request_id="one-request")).json()
    others = [await bob.task(f"other {n}") for n in range(60)]
    second = await ada.call("POST", "/tasks", {"title": "second"}, x_request_id="one-request")
    undone_alone = await undone(ada, position_of(second), dry_run=True)
    assert len(undone_alone["undone"]) == 1
    found = await undone(ada, position_of(second), whole=True)
    assert [event["stream_id"] for event in found["undone"]] == [first["id"], second.json()["id"]]
    assert types(found, "written") == ["task.deleted", "task.deleted"]
    left = {task["id"] for task in await bob.items("/tasks", min_position=found["written"][-1]["position"])}
    assert left == {task["id"] for task in others}
    assert (await ada.get(f"/tasks/{kept['id']}")).status_code == 200
