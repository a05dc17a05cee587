"""The commands on who watches a task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.deciding import Context
from commands.talk import around, sees
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.task import Task
from domain.watching import WATCHERS_MAX, WatcherAdded, WatcherRemoved, Watching, Why, watchers


@dataclass(frozen=True, slots=True)
class WatchingCommand:
    """A command on the watching of a task by somebody."""

    task_id: str
    user_id: str

    @property
    def stream_id(self) -> str:
        """The stream of the task's watchers."""
        return stream_of(self.task_id, Part.WATCHING)


@dataclass(frozen=True, slots=True)
class Watch(WatchingCommand):
    """Let somebody watch, also when they are neither creator nor assignee any more."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The wish, unless it is there already. Raises `Invalid` for who does not see the task."""
        task = around(context, self.task_id, Action.WATCHER_ADD, self.user_id)
        watching = context.read(self.stream_id, Watching)
        if self.user_id != context.actor_id and not sees(context, self.user_id, task):
            detail = "must be a member who sees this task"
            raise Invalid("watcher.not_visible", "/path/user_id", detail, self.user_id)
        added = {} if watching is None else watching.added
        if added.get(self.user_id) is Why.EXPLICIT:
            return []
        if self.user_id not in added and len(added) >= WATCHERS_MAX:
            detail = f"a task has at most {WATCHERS_MAX} watchers besides creator and assignee"
            raise Conflict("watcher.too_many", detail)
        return [Fact(self.stream_id, WatcherAdded(task_id=self.task_id, user_id=self.user_id, why=Why.EXPLICIT))]


@dataclass(frozen=True, slots=True)
class Unwatch(WatchingCommand):
    """Let somebody watch no more."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The end of it. Raises `NotFound` for who does not watch."""
        task = around(context, self.task_id, Action.WATCHER_REMOVE, self.user_id)
        if self.user_id not in watchers(task, context.read(self.stream_id, Watching)):
            raise NotFound("watcher.not_found", "no watcher of this task has this id")
        return [Fact(self.stream_id, WatcherRemoved(task_id=self.task_id, user_id=self.user_id))]


def watching_for(context: Context, task: Task, mentions: Iterable[str]) -> list[Fact]:
    """Who is mentioned watches from then on, as long as there is room; who was taken out comes back."""
    stream_id = stream_of(task.id, Part.WATCHING)
    watching = context.read(stream_id, Watching)
    known = watchers(task, watching)
    room = WATCHERS_MAX - (0 if watching is None else len(watching.added))
    new = [user_id for user_id in mentions if user_id not in known][:room]
    return [Fact(stream_id, WatcherAdded(task_id=task.id, user_id=user_id, why=Why.MENTION)) for user_id in new]
