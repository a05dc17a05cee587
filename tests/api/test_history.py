"""A task's history and the change feed: what happened, in order, as pages."""

from tests.house import House, position_of, refused


async def test_a_history_tells_each_event_with_what_it_changed(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task("a", tags=["x"])
    path = f"/tasks/{task['id']}"
    await ada.call("PATCH", path, {"title": "b", "due_at": "2027-01-01T00:00:00Z"}, x_request_id="edit")
    await ada.post(f"{path}/assign", {"user_id": bob.id})
    await bob.post(f"{path}/start", {"reason": "now"})
    response = await ada.get(f"{path}/history")
    items = response.json()["items"]
    assert [item["type"] for item in items] == ["task.created", "task.edited", "task.assigned", "task.started"]
    assert [item["version"] for item in items] == [1, 2, 3, 4]
    assert [item["position"] for item in items] == list(range(task["position"], task["position"] + 4))
    assert [item["actor"] for item in items] == [ada.id, ada.id, ada.id, bob.id]
    assert items[0]["changes"]["title"] == {"from": None, "to": "a"}
    assert items[1]["data"] == {"title": "b", "due_at": "2027-01-01T00:00:00.000000Z"}
    assert items[1]["changes"] == {
        "title": {"from": "a", "to": "b"},
        "due_at": {"from": None, "to": "2027-01-01T00:00:00.000000Z"},
    }
    assert items[1]["correlation_id"] == "edit"
    assert items[2]["changes"] == {"assignee": {"from": None, "to": {"type": "user", "id": bob.id}}}
    assert items[3]["data"]["reason"] == "now"
    assert items[3]["changes"] == {
        "status": {"from": "todo", "to": "in_progress"},
        "category": {"from": "open", "to": "active"},
    }
    assert items[3]["recorded_at"] == (await ada.get(path)).json()["updated_at"]
    assert response.headers["ETag"] == '"4"'


async def test_a_history_comes_in_pages(house: House) -> None:
    ada = await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    for n in range(4):
        await ada.call("PATCH", path, {"title": f"t{n}"})
    whole = await ada.items(f"{path}/history")
    assert len(whole) == 5
    assert await ada.items(f"{path}/history", limit=2) == whole
    first = await ada.get(f"{path}/history", limit=2)
    assert f"cursor={first.json()['next_cursor']}" in first.headers["Link"]
    for cursor in ("x", "-1", "1" * 10):
        refused(await ada.get(f"{path}/history", cursor=cursor), 422, "request.invalid")


async def test_the_feed_tells_every_change_in_order(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    await ada.post(f"{path}/assign", {"user_id": bob.id})
    await ada.post(f"{path}/start")
    await ada.post(f"{path}/unassign")
    last = position_of(await ada.call("DELETE", path))
    changes = await ada.items("/changes")
    assert [(item["op"], item["position"]) for item in changes] == [
        *[("upsert", task["position"] + n) for n in range(4)],
        ("removed", last),
    ]
    assert {item["task_id"] for item in changes} == {task["id"]}
    assert [item["task"]["version"] for item in changes[:4]] == [1, 2, 3, 4]
    assert "task" not in changes[4]
    # The member saw it from the assignment until it was taken.
    mine = await bob.items("/changes")
    assert [(item["op"], item["position"]) for item in mine] == [
        ("upsert", task["position"] + 1),
        ("upsert", task["position"] + 2),
        ("removed", task["position"] + 3),
    ]
    assert mine[:2] == changes[1:3]


async def test_the_feed_comes_in_pages_that_say_where_to_go_on(house: House) -> None:
    ada = await house.user()
    for n in range(5):
        task = await ada.task(str(n))
    whole = await ada.items("/changes")
    assert [item["task"]["title"] for item in whole] == list("01234")
    for limit in (1, 2, 3, 5):
        assert await ada.items("/changes", limit=limit) == whole
    page = await ada.get("/changes", after=whole[1]["position"], limit=2)
    assert page.json()["items"] == whole[2:4]
    assert page.json()["position"] == whole[3]["position"]
    assert f"cursor={whole[3]['position']}" in page.headers["Link"]
    end = (await ada.get("/changes", after=page.json()["position"])).json()
    assert (end["items"], end["next_cursor"], end["position"]) == (whole[4:], None, task["position"])
    problem = refused(await ada.get("/changes", after=task["position"] + 1), 422, "position.beyond_head")
    assert problem["errors"][0]["pointer"] == "/query/after"
