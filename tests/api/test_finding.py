"""Searches: what is only begun, what is misspelt, and where the words stand."""

from typing import Any

from tests.house import Client, House


async def _search(client: Client, q: str, house: House, **more: Any) -> dict[str, Any]:
    answer = await client.get("/tasks/search", q=q, min_position=await house.head(), **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _titles(found: dict[str, Any]) -> list[str]:
    return [item["title"] for item in found["items"]]


async def test_the_last_word_may_be_only_begun(house: House) -> None:
    ada = await house.user()
    await ada.task("the walrus eats")
    await ada.task("a wall")
    assert sorted(_titles(await _search(ada, "wal", house))) == ["a wall", "the walrus eats"]
    assert _titles(await _search(ada, "wal eats", house)) == [], "an earlier one is whole"
    assert _titles(await _search(ada, "wal* eats", house)) == ["the walrus eats"]
    assert _titles(await _search(ada, '"wal"', house)) == []
    assert await ada.items("/tasks", q="wal") == [], "a list takes words as they are"


async def test_a_key_is_found_however_it_is_written(house: House) -> None:
    ada = await house.user()
    project = (await ada.post("/projects", {"name": "Application", "key": "APP"})).json()["id"]
    for n in range(1, 13):
        await ada.task(f"task {n}", project_id=project)
    assert _titles(await _search(ada, '"APP-2" or app-2', house))[0] == "task 2"
    found = await _search(ada, "app-1", house)
    assert set(_titles(found)) == {"task 1", "task 10", "task 11", "task 12"}
    assert {item["highlights"][0]["field"] for item in found["items"]} == {"key"}
    assert _titles(await _search(ada, "key:app-1", house)) == ["task 1"]
    moved = (await ada.items("/tasks", q="key:APP-3"))[0]
    await ada.call("PATCH", f"/tasks/{moved['id']}", {"project_id": None})
    assert _titles(await _search(ada, "app-3", house)) == []


async def test_highlights_say_where_words_stand(house: House) -> None:
    ada = await house.user()
    script = "<script>alert('walrus')</script>"
    task = await ada.task(
        f"𠀀 Walrus {script}", tags=["walrus", "other"], description="x " * 200 + "the WALRUS, a walruses"
    )
    comment = (await ada.post(f"/tasks/{task['id']}/comments", {"body": f"Walrus? {script}"})).json()
    [item] = (await _search(ada, "walrus* -cow", house))["items"]
    shown = [
        (each["field"], each.get("comment_id"), [each["text"][begin:end] for begin, end in each["marks"]])
        for each in item["highlights"]
    ]
    assert shown == [
        ("title", None, ["Walrus", "walrus"]),
        ("tag", None, ["walrus"]),
        ("description", None, ["WALRUS", "walruses"]),
        ("comment", comment["id"], ["Walrus", "walrus"]),
    ]
    assert item["highlights"][0]["text"] == task["title"], "as it was written: nothing is put in, nothing is taken out"
    assert len(item["highlights"][2]["text"]) < 200
    [plain] = (await _search(ada, "is:open", house))["items"]
    assert plain["highlights"] == []


async def test_what_is_misspelt_is_found_where_nothing_matches_exactly(house: House) -> None:
    ada = await house.user()
    tasks = [await ada.task(f"the walrus {n}") for n in range(3)]
    await ada.post(f"/tasks/{tasks[0]['id']}/comments", {"body": "a submarine"})
    for q, word, meant in (
        ("walrsu", "walrsu", "walrus"),
        ("wallrus", "wallrus", "walrus"),
        ("is:open walru1s", "walru1s", "walrus"),
        ("submmarime", "submmarime", "submarine"),
        ("the awlrus", "awlrus", "walrus"),
    ):
        found = await _search(ada, q, house)
        assert (found["fuzzy"], found["corrected"]) == (True, {word: [meant]}), q
        assert found["items"], q
    exact = await _search(ada, "walrus", house)
    assert (exact["fuzzy"], exact["corrected"], len(exact["items"])) == (False, {}, 3)
    for q in ("zzzzzz", '"walrsu"', "-walrsu wombat", "wlr"):
        found = await _search(ada, q, house)
        assert (found["items"], found["fuzzy"]) == ([], False), q
    pages = await ada.items("/tasks/search", q="walrsu", limit=1)
    assert len(pages) == 3, "by pages"
    assert await ada.items("/tasks", q="walrsu") == [], "a list takes words as they are"


async def test_nobody_is_told_of_words_that_they_may_not_see(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    await ada.task("a secret walrus")
    await bob.task("a wallrus")
    for q, seen in (("walrus", "a wallrus"), ("walrsu", None), ("wallruss", "a wallrus")):
        found = await _search(bob, q, house)
        assert _titles(found) == ([] if seen is None else [seen]), q
        assert found["corrected"] == ({} if seen is None else {q: ["wallrus"]}), q


async def test_a_search_can_be_sorted(house: House) -> None:
    ada = await house.user()
    await ada.task("b walrus")
    await ada.task("a walrus walrus")
    assert _titles(await _search(ada, "walrus sort:title", house)) == ["a walrus walrus", "b walrus"]
    assert _titles(await _search(ada, "walrus sort:-title", house, limit=1)) == ["b walrus"]


async def test_a_word_ends_at_whatever_is_no_letter_or_digit(house: House) -> None:
    ada = await house.user()
    titles = (
        "login/logout of List<String>",
        "“Größe” — die Maße…",
        "don\u2019t panic: covid-19, mail to bob@example.com",
        "a\u00a0tusk",
        "Done✅ 🎉party",
        "node.js v1.22.3, R&D; 2026-q4",
        "snake_case_name",
        "我们需要修复登录错误。谢谢",
        "ファイル「報告書」を送る",
        "Cafe\u0301 de\u0301ja\u0300",
        "ПРИВЕТ мир",
    )
    for title in titles:
        await ada.task(title)
    for q, at in (
        *(("logout", 0), ("String", 0), ("login/logout", 0), ("List<Str*", 0)),
        *(("größe", 1), ("maße", 1), ("“größe”", 1)),
        *(("don", 2), ("don\u2019t", 2), ("19", 2), ("covid-1*", 2), ("bob@exam*", 2), ("example", 2)),
        *(("tusk", 3), ("Done", 4), ("party", 4), ("🎉", 4)),
        *(("node", 5), ("node.j*", 5), ("v1.22*", 5), ('"22 3"', 5), ("r", 5), ("q4", 5)),
        *(("case", 6), ("snake_case", 6), ("snake_ca*", 6)),
        *(("登录", 7), ("谢谢", 7), ("修复登录错*", 7), ("報告書", 8), ("ファイ*", 8)),
        *(("café", 9), ("cafe\u0301", 9), ("DÉJÀ", 9), ("привет", 10), ("Мир", 10)),
    ):
        found = (await _search(ada, f'"{q}"' if '"' not in q and "*" not in q else q, house))["items"]
        assert [item["title"] for item in found] == [titles[at]], q
        assert (await ada.items("/tasks", q=q))[0]["title"] == titles[at], q
        [shown] = found[0]["highlights"]
        assert shown["marks"], q
    for q in ("logou", '"logout login"', "登错", "cafe", "1.23"):
        assert await ada.items("/tasks", q=q) == [], q


async def test_what_is_left_out_is_not_in_a_comment_either(house: House) -> None:
    ada = await house.user()
    said, unsaid, own = await ada.task("a report"), await ada.task("b report"), await ada.task("c report walrus")
    await ada.post(f"/tasks/{said['id']}/comments", {"body": "about the walrus"})
    await ada.post(f"/tasks/{unsaid['id']}/comments", {"body": "a report about the seal"})
    gone = (await ada.post(f"/tasks/{unsaid['id']}/comments", {"body": "walrus"})).json()
    await ada.call("DELETE", f"/tasks/{unsaid['id']}/comments/{gone['id']}")
    at = await house.head()
    for q, found in (
        ("walrus", [said, own]),
        ("-walrus", [unsaid]),
        ("report -walrus", [unsaid]),
        ("seal -walrus", [unsaid]),
        ("about -walrus", [unsaid]),
        ("report -seal -walrus", []),
        ('-"the walrus"', [unsaid, own]),
    ):
        for path in ("/tasks", "/tasks/search"):
            items = await ada.items(path, q=q, min_position=at)
            assert {item["id"] for item in items} == {task["id"] for task in found}, q
        counted = (await ada.get("/tasks/facets", q=q, by="status")).json()
        assert counted["total"] == len(found), q


async def test_what_has_no_letters_leaves_nothing_out(house: House) -> None:
    ada = await house.user()
    task = await ada.task("report")
    for q, found in (("-???", ["report"]), ("report ???", ["report"]), ("report -!", ["report"]), ("???", [])):
        assert [item["title"] for item in await ada.items("/tasks", q=q, min_position=task["position"])] == found, q


async def test_marks_are_words_or_phrases_and_never_parts_of_characters(house: House) -> None:
    ada = await house.user()
    long = "e\u0301" * 100
    task = await ada.task(
        "the sea, a sea cow and sea-cows", description=f"{long} walrus {long} 👩‍💻👩‍💻 snake_walrus walrus\u0301"
    )

    async def marked(q: str) -> list[str]:
        answer = await ada.get("/tasks/search", q=q, min_position=task["position"])
        [item] = answer.json()["items"]
        shown = item["highlights"]
        for each in shown:
            assert not each["text"].startswith(("\u0301", "\u200d")), each["text"]
            assert not each["text"].endswith(("\u200d", "\u1f469")), each["text"]
        return [each["text"][begin:end] for each in shown for begin, end in each["marks"]]

    assert await marked('"sea cow"') == ["sea cow"]
    assert await marked("sea") == ["sea"] * 3
    assert await marked("sea-co*") == ["sea cow", "sea-cows"]
    assert await marked("walrus -cat") == ["walrus", "walrus"]


async def test_a_misspelt_word_may_stand_beside_a_comma(house: House) -> None:
    ada = await house.user()
    await ada.task("the walrus")
    found = await _search(ada, "the (walrsu),", house)
    assert (_titles(found), found["corrected"]) == (["the walrus"], {"walrsu": ["walrus"]})
