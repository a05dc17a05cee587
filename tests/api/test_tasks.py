"""Tasks over HTTP."""

from tests.house import House


async def test_a_task_travels_from_creation_to_done(house: House) -> None:
    ada = await house.user()
    task = await ada.task("write", tags=["a"])
    done = await ada.post(f"/tasks/{task['id']}/complete")
    assert done.status_code == 200
    assert done.json()["status"] == "done"
    listed = await ada.get("/tasks", min_position=done.headers["Taskfold-Position"])
    assert [item["id"] for item in listed.json()["items"]] == [task["id"]]
    assert listed.json()["items"][0] == done.json()


async def test_a_socket_gets_each_change_once(house: House) -> None:
    ada = await house.user()
    async with ada.socket() as socket:
        assert (await socket.receive())["type"] == "hello"
        task = await ada.task()
        await ada.post(f"/tasks/{task['id']}/start")
        done = await ada.post(f"/tasks/{task['id']}/complete")
        changes = await socket.changes(int(done.headers["Taskfold-Position"]))
    assert [change["task"]["version"] for change in changes] == [1, 2, 3]
