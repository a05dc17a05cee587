"""Whatever became of tags: taken back, tasks have what they had, and who changed them by hand has said what holds."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from commands.deciding import Command
from commands.retagging import Rewritten, put_back
from commands.tagging import ChangeTag, RemoveTag
from commands.task import CreateTask, EditTask
from commands.undo import Undo
from commands.user import ChangeRole
from domain.errors import Conflict, Forbidden, Rejection
from domain.events import Event
from domain.tagbook import RewritingUndone, Tagbook
from domain.user import Role
from tests.domain.family_machine import CHOICE, scaled
from tests.domain.given import ADA, MAX, OTHER, PROJECT, TASK, TEAM, VENTURE, WORKSPACE, Given, rejected
from tests.domain.rewriting import settle, tags_at
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


@pytest.fixture
def given() -> Given:
    """Two tags, each on a task of its own; Max is a manager."""
    given = begun().member(MAX, Role.MANAGER)
    return given.does(CreateTask(TASK, "write", tags=("old",))).does(CreateTask(OTHER, "read", tags=("new",)))


def test_a_name_that_tasks_are_still_to_get_back_is_left_alone_until_that_has_ended(given: Given) -> None:
    undo = done(given, ChangeTag(WORKSPACE, "old", to="new"))
    first = len(given.log)
    given.does(undo)
    redo = command_at(given.log, first)
    commands = (ChangeTag(WORKSPACE, "old", to="x"), ChangeTag(WORKSPACE, "x", to="old"), RemoveTag(WORKSPACE, "old"))
    for command in (*commands, redo):
        with rejected("tag.unfinished", Conflict):
            given.when(command)
    assert given.when(undo) == [], "it is done: what follows for tasks goes on"
    settle(given)
    assert [given.the_task(task_id).tags for task_id in (TASK, OTHER)] == [("old",), ("new",)]
    for command in (*commands, redo):
        assert given.when(command)


def test_a_removal_is_taken_back_once_no_task_has_the_tag(given: Given) -> None:
    given.does(RemoveTag(WORKSPACE, "old"))
    undo = command_at(given.log, len(given.log) - 1)
    with rejected("tag.unfinished", Conflict):
        given.when(undo)
    settle(given).does(undo)
    settle(given)
    assert given.the_task().tags == ("old",)


def test_who_may_not_change_tags_any_more_takes_nothing_of_them_back(given: Given) -> None:
    for command in (ChangeTag(WORKSPACE, "old", to="x"), RemoveTag(WORKSPACE, "new")):
        undo = done(given, command, MAX)
        assert given.when(undo, MAX)
        given.does(ChangeRole(MAX, Role.MEMBER))
        with rejected("auth.forbidden", Forbidden):
            given.when(undo, MAX)
        given.does(ChangeRole(MAX, Role.MANAGER))


def test_a_task_gets_back_what_it_had_where_it_stood() -> None:
    book = Tagbook(id=WORKSPACE, version=1, position=1, looks={}, today={}, unfinished=(), undoing={"a": 1}, since={})
    for before, after, now, back in (
        (("x", "a", "y"), ("x", "b", "y"), ("x", "b", "y"), ("x", "a", "y")),
        (("a",), ("b",), ("x", "b"), ("x", "a")),
        (("a", "b"), ("b",), ("b",), ("a", "b")),
        (("x", "a"), ("x",), ("z", "x"), ("z", "x", "a")),
        (("a",), ("b",), ("x",), ("x",)),
        ((), ("a",), ("x", "a"), ("x",)),
    ):
        assert put_back(book, Rewritten(1, TASK, before, after), now) == back
