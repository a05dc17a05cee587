"""What waits for one client: of each task the latest change, in the order of the log, within bounds."""

from typing import Final

from api.sockets.protocol import Wire

MOST_BYTES: Final = 4_000_000

# A role change is told in its place among the tasks. No task has such an id.
RESYNC: Final = "resync"


class Outbox:
    """Frames for one client. While its transport takes them they go straight on; else they wait here.

    What waits is conflated by task: a later change of a task replaces the earlier one and takes a place at the end, so
    the order of positions stays. `conflated` counts those replaced since the client was last told.
    """

    __slots__ = ("_most", "_size", "_waiting", "_wire", "conflated", "full", "holding", "overrun")

    def __init__(self, wire: Wire, most: int) -> None:
        self._wire = wire
        self._most = most
        self._waiting: dict[str, bytes] = {}
        self._size = 0
        self.conflated = 0
        self.full = False  # for good: the client must resume
        self.holding = True  # until what it missed has been sent
        self.overrun = False  # more came meanwhile than waits here: that too is to be fetched from the log

    @property
    def is_empty(self) -> bool:
        """Whether all that was put here is on its way."""
        return not self._waiting

    def put(self, task_id: str, frame: bytes) -> None:
        """Send a frame, or let it wait."""
        if self.overrun:
            return
        if not self.holding and not self._waiting and not self._wire.paused:
            self._wire.write(frame)
            return
        replaced = self._waiting.pop(task_id, None)
        if replaced is not None:
            self.conflated += task_id is not RESYNC
            self._size -= len(replaced)
        self._waiting[task_id] = frame
        self._size += len(frame)
        if len(self._waiting) > self._most or self._size > MOST_BYTES:
            if self.holding:
                self.begin_again()
                self.overrun = True
            else:
                self.full = True

    def begin_again(self) -> None:
        """Forget what waits: it comes in another way, or is void."""
        self._waiting.clear()
        self._size = self.conflated = 0
        self.overrun = False

    def stop(self) -> None:
        """Send nothing more, and keep nothing."""
        self.begin_again()
        self.holding = self.overrun = True

    def release(self) -> None:
        """What was missed has been sent: go on live."""
        self.holding = False
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the transport takes it."""
        if self.holding:
            return
        write, waiting = self._wire.write, self._waiting
        while waiting and not self._wire.paused:
            frame = waiting.pop(next(iter(waiting)))
            self._size -= len(frame)
            write(frame)

    def told(self) -> int:
        """How many changes were replaced since this was last asked."""
        conflated, self.conflated = self.conflated, 0
        return conflated
