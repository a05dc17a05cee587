"""Tags over HTTP: their looks, and renaming, merging and removing them while others go on tagging."""

import asyncio
from typing import Any

import pytest

from api import tagging
from commands.tagging import ChangeTag
from domain.errors import Unavailable
from projections import tags
from tests.house import Client, House, position_of, refused


async def _tags(client: Client, house: House) -> dict[str, int]:
    found = await client.items("/tags", limit=2, min_position=await house.head())
    names = [tag["name"] for tag in found]
    assert names == sorted(names)
    return {tag["name"]: tag["tasks"] for tag in found}


async def _titles(client: Client, house: House, **filters: Any) -> list[str]:
    found = await client.items("/tasks", min_position=await house.head(), sort="title", **filters)
    return [task["title"] for task in found]


async def test_a_tag_gets_a_look_another_name_becomes_one_with_another_and_goes(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    first = await ada.task("1", tags=["a", "x"])
    await ada.task("2", tags=["b"])
    await ada.task("3", tags=["a/ä", "b", "a"])
    await bob.task("4", tags=["b"])
    trashed = await bob.task("5", tags=["a"])
    await bob.call("DELETE", f"/tasks/{trashed['id']}")
    assert await _tags(ada, house) == {"a": 2, "a/ä": 1, "b": 3, "x": 1}
    assert await _tags(bob, house) == {"b": 1}, "what one does not see is neither named nor counted"
    refused(await bob.get("/tags/x"), 404, "tag.not_found")
    refused(await bob.get("/tags/%00"), 422, "value.character")

    described = await ada.call("PATCH", "/tags/a", {"colour": "#FF0000", "description": "d"}, idempotency_key="k")
    assert (described.json(), described.headers["ETag"]) == (
        {"name": "a", "colour": "#ff0000", "description": "d"},
        '"1"',
    )
    refused(await ada.call("PATCH", "/tags/a", {"colour": "#ff"}), 422, "tag.colour")
    refused(await ada.call("PATCH", "/tags/a", {"colour": None}, if_match='"7"'), 412, "precondition.failed")
    assert await _tags(bob, house) == {"a": 0, "b": 1}

    slashed = await ada.call("PATCH", "/tags/a%2F%C3%A4", {"name": "c"}, if_match='"1"')
    assert (slashed.json()["name"], slashed.headers["ETag"]) == ("c", '"3"')
    merged = await ada.call("PATCH", "/tags/a", {"name": "b"}, if_match='"3"', idempotency_key="m")
    assert merged.json() == {"name": "b", "colour": "#ff0000", "description": "d"}
    assert await _tags(ada, house) == {"b": 4, "c": 1, "x": 1}
    again = await ada.call("PATCH", "/tags/a", {"name": "b"}, if_match='"3"', idempotency_key="m")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (merged.json(), "true")
    read = await bob.get("/tags/a")
    assert read.json() == {"name": "b", "colour": "#ff0000", "description": "d", "tasks": 1}, "by the old name"
    assert await _titles(ada, house, tag="a") == await _titles(ada, house, tag="b") == ["1", "2", "3", "4"]
    assert (await ada.task("6", tags=["a", "b"]))["tags"] == ["b"]
    assert (await bob.post(f"/tasks/{trashed['id']}/restore")).json()["tags"] == ["b"], "also in the trash"
    refused(await ada.call("PATCH", "/tags/a", {"name": "c"}), 409, "tag.renamed")

    history = (await ada.get(f"/tasks/{first['id']}/history")).json()["items"]
    assert (history[-1]["type"], history[-1]["changes"]["tags"]) == (
        "task.edited",
        {"from": ["a", "x"], "to": ["b", "x"]},
    )
    assert history[-1]["correlation_id"] == merged.headers["X-Request-ID"]
    before = await ada.items("/tasks", as_of=position_of(described), tag="a", sort="title")
    assert [task["title"] for task in before] == ["1", "3"], "the past has the names of then"

    removed = await ada.call("DELETE", "/tags/b")
    assert removed.json() == {"name": "b", "colour": None, "description": ""}
    assert await _tags(ada, house) == {"c": 1, "x": 1}
    assert await _titles(ada, house, tag="b") == await _titles(ada, house, tag="a") == []
    assert (await bob.task("7", tags=["b", "a"]))["tags"] == ["b", "a"], "a name that is no tag's is free"


async def test_fifty_who_tag_while_the_tag_is_renamed_leave_no_old_name(house: House) -> None:
    ada = await house.user()
    users = [ada, *[await house.user() for _ in range(4)]]
    made = [await user.task("old", tags=["old"]) for user in users]

    async def write(n: int) -> None:
        user, task = users[n % 5], made[n % 5]
        for _ in range(3):
            await user.task(f"new {n}", tags=["x", "old"])
            edited = await user.call("PATCH", f"/tasks/{task['id']}", {"tags": ["old", str(n)]})
            assert edited.is_success, edited.text

    async def rename() -> None:
        answer = await ada.call("PATCH", "/tags/old", {"name": "new"})
        assert answer.is_success, answer.text

    await asyncio.gather(*[write(n) for n in range(25)], rename(), *[write(n) for n in range(25, 50)])
    await ada.items("/tasks", min_position=await house.head(), limit=200)
    workspace = house.services.identify(ada.headers["Authorization"]).workspace_id
    async with house.pool.connection() as connection:
        assert await tags.holders(connection, workspace, "old") == []
        assert len(await tags.holders(connection, workspace, "new")) == 155
        late = await connection.execute(
            """
            SELECT e.position FROM events e JOIN events r ON r.name = 'tagbook.tag_renamed' AND e.position > r.position
            WHERE e.name LIKE 'task.%' AND (e.data->'tags')::jsonb ? 'old'
            """
        )
        assert await late.fetchall() == [], "nobody wrote the old name after the renaming"
    [tag] = [tag for tag in await ada.items("/tags") if tag["name"] in ("old", "new")]
    assert (tag["name"], tag["tasks"]) == ("new", 155)


async def test_a_renaming_that_was_cut_off_reads_as_made_and_goes_on_by_the_same_request(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.user()
    for title in ("1", "2", "3"):
        await ada.task(title, tags=["a", "x"])
    await ada.task("4", tags=["a", "b"])
    execute, most = house.services.executor.execute, 1

    async def cut_off(command: Any, call: Any, *more: Any) -> Any:
        nonlocal most
        if not isinstance(command, ChangeTag):
            most -= 1
            if most < 0:
                raise Unavailable("projection.behind", "cut off")
        return await execute(command, call, *more)

    monkeypatch.setattr(tagging, "AT_ONCE", 1)
    monkeypatch.setattr(house.services.executor, "execute", cut_off)
    refused(await ada.call("PATCH", "/tags/a", {"name": "b"}, idempotency_key="k"), 503, "projection.behind")
    monkeypatch.undo()

    assert await _tags(ada, house) == {"b": 4, "x": 3}
    for name in ("a", "b"):
        assert await _titles(ada, house, tag=name) == ["1", "2", "3", "4"]
    assert await _titles(ada, house, tag=["a", "x"]) == ["1", "2", "3"]
    listed = await ada.items("/tasks", sort="title")
    assert [task["tags"] for task in listed] == [["b", "x"]] * 3 + [["b"]]
    for task in listed:
        assert (await ada.get(f"/tasks/{task['id']}")).json() == task
    refused(await ada.call("PATCH", "/tags/x", {"name": "a"}), 409, "tag.unfinished")

    finished = await ada.call("PATCH", "/tags/a", {"name": "b"}, idempotency_key="k")
    assert (finished.json()["name"], finished.headers["Idempotency-Replayed"]) == ("b", "true")
    assert await _tags(ada, house) == {"b": 4, "x": 3}
    async with house.pool.connection() as connection:
        workspace = house.services.identify(ada.headers["Authorization"]).workspace_id
        assert await tags.holders(connection, workspace, "a") == []
    assert (await ada.call("PATCH", "/tags/x", {"name": "a"})).json()["name"] == "a"
