"""What follows from what became of a tag, without a database: tasks are rewritten as the outer ring does it."""

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from commands.inverse.step import Step
from commands.retagging import Due, PutBack, Rewritten
from commands.rewriting import Span, due, rewriting, spans
from commands.tagging import RetagTasks, SettleTag
from domain.events import Recorded
from domain.streams import State
from domain.tagbook import Tagbook, TagRenamed, book_id
from domain.task import TaskCreated, TaskEdited
from tests.domain.given import WORKSPACE, Given

BOOK = book_id(WORKSPACE)


def settle(given: Given) -> Given:
    """Rewrite all tasks that are to be rewritten."""
    book = given.folded[BOOK].state if BOOK in given.folded else None
    if not isinstance(book, Tagbook):
        return given
    for name in book.unfinished:
        held = [task_id for task_id, tags in tags_at(given.log).items() if name in tags]
        given.does(RetagTasks(WORKSPACE, tuple(held))).does(SettleTag(WORKSPACE, name))
    for name, position in book.undoing.items():
        given.does(PutBack(WORKSPACE, name, tuple(_due(given.log, given.folded[BOOK].state, position)))).does(
            SettleTag(WORKSPACE, name)
        )
    return given


def _due(log: Sequence[Recorded], book: State | None, position: int) -> list[Due]:
    assert isinstance(book, Tagbook)
    history = [event for event in log if event.stream_id == BOOK]
    found = {span.after: list(_edits(log, span)) for span in spans(history, position)}
    tasks = rewriting(history, found, position).tasks
    rewritten = {each.task_id for each in tasks}
    since = [edit for edit in _edits(log, Span(position, None)) if edit.task_id in rewritten]
    return due(book, history, tasks, since)


def made_one(log: Sequence[Recorded], step: Step) -> bool:
    """Whether a renaming made one tag of two."""
    if not isinstance(step.event, TagRenamed):
        return False
    to, before = step.event.to, step.before
    if isinstance(before, Tagbook) and (to in before.today or to in before.looks):
        return to not in before.today
    had = tags_at(log[: step.recorded.position - 1])
    names = {to} if not isinstance(before, Tagbook) else set(before.spellings(to))
    return any(to in tags and names & set(had.get(task_id, ())) for task_id, tags in tags_at(log).items())


def tags_at(log: Sequence[Recorded]) -> dict[str, tuple[str, ...]]:
    """The tags of each task at the end of a log."""
    return {event.stream_id: tags for event, _, tags in _all(log)}


def _edits(log: Sequence[Recorded], span: Span) -> Iterator[Rewritten]:
    for event, before, tags in _all(log):
        within = event.position > span.after and (span.to is None or event.position <= span.to)
        if within and before is not None:
            yield Rewritten(event.position, event.stream_id, before, tags)


def _all(log: Sequence[Recorded]) -> Iterator[tuple[Recorded, tuple[str, ...] | None, tuple[str, ...]]]:
    known: dict[str, tuple[str, ...]] = {}
    for event in log:
        if isinstance(event.event, TaskCreated | TaskEdited) and event.event.tags is not UNSET:
            tags = tuple(event.event.tags)
            yield event, known.get(event.stream_id), tags
            known[event.stream_id] = tags
