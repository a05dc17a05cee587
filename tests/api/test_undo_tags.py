"""`POST /undo` of tags that were renamed, made one or removed: tasks have again what they had, and no task more."""

import asyncio
from typing import Any

import pytest

from api import tagging, untagging
from commands.retagging import PutBack
from domain.errors import Unavailable
from tests.api.test_undo import types, undone
from tests.house import Client, House, position_of, refused

RENAMED, EDITED, SETTLED = "tagbook.tag_renamed", "task.edited", "tagbook.tag_settled"
UNDONE = "tagbook.rewriting_undone"


async def _tags(client: Client, house: House) -> dict[str, list[str]]:
    """The tags of each task by its title, as a list has them and as the task itself has them."""
    found = await client.items("/tasks", min_position=await house.head(), sort="title")
    for task in found:
        assert (await client.get(f"/tasks/{task['id']}")).json() == task
    return {task["title"]: task["tags"] for task in found}


async def _counts(client: Client, house: House) -> dict[str, int]:
    return {tag["name"]: tag["tasks"] for tag in await client.items("/tags", min_position=await house.head())}


async def _made(client: Client, **tags: list[str]) -> dict[str, str]:
    return {title: (await client.task(title, tags=each))["id"] for title, each in tags.items()}


async def _rename(client: Client, name: str, to: str) -> int:
    answer = await client.call("PATCH", f"/tags/{name}", {"name": to})
    assert answer.is_success, answer.text
    return position_of(answer)


async def _foreseen(client: Client, position: int) -> dict[str, Any]:
    """Take a command back; a dry run has said before exactly what is written."""
    would = await undone(client, position, dry_run=True)
    found = await undone(client, position)
    assert [(each["type"], each["stream_id"]) for each in found["written"]] == [
        (each["type"], each["stream_id"]) for each in would["written"]
    ]
    assert {each["position"] for each in would["written"]} <= {None}
    assert None not in {each["position"] for each in found["written"]}
    return found


async def test_a_tag_has_its_former_name_again_on_all_tasks_and_then_the_other(house: House) -> None:
    ada = await house.user()
    ids = await _made(ada, a=["x", "ops", "y"], b=["ops"], c=["y"])
    trashed = (await _made(ada, d=["ops"]))["d"]
    await ada.call("DELETE", f"/tasks/{trashed}")
    await ada.call("PATCH", "/tags/ops", {"colour": "#ff0000"})
    was = await _tags(ada, house)
    position = await _rename(ada, "ops", "opps")
    did = await _tags(ada, house)
    await ada.task("e", tags=["ops"])  # who has an old list on their screen means the same tag
    await ada.call("PATCH", f"/tasks/{ids['c']}", {"tags": ["opps"]})
    await ada.call("PATCH", f"/tasks/{ids['b']}", {"tags": ["z"]})

    found = await _foreseen(ada, position)
    assert types(found, "written") == [RENAMED, *[EDITED] * 4, SETTLED]
    now = await _tags(ada, house)
    assert now == was | {"b": ["z"], "c": ["ops"], "e": ["ops"]}
    assert (await ada.post(f"/tasks/{trashed}/restore")).json()["tags"] == ["ops"]
    assert (await ada.get("/tags/ops")).json()["colour"] == "#ff0000"
    assert await _counts(ada, house) == {"ops": 4, "x": 1, "y": 1, "z": 1}

    await _foreseen(ada, found["written"][0]["position"])
    assert await _tags(ada, house) == did | {"b": ["z"], "c": ["opps"], "d": ["opps"], "e": ["opps"]}


async def test_two_tags_that_were_made_one_are_two_again(house: House) -> None:
    ada = await house.user()
    ids = await _made(ada, a=["x", "old", "y"], b=["new", "y"], c=["old", "x", "new"], d=["old"], e=["old", "x"])
    await ada.call("PATCH", "/tags/old", {"colour": "#ff0000"})
    was = await _tags(ada, house)
    position = await _rename(ada, "old", "new")
    did = await _tags(ada, house)
    assert did["c"] == ["new", "x"]
    await ada.call("PATCH", f"/tasks/{ids['d']}", {"tags": ["z"]})
    await ada.call("PATCH", f"/tasks/{ids['e']}", {"tags": ["new", "x", "z"]})
    await ada.task("f", tags=["old"])
    by_hand = {"d": ["z"], "e": ["new", "x", "z"], "f": ["new"]}

    found = await _foreseen(ada, position)
    assert types(found, "written") == [UNDONE, EDITED, EDITED, SETTLED]
    assert await _tags(ada, house) == was | by_hand, "what was changed by hand stays, and so do others that had it"
    looks = {tag["name"]: tag["colour"] for tag in await ada.items("/tags")}
    assert looks == {"new": None, "old": "#ff0000", "x": None, "y": None, "z": None}

    again = await _foreseen(ada, found["written"][0]["position"])
    assert types(again, "written") == [RENAMED, EDITED, EDITED, SETTLED]
    assert await _tags(ada, house) == did | by_hand
    await _foreseen(ada, again["written"][0]["position"])
    assert await _tags(ada, house) == was | by_hand


async def test_a_tag_that_was_removed_is_back_where_it_was_taken_away(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    ids = await _made(ada, a=["x", "q4", "y"], b=["q4"], c=["x"], d=["q4", "z"])
    await ada.call("PATCH", "/tags/q4", {"colour": "#ff0000", "description": "d"})
    was = await _tags(ada, house)
    removed = await ada.call("DELETE", "/tags/q4")
    did = await _tags(ada, house)
    await ada.call("PATCH", f"/tasks/{ids['d']}", {"tags": ["z", "v"]})
    await ada.task("e", tags=["q4"])
    later = {"d": ["z", "v"], "e": ["q4"]}
    refused(await bob.post("/undo", {"position": position_of(removed)}), 403, "auth.forbidden")

    found = await _foreseen(ada, position_of(removed))
    assert types(found, "written") == [UNDONE, EDITED, EDITED, SETTLED]
    assert await _tags(ada, house) == was | later
    tag = (await ada.get("/tags/q4", min_position=await house.head())).json()
    assert tag == {"name": "q4", "colour": "#ff0000", "description": "d", "tasks": 3}

    again = await _foreseen(ada, found["written"][0]["position"])
    assert await _tags(ada, house) == did | later, "who had got it by hand keeps it"
    once_more = await _foreseen(ada, again["written"][0]["position"])
    assert await _tags(ada, house) == was | later
    settled = once_more["written"][-1]["position"]
    problem = refused(await ada.post("/undo", {"position": settled}), 409, "undo.impossible")
    assert [event["type"] for event in problem["events"]] == [SETTLED]


async def test_several_are_taken_back_in_any_order(house: House) -> None:
    ada = await house.user()
    await _made(ada, a=["p", "q", "r"], b=["q"], c=["r", "p"], s=["s"])
    was = await _tags(ada, house)
    first = position_of(await ada.call("DELETE", "/tags/p"))
    second = await _rename(ada, "q", "s")
    third = position_of(await ada.call("DELETE", "/tags/r"))
    for position in (first, third, second):
        await _foreseen(ada, position)
    assert {title: set(tags) for title, tags in (await _tags(ada, house)).items()} == {
        title: set(tags) for title, tags in was.items()
    }


async def test_what_names_stand_for_since_stands_in_the_way(house: House) -> None:
    ada = await house.user()
    await _made(ada, a=["a"], b=["b"], c=["q"])
    renamed, removed = await _rename(ada, "a", "b"), await ada.call("DELETE", "/tags/q")
    await ada.call("PATCH", "/tags/q", {"colour": "#00ff00"})
    problem = refused(await ada.post("/undo", {"position": position_of(removed)}), 409, "undo.changed_since")
    assert problem["fields"] == ["look"]
    later = await _rename(ada, "b", "c")
    problem = refused(await ada.post("/undo", {"position": renamed}), 409, "undo.changed_since")
    assert (problem["fields"], problem["changed"][0]["position"]) == (["name"], later)
    await undone(ada, later)
    await undone(ada, renamed)
    assert await _tags(ada, house) == {"a": ["a"], "b": ["b"], "c": []}


async def test_who_tags_while_it_is_taken_back_has_said_what_holds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await house.user(), await house.user()
    await ada.task("0", tags=["new"])
    ids = [(await ada.task(f"{n}", tags=["old"], assignee={"id": bob.id}))["id"] for n in range(1, 21)]
    position = await _rename(ada, "old", "new")
    monkeypatch.setattr(untagging, "AT_ONCE", 2)

    async def tag(task_id: str) -> None:
        answer = await bob.call("PATCH", f"/tasks/{task_id}", {"tags": ["new", "mine"]})
        assert answer.is_success, answer.text

    await asyncio.gather(*map(tag, ids[:5]), undone(ada, position), *map(tag, ids[5:10]))
    now = await _tags(ada, house)
    expected = {"0": ["new"], **{f"{n}": ["new", "mine"] if n <= 10 else ["old"] for n in range(1, 21)}}
    assert now == expected


@pytest.mark.parametrize("keyed", [True, False])
async def test_what_was_cut_off_goes_on_by_the_same_request(
    house: House, monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    ada = await house.user()
    await _made(ada, a=["old"], b=["new"], c=["old", "x"], d=["old"])
    was = await _tags(ada, house)
    position = await _rename(ada, "old", "new")
    execute, most = house.services.executor.execute, 1

    async def cut_off(command: Any, call: Any, *more: Any) -> Any:
        nonlocal most
        if isinstance(command, PutBack):
            most -= 1
            if most < 0:
                raise Unavailable("projection.behind", "cut off")
        return await execute(command, call, *more)

    monkeypatch.setattr(untagging, "AT_ONCE", 1)
    monkeypatch.setattr(tagging, "AT_ONCE", 1)
    monkeypatch.setattr(house.services.executor, "execute", cut_off)
    body: dict[str, Any] = {"position": position}
    key = {"idempotency_key": "u"} if keyed else {}
    refused(await ada.post("/undo", body, **key), 503, "projection.behind")
    monkeypatch.undo()
    assert sorted(map(str, (await _tags(ada, house)).values())) == sorted(
        map(str, [["old"], ["new"], ["new", "x"], ["new"]])
    )
    for path, change in (("/tags/old", {"name": "other"}), ("/tags/new", {"name": "old"})):
        refused(await ada.call("PATCH", path, change), 409, "tag.unfinished")
    answer = await ada.post("/undo", body, **key)
    assert answer.status_code == 200, answer.text
    assert await _tags(ada, house) == was
    if keyed:
        assert types(answer.json(), "written") == [UNDONE, *[EDITED] * 3, SETTLED]
        assert (await ada.post("/undo", body, **key)).text == answer.text
    assert (await ada.call("PATCH", "/tags/old", {"name": "other"})).is_success
