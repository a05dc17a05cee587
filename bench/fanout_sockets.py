"""The client process of the fan-out suite, as the suite sees it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench.fanout_client import Closing, Counted, Counting, Order
from bench.servers import ROOT


class Sockets:
    """Sends orders to the client and waits for its answers. Raises `RuntimeError` when it fails."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def do(self, order: Order) -> None:
        """An order without a result."""
        self._send(order)
        self._answer()

    def close(self, group: str) -> None:
        """Close a group."""
        self.do(Closing(group=group))

    @contextmanager
    def counting(self, order: Counting) -> Iterator["Result"]:
        """Count what arrives because of what is done inside; the result is there behind it."""
        self._send(order)
        self._answer()
        result = Result()
        yield result
        counted = self._answer()
        if counted is None:
            raise RuntimeError("the client did not count")
        result.counted = counted

    def _send(self, order: Order) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def _answer(self) -> Counted | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the client of the sockets has ended; what it said is above")
        return msgspec.json.decode(line, type=Counted | None)


class Result:
    """What was counted, once it was."""

    counted: Counted


@contextmanager
def sockets() -> Iterator[Sockets]:
    """Start the client, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.fanout_client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield Sockets(process)
    finally:
        process.kill()
        process.communicate()
