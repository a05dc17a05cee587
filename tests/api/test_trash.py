"""The trash is emptied: by whom it may be, or in time; what is left is its history, for those who may audit."""

from psycopg import AsyncConnection

from tests.api.clock import keeping
from tests.house import Client, House, refused


async def trashed(ada: Client) -> list[str]:
    head = (await ada.get("/tasks")).headers["Taskfold-Position"]
    return sorted(task["title"] for task in await ada.items("/tasks", trashed="true", min_position=head))


async def test_what_is_purged_is_gone_for_all_but_who_may_audit(house: House) -> None:
    ada = await house.user()
    eve, bob = await house.user(role="auditor", by=ada), await house.user()
    task = await bob.task("mistake", tags=["x"])
    path = f"/tasks/{task['id']}"
    refused(await ada.post(f"{path}/purge"), 409, "task.not_trashed")
    deleted = await bob.call("DELETE", path)
    refused(await bob.post(f"{path}/purge"), 403, "auth.forbidden")
    purged = await ada.post(f"{path}/purge", {"reason": "a mistake"}, idempotency_key="p")
    assert (purged.status_code, purged.json()["purged_at"] is not None) == (200, True)
    assert (await ada.post(f"{path}/purge", {"reason": "a mistake"}, idempotency_key="p")).json() == purged.json()
    position = purged.json()["position"]
    for client in (ada, bob, eve):
        refused(await client.get(path), 404, "task.not_found")
        refused(await client.get(path, as_of=task["position"]), 404, "task.not_found")
        assert await client.items("/tasks", trashed="true", min_position=position) == []
        for as_of in (task["position"], deleted.json()["position"], position):
            assert await client.items("/tasks", as_of=as_of) == []
            assert await client.items("/tasks", as_of=as_of, trashed="true") == []
    for call in (ada.post(f"{path}/restore"), ada.post(f"{path}/purge"), ada.call("PATCH", path, {"title": "b"})):
        refused(await call, 404, "task.not_found")
    refused(await bob.get(f"{path}/history"), 404, "task.not_found")
    for client in (ada, eve):
        items = (await client.get(f"{path}/history")).json()["items"]
        assert [item["type"] for item in items] == ["task.created", "task.deleted", "task.purged"]


async def test_the_trash_is_emptied_after_some_days_and_not_before(house: House) -> None:
    ada = await house.user()
    async with keeping(house) as keeper:
        gone, back = await ada.task("gone"), await ada.task("back")
        for task in (gone, back):
            await ada.call("DELETE", f"/tasks/{task['id']}")
        keeper.clock.pass_(days=29, hours=23)
        assert await keeper.run() == {}
        await ada.post(f"/tasks/{back['id']}/restore")
        keeper.clock.pass_(hours=2)
        assert await keeper.run() == {"task.purged": 1}
        assert await keeper.run() == {}
        refused(await ada.post(f"/tasks/{gone['id']}/restore"), 404, "task.not_found")
        assert (await ada.get(f"/tasks/{back['id']}")).status_code == 200


async def test_where_nobody_empties_the_trash_it_stays(house: House) -> None:
    ada = await house.user()
    async with keeping(house, trash=None) as keeper:
        task = await ada.task("kept")
        await ada.call("DELETE", f"/tasks/{task['id']}")
        keeper.clock.pass_(days=10_000)
        assert await keeper.run() == {}
        assert await trashed(ada) == ["kept"]


async def test_a_tree_goes_as_one(house: House) -> None:
    ada = await house.user()
    async with keeping(house, most=1) as keeper:
        root = await ada.task("root")
        part = (await ada.post(f"/tasks/{root['id']}/subtasks", {"title": "part"})).json()
        leaf = (await ada.post(f"/tasks/{part['id']}/subtasks", {"title": "leaf"})).json()
        await ada.call("DELETE", f"/tasks/{root['id']}?subtasks=true")
        problem = refused(await ada.post(f"/tasks/{part['id']}/purge"), 409, "task.parent_trashed")
        assert problem["parent_id"] == root["id"]
        keeper.clock.pass_(days=31)
        assert await keeper.run() == {"task.purged": 3}
        refused(await ada.post(f"/tasks/{leaf['id']}/restore"), 404, "task.not_found")


async def test_the_bytes_of_its_files_go_with_a_task(house: House) -> None:
    ada = await house.user()
    root = await ada.task("root")
    part = (await ada.post(f"/tasks/{root['id']}/subtasks", {"title": "part"})).json()
    for task in (root, part):
        url = f"/tasks/{task['id']}/attachments"
        put = await house.http.post(url, files={"file": ("a.txt", b"text")}, headers=ada.headers)
        assert put.status_code == 201
    await ada.call("DELETE", f"/tasks/{root['id']}?subtasks=true")
    due = "SELECT count(*) FROM blobs WHERE due_at <= clock_timestamp()"
    async with await AsyncConnection.connect(house.owner_url, autocommit=True) as owner:
        assert await (await owner.execute(due)).fetchone() == (0,)
        assert (await ada.post(f"/tasks/{root['id']}/purge")).status_code == 200
        assert await (await owner.execute(due)).fetchone() == (2,)
