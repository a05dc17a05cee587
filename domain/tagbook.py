"""The tags of a workspace: what they are called today, and how they look. One stream a workspace.

A tag is a name on tasks; the book says what became of names. Whoever tags a task reads the book and writes today's
name, so from the moment of a renaming on no task gets the old one. Those that have it are rewritten afterwards, each by
an event of its own; until then the old name is `unfinished`, and is read as today's.

Where a renaming made one tag of two, or a tag was removed, the log alone knows which tasks had which. So when that is
taken back the book says at once what names are again, and the tasks follow, known by the position of what is undone.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeVar
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from domain.errors import Invalid
from domain.events import Event, Recorded, stored

TAGS_MAX: Final = 2_000  # names in the book, old ones included
DESCRIPTION_MAX: Final = 2_000

_COLOUR: Final = re.compile("#[0-9a-fA-F]{6}")


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a tag looks: its colour as `#rrggbb`, and what it is for."""

    colour: str | None = None
    description: str = ""


PLAIN: Final = Look()

V = TypeVar("V")


@stored("tagbook.tag_described")
class TagDescribed(Event, frozen=True, kw_only=True):
    """A tag looks like this now."""

    name: str
    colour: str | None
    description: str


@stored("tagbook.tag_renamed")
class TagRenamed(Event, frozen=True, kw_only=True):
    """A tag is called `to` from now on; where that was a tag before, the two are one."""

    name: str
    to: str


@stored("tagbook.tag_removed")
class TagRemoved(Event, frozen=True, kw_only=True):
    """A tag was taken from all tasks."""

    name: str


@stored("tagbook.tag_settled")
class TagSettled(Event, frozen=True, kw_only=True):
    """All tasks were rewritten that had to be for what became of this name."""

    name: str


@stored("tagbook.rewriting_undone")
class RewritingUndone(Event, frozen=True, kw_only=True):
    """The tasks that were rewritten for what became of `name` at a position of the log are to be as they were.

    `of` is the tag that it was made one with there, and is not any more; `old` are names that stand for it again.
    `looks` are those that names have from now on, None for one that has none.
    """

    position: int
    name: str
    of: str | None
    old: tuple[str, ...]
    looks: dict[str, Look | None]


REWRITINGS: Final = (TagRenamed, TagRemoved, RewritingUndone)  # tasks are rewritten after these


class Tagbook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the book.

    `today` maps what is no tag's name any more to the name of today, or to None for a tag that was removed;
    `unfinished` are those of them that tasks may still have. `undoing` are names that tasks are still to get or to lose
    because what became of the name at this position was taken back. `since` is where a name was renamed last.
    """

    id: str
    version: int
    position: int
    looks: dict[str, Look]
    today: dict[str, str | None]
    unfinished: tuple[str, ...]
    undoing: dict[str, int]
    since: dict[str, int]

    def now(self, name: str) -> str | None:
        """What a name is today; None: no tag."""
        return self.today.get(name, name)

    def written(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names as they are written today, each once."""
        return tuple(dict.fromkeys(now for name in names if (now := self.now(name)) is not None))

    def spellings(self, name: str) -> list[str]:
        """All that tasks may have where they have this tag."""
        now = self.now(name)
        return [] if now is None else [now, *[old for old in self.unfinished if self.today[old] == now]]

    @property
    def aside(self) -> dict[str, str | None]:
        """Names that tasks may still have, with those that they mean."""
        return {name: self.today[name] for name in self.unfinished}


@lru_cache(maxsize=1_000)
def book_id(workspace_id: str) -> str:
    """The id of the stream of a workspace's tags (UUID version 5, RFC 9562 §5.5). For ever: logs hold it."""
    return str(uuid5(UUID(workspace_id), "tagbook"))


def check_colour(value: str, field: str) -> str:
    """A colour of sRGB as `#rrggbb`, in lower case. Raises `Invalid` `tag.colour`."""
    if _COLOUR.fullmatch(value) is None:
        raise Invalid("tag.colour", field, f"must be a colour such as #1f6feb, got {value[:20]!r}", value[:200])
    return value.lower()


def evolve(book: Tagbook | None, recorded: Recorded) -> Tagbook:
    """The next state. Total over every logged event of a book."""
    before = book or _blank(recorded.stream_id)
    after = replace(before, version=recorded.version, position=recorded.position)
    event = recorded.event
    match event:
        case TagDescribed():
            look = Look(colour=event.colour, description=event.description)
            return replace(after, looks={**before.looks, event.name: look}, today=_without(before.today, event.name))
        case TagRenamed():
            return _renamed(replace(after, since={**before.since, event.name: recorded.position}), event)
        case TagRemoved():
            return _gone(replace(after, looks=_without(before.looks, event.name)), event.name, None)
        case TagSettled():
            return _settled(after, event.name)
        case RewritingUndone():
            return _undone(after, event)
        case _:  # erased
            return after


def _blank(id_: str) -> Tagbook:
    return Tagbook(id=id_, version=0, position=0, looks={}, today={}, unfinished=(), undoing={}, since={})


def _renamed(book: Tagbook, event: TagRenamed) -> Tagbook:
    """What the other tag looks like stays; where there was none, the look goes with the name."""
    looks = _without(book.looks, event.name)
    look = book.looks.get(event.name)
    if look is not None:
        looks.setdefault(event.to, look)
    unfinished = tuple(name for name in book.unfinished if name != event.to)
    return _gone(
        replace(book, looks=looks, today=_without(book.today, event.to), unfinished=unfinished), event.name, event.to
    )


def _gone(book: Tagbook, name: str, to: str | None) -> Tagbook:
    """What meant this name means the other one now, as the name itself does."""
    today = {old: to if now == name else now for old, now in book.today.items()}
    unfinished = tuple(old for old in book.unfinished if old != name)
    return replace(book, today={**today, name: to}, unfinished=(*unfinished, name))


def _undone(book: Tagbook, event: RewritingUndone) -> Tagbook:
    """The name is a tag's own again, or is free, at once; the tasks follow."""
    looks = {name: look for name, look in book.looks.items() if name not in event.looks}
    given = {name: look for name, look in event.looks.items() if look is not None}
    today = {old: event.name if old in event.old else now for old, now in _without(book.today, event.name).items()}
    undoing = {**book.undoing, event.name: event.position}
    return replace(book, looks={**looks, **given}, today=today, undoing=undoing)


def _settled(book: Tagbook, name: str) -> Tagbook:
    """A name that stands for nothing is free from then on."""
    book = replace(book, undoing=_without(book.undoing, name))
    unfinished = tuple(old for old in book.unfinished if old != name)
    today = book.today if book.today.get(name) is not None else _without(book.today, name)
    today = {old: now for old, now in today.items() if now is not None or old in unfinished}
    return replace(book, unfinished=unfinished, today=today)


def _without(names: Mapping[str, V], name: str) -> dict[str, V]:
    return {each: value for each, value in names.items() if each != name}
