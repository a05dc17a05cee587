"""Every type of command in a batch: what a dry run says is exactly what is then written, and every route has a type."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from api.app import COMMANDS, create_app
from api.batch.types import APART, TYPES, types_of
from api.commanding import CommandRoute
from api.settings import Settings
from api.templates import ONBOARDING
from api.workflows import REVIEWED
from tests.house import SECRET, Client, House

Command = dict[str, Any]
Made = dict[str, str]  # ids by the names of the steps that have made something


def test_every_command_route_has_a_type_or_a_reason_to_have_none() -> None:
    routes = [route for router in COMMANDS for route in router.routes if isinstance(route, CommandRoute)]
    operations = {str(route.operation_id) for route in routes}
    assert operations == {*TYPES.values(), *APART}
    assert set(TYPES.values()).isdisjoint(APART)
    assert types_of(routes).keys() == TYPES.keys()


def test_whatever_else_takes_a_key_is_no_command_or_carries_bytes() -> None:
    app = create_app(Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", secret_key=SECRET))
    with_keys = {
        str(operation["operationId"])
        for path in app.openapi()["paths"].values()
        for operation in path.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    assert with_keys - {*TYPES.values(), *APART} == {"addAttachment", "importTasks", "runCommands", "editTasks"}


def test_the_guide_names_every_type() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    [table] = re.findall(r"\| target \| types \|\n\|---\|---\|\n((?:\|.*\n)+)", guide)
    named, noun = set(), ""
    for name in re.findall(r"`([a-z_.]+)`", table):
        noun = name.partition(".")[0] if "." in name else noun
        named.add(f"{noun}.{name.rpartition('.')[2]}")
    assert named == TYPES.keys()


def script(ada: Client, bob: Client) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Name, type, target and data of one command after another; each name stands for the id of what it made."""
    mine, his = {"user_id": ada.id}, {"user_id": bob.id}
    flow = {**REVIEWED, "name": "Other"}
    yield "team", "team.create", None, {"name": "Operations"}
    yield "", "team.edit", "team", {"name": "Site operations"}
    yield "", "team.add_member", "team", {**his, "role": "lead"}
    yield "", "team.remove_member", "team", his
    yield "flow", "workflow.create", None, REVIEWED
    yield "app", "project.create", None, {"name": "Application", "key": "APP"}
    yield "", "project.edit", "app", {"blocking": "soft"}
    yield "", "project.add_member", "app", {**his, "role": "editor"}
    yield "", "project.choose_workflow", "app", {"workflow_id": "flow"}
    yield "", "workflow.change", "flow", flow
    yield (
        "first",
        "task.create",
        None,
        {"title": "write", "project_id": "app", "tags": ["q4"], "assignee": {"id": bob.id}},
    )
    yield "", "task.move", "first", {"move": "start"}
    yield "", "project.remove_member", "app", his
    yield "", "project.choose_workflow", "app", {"workflow_id": None, "mapping": {"doing": "in_progress"}}
    yield "", "project.archive", "app", {"reason": "later"}
    yield "", "project.restore", "app", {}
    yield "gone", "project.create", None, {"name": "Gone", "key": "GONE"}
    yield "", "project.delete", "gone", {}
    yield "task", "task.create", None, {"title": "print", "tags": ["q4", "paper"]}
    yield "other", "task.create", None, {"title": "read"}
    yield "part", "subtask.create", "task", {"title": "ask", "due_at": "2027-01-31T17:00:00Z"}
    yield "", "dependency.add", "task", {"type": "blocks", "task_id": "other"}
    yield "", "dependency.remove", "other", {"type": "blocked_by", "other_id": "task"}
    yield "", "task.replace", "other", {"title": "read it", "tags": ["paper"]}
    yield "", "task.edit", "other", {"parent_id": "task", "estimate_minutes": 5}
    yield "", "task.edit", "other", {"estimate_minutes": 5}
    yield "", "task.assign", "task", his
    yield "", "task.unassign", "task", {}
    for move in ("start", "pause", "start"):
        yield "", f"task.{move}", "task", {}
    yield "", "task.complete", "task", {"close_subtasks": True, "reason": "done"}
    yield "", "task.reopen", "task", {}
    yield "", "task.cancel", "task", {}
    yield "", "task.delete", "task", {"subtasks": True}
    yield "", "task.restore", "task", {}
    yield "said", "comment.post", "task", {"body": "look"}
    yield "", "comment.post", "task", {"body": "yes", "reply_to": "said"}
    yield "", "comment.edit", "task", {"comment_id": "said", "body": "look here"}
    yield "", "comment.delete", "task", {"comment_id": "said"}
    yield "", "watcher.remove", "task", mine
    yield "", "watcher.add", "task", mine
    yield "item", "checklist.add", "task", {"text": "figures"}
    yield "more", "checklist.add", "task", {"text": "paper", "after": "item"}
    yield "", "checklist.change", "task", {"item_id": "item", "checked": True, "after": "more"}
    yield "", "checklist.remove", "task", {"item_id": "item"}
    yield "hour", "time.add", "task", {"minutes": 60, "on": "2026-11-21"}
    yield "", "time.edit", "task", {"entry_id": "hour", "note": "slow"}
    yield "", "time.remove", "task", {"entry_id": "hour"}
    yield "", "tag.change", "paper", {"name": "print", "colour": "#1f6feb"}
    yield "", "tag.remove", "print", {}
    yield "", "notification.read", None, {"through": 3}
    yield "", "notification.unread", None, {"positions": [2]}
    yield "", "user.change_role", bob.id, {"role": "manager"}
    yield "", "user.reactivate", bob.id, {}
    yield "view", "view.create", None, {"name": "ours", "query": "status:open"}
    yield "", "view.edit", "view", {"name": "all", "sharing": "workspace"}
    yield "", "view.delete", "view", {}
    yield "", "team.delete", "team", {}
    yield from _timed()
    yield from _templates(his)


def _timed() -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    dates = {"due_at": "2030-01-07T08:00:00Z", "due_zone": "Europe/Berlin"}
    yield "again", "task.create", None, {"title": "water", **dates}
    yield "call", "reminder.add", "again", {"relative_to": "due_at", "minutes_before": 60}
    yield "", "recurrence.set", "again", {"rule": "FREQ=DAILY", "starts": "2030-01-08T09:00:00"}
    yield "", "recurrence.skip", "again", {"occurrence": "2030-01-09T08:00:00Z"}
    yield "", "recurrence.stop", "again", {}
    yield "", "reminder.remove", "again", {"reminder_id": "call"}


def _templates(somebody: dict[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    role = {"office": {"id": somebody["user_id"]}}
    variables = {"who": "Eve", "first_day": "2027-02-01"}
    yield "kit", "template.create", None, ONBOARDING
    yield "", "template.edit", "kit", {"name": "Welcome"}
    yield "made", "template.instantiate", "kit", {"variables": variables, "roles": role, "start": "2027-01-18"}
    yield "", "task.edit", "made", {"title": "Welcome"}
    yield "like", "template.make", "made", {"name": "Like that", "start": "2027-01-18"}
    yield "", "template.replace", "like", {**ONBOARDING, "name": "Short", "tasks": ONBOARDING["tasks"][:1]}
    yield "", "template.delete", "kit", {}


def named(value: Any, made: Made) -> Any:
    """The same with ids in place of the names of steps."""
    if isinstance(value, dict):
        return {key: named(item, made) for key, item in value.items()}
    return made.get(value, value) if isinstance(value, str) else value


async def written(house: House, after: int) -> list[dict[str, Any]]:
    """The events past a position, as a dry run would have said them."""
    async with await AsyncConnection.connect(house.owner_url) as connection:
        cursor = await connection.execute(
            "SELECT stream_id::text, version, name, data FROM events WHERE position > %s ORDER BY position", (after,)
        )
        rows = await cursor.fetchall()
    return [{"stream_id": row[0], "version": row[1], "type": row[2], "data": row[3]} for row in rows]


async def traces(house: House) -> tuple[int, ...]:
    """How much there is of what a command leaves behind."""
    async with await AsyncConnection.connect(house.owner_url) as connection:
        counts = [
            await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
            for table in ("events", "keys", "snapshots", "outbox")
        ]
    return tuple(row[0] for row in counts if row)


def renamed(events: list[dict[str, Any]], found: list[dict[str, Any]], known: set[str]) -> list[dict[str, Any]]:
    """The same with the new ids that there are now in place of those that were foreseen; `known` are no such ones."""
    text, ids = json.dumps(events), re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
    new = dict(zip(ids.findall(text), ids.findall(json.dumps(found)), strict=False))
    return list(json.loads(ids.sub(lambda id_: id_[0] if id_[0] in known else new.get(id_[0], id_[0]), text)))


async def test_a_dry_run_of_every_type_writes_nothing_and_says_exactly_what_is_then_written(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    made: Made = {}
    tried = set()
    for name, type_, target, data in script(ada, bob):
        asked = {"id": "x", "type": type_, "data": named(data, made)}
        if target is not None:
            asked["target"] = made.get(target, target)
        before, head = await traces(house), await house.head()
        known = {event["stream_id"] for event in await written(house, 0)} | set(made.values())
        dry = await ada.post("/commands", {"commands": [asked], "dry_run": True}, idempotency_key="dry")
        [foreseen] = dry.json()["verdicts"]
        assert foreseen["outcome"] == "would_do", (type_, foreseen)
        assert await traces(house) == before, type_
        [done] = (await ada.post("/commands", {"commands": [asked]})).json()["verdicts"]
        assert done["outcome"] == "done", (type_, done)
        assert (done["status"], done["stream_id"] == foreseen["stream_id"] or "created" in done) == (
            foreseen["status"],
            True,
        )
        found = await written(house, head)
        events = renamed(foreseen["events"], found, known) if "created" in done else foreseen["events"]
        assert events == found, type_
        tried.add(type_)
        if name:
            made[name] = done["created"]
    assert tried == TYPES.keys()


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_dry_run_of_many_commands_says_what_all_of_them_write_together(house: House, atomic: bool) -> None:
    ada = await house.user()
    task = await ada.task("plan", tags=["old"])
    steps: list[tuple[str, str, str | None, dict[str, Any]]] = [
        ("p", "project.create", None, {"name": "Application", "key": "APP"}),
        ("t", "task.create", None, {"title": "write", "project_id": "$p", "tags": ["old"], "assignee": {"id": ada.id}}),
        ("s", "subtask.create", "$t", {"title": "ask"}),
        ("i", "checklist.add", "$t", {"text": "figures"}),
        ("c", "checklist.change", "$t", {"item_id": "$i", "checked": True}),
        ("m", "task.complete", "$t", {"close_subtasks": True}),
        ("again", "task.edit", "$t", {"title": "write"}),
        ("b", "task.edit", task["id"], {"project_id": "$p"}),
        ("g", "tag.change", "old", {"name": "new"}),
    ]
    commands = [{"id": id_, "type": type_, "target": target, "data": data} for id_, type_, target, data in steps]
    before, head = await traces(house), await house.head()
    dry = (await ada.post("/commands", {"commands": commands, "atomic": atomic, "dry_run": True})).json()
    assert (dry["would_do"], await traces(house)) == (len(steps), before)
    done = (await ada.post("/commands", {"commands": commands, "atomic": atomic})).json()
    assert done["done"] == len(steps)
    foreseen = [event for verdict in dry["verdicts"] for event in verdict["events"]]
    found = await written(house, head)
    assert [event["type"] for event in foreseen] == [event["type"] for event in found]
    new = {one["stream_id"]: other["stream_id"] for one, other in zip(foreseen, found, strict=True)}
    new |= {
        one["created"]: other["created"]
        for one, other in zip(dry["verdicts"], done["verdicts"], strict=True)
        if "created" in one
    }
    text = json.dumps(foreseen)
    for foreseen_id, made_id in new.items():
        text = text.replace(foreseen_id, made_id)
    assert json.loads(text) == found
