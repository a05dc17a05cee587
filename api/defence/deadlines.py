"""No request takes for ever: one that is not answered in time is given up.

A look once a second at all that run costs a request a fifth of what a timer of its own would.
"""

import asyncio
from time import perf_counter
from typing import Any, Final

from domain.errors import Unavailable
from projections.ending import end

LOOK_SECONDS: Final = 1.0

Task = asyncio.Task[Any]


class Deadlines:
    """The tasks of the requests that are being answered, each with the moment when it began."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.running: dict[Task, float] = {}
        self.loop: asyncio.AbstractEventLoop | None = None  # known, so that no request has to look for it
        self._given_up: set[Task] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self.loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        await end(self._task)

    def run_once(self, now: float) -> None:
        """Give up what began too long ago. The times are those of `perf_counter`."""
        for task, began in list(self.running.items()):
            if now - began > self.seconds:
                del self.running[task]
                self._given_up.add(task)
                task.cancel()

    def reason(self, task: Task, error: BaseException) -> Exception | asyncio.CancelledError:
        """What an error of a task means: a cancellation that came from here is `Unavailable` `request.out_of_time`."""
        if task in self._given_up:
            self._given_up.discard(task)
            if isinstance(error, asyncio.CancelledError):
                task.uncancel()
                detail = f"it took longer than {self.seconds:g} s; a command may have been done or not"
                return Unavailable("request.out_of_time", detail)
        assert isinstance(error, Exception | asyncio.CancelledError)
        return error

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self.seconds))
            self.run_once(perf_counter())
