"""The changes of one workspace, in order, each to the sockets that it concerns and to no others."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Final

from api.sockets import frames
from api.sockets.audiences import Audiences, Subscriber, Told
from api.sockets.counting import Pushes
from domain import failpoints
from domain.messages import AccessChange, Projected, TaskChange
from domain.policy import Eyes

MOST_KEPT: Final = 50  # changes of one user's access: for newcomers, who read theirs a moment ago

Part = tuple[Sequence[TaskChange], Sequence[AccessChange], int]


def parts(tasks: Sequence[TaskChange], accesses: Sequence[AccessChange], to: int, most: int) -> Iterator[Part]:
    """What happened up to `to` in parts of about `most` changes, each up to the end of a position."""
    begin = 0
    while begin + most < len(tasks):
        end = begin + most
        while end < len(tasks) and tasks[end].position == tasks[end - 1].position:
            end += 1
        last = tasks[end - 1].position
        yield tasks[begin:end], [access for access in accesses if access.position <= last], last
        begin = end
    yield tasks[begin:], accesses, to


class Feed:
    """One number, `position`: everything up to there was handed out, nothing beyond.

    `frame` makes the frame of a change, by what it is to those who get it.
    """

    def __init__(
        self,
        workspace_id: str,
        position: int,
        counts: Pushes,
        frame: Callable[[str, TaskChange], bytes] = frames.of_task,
    ) -> None:
        self.workspace_id = workspace_id
        self.position = position
        self.published: asyncio.Queue[Projected] = asyncio.Queue()
        self.emptied_at = 0.0  # when there last was a socket, on the monotonic clock
        self.moved_at = 0.0  # when something was last handed out, on the same
        self.counts = counts
        self.restarts = 0
        self.size = 0
        self._frame = frame
        self._audiences = Audiences()
        self._users: dict[str, set[Subscriber]] = {}
        self._accesses: dict[str, deque[AccessChange]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is no socket."""
        return self.size == 0

    @property
    def subscribers(self) -> list[Subscriber]:
        """All sockets."""
        return list(self._audiences)

    def add(self, subscriber: Subscriber) -> None:
        """A socket that gets what is past `position` from now on."""
        self.counts.open += 1
        self.size += 1
        self._audiences.add(subscriber)
        self._users.setdefault(subscriber.user_id, set()).add(subscriber)

    def discard(self, subscriber: Subscriber) -> None:
        """A socket that has ended."""
        self.counts.open -= 1
        self.size -= 1
        self._audiences.discard(subscriber)
        self._users[subscriber.user_id].discard(subscriber)
        if not self._users[subscriber.user_id]:
            del self._users[subscriber.user_id]

    def eyes_of(self, user_id: str) -> Eyes | None:
        """How a user looks at tasks at `position`, which is the same for all sockets of theirs; None without any."""
        return next((subscriber.eyes for subscriber in self._users.get(user_id, ())), None)

    def hand_out(
        self,
        tasks: Sequence[TaskChange],
        accesses: Sequence[AccessChange],
        to: int,
        told: Mapping[int, Told] = MappingProxyType({}),
    ) -> None:
        """Give the changes up to `to` to the sockets they concern, and move on. Never waits.

        `told` holds, by position, the frames for those whose access changes.
        """
        waiting = deque(access for access in accesses if access.position > self.position)
        for change in tasks:
            if change.position <= self.position:
                continue
            while waiting and waiting[0].position < change.position:
                self._change_access(waiting.popleft(), told)
            self._hand_out(change)
        for access in waiting:
            self._change_access(access, told)
        self.position = max(self.position, to)
        self.moved_at = monotonic()
        failpoints.reach(failpoints.HUB_HANDED_OUT)

    def restart(self, position: int, reason: str, epoch: str) -> None:
        """The log is another one: go on from its position, and let every client read the lists again."""
        self.position = position
        self.restarts += 1
        self._accesses.clear()
        self.counts.resyncs += self.size
        frame = frames.restart(reason, epoch, position)
        for subscriber in self.subscribers:
            subscriber.restart(frame)

    def accesses_after(self, position: int, user_id: str) -> list[AccessChange]:
        """How a user's access changed past a position, as far as it was handed out: a newcomer may have read the old
        one.
        """
        return [change for change in self._accesses.get(user_id, ()) if change.position > position]

    def _hand_out(self, change: TaskChange) -> None:
        """The frame of a change, made once, to all sockets to which it is the same."""
        made: dict[str, bytes] = {}
        task_id, position = change.task_id, change.position
        for what, sockets in self._audiences.of(change):
            frame = made.get(what)
            if frame is None:
                frame = made[what] = self._frame(what, change)
            count = 0
            for socket in sockets:
                socket.offer(task_id, position, frame)
                count += 1
            self.counts.frames += count
            self.counts.bytes += count * len(frame)

    def _change_access(self, change: AccessChange, told: Mapping[int, Told]) -> None:
        self._accesses.setdefault(change.user_id, deque(maxlen=MOST_KEPT)).append(change)
        frames = told.get(change.position)
        for subscriber in list(self._users.get(change.user_id, ())):
            self._audiences.discard(subscriber)
            subscriber.change_access(change, frames)
            self._audiences.add(subscriber)
            self.counts.frames += len(frames or ())
            self.counts.bytes += sum(len(frame) for _, frame in frames or ())
