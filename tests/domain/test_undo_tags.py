"""Whatever became of tags: taken back, tasks have what they had, and who changed them by hand has said what holds."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from commands.deciding import Command
from commands.tagging import ChangeTag, RemoveTag
from commands.task import CreateTask, EditTask
from commands.undo import Undo
from domain.errors import Rejection
from domain.events import Event
from domain.tagbook import RewritingUndone
from domain.user import Role
from tests.domain.family_machine import CHOICE, scaled
from tests.domain.given import ADA, OTHER, PROJECT, TASK, TEAM, VENTURE, WORKSPACE, Given
from tests.domain.rewriting import tags_at
from tests.domain.test_undo_machine import beside
from tests.domain.undoing import command_at, done

TASKS = (TASK, OTHER, PROJECT, VENTURE, TEAM)  # ids: what else they are called by does not matter here
NAMES = ("a", "b", "c", "d")
TAGS = st.lists(st.sampled_from(NAMES), unique=True).map(tuple)
NAME = st.sampled_from(NAMES)
LATER = {"undo.changed_since", "tag.unfinished", "tag.renamed"}


def begun() -> Given:
    return Given().member(ADA, Role.ADMIN)


def _in(tags: Mapping[str, tuple[str, ...]], order: Callable[[tuple[str, ...]], list[str]]) -> dict[str, list[str]]:
    return {task_id: order(each) for task_id, each in tags.items()}


class TagMachine(RuleBasedStateMachine):
    """Tasks are tagged by hand, and tags renamed, made one and removed; each of these is taken back at some time."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.given = begun()
        for number, task_id in enumerate(TASKS):
            self.given.does(CreateTask(task_id, "write", tags=NAMES[number : number + 2]))
        self.commands: list[tuple[int, int]] = []  # where each begins in the log, and ends
        self.by_hand: dict[str, int] = {}  # where tasks were tagged last
        self.last: Event | None = None  # what the last command began with

    @rule(task_id=st.sampled_from(TASKS), tags=TAGS)
    def tag(self, task_id: str, tags: tuple[str, ...]) -> None:
        first = len(self.given.log)
        self.given.does(EditTask(task_id, tags=tags))
        if len(self.given.log) > first:
            self.by_hand[task_id] = first

    @rule(name=NAME, to=NAME)
    def rename(self, name: str, to: str) -> None:
        if name != to:
            self.perform(ChangeTag(WORKSPACE, name, to=to))

    @rule(name=NAME)
    def remove(self, name: str) -> None:
        self.perform(RemoveTag(WORKSPACE, name))

    @rule(which=CHOICE)
    def undo(self, which: int) -> None:
        """Others have happened since. Nobody's choice is lost, and no other tag comes or goes."""
        if not self.commands:
            return
        first, last = self.commands[which % len(self.commands)]
        undo = command_at(self.given.log, first, last=last)
        was = tags_at(self.given.log)
        self.perform(undo)
        event = self.given.log[first].event
        for task_id, tags in tags_at(self.given.log).items():
            changed = set(was[task_id]) ^ set(tags)
            assert changed <= {name for name in (getattr(event, field, None) for field in ("name", "to", "of")) if name}
            if isinstance(self.last, RewritingUndone) and self.by_hand.get(task_id, 0) > first:
                assert tags == was[task_id]

    def perform(self, command: Command) -> None:
        """Do it, with what follows; and, beside, take it back at once and do it again.

        Where others have rewritten the same tasks since what is taken back, tags may stand in another order.
        """
        given, first = self.given, len(self.given.log)
        was, self.last = tags_at(given.log), None
        try:
            if not given.when(command):
                return
        except Rejection as refusal:
            if refusal.code not in LATER:
                raise
            self.counts[refusal.code] += 1
            return
        undo = done(given, command)
        self.commands.append((first, first + len(undo.wrote.events)))
        self.last, did, other = given.log[first].event, tags_at(given.log), beside(given)
        order = sorted if isinstance(command, Undo) else list
        redo = done(other, undo)
        assert _in(tags_at(other.log), order) == _in(was, order)
        again = done(other, redo)
        assert _in(tags_at(other.log), order) == _in(did, order)
        done(other, again)
        assert _in(tags_at(other.log), order) == _in(was, order)
        self.counts[type(redo.wrote.events[0].event).__name__] += 1


@pytest.mark.long
def test_what_is_taken_back_is_as_it_was_but_for_what_was_changed_by_hand() -> None:
    TagMachine.counts = Counter()
    run_state_machine_as_test(TagMachine, settings=scaled(0.5))
    assert {"RewritingUndone", "TagRenamed", "undo.changed_since"} <= TagMachine.counts.keys()
