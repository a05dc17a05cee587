"""Taking back what became of tags: what is to be known before, and the tasks that follow afterwards."""

from collections.abc import Sequence
from typing import Final

from api.services import Services
from api.tagging import foresee_rewriting, further, holders, settle
from commands.deciding import Command
from commands.execute import Call
from commands.inverse.step import Step
from commands.retagging import Due, PutBack
from commands.tagging import AT_ONCE, SettleTag
from commands.undo import Undo
from commands.undoing import Written
from domain.events import NAMES, name_of
from domain.tagbook import REWRITINGS, Tagbook, TagRenamed, TagSettled, book_id
from domain.task import TaskEdited

_REWRITINGS: Final = frozenset(NAMES[record][0] for record in REWRITINGS)
_EDITED: Final = NAMES[TaskEdited][0]
_SETTLED: Final = NAMES[TagSettled][0]


def steps_of(command: Undo) -> list[Step]:
    """What the command that is taken back made of tags."""
    return [step for step in command.wrote.steps if isinstance(step.event, REWRITINGS)]


async def look_back(services: Services, call: Call, command: Undo) -> None:
    """See which renamings made one tag of two. Raises `Unavailable` `projection.behind`.

    Which tasks had the other tag is known for ever; it is asked of those alone that have it now, as only they matter.
    """
    for step in steps_of(command):
        if isinstance(step.event, TagRenamed) and await _merged(services, call, step, step.event.to):
            command.wrote.merged.add(step.recorded.position)


async def _merged(services: Services, call: Call, step: Step, name: str) -> bool:
    before = step.before
    if isinstance(before, Tagbook) and (name in before.today or name in before.looks):
        return name not in before.today  # what stood for another tag was none of its own
    names = before.spellings(name) if isinstance(before, Tagbook) else [name]
    found = await holders(services, call.workspace_id, (await _book(services, call)).spellings(name))
    return await services.rewritings.had(call.workspace_id, found, names, step.recorded.position)


async def follow(services: Services, call: Call, command: Undo) -> None:
    """Rewrite all tasks that are to be rewritten once it is taken back.

    Whatever cuts this off, the same request goes on with it. Raises `Unavailable` `projection.behind`.
    """
    for name in _names(command):
        book = await _book(services, call)
        if name in book.unfinished:
            await settle(services, call, name)
        if name in book.undoing:
            await _put_back(services, call, name)


async def _put_back(services: Services, call: Call, name: str) -> None:
    """Until nothing more comes of it: meanwhile others may rewrite the same tasks for another tag."""
    done: list[Due] = []
    while name in (book := await _book(services, call)).undoing:
        found = await services.rewritings.due(call.workspace_id, book, book.undoing[name])
        ended = found in ([], done)
        parts: list[Command] = [SettleTag(call.workspace_id, name)] if ended else _parts(call, name, found)
        for part in parts:
            await services.executor.execute(part, further(call))
        done = found


async def foresee(services: Services, call: Call, command: Undo) -> list[Written]:
    """The events that `follow` would write."""
    names = _names(command)
    if not names:
        return []
    stage, book = services.batches.stage(call), book_id(call.workspace_id)
    await stage.take(command, further(call))
    written = []
    for name in names:
        now = stage.now(book, Tagbook)
        if now is not None and name in now.unfinished:
            written += await foresee_rewriting(services, stage, call, name)
        if now is not None and name in now.undoing:
            found = await services.rewritings.due(call.workspace_id, now, now.undoing[name])
            parts: list[Command] = [*_parts(call, name, found), SettleTag(call.workspace_id, name)]
            written += [await stage.take(part, further(call)) for part in parts]
    return [Written(None, name_of(fact.event), fact.stream_id) for staged in written for fact, _ in staged.facts]


async def followed(services: Services, call: Call, written: Sequence[Written]) -> list[Written]:
    """The events that followed these, as the log has them."""
    found: list[Written] = []
    for position in [each.position for each in written if each.type in _REWRITINGS]:
        assert position is not None
        rewriting = await services.rewritings.of(call.workspace_id, position)
        found += [Written(each.position, _EDITED, each.task_id) for each in rewriting.tasks]
        if rewriting.end is not None:
            found.append(Written(rewriting.end, _SETTLED, book_id(call.workspace_id)))
    return found


async def _book(services: Services, call: Call) -> Tagbook:
    book = await services.streams.current(call.workspace_id, book_id(call.workspace_id), 0)
    assert isinstance(book, Tagbook)
    return book


def _parts(call: Call, name: str, tasks: Sequence[Due]) -> list[Command]:
    cuts = range(0, len(tasks), AT_ONCE)
    return [PutBack(call.workspace_id, name, tuple(tasks[start : start + AT_ONCE])) for start in cuts]


def _names(command: Undo) -> list[str]:
    """All that tasks may have to be rewritten for."""
    named = [name for step in steps_of(command) for name in (step.event.name, getattr(step.event, "to", None))]
    return list(dict.fromkeys(name for name in named if name is not None))
