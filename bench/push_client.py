"""The client of the push suite, as a process of its own: it sends commands at random moments and listens on a socket.

The moments do not depend on answers (an open loop): where the program is slow, commands queue up here, and their
waiting counts. Sender and listener share a process, so one clock times both.
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
PATIENCE_SECONDS: Final = 20.0
WARM_UP_COMMANDS: Final = 50


class Options(msgspec.Struct):
    """What to do: so many commands a second, for so long."""

    port: int
    token: str
    rate: int
    seconds: float
    seed: int


class Result(msgspec.Struct):
    """Milliseconds from the command to the frame and to the answer; and how late the client's own timer was."""

    frame_ms: list[float]
    answer_ms: list[float]
    late_ms: list[float]


class Client:
    """One run. A command is known by the number in its title."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sent: list[float] = []
        self._answered_at: dict[int, float] = {}
        self._framed_at: dict[int, float] = {}
        self._late: list[float] = []
        self._idle: list[Wire] = []
        self._under_way: dict[Wire, int] = {}
        self._queue: deque[int] = deque()
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected = -1

    async def run(self) -> Result:
        """Connect, warm up, send, and wait for the last frame."""
        options = self._options
        self._idle += await opened(CONNECTIONS, options.port, self._answered, self._lost)
        url, headers = f"ws://127.0.0.1:{options.port}/ws/tasks", {"Authorization": f"Bearer {options.token}"}
        async with connect(url, additional_headers=headers, compression=None, max_queue=None) as socket:
            listening = asyncio.create_task(self._listen(socket))
            await self._send_all(self._moments(WARM_UP_COMMANDS / options.rate + 0.3))
            first = len(self._sent)
            await self._send_all(self._moments(options.seconds))
            self._expected = len(self._sent)
            self._look()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait([self._finished, listening], return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                await listening
            await self._finished
            listening.cancel()
        numbers = range(first, self._expected)
        return Result(
            frame_ms=[(self._framed_at[n] - self._sent[n]) * 1000 for n in numbers],
            answer_ms=[(self._answered_at[n] - self._sent[n]) * 1000 for n in numbers],
            late_ms=[late * 1000 for late in self._late[first:]],
        )

    def _moments(self, seconds: float) -> list[float]:
        """When to send: independent of each other, as many clients are (exponential gaps), the same in each run."""
        chance = random.Random(self._options.seed)
        moments, at = [], 0.0
        while (at := at + chance.expovariate(self._options.rate)) < seconds:
            moments.append(at)
        return moments

    async def _send_all(self, moments: list[float]) -> None:
        """Each at its moment; a timer that is late sends at once what is due."""
        started = perf_counter()
        for moment in moments:
            ahead = started + moment - perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._late.append(perf_counter() - started - moment)
            self._sent.append(perf_counter())
            self._queue.append(len(self._sent) - 1)
            self._send_next()

    def _send_next(self) -> None:
        while self._queue and self._idle:
            number, wire = self._queue.popleft(), self._idle.pop()
            self._under_way[wire] = number
            wire.send(post("/api/v1/tasks", self._options.token, new_task(f"number {number}")))

    def _answered(self, wire: Wire, answered: Answered) -> None:
        if answered.status != 201:
            self._fail(f"answered {answered.status}: {answered.head.decode()}")
            return
        self._answered_at[self._under_way.pop(wire)] = perf_counter()
        self._idle.append(wire)
        self._send_next()
        self._look()

    async def _listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            now = perf_counter()
            said = orjson.loads(frame)
            match said["type"]:
                case "change":
                    number = int(said["task"]["title"].removeprefix("number "))
                    if number in self._framed_at:
                        raise RuntimeError(f"the change of command {number} came twice")
                    self._framed_at[number] = now
                    self._look()
                case "ping":
                    await socket.send('{"type":"pong"}')
                case "resync":
                    raise RuntimeError(f"asked to resync: {said}")

    def _look(self) -> None:
        """All answered and all seen?"""
        everything = len(self._framed_at) == len(self._answered_at) == self._expected
        if everything and not self._finished.done():
            self._finished.set_result(None)

    def _lost(self) -> None:
        self._fail("a connection was closed")

    def _fail(self, reason: str) -> None:
        if not self._finished.done():
            self._finished.set_exception(RuntimeError(reason))


async def main() -> None:
    """Options on stdin, the result on stdout. Nothing here may be late because of garbage of its own."""
    gc.collect()
    gc.disable()
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=Options)
    sys.stdout.buffer.write(msgspec.json.encode(await Client(options).run()))


if __name__ == "__main__":
    uvloop.run(main())
