"""Import: files of tasks come in, each task once, and the report says what became of each line."""

from tests.api.importing import CSV, bring, csv, jsonl
from tests.house import House


async def test_tasks_come_in_with_what_they_are_to_each_other(house: House) -> None:
    ada = await house.user()
    file = jsonl(
        {"id": "A-2", "title": "Below", "parent_id": "A-1", "status": "done", "category": "done", "tags": ["q4"]},
        {"id": "A-1", "title": "Above", "priority": "high", "due_at": "2027-01-31T18:00:00+01:00"},
        {"id": "A-3", "title": "Waits", "links": [{"type": "blocked_by", "task_id": "A-1"}]},
    )
    done = await bring(house, ada, file)
    assert done.job["state"] == "done", done
    assert done.job["counts"] == {
        "lines": 3, "valid": 0, "refused": 0, "created": 3, "present": 0, "incomplete": 0, "ignored": 0
    }  # fmt: skip
    below, above, waits = [(await ada.get(f"/tasks/{done.lines[n]['task_id']}")).json() for n in (1, 2, 3)]
    assert (below["status"], below["category"], below["tags"]) == ("done", "done", ["q4"])
    assert below["completed_at"] == below["created_at"]
    assert below["parent_id"] == above["id"]
    assert above["subtasks"] == [{"id": below["id"], "closed": True}]
    assert (above["priority"], above["due_at"]) == ("high", "2027-01-31T17:00:00.000000Z")
    assert waits["links"] == [{"type": "blocked_by", "task_id": above["id"], "closed": False}]


async def test_a_spreadsheet_comes_in_with_its_own_names_for_columns(house: House) -> None:
    ada = await house.user()
    file = csv(("Summary", "Labels", "Estimate"), ("One, two", "a;b", "90"), ('A "quoted"\r\nname', "", ""))
    done = await bring(house, ada, file, CSV, column=["title:Summary", "tags:Labels", "estimate_minutes:Estimate"])
    assert done.job["state"] == "failed"
    assert done.codes() == {3: ["value.character"]}
    done = await bring(
        house, ada, file, CSV, on_error="skip", column=["title:Summary", "tags:Labels", "estimate_minutes:Estimate"]
    )
    task = (await ada.get(f"/tasks/{done.lines[2]['task_id']}")).json()
    assert (task["title"], task["tags"], task["estimate_minutes"]) == ("One, two", ["a", "b"], 90)
