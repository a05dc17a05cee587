"""Clients under load: each sends command after command, and each command with its key until an answer comes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from bench.wire import Answered
from tests.faults.batching import body_of, unwrapped
from tests.faults.bell import Bell, back_off
from tests.faults.ledger import Entry, Texts, code_of, read_answer
from tests.faults.line import Line, request
from tests.faults.reads import Read, read_list
from tests.faults.writer import Task, Tasks, Writer
from tests.house import Client

BACK_OFF: Final = 0.1
TEAMS: Final = ("crew", "watch")


@dataclass(frozen=True)
class Style:
    """How a load behaves: `shared` tasks that all work on, `patience` seconds for an answer, `pace` seconds between
    the commands of one writer, and the shares of commands that are followed by a retry or by a read.
    """

    shared: int = 24
    patience: float = 30.0
    pace: float = 0.0
    retries: float = 0.1
    reads: float = 0.1
    twins: float = 0.02


_task = msgspec.json.Decoder(Task).decode


class Load:
    """Writers, and the ledger of what they sent.

    `complaints` are answers that no client should ever get; `put_off` counts those that said: try again. `clock` counts
    what clients do, so that of two moments it is known which came first.
    """

    def __init__(self, bell: Bell, seed: str, bases: Sequence[str], style: Style | None = None) -> None:
        self._bell = bell
        self._seed = seed
        self._bases = bases
        self._style = style or Style()
        self._stopping = False
        self._tasks = Tasks(self._style.shared)
        self.texts = Texts()
        self.ledger: list[Entry] = []
        self.reads: list[Read] = []
        self.crashes: list[int] = []
        self.complaints: list[str] = []
        self.teams: list[str] = []
        self.clock = 0
        self.attempts = 0
        self.acknowledged = 0
        self.head = 0
        self.put_off = 0

    @asynccontextmanager
    async def running(self, clients: Sequence[Client], fickle: str | None = None) -> AsyncIterator[None]:
        """Write until the block is left, then until every key has its answer.

        The first client is the admin, who now and then gives `fickle` another role.
        """
        people = sorted({client.id for client in clients})
        async with asyncio.TaskGroup() as group:
            for number, client in enumerate(clients):
                random = Random(f"{self._seed}/{number}")
                writer = Writer(client, people, random, fickle if number == 0 else None, self.teams)
                group.create_task(self._write(writer, number))
            try:
                yield
            finally:
                self._stopping = True

    async def appoint(self, admin: Client, manager: Client, crew: Sequence[Client]) -> None:
        """The first commands of a run: a manager, a team of all, so that they may assign to each other, and another."""
        lines = Lines(self._bases, 0)
        writer = Writer(admin, (), Random(self._seed), None)

        async def command(key: str, method: str, path: str, body: bytes) -> str:
            entry = Entry(key, admin.id, method, path, body)
            self.ledger.append(entry)
            await self.settle(writer, lines, entry)
            assert entry.receipt is not None, entry.answers
            return entry.receipt.stream_id or ""

        await command("appoint", "PUT", f"/users/{manager.id}/role", b'{"role":"manager"}')
        for name in TEAMS:
            self.teams.append(await command(f"found-{name}", "POST", "/teams", b'{"name":"%s"}' % name.encode()))
        for number, member in enumerate(crew):
            await command(f"hire-{number}", "PUT", f"/teams/{self.teams[0]}/members/{member.id}", b"{}")
        lines.close()

    async def more(self, count: int, most: float = 60.0) -> bool:
        """Until so many more commands are acknowledged."""
        goal = self.acknowledged + count
        return await self._bell.until(lambda: self.acknowledged >= goal, most)

    async def tried(self, count: int, most: float) -> bool:
        """Until so many more attempts were made, whatever came of them; for at most so many seconds."""
        goal = self.attempts + count
        return await self._bell.until(lambda: self.attempts >= goal, most)

    def tick(self) -> int:
        """The next moment of the run's clock."""
        self.clock += 1
        return self.clock

    async def _write(self, writer: Writer, number: int) -> None:
        lines = Lines(self._bases, number)
        mine: list[Entry] = []
        random, style = writer.random, self._style
        while not self._stopping:
            entry = writer.next(self._tasks)
            self.ledger.append(entry)
            mine.append(entry)
            if random.random() < style.twins:  # the same key at the same time, twice
                entry.twins = True
                twin = asyncio.create_task(self.settle(writer, Lines(self._bases, number + 1), entry))
                await self.settle(writer, lines, entry)
                await twin
            else:
                await self.settle(writer, lines, entry, writer.hurry(style.patience))
            if random.random() < style.retries:  # ask again for what was answered before
                await self.settle(writer, lines, random.choice(mine[-50:]))
            if random.random() < style.reads and (receipt := entry.receipt) is not None:
                await self._read(writer, lines, receipt.position or 0)
            if random.random() < 0.01:
                await self._misuse(writer, lines, random.choice(mine[-50:]))
            if style.pace:
                await back_off(style.pace * random.uniform(0.5, 1.5))
        lines.close()

    async def settle(self, writer: Writer, lines: "Lines", entry: Entry, first_patience: float | None = None) -> None:
        """Send a command, again and again with its key, until its outcome is known."""
        sending = _sending(entry, writer.token)
        entry.sent = entry.sent or self.tick()
        patience = first_patience or self._style.patience
        while True:
            entry.attempts += 1
            self.attempts += 1
            answered = await lines.call(sending, patience)
            if answered is not None and entry.atomic is not None:
                answered = unwrapped(answered)
            if answered is not None and not self._is_put_off(entry, answered):
                break
            self._bell.ring()
            patience = self._style.patience
            if not lines.turn() or answered is not None:
                await back_off(BACK_OFF)
        self._take(entry, answered)
        self._bell.ring()

    def _take(self, entry: Entry, answered: Answered) -> None:
        if answered.status >= 500 or answered.status == 401:
            self.complaints.append(f"{entry}: {answered.status} {answered.body[:300].decode()}")
        answer = read_answer(answered, self.texts)
        if answer.status < 300:
            if not entry.acknowledged:
                entry.acknowledged = self.tick()
                self.acknowledged += 1
                self.head = max(self.head, answer.position or 0)
            if entry.is_of_a_task:
                self._tasks.remember(_task(answer.body))
        entry.answers.append(answer)

    def _is_put_off(self, what: object, answered: Answered) -> bool:
        if answered.status != 503:
            return False
        self.put_off += 1
        if answered.header(b"retry-after") is None:
            self.complaints.append(f"{what}: a 503 without Retry-After: {answered.body[:300].decode()}")
        return True

    async def _read(self, writer: Writer, lines: "Lines", position: int) -> None:
        """Read a list from a position on, once: no answer is no answer."""
        asking = request("GET", f"/tasks?limit=5&sort=-updated_at&min_position={position}", writer.token)
        started = self.tick()
        answered = await lines.call(asking, self._style.patience)
        if answered is None or self._is_put_off("GET /tasks", answered):
            return
        if answered.status != 200:
            self.complaints.append(f"GET /tasks: {answered.status} {answered.body[:300].decode()}")
            return
        self.reads.append(read_list(answered, started, self.tick(), position, self.texts))

    async def _misuse(self, writer: Writer, lines: "Lines", entry: Entry) -> None:
        """The key of a command that took effect, with another body: it must be refused for what it is."""
        if entry.receipt is None:
            return
        asking = request("POST", "/tasks", writer.token, b'{"title":"under a used key"}', key=entry.key)
        answered = await lines.call(asking, self._style.patience)
        if answered is None or self._is_put_off(entry, answered):
            return
        if answered.status != 422 or code_of(answered.body).code != "idempotency.key_reused":
            text = f"{answered.status} {answered.body[:300].decode()}"
            self.complaints.append(f"{entry}: its key with another body was answered {text}")


def _sending(entry: Entry, token: str) -> bytes:
    """As what it goes: by its own route, or as a batch of one."""
    batch = None if entry.atomic is None else body_of(entry)
    if batch is not None:
        return request("POST", "/commands", token, batch, key=entry.key)
    return request(entry.method, entry.path, token, entry.body, key=entry.key, if_match=entry.if_match)


class Lines:
    """A client's ways to the API: one line to each of its processes, of which one is used until it fails."""

    def __init__(self, bases: Sequence[str], first: int) -> None:
        self._lines = [Line(base) for base in bases]
        self._at = first % len(bases)
        self._turns = 0

    async def call(self, sending: bytes, patience: float) -> Answered | None:
        """As `Line.call`, at the present process."""
        answered = await self._lines[self._at].call(sending, patience)
        if answered is not None and answered.status != 503:
            self._turns = 0
        return answered

    def turn(self) -> bool:
        """Go on at the next process. False when all have been tried since the last answer: then it is time to wait."""
        self._at = (self._at + 1) % len(self._lines)
        self._turns += 1
        if self._turns >= len(self._lines):
            self._turns = 0
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()
