"""Taking back what happened to tags: how one looks, what it is called, and that it was taken from all tasks.

The book says the opposite at once. What follows for tasks is written afterwards, as it was for what is taken back: the
tasks that have to be rewritten are found in the log, by the position of that.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from commands.appending import Fact
from commands.deciding import Context
from commands.inverse.step import Inverse, Step, Wrote
from commands.tagging import ChangeTag, TagCommand, check_room, unfinished
from domain.events import Event, Recorded
from domain.tagbook import (
    PLAIN,
    REWRITINGS,
    Look,
    RewritingUndone,
    Tagbook,
    TagDescribed,
    TagRemoved,
    TagRenamed,
    book_id,
)


def goes_on(context: Context, wrote: Wrote) -> bool:
    """Whether it was taken back already, and tasks are still to be rewritten for that."""
    steps = [step for step in wrote.steps if isinstance(step.event, REWRITINGS)]
    book = context.read(book_id(context.workspace_id), Tagbook) if steps else None
    return book is not None and any(_goes_on(book, step.recorded) for step in steps)


def _goes_on(book: Tagbook, recorded: Recorded) -> bool:
    event = recorded.event
    if isinstance(event, TagRenamed) and event.to in book.unfinished and book.today[event.to] == event.name:
        return True
    if isinstance(event, RewritingUndone) and event.name in book.unfinished:
        return book.today[event.name] == event.of
    return any(position == recorded.position for position in book.undoing.values())


def _described(context: Context, step: Step) -> Sequence[Fact]:
    """It looks as before; where it was only a name on tasks it stays in the book, looking like nothing special."""
    name = step.event.name
    look = PLAIN if step.before is None else step.before.looks.get(name, PLAIN)
    return ChangeTag(context.workspace_id, name, colour=look.colour, description=look.description).decide(context)


def _renamed(context: Context, step: Step) -> Sequence[Fact]:
    """It has its former name again, on all tasks. Where it was made one with another tag the two are two again, and the
    tasks have each what they had: a tag that only has a new name goes on, one that was merged is to be told apart.
    """
    event = step.event
    if step.recorded.position not in step.wrote.merged:
        return ChangeTag(context.workspace_id, event.to, to=event.name).decide(context)
    looks = {event.name: _look(step.before, event.name)}
    book = _book(context)
    if _look(step.before, event.to) is None and _look(book, event.to) == looks[event.name]:
        looks[event.to] = None  # it had got that of the other one
    return _undone(context, step, event.to, looks)


def _removed(context: Context, step: Step) -> Sequence[Fact]:
    """It is a tag again and looks as it did; the tasks that lost it get it back."""
    return _undone(context, step, None, {step.event.name: _look(step.before, step.event.name)})


def _rewriting_undone(context: Context, step: Step) -> Sequence[Fact]:
    """The two are one again; or the tasks that had got a tag back lose it, and others that have it by now keep it."""
    event = step.event
    if event.of is not None:
        check_settled(_book(context), [event.name])
        return ChangeTag(context.workspace_id, event.name, to=event.of).decide(context)
    return _undone(context, step, None, {event.name: _look(step.before, event.name)})


def _undone(context: Context, step: Step, of: str | None, looks: dict[str, Look | None]) -> Sequence[Fact]:
    """Raises `Forbidden`, `Conflict` `tag.unfinished`, `tag.too_many`."""
    name, before = step.event.name, step.before
    book = TagCommand(context.workspace_id).book(context)
    check_settled(book, [name] if before is None else [name, *before.spellings(name)])
    check_room(book, name)
    old = () if book is None or of is None else tuple(each for each, now in book.today.items() if now == of)
    old = tuple(each for each in old if before is not None and before.today.get(each) == name)
    return step.fact(RewritingUndone(position=step.recorded.position, name=name, of=of, old=old, looks=looks))


def check_settled(book: Tagbook | None, names: Sequence[str]) -> None:
    """Raises `Conflict` `tag.unfinished` where tasks are still to be rewritten for one of the names."""
    for name in names:
        if book is not None and (name in book.unfinished or name in book.undoing):
            raise unfinished(name)


def _book(context: Context) -> Tagbook | None:
    return context.read(book_id(context.workspace_id), Tagbook)


def _look(book: Tagbook | None, name: str) -> Look | None:
    return None if book is None else book.looks.get(name)


INVERSES: Final[Mapping[type[Event], Inverse]] = {
    TagDescribed: _described,
    TagRenamed: _renamed,
    TagRemoved: _removed,
    RewritingUndone: _rewriting_undone,
}
