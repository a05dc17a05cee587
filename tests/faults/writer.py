"""What one client does next: a rich mix, most often on tasks that others work on too."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from tests.faults.batching import body_of
from tests.faults.ledger import Entry
from tests.house import Client

PRIORITIES: Final = ("low", "normal", "high", "urgent")
MOVES: Final = {
    "todo": ("start", "complete", "cancel"),
    "in_progress": ("pause", "complete", "cancel"),
    "done": ("reopen",),
    "cancelled": ("reopen",),
}
BATCHES: Final = 0.15  # the share of commands that go as a batch of one
TEAM_SHARES: Final = (9, 1)  # one team has too many tasks to tell them one by one, the other has few


class Task(msgspec.Struct):
    """What a client knows of a task."""

    id: str
    version: int
    status: str
    deleted_at: str | None


class Tasks:
    """The tasks that all writers work on: the fewer, the more they meet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._known)

    def remember(self, task: Task) -> None:
        """Know it as it is now; the oldest one gives way."""
        known = self._known.get(task.id)
        if known is None:
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[task.id] = task
        elif known.version < task.version:
            self._known[task.id] = task

    def choose(self, random: Random) -> Task:
        """Any of them."""
        return random.choice(list(self._known.values()))


class Writer:
    """One client and what it does next.

    `fickle` is a member to whom an admin now and then gives another role, or whom it takes out of a team, or puts in.
    """

    def __init__(
        self, client: Client, people: Sequence[str], random: Random, fickle: str | None, teams: Sequence[str] = ()
    ) -> None:
        self.client = client
        self.random = random
        self.token = str(client.tokens["access_token"])
        self._people = people
        self._fickle = fickle
        self._teams = teams

    def hurry(self, patience: float) -> float:
        """Some go away before the answer is there."""
        return self.random.uniform(0.0005, 0.01) if self.random.random() < 0.04 else patience

    def next(self, tasks: Tasks) -> Entry:
        """A command. Some go as batches."""
        entry = self._next(tasks)
        if self.random.random() < BATCHES and body_of(entry) is not None:
            entry.atomic = self.random.random() < 0.5
        return entry

    def _next(self, tasks: Tasks) -> Entry:
        chance = self.random.random()
        if self._fickle is not None and chance < 0.04:
            return self._change_access(self._fickle)
        if len(tasks) < 6 or chance < 0.15:
            return self._entry("POST", "/tasks", self._new())
        if chance < 0.17:
            return self._profile()
        if chance < 0.20:
            return self._invalid(tasks.choose(self.random))
        return self._change(tasks.choose(self.random))

    def _change_access(self, user_id: str) -> Entry:
        membership = f"/teams/{self.random.choice(self._teams)}/members/{user_id}"
        changes = (
            self._entry("PUT", f"/users/{user_id}/role", {"role": self.random.choice(("member", "manager"))}),
            self._entry("PUT", membership, {"role": self.random.choice(("member", "lead"))}),
            self._entry("DELETE", membership),
        )
        # A role shows too much to be told, and what comes before a resync says little: so that is the rarest.
        return self.random.choices(changes, (1, 3, 3))[0]

    def _change(self, task: Task) -> Entry:
        if task.deleted_at and self.random.random() < 0.7:  # whatever else is asked of it is refused
            return self._trash(task)
        choose: Callable[[Task], Entry] = self.random.choices(
            (self._edit, self._replace, self._move, self._assign, self._unassign, self._trash), (22, 3, 35, 12, 4, 6)
        )[0]
        entry = choose(task)
        if self.random.random() < 0.1:
            entry.if_match = f'"{task.version}"'
        return entry

    def _entry(self, method: str, path: str, body: Any = None) -> Entry:
        key = str(UUID(int=self.random.getrandbits(128)))
        return Entry(key, self.client.id, method, path, b"" if body is None else orjson.dumps(body))

    def _new(self) -> dict[str, Any]:
        body: dict[str, Any] = {"title": f"task {self.random.getrandbits(32):08x}"}
        if self.random.random() < 0.5:
            body["assignee"] = self._assignee()
        return body

    def _profile(self) -> Entry:
        """Outside the log, but for the fact that it changed."""
        name = f"{self.client.id[:8]} {self.random.randrange(100)}"
        body = {"display_name": name, "preferences": {"density": self.random.randrange(3)}}
        return self._entry("PUT", "/users/profile", body)

    def _invalid(self, task: Task) -> Entry:
        """What must be refused, and leave nothing behind."""
        nobody = str(UUID(int=self.random.getrandbits(128), version=4))
        entry = self._entry(
            *self.random.choice(
                (
                    ("POST", "/tasks", {"title": ""}),
                    ("POST", "/tasks", {"title": "a title", "priority": "none"}),
                    ("PATCH", f"/tasks/{task.id}", {"status": "done"}),
                    ("PATCH", f"/tasks/{nobody}", {"title": "nobody's"}),
                    ("POST", f"/tasks/{task.id}/assign", {"user_id": nobody}),
                    ("PUT", f"/users/{self.client.id}/role", {"role": "owner"}),
                )
            )
        )
        if self.random.random() < 0.2:
            entry.body = b'{"title": '
        return entry

    def _edit(self, task: Task) -> Entry:
        changes = {
            "title": f"renamed {self.random.getrandbits(32):08x}",
            "priority": self.random.choice(PRIORITIES),
            "description": 'ü\n\t"\\/\x7f' * self.random.randrange(40),
            "tags": self.random.sample(["red", "green", "blue"], self.random.randrange(3)),
            "due_at": self.random.choice([None, "2027-01-31T17:00:00.123456Z"]),
        }
        fields = self.random.sample(sorted(changes), self.random.randint(1, 3))
        return self._entry("PATCH", f"/tasks/{task.id}", {field: changes[field] for field in fields})

    def _replace(self, task: Task) -> Entry:
        return self._entry("PUT", f"/tasks/{task.id}", self._new())

    def _move(self, task: Task) -> Entry:
        return self._entry("POST", f"/tasks/{task.id}/{self.random.choice(MOVES[task.status])}")

    def _assign(self, task: Task) -> Entry:
        assignee = self._assignee()
        return self._entry("POST", f"/tasks/{task.id}/assign", {f"{assignee['type']}_id": assignee["id"]})

    def _assignee(self) -> dict[str, str]:
        """Now and then the team; most may not choose it, and are refused."""
        if self._teams and self.random.random() < 0.2:
            return {"type": "team", "id": self.random.choices(self._teams, TEAM_SHARES)[0]}
        return {"type": "user", "id": self.random.choice(self._people)}

    def _unassign(self, task: Task) -> Entry:
        return self._entry("POST", f"/tasks/{task.id}/unassign")

    def _trash(self, task: Task) -> Entry:
        if task.deleted_at:
            return self._entry("POST", f"/tasks/{task.id}/restore")
        return self._entry("DELETE", f"/tasks/{task.id}")
