"""The client of the HTTP suites, a process of its own: each connection makes a task, assigns it, …; or it reads."""

import asyncio
import sys
from time import perf_counter
from uuid import uuid4

import msgspec
import uvloop

from bench.wire import Answered, Wire, get, new_task, opened, post

TASKS = "/api/v1/tasks"


class Options(msgspec.Struct):
    """What to do: so many connections to a port, for so long. With `path`, all of them read what is there."""

    port: int
    token: str
    user_id: str
    connections: int
    warm_up_seconds: float
    seconds: float
    path: str = ""


class Done(msgspec.Struct):
    """Requests a second within the time that was measured, and all that were answered."""

    rate: float
    requests: int


class Load:
    """A closed loop over some connections. Every answer must be 2xx."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._first = (
            get(options.path, options.token)
            if options.path
            else post(TASKS, options.token, new_task("Write the report"))
        )
        self._assign_body = f'{{"user_id":"{options.user_id}"}}'.encode()
        self._anything = f"{TASKS}/{uuid4()}"
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begin = self._end = 0.0
        self._done = self._all = self._open = 0

    async def run(self) -> Done:
        """Until the time is over."""
        wires = await opened(self._options.connections, self._options.port, self._answered, self._lost)
        self._open = len(wires)
        self._begin = perf_counter() + self._options.warm_up_seconds
        self._end = self._begin + self._options.seconds
        for wire in wires:
            wire.send(self._first)
        await self._ended
        for wire in wires:
            wire.close()
        return Done(self._done / self._options.seconds, self._all)

    def _answered(self, wire: Wire, answered: Answered) -> None:
        if answered.status not in (200, 201):
            self._fail(f"answered {answered.status}: {answered.head.decode()}")
            return
        now = perf_counter()
        self._all += 1
        self._done += self._begin <= now <= self._end
        if now > self._end:
            self._open -= 1
            if not self._open and not self._ended.done():
                self._ended.set_result(None)
        elif answered.status == 201:  # an endpoint that stores nothing names no place; any will do for it
            place = answered.header(b"location")
            path = place.decode() if place else self._anything
            wire.send(post(f"{path}/assign", self._options.token, self._assign_body))
        else:
            wire.send(self._first)

    def _lost(self) -> None:
        if not self._ended.done():
            self._fail("a connection was closed")

    def _fail(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_exception(RuntimeError(reason))


async def main() -> None:
    """Options on stdin, what was done on stdout."""
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=Options)
    sys.stdout.buffer.write(msgspec.json.encode(await Load(options).run()))


if __name__ == "__main__":
    uvloop.run(main())
