"""Clients under load: each sends command after command, and each command with its key until an answer comes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final
from uuid import UUID

import httpx

from tests.faults.bell import Bell
from tests.faults.ledger import Entry, read_answer
from tests.house import Client

SHARED: Final = 24  # tasks that all writers work on: the fewer, the more they meet
PATIENCE: Final = 30.0
BACK_OFF: Final = 0.1
PRIORITIES: Final = ("low", "normal", "high", "urgent")
MOVES: Final = {
    "todo": ("start", "complete", "cancel"),
    "in_progress": ("pause", "complete", "cancel"),
    "done": ("reopen",),
    "cancelled": ("reopen",),
}

Task = dict[str, Any]


class Load:
    """Writers, and the ledger of what they sent.

    `complaints` are answers that no client should ever get; `put_off` counts those that said: try again.
    """

    def __init__(self, bell: Bell, seed: str) -> None:
        self._bell = bell
        self._seed = seed
        self._stopping = False
        self._tasks: deque[Task] = deque(maxlen=SHARED)
        self.ledger: list[Entry] = []
        self.complaints: list[str] = []
        self.attempts = 0
        self.acknowledged = 0
        self.put_off = 0

    @asynccontextmanager
    async def running(self, clients: Sequence[Client], fickle: str | None = None) -> AsyncIterator[None]:
        """Write until the block is left, then until every key has its answer.

        The first client is the admin, who now and then gives `fickle` another role.
        """
        people = [client.id for client in clients]
        async with asyncio.TaskGroup() as group:
            for number, client in enumerate(clients):
                writer = Writer(client, people, Random(f"{self._seed}/{number}"), fickle if number == 0 else None)
                group.create_task(self._write(writer))
            try:
                yield
            finally:
                self._stopping = True

    async def more(self, count: int, most: float = 60.0) -> bool:
        """Until so many more commands are acknowledged."""
        goal = self.acknowledged + count
        return await self._bell.until(lambda: self.acknowledged >= goal, most)

    async def tried(self, count: int, most: float) -> bool:
        """Until so many more attempts were made, whatever came of them; for at most so many seconds."""
        goal = self.attempts + count
        return await self._bell.until(lambda: self.attempts >= goal, most)

    async def _write(self, writer: "Writer") -> None:
        mine: list[Entry] = []
        while not self._stopping:
            entry = writer.next(self._tasks)
            self.ledger.append(entry)
            mine.append(entry)
            await self.settle(writer.client, entry, writer.hurry())
            if writer.random.random() < 0.1:  # ask again for what was answered before
                await self.settle(writer.client, writer.random.choice(mine))

    async def settle(self, client: Client, entry: Entry, first_patience: float = PATIENCE) -> None:
        """Send a command, again and again with its key, until its outcome is known."""
        patience = first_patience
        while (response := await self._attempt(client, entry, patience)) is None:
            patience = PATIENCE
            await self._bell.heard(BACK_OFF)
        answer = read_answer(response)
        entry.answers.append(answer)
        if answer.status < 300:
            self.acknowledged += 1
            if "title" in answer.body:
                self._remember(dict(answer.body))
        self._bell.ring()

    async def _attempt(self, client: Client, entry: Entry, patience: float) -> httpx.Response | None:
        """One attempt; None where its outcome stays unknown, or the server says that it can be tried again."""
        entry.attempts += 1
        self.attempts += 1
        headers = {"idempotency_key": entry.key} | ({"if_match": entry.if_match} if entry.if_match else {})
        self._bell.ring()
        try:
            async with asyncio.timeout(patience):
                response = await client.call(entry.method, entry.path, entry.json, **headers)
        except (httpx.TransportError, TimeoutError):
            return None
        if response.status_code == 503:
            self.put_off += 1
            if "Retry-After" not in response.headers:
                self.complaints.append(f"{entry}: a 503 without Retry-After")
            return None
        if response.status_code >= 500 or response.status_code == 401:
            self.complaints.append(f"{entry}: {response.status_code} {response.text[:300]}")
        return response

    def _remember(self, task: Task) -> None:
        for known in self._tasks:
            if known["id"] == task["id"]:
                if known["version"] < task["version"]:
                    known.update(task)
                return
        self._tasks.append(task)


class Writer:
    """One client and what it does next."""

    def __init__(self, client: Client, people: Sequence[str], random: Random, fickle: str | None) -> None:
        self.client = client
        self.random = random
        self._people = people
        self._fickle = fickle

    def hurry(self) -> float:
        """Some go away before the answer is there."""
        return self.random.uniform(0.001, 0.01) if self.random.random() < 0.05 else PATIENCE

    def next(self, tasks: Sequence[Task]) -> Entry:
        """A command, most often on a task that others work on too."""
        if self._fickle is not None and self.random.random() < 0.04:
            body = {"role": self.random.choice(("member", "manager"))}
            return self._entry("PUT", f"/users/{self._fickle}/role", body)
        if len(tasks) < 6 or self.random.random() < 0.15:
            return self._entry("POST", "/tasks", self._new())
        task = self.random.choice(tasks)
        choose: Callable[[Task], Entry] = self.random.choices(
            (self._edit, self._move, self._assign, self._unassign, self._trash), (25, 35, 12, 4, 6)
        )[0]
        entry = choose(task)
        if self.random.random() < 0.1:
            entry.if_match = f'"{task["version"]}"'
        return entry

    def _entry(self, method: str, path: str, json: Any = None) -> Entry:
        key = str(UUID(int=self.random.getrandbits(128)))
        return Entry(key, self.client.id, method, path, json)

    def _new(self) -> dict[str, Any]:
        body: dict[str, Any] = {"title": f"task {self.random.getrandbits(32):08x}"}
        if self.random.random() < 0.5:
            body["assignee"] = {"type": "user", "id": self.random.choice(self._people)}
        return body

    def _edit(self, task: Task) -> Entry:
        changes = {
            "title": f"renamed {self.random.getrandbits(32):08x}",
            "priority": self.random.choice(PRIORITIES),
            "description": "ü" * self.random.randrange(400),
            "tags": self.random.sample(["red", "green", "blue"], self.random.randrange(3)),
            "due_at": self.random.choice([None, "2027-01-31T17:00:00.123456Z"]),
        }
        fields = self.random.sample(sorted(changes), self.random.randint(1, 3))
        return self._entry("PATCH", f"/tasks/{task['id']}", {field: changes[field] for field in fields})

    def _move(self, task: Task) -> Entry:
        return self._entry("POST", f"/tasks/{task['id']}/{self.random.choice(MOVES[task['status']])}")

    def _assign(self, task: Task) -> Entry:
        return self._entry("POST", f"/tasks/{task['id']}/assign", {"user_id": self.random.choice(self._people)})

    def _unassign(self, task: Task) -> Entry:
        return self._entry("POST", f"/tasks/{task['id']}/unassign")

    def _trash(self, task: Task) -> Entry:
        if task["deleted_at"]:
            return self._entry("POST", f"/tasks/{task['id']}/restore")
        return self._entry("DELETE", f"/tasks/{task['id']}")


@asynccontextmanager
async def staff(base: str, writers: int) -> AsyncIterator[list[Client]]:
    """Users of every role, the admin first and the fickle member last, with a few more clients of the first ones."""
    async with httpx.AsyncClient(base_url=f"{base}/api/v1", timeout=PATIENCE) as http:
        people = [await _join(http, base, name) for name in ("ada", "max", "mia", "leo", "eve")]
        changed = await people[0].call("PUT", f"/users/{people[1].id}/role", {"role": "manager"})
        assert changed.status_code == 200, changed.text
        yield [*people[:-1], *(people[n % 4] for n in range(writers - len(people))), people[-1]]


async def _join(http: httpx.AsyncClient, base: str, name: str) -> Client:
    body = {"email": f"{name}@example.com", "password": "correct horse", "display_name": name}
    response = await http.post("/auth/register", json=body)
    assert response.status_code == 201, response.text
    return Client(http, response.json(), base)
