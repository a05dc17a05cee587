"""The commands on the tags of a workspace, and what every command that tags a task writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context
from domain.errors import Conflict
from domain.events import Event
from domain.policy import Action
from domain.tagbook import (
    DESCRIPTION_MAX,
    PLAIN,
    TAGS_MAX,
    Look,
    Tagbook,
    TagDescribed,
    TagRemoved,
    TagRenamed,
    TagSettled,
    book_id,
    check_colour,
)
from domain.task import Task, TaskEdited
from domain.text import TAG_MAX, check_line, check_text

AT_ONCE: Final = 200  # tasks that one command rewrites: who changes one of them meanwhile makes it decide anew


def written(context: Context, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags as they are written today. That no other is renamed before it commits is an expectation."""
    book = context.read(book_id(context.workspace_id), Tagbook) if tags else None
    return tags if book is None or not book.today else book.written(tags)


@dataclass(frozen=True, slots=True)
class TagCommand:
    """A command on the tags of a workspace."""

    workspace_id: str

    @property
    def stream_id(self) -> str:
        """The book's own stream."""
        return book_id(self.workspace_id)

    def facts(self, *events: Event) -> list[Fact]:
        """Events for the book."""
        return [Fact(self.stream_id, event) for event in events]

    def book(self, context: Context) -> Tagbook | None:
        """The book, where the actor may change what is in it. Raises `Forbidden`."""
        context.allowed(Action.TAG_CHANGE)
        return context.read(self.stream_id, Tagbook)


@dataclass(frozen=True, slots=True)
class ChangeTag(TagCommand):
    """Rename a tag, which makes it one with a tag that is called so already; and say how it looks."""

    name: str
    to: str | UnsetType = UNSET
    colour: str | UnsetType | None = UNSET
    description: str | UnsetType = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """The new name and the new look, where they differ. Asked again for a renaming that is made: no event.

        A tag that was only a name on tasks until now is in the book from then on.

        Raises `Conflict` `tag.renamed` for an old name, `tag.unfinished` where tasks still have to be rewritten,
        `tag.too_many`.
        """
        check_line(self.name, "/path/name", most=TAG_MAX)
        to = self.name if self.to is UNSET else check_line(self.to, "/name", most=TAG_MAX)
        colour = check_colour(self.colour, "/colour") if isinstance(self.colour, str) else self.colour
        if self.description is not UNSET:
            check_text(self.description, "/description", most=DESCRIPTION_MAX)
        book = self.book(context)
        made = book is not None and to != self.name and book.today.get(self.name) == to
        facts: list[Fact] = []
        if not made:
            _check_is_a_name(book, self.name)
            if to != self.name:
                _check_is_free(book, self.name, to)
                facts += self.facts(TagRenamed(name=self.name, to=to))
        look = _look(book, to) or (None if made else _look(book, self.name)) or PLAIN
        new = Look(
            colour=look.colour if colour is UNSET else colour,
            description=look.description if self.description is UNSET else self.description,
        )
        if new != look or (not facts and not made and _look(book, to) is None):
            facts += self.facts(TagDescribed(name=to, colour=new.colour, description=new.description))
        if facts:
            check_room(book, self.name, to)
        return facts


@dataclass(frozen=True, slots=True)
class RemoveTag(TagCommand):
    """Take a tag from all tasks, and forget how it looked."""

    name: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """The removal. Asked again while tasks still have the tag: no event. Raises as `ChangeTag` does."""
        check_line(self.name, "/path/name", most=TAG_MAX)
        book = self.book(context)
        if book is not None and book.now(self.name) is None:
            return []
        _check_is_a_name(book, self.name)
        check_room(book, self.name, self.name)
        return self.facts(TagRemoved(name=self.name))


@dataclass(frozen=True, slots=True)
class RetagTasks(TagCommand):
    """Write on some tasks what their tags are called today, wherever they are: in the trash, or in what is archived."""

    task_ids: tuple[str, ...]

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of each task that has an old name."""
        book = self.book(context)
        if book is None:
            return []
        context.need(self.task_ids)
        facts = []
        for task_id in self.task_ids:
            task = context.read(task_id, Task)
            if task is not None and (tags := book.written(task.tags)) != task.tags:
                facts.append(Fact(task_id, TaskEdited(tags=tags)))
        return facts


@dataclass(frozen=True, slots=True)
class SettleTag(TagCommand):
    """Say that all tasks were rewritten for what became of a name; true once all that had to be then were."""

    name: str

    def decide(self, context: Context) -> Sequence[Fact]:
        """That, unless it was said already."""
        book = self.book(context)
        done = book is None or (self.name not in book.unfinished and self.name not in book.undoing)
        return [] if done else self.facts(TagSettled(name=self.name))


def _look(book: Tagbook | None, name: str) -> Look | None:
    return None if book is None else book.looks.get(name)


def _check_is_a_name(book: Tagbook | None, name: str) -> None:
    if book is not None and name in book.undoing:
        raise unfinished(name)
    if book is None or name not in book.today:
        return
    now = book.today[name]
    if now is None:
        raise unfinished(name)
    raise Conflict("tag.renamed", f"the tag {name!r} is called {now!r} now", name=now)


def _check_is_free(book: Tagbook | None, name: str, to: str) -> None:
    """A name that tasks still have for another tag would be read as two."""
    if book is not None and (to in book.undoing or (to in book.unfinished and book.today[to] != name)):
        raise unfinished(to)


def unfinished(name: str) -> Conflict:
    """Tasks are still to be rewritten for what became of a name."""
    detail = f"tasks are still to be rewritten for what became of {name!r}; let that end first, by the same request"
    return Conflict("tag.unfinished", detail, name=name)


def check_room(book: Tagbook | None, *names: str) -> None:
    """Raises `Conflict` `tag.too_many` where the book cannot hold these names besides those that it has."""
    known = set() if book is None else {*book.looks, *book.today}
    if len(known | set(names)) > TAGS_MAX:
        raise Conflict("tag.too_many", f"the book holds at most {TAGS_MAX} names, old ones included")
