"""Tasks that were rewritten for what became of a tag, and how they get back what they had."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from commands.appending import Fact
from commands.deciding import Context
from commands.tagging import TagCommand
from domain.tagbook import Tagbook
from domain.task import Task, TaskEdited

Tags = tuple[str, ...]


class Rewritten(NamedTuple):
    """An edit of the tags of a task: those that it had, and those that it has had since."""

    position: int
    task_id: str
    before: Tags
    after: Tags


class Due(NamedTuple):
    """A task that has these tags, and is to have others instead."""

    task_id: str
    now: Tags
    back: Tags


@dataclass(frozen=True, slots=True)
class PutBack(TagCommand):
    """Give tasks back what they lost for a name, and take from them what they got for it."""

    name: str
    tasks: tuple[Due, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of each task whose tags are what they were. Nothing once that has ended. Raises `Forbidden`."""
        book = self.book(context)
        if book is None or self.name not in book.undoing:
            return []
        context.need(each.task_id for each in self.tasks)
        facts = []
        for each in self.tasks:
            task, tags = context.read(each.task_id, Task), book.written(each.back)
            if task is not None and task.tags == each.now != tags and not task.purged_at:
                facts.append(Fact(task.id, TaskEdited(tags=tags)))
        return facts


def put_back(book: Tagbook, was: Rewritten, now: Tags) -> Tags:
    """What a task is to have that has these tags now. Where the tag was taken off since, that holds."""
    before, after = book.written(was.before), book.written(was.after)
    if now == after:
        return before
    got = set(after) - set(before)
    if not got <= set(now):
        return now
    found = [tag for tag in now if tag not in got]
    instead = min((now.index(tag) for tag in got), default=None)
    for place, tag in enumerate(before):
        if tag not in after and tag not in found:
            found.insert(_below(found, before[:place]) if instead is None else instead, tag)
    return tuple(found)


def _below(tags: Sequence[str], above: Iterable[str]) -> int:
    """The place right after the last of those that stood above, as far as they are there."""
    return max((tags.index(tag) + 1 for tag in above if tag in tags), default=0)
