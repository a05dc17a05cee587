"""The client of the rebuild suite, as a process of its own: commands, reads and sockets, all at the same time.

Everything is sent at random moments that do not depend on answers (an open loop): where the program is slow, requests
queue up here, and their waiting counts.
"""

import asyncio
import gc
import random
import sys
from collections import deque
from time import perf_counter
from typing import Final

import msgspec
import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from bench.wire import Answered, Wire, new_task, opened, post

CONNECTIONS: Final = 64
SOCKETS: Final = 5
PATIENCE_SECONDS: Final = 20.0
WARM_UP_SECONDS: Final = 0.7
COMMANDS: Final = 200  # a second
LISTS: Final = 20
GETS: Final = 50


class Options(msgspec.Struct):
    """What to do. `tasks` are ids to get."""

    port: int
    token: str
    seconds: float
    seed: int
    tasks: list[str]


class Result(msgspec.Struct):
    """Milliseconds from the moment at which something was to be sent to its answer, and to the frame of a command."""

    command_ms: list[float]
    frame_ms: list[float]
    list_ms: list[float]
    get_ms: list[float]


class Asked(msgspec.Struct):
    """A request. `kind` is the name of its list in `Result`."""

    kind: str
    bytes: bytes
    status: int
    due: float
    number: int = -1


class Client:
    """One run. A command is known by the number in its title."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._chance = random.Random(options.seed)
        self._idle: list[Wire] = []
        self._under_way: dict[Wire, Asked] = {}
        self._queue: deque[Asked] = deque()
        self._due: list[float] = []  # of the commands, by number
        self._frames: list[set[int]] = [set() for _ in range(SOCKETS)]
        self._result = Result([], [], [], [])
        self._counting = False
        self._sent = self._answers = 0
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._anything = asyncio.Event()
        self._mark = f"{options.seed}-"

    async def run(self) -> Result:
        """Connect, warm up, send, and wait for the last answer and frame."""
        options = self._options
        self._idle += await opened(CONNECTIONS, options.port, self._answered, self._lost)
        url, headers = f"ws://127.0.0.1:{options.port}/ws/tasks", {"Authorization": f"Bearer {options.token}"}
        sockets = [
            await connect(url, additional_headers=headers, compression=None, max_queue=None) for _ in range(SOCKETS)
        ]
        listening = [asyncio.create_task(self._listen(number, socket)) for number, socket in enumerate(sockets)]
        for task in listening:
            task.add_done_callback(self._heard)
        await self._send_all(WARM_UP_SECONDS)
        await self._until_complete()
        self._counting = True
        await self._send_all(options.seconds)
        await self._until_complete()
        for task in listening:
            task.remove_done_callback(self._heard)
            task.cancel()
        for socket in sockets:
            await socket.close()
        return self._result

    async def _send_all(self, seconds: float) -> None:
        """Each at its moment; a timer that is late sends at once what is due."""
        rates = {"command_ms": COMMANDS, "list_ms": LISTS, "get_ms": GETS}
        moments = []
        for kind, rate in rates.items():
            at = 0.0
            while (at := at + self._chance.expovariate(rate)) < seconds:
                moments.append((at, kind))
        started = perf_counter()
        for moment, kind in sorted(moments):
            ahead = started + moment - perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._queue.append(self._asked(kind, started + moment))
            self._sent += 1
            self._send_next()

    def _asked(self, kind: str, due: float) -> Asked:
        token = self._options.token
        if kind == "command_ms":
            self._due.append(due)
            number = len(self._due) - 1
            request = post("/api/v1/tasks", token, new_task(f"{self._mark}{number}"))
            return Asked(kind, request, 201, due, number)
        path = "/api/v1/tasks?limit=50"
        if kind == "get_ms":
            path = f"/api/v1/tasks/{self._chance.choice(self._options.tasks)}"
        asking = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
        return Asked(kind, asking.encode(), 200, due)

    def _send_next(self) -> None:
        while self._queue and self._idle:
            asked, wire = self._queue.popleft(), self._idle.pop()
            self._under_way[wire] = asked
            wire.send(asked.bytes)

    def _answered(self, wire: Wire, answered: Answered) -> None:
        now, asked = perf_counter(), self._under_way.pop(wire)
        if answered.status != asked.status:
            self._fail(f"{asked.kind} answered {answered.status}: {answered.head.decode()}")
            return
        self._answers += 1
        if self._counting:
            getattr(self._result, asked.kind).append((now - asked.due) * 1000)
        self._idle.append(wire)
        self._send_next()
        self._anything.set()

    async def _listen(self, number: int, socket: ClientConnection) -> None:
        """Every socket gets every change once; the first one is timed."""
        seen = self._frames[number]
        async for frame in socket:
            now = perf_counter()
            said = orjson.loads(frame)
            match said["type"]:
                case "change" if said["task"]["title"].startswith(self._mark):
                    command = int(said["task"]["title"].removeprefix(self._mark))
                    if command in seen:
                        raise RuntimeError(f"the change of command {command} came twice")
                    seen.add(command)
                    if number == 0 and self._counting:
                        self._result.frame_ms.append((now - self._due[command]) * 1000)
                    self._anything.set()
                case "ping":
                    await socket.send('{"type":"pong"}')
                case "resync":
                    raise RuntimeError(f"asked to resync: {said}")

    async def _until_complete(self) -> None:
        """All answered, and seen by all?"""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._answers < self._sent or any(len(seen) < len(self._due) for seen in self._frames):
                self._anything.clear()
                await self._anything.wait()
                if self._failed.done():
                    await self._failed

    def _heard(self, task: "asyncio.Task[None]") -> None:
        self._fail(f"a socket ended: {task.exception() or 'closed'}")

    def _lost(self) -> None:
        self._fail("a connection was closed")

    def _fail(self, reason: str) -> None:
        if not self._failed.done():
            self._failed.set_exception(RuntimeError(reason))
            self._anything.set()


async def main() -> None:
    """Options on stdin, the result on stdout. Nothing here may be late because of garbage of its own."""
    gc.collect()
    gc.disable()
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=Options)
    sys.stdout.buffer.write(msgspec.json.encode(await Client(options).run()))


if __name__ == "__main__":
    uvloop.run(main())
