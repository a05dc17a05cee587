"""The changes of one workspace, in order, each to the sockets that it concerns and to no others."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Protocol

from api.sockets import frames
from api.sockets.counting import Pushes
from domain import failpoints
from domain.messages import Projected, RoleChange, TaskChange
from domain.policy import Action, Reach, reach
from domain.user import Role
from projections.changes import seen


class Subscriber(Protocol):
    """A socket, as its feed sees it."""

    user_id: str
    role: Role

    @property
    def is_behind(self) -> bool:
        """Whether changes wait for it, and it is taking what it was given before."""

    def offer(self, task_id: str, position: int, frame: bytes) -> None:
        """Send a frame or let it wait; never waits itself."""

    def change_role(self, role: Role) -> None:
        """The user has another role from here on."""

    def restart(self, frame: bytes) -> None:
        """What the client knows is void, and this says so."""


Sockets = dict[Role, set[Subscriber]]
Part = tuple[Sequence[TaskChange], Sequence[RoleChange], int]


def parts(tasks: Sequence[TaskChange], roles: Sequence[RoleChange], to: int, most: int) -> Iterator[Part]:
    """What happened up to `to` in parts of about `most` changes, each up to the end of a position."""
    begin = 0
    while begin + most < len(tasks):
        end = begin + most
        while end < len(tasks) and tasks[end].position == tasks[end - 1].position:
            end += 1
        last = tasks[end - 1].position
        yield tasks[begin:end], [role for role in roles if role.position <= last], last
        begin = end
    yield tasks[begin:], roles, to


class Feed:
    """One number, `position`: everything up to there was handed out, nothing beyond.

    The sockets stand in an index by what they can see: those who see every task in one place, those who see their own
    by user. So a change costs nothing for those whom it does not concern.
    """

    def __init__(self, workspace_id: str, position: int, counts: Pushes) -> None:
        self.workspace_id = workspace_id
        self.position = position
        self.published: asyncio.Queue[Projected] = asyncio.Queue()
        self.emptied_at = 0.0  # when there last was a socket, on the monotonic clock
        self.moved_at = 0.0  # when something was last handed out, on the same
        self.counts = counts
        self.restarts = 0
        self.size = 0
        self._overseers: Sockets = defaultdict(set)
        self._owners: dict[str, Sockets] = {}
        self._roles: dict[str, RoleChange] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is no socket."""
        return self.size == 0

    @property
    def subscribers(self) -> list[Subscriber]:
        """All sockets."""
        places = [self._overseers, *self._owners.values()]
        return [subscriber for place in places for sockets in place.values() for subscriber in sockets]

    def add(self, subscriber: Subscriber) -> None:
        """A socket that gets what is past `position` from now on."""
        self.counts.open += 1
        self.size += 1
        self._enter(subscriber)

    def discard(self, subscriber: Subscriber) -> None:
        """A socket that has ended."""
        self.counts.open -= 1
        self.size -= 1
        self._leave(subscriber)

    def hand_out(self, tasks: Sequence[TaskChange], roles: Sequence[RoleChange], to: int) -> None:
        """Give the changes up to `to` to the sockets they concern, and move on. Never waits."""
        waiting = deque(role for role in roles if role.position > self.position)
        for change in tasks:
            if change.position <= self.position:
                continue
            while waiting and waiting[0].position < change.position:
                self._change_role(waiting.popleft())
            self._hand_out(change)
        for role in waiting:
            self._change_role(role)
        self.position = max(self.position, to)
        self.moved_at = monotonic()
        failpoints.reach(failpoints.HUB_HANDED_OUT)

    def restart(self, position: int, reason: str, epoch: str) -> None:
        """The log is another one: go on from its position, and let every client read the lists again."""
        self.position = position
        self.restarts += 1
        self._roles.clear()
        self.counts.resyncs += self.size
        frame = frames.restart(reason, epoch, position)
        for subscriber in self.subscribers:
            subscriber.restart(frame)

    def role_after(self, position: int, user_id: str) -> Role | None:
        """The role that a user got past a position, if it was handed out: a newcomer may have read the old one."""
        change = self._roles.get(user_id)
        return None if change is None or change.position <= position else change.role

    def _hand_out(self, change: TaskChange) -> None:
        """Each place once: those who see all, and the tasks' own people, before the change and after it."""
        made: dict[str, bytes] = {}
        for role, sockets in self._overseers.items():
            self._give(change, role, "", sockets, made)
        for user_id in (change.before or frozenset()) | (change.after or frozenset()):
            for role, sockets in self._owners.get(user_id, {}).items():
                self._give(change, role, user_id, sockets, made)

    def _give(
        self, change: TaskChange, role: Role, user_id: str, sockets: set[Subscriber], made: dict[str, bytes]
    ) -> None:
        """The frame of a change, made once, to sockets of one role that see the same."""
        what = seen(change, role, user_id)
        if what is None:
            return
        frame = made.get(what)
        if frame is None:
            frame = made[what] = frames.upsert(change) if what == "upsert" else frames.removed(change)
        task_id, position = change.task_id, change.position
        for socket in sockets:
            socket.offer(task_id, position, frame)
        self.counts.frames += len(sockets)
        self.counts.bytes += len(sockets) * len(frame)

    def _change_role(self, change: RoleChange) -> None:
        self._roles[change.user_id] = change
        for subscriber in [each for each in self.subscribers if each.user_id == change.user_id]:
            self._leave(subscriber)
            subscriber.change_role(change.role)
            self._enter(subscriber)
            self.counts.resyncs += 1

    def _place(self, subscriber: Subscriber) -> Sockets:
        if reach(subscriber.role, Action.TASK_READ) is Reach.ALL:
            return self._overseers
        return self._owners.setdefault(subscriber.user_id, defaultdict(set))

    def _enter(self, subscriber: Subscriber) -> None:
        self._place(subscriber)[subscriber.role].add(subscriber)

    def _leave(self, subscriber: Subscriber) -> None:
        place = self._place(subscriber)
        place[subscriber.role].discard(subscriber)
        if not place[subscriber.role]:
            del place[subscriber.role]
        if not place and place is not self._overseers:
            del self._owners[subscriber.user_id]
