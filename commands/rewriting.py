"""What followed for tasks from an event of the book of tags: worked out from the log, as nothing else says it.

A renaming, a removal, or that one of them was undone: from then on until the book says that it is settled, tasks are
rewritten by ordinary edits. Which edits these are is told by what they change.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from commands.retagging import Due, Rewritten, put_back
from domain.events import Event, Recorded
from domain.tagbook import REWRITINGS, RewritingUndone, Tagbook, TagRenamed, TagSettled, evolve


class Rewriting(NamedTuple):
    """The tasks, in the order in which they were rewritten, and the position at which it was settled; None until then.

    What a task had before and since differs in what became of one name alone, whatever else was rewritten by the way.
    """

    tasks: tuple[Rewritten, ...]
    end: int | None


class Span(NamedTuple):
    """A part of a log after an event of the book, until all that followed from it was settled, or to the end."""

    after: int
    to: int | None


class _Names(NamedTuple):
    """What became of names by an event: each name that stood for the tag, with the tag's own one, and the other tag."""

    own: Mapping[str, str]
    other: str | None
    end: int | None


def spans(history: Sequence[Recorded], position: int) -> list[Span]:
    """Where edits of tags are to be looked for, to know what followed from the event of a book at a position."""
    found = []
    event = _event(history, position)
    while isinstance(event, REWRITINGS):
        found.append(Span(position, _names(history, position).end))
        if not isinstance(event, RewritingUndone):
            break
        position = event.position
        event = _event(history, position)
    return found


def rewriting(history: Sequence[Recorded], edits: Mapping[int, Sequence[Rewritten]], position: int) -> Rewriting:
    """What followed from the event of a book at a position. `edits` are those of each of the spans, by `after`."""
    event = _event(history, position)
    if not isinstance(event, REWRITINGS):
        return Rewriting((), position)  # erased: what it was about is not known any more
    names, tasks = _names(history, position), dict[str, Rewritten]()
    found = [_about(names, edit) for edit, by_hand in _told_apart(history, edits[position]) if not by_hand]
    if isinstance(event, RewritingUndone):  # others may have got or lost it by hand meanwhile
        only = {each.task_id for each in rewriting(history, edits, event.position).tasks}
        found = [each for each in found if each.task_id in only]
    for each in found:
        if each.before != each.after:
            tasks.setdefault(each.task_id, each)
    return Rewriting(tuple(tasks.values()), names.end)


def due(
    book: Tagbook, history: Sequence[Recorded], tasks: Sequence[Rewritten], since: Sequence[Rewritten]
) -> list[Due]:
    """The tasks that are to get back what they had, by what names are today. `since` are all edits of their tags.

    Whoever changed the tags of a task by hand has said what holds.
    """
    began = {each.task_id: each.position for each in tasks}
    now = {edit.task_id: edit.after for edit in since}
    chosen = {
        edit.task_id
        for edit, by_hand in _told_apart(history, since)
        if by_hand and edit.position > began.get(edit.task_id, edit.position)
    }
    found = [
        Due(each.task_id, now[each.task_id], put_back(book, each, now[each.task_id]))
        for each in tasks
        if each.task_id in now and each.task_id not in chosen
    ]
    return [each for each in found if each.now != each.back]


def _told_apart(history: Sequence[Recorded], edits: Sequence[Rewritten]) -> Iterator[tuple[Rewritten, bool]]:
    """Edits by position, and whether each was by hand: says more than what the book of then made of the tags."""
    book: Tagbook | None = None
    others: dict[str, str | None] = {}
    events = iter(history)
    coming = next(events, None)
    for edit in edits:
        while coming is not None and coming.position < edit.position:
            book = evolve(book, coming)
            if isinstance(coming.event, RewritingUndone):
                others[coming.event.name] = coming.event.of
            coming = next(events, None)
        yield edit, book is None or not _follows(book, others, edit)


def _follows(book: Tagbook, others: Mapping[str, str | None], edit: Rewritten) -> bool:
    if edit.after == book.written(edit.before) and any(tag in book.unfinished for tag in edit.before):
        return True
    changed = set(edit.before) ^ set(edit.after)
    return any(changed <= {name, _now(book, others.get(name))} for name in book.undoing)


def _now(book: Tagbook, name: str | None) -> str | None:
    return None if name is None else book.now(name)


def _about(names: _Names, edit: Rewritten) -> Rewritten:
    """An edit, as far as it is about a name."""
    common = {*names.own, names.other} | (set(edit.before) & set(edit.after))
    before, after = (
        tuple(dict.fromkeys(names.own.get(tag, tag) for tag in tags if tag in common))
        for tags in (edit.before, edit.after)
    )
    if not {*edit.before, *edit.after} & names.own.keys():
        return edit._replace(before=(), after=())  # of another name
    return edit._replace(before=before, after=after)


def _names(history: Sequence[Recorded], position: int) -> _Names:
    """What an event of a book was about, and where what followed from it was settled."""
    before: Tagbook | None = None
    for each in history:
        if each.position < position:
            before = evolve(before, each)
    event = _event(history, position)
    assert isinstance(event, REWRITINGS)
    other = _other(event)
    spelt = [event.name] if before is None or isinstance(event, RewritingUndone) else before.spellings(event.name)
    own = {name: event.name for name in spelt if name != other}
    since = [each for each in history if each.position > position]
    ends = [next((each.position for each in since if each.event == TagSettled(name=name)), None) for name in own]
    ended = [end for end in ends if end is not None]
    return _Names(own, other, max(ended) if len(ended) == len(ends) else None)


def _other(event: Event) -> str | None:
    if isinstance(event, TagRenamed):
        return event.to
    return event.of if isinstance(event, RewritingUndone) else None


def _event(history: Sequence[Recorded], position: int) -> Event:
    return next(each.event for each in history if each.position == position)
