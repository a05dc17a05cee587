"""The client of the suite `batch`, a process of its own: each connection sends one batch after another."""

import asyncio
import sys
from time import perf_counter
from uuid import uuid4

import msgspec
import uvloop

from bench.http_client import Done
from bench.wire import Answered, Wire, new_task, opened

COMMANDS = "/api/v1/commands"


class Options(msgspec.Struct):
    """What to do: so many connections to a port, for so long, each with batches of so many commands."""

    port: int
    token: str
    user_id: str
    connections: int
    size: int
    atomic: bool
    keyed: bool
    warm_up_seconds: float
    seconds: float


def batch(size: int, user_id: str, *, atomic: bool) -> bytes:
    """Half of the commands make a task, and the others assign it, as the client of single commands does."""
    commands: list[dict[str, object]] = []
    for number in range(size // 2):
        made = f"t{number}"
        data = msgspec.Raw(new_task("Write the report"))
        commands.append({"id": made, "type": "task.create", "data": data})
        commands.append({"id": f"a{number}", "type": "task.assign", "target": f"${made}", "data": {"user_id": user_id}})
    return msgspec.json.encode({"commands": commands, "atomic": atomic})


class Load:
    """A closed loop over some connections. Every command of every batch must be done."""

    def __init__(self, options: Options) -> None:
        self._options = options
        body = batch(options.size, options.user_id, atomic=options.atomic)
        self._head = (
            f"POST {COMMANDS} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {options.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        ).encode()
        self._body = body
        self._expected = b'"done":%d' % options.size
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
            wire.send(self._request())
        await self._ended
        for wire in wires:
            wire.close()
        return Done(self._done / self._options.seconds, self._all)

    def _request(self) -> bytes:
        key = f"Idempotency-Key: {uuid4()}\r\n".encode() if self._options.keyed else b""
        return self._head + key + b"\r\n" + self._body

    def _answered(self, wire: Wire, answered: Answered) -> None:
        if answered.status != 200 or self._expected not in answered.body[-200:]:
            self._fail(f"answered {answered.status}: {answered.body[:2_000].decode()}")
            return
        now = perf_counter()
        self._all += self._options.size
        self._done += self._options.size * (self._begin <= now <= self._end)
        if now <= self._end:
            wire.send(self._request())
            return
        self._open -= 1
        if not self._open and not self._ended.done():
            self._ended.set_result(None)

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
