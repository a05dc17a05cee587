"""Emptying the trash: what lies there is gone for good, and its files with it. Its history stays, for auditors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commands.appending import Fact
from commands.beside import beside
from commands.deciding import Context, task_not_found
from commands.event_store import CHANGE_BLOB, Pool
from commands.execute import Appender, Call, Executor, Receipt
from commands.streams import Streams
from commands.subtasks import levels
from commands.task import TaskCommand
from domain.attachment import Attachments
from domain.errors import Conflict
from domain.instant import Instant
from domain.policy import Action
from domain.talk import Part, stream_of
from domain.task import Task
from domain.task_time import TaskPurged
from domain.text import check_reason

Wrap = Callable[[Appender], Appender]


@dataclass(frozen=True, slots=True)
class PurgeTask(TaskCommand):
    """Take a task out of the trash for good, with all that went there with it."""

    reason: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The end of each. Raises `Conflict` `task.not_trashed`, `task.parent_trashed`."""
        reason = check_reason(self.reason)
        task = context.permitted(self.task_id, Action.TASK_PURGE, trashed=True)
        if task.deleted_at is None:
            raise Conflict("task.not_trashed", "only what is in the trash can be taken away for good; delete it first")
        parent = _root_of(context, task)
        if parent is not None:
            detail = "it went into the trash with its parent, and goes with it; purge that one"
            raise Conflict("task.parent_trashed", detail, parent_id=parent.id)
        return purged(context, task, reason)


@dataclass(frozen=True, slots=True)
class EmptyTrash:
    """The same of what has been there since `before`: nobody asks for it but the clock."""

    task_id: str
    before: Instant

    @property
    def stream_id(self) -> str:
        """The task's own stream."""
        return self.task_id

    def decide(self, context: Context) -> Sequence[Fact]:
        """The end of it, and of all that went there with it; nothing where it goes with its parent, or is gone."""
        task = context.read(self.task_id, Task)
        if task is None:
            raise task_not_found()
        if task.deleted_at is None or task.purged_at or task.deleted_at > self.before or _root_of(context, task):
            return []
        return purged(context, task, None)


def purged(context: Context, task: Task, reason: str | None) -> list[Fact]:
    """What taking a tree away for good means."""
    tree = [each for level in levels(context, task) for each in level]
    return [Fact(each.id, TaskPurged(reason=reason)) for each in tree if each.purged_at is None]


def _root_of(context: Context, task: Task) -> Task | None:
    """The parent with which a task went into the trash, if it is still there."""
    parent = None if task.parent_id is None else context.read(task.parent_id, Task)
    there = parent is not None and parent.deleted_at is not None and parent.purged_at is None
    return parent if there and parent is not None and task.id in [each.id for each in parent.subtasks] else None


class Purging:
    """Runs these commands: the bytes of files are forgotten in the transaction of the facts."""

    def __init__(self, pool: Pool, executor: Executor, streams: Streams, append: Appender) -> None:
        self._pool = pool
        self._executor = executor
        self._streams = streams
        self._append = append

    async def execute(self, command: PurgeTask | EmptyTrash, call: Call, wrap: Wrap | None = None) -> Receipt:
        """Run a command; `wrap` puts something around its append. Raises as the command does."""
        append = self._append
        if files := await self._files(call.workspace_id, command.task_id):
            append = beside(self._pool, CHANGE_BLOB, {"attachment_ids": files, "kept_days": 0})
        return await self._executor.execute(command, call, append if wrap is None else wrap(append))

    async def _files(self, workspace_id: str, task_id: str) -> list[str]:
        """The files at a task and all below it. Nobody adds one while they are in the trash."""
        found: list[str] = []
        waiting = [task_id]
        while waiting:
            ids, waiting = waiting, []
            lists = [stream_of(id_, Part.ATTACHMENTS) for id_ in ids]
            await self._streams.refresh(workspace_id, [*ids, *lists])
            for id_ in lists:
                state = await self._streams.current(workspace_id, id_, max_age=60)
                found += [file.id for file in state.items] if isinstance(state, Attachments) else []
            for id_ in ids:
                task = await self._streams.current(workspace_id, id_, max_age=60)
                waiting += [subtask.id for subtask in task.subtasks] if isinstance(task, Task) else []
        return found
