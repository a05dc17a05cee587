"""Whatever was done to tasks, projects, subtasks and links: what is taken back is as it was, or a rule says why not.

After every command of the machine, it is taken back and done again beside the history; and so is one from long ago.
"""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar

import pytest
from hypothesis.stateful import rule, run_state_machine_as_test

from commands.undo import Undo
from domain.board import Board
from domain.errors import Rejection
from domain.events import Event
from domain.project import Project, board_id
from domain.task import Task, TaskCreated
from domain.task_links import INVERSE, LinkType
from tests.domain.family import CATEGORIES
from tests.domain.family_machine import CHOICE, scaled
from tests.domain.family_model import Modelled
from tests.domain.given import FLOW, Given
from tests.domain.test_family_machine import PureFamilyMachine
from tests.domain.undoing import command_at, done, world

# Rules of today that a command broke for a reason, or that came to be broken by nobody's choice.
RULES = {"workflow.limit_reached", "task.blocked", "project.is_archived"}
LATER = {
    *RULES,
    *("undo.changed_since", "undo.depends", "task.open_subtasks", "task.parent_closed", "task.parent_trashed"),
    *("task.has_subtasks", "task.cycle", "task.too_deep", "workflow.mapping_missing", "task.too_many_subtasks"),
}


def beside(given: Given) -> Given:
    """The same log, which can go on in another way."""
    other = copy(given)
    other.log, other.folded = list(given.log), dict(given.folded)
    return other


class UndoMachine(PureFamilyMachine):
    """The machine of families; its commands are taken back beside it."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[int, int]] = []  # where each begins in the log, and ends

    def perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        was, first = world(self.given), len(self.given.log)
        facts = super().perform(command, actor)
        if facts:
            self.commands.append((first, len(self.given.log)))
            self._undo_and_redo(command_at(self.given.log, first), was)
        return facts

    def _undo_and_redo(self, undo: Undo, was: dict[str, Any]) -> None:
        """At once: nothing can have changed since."""
        given = beside(self.given)
        did = world(given)
        try:
            redo = done(given, undo)
        except Rejection as refusal:
            self._refused(refusal, RULES, "")
            return
        now = world(given)
        for each in undo.wrote.events:
            if isinstance(each.event, TaskCreated):
                assert now.pop(each.stream_id)["deleted_at"]
        assert now == was
        check(given)
        given.does(redo)
        assert world(given) == did
        check(given)
        self.counts["undone"] += 1

    @rule(which=CHOICE)
    def undo_something(self, which: int) -> None:
        """Others have happened since, and may stand in the way. Nothing but whole families comes out."""
        if not self.commands:
            return
        first, last = self.commands[which % len(self.commands)]
        given = beside(self.given)
        undo = command_at(given.log[:last], first)
        try:
            given.does(undo)
        except Rejection as refusal:
            self._refused(refusal, LATER, "later ")
            return
        check(given)
        self.counts["later undone"] += 1

    def _refused(self, refusal: Rejection, rules: set[str], when: str) -> None:
        if refusal.code not in rules:
            raise refusal
        self.counts[when + refusal.code] += 1


def check(given: Given) -> None:
    """All that stands in two streams says the same in both."""
    states = {stream_id: folded.state for stream_id, folded in given.folded.items()}
    tasks = {stream_id: state for stream_id, state in states.items() if isinstance(state, Task)}
    for task in tasks.values():
        _check_links(task, tasks)
        _check_place(task, tasks)
    flow: Any = states[FLOW]
    for project in (state for state in states.values() if isinstance(state, Project)):
        assert (project.id in flow.projects) == (project.workflow_id == FLOW)
        for status in CATEGORIES:
            board = states.get(board_id(project.id, status))
            on_board = set(board.tasks) if isinstance(board, Board) else set()
            there = [each for each in tasks.values() if (each.project_id, each.status) == (project.id, status)]
            assert on_board == {each.id for each in there if not each.deleted_at}
            assert not on_board or project.workflow_id != FLOW or status in flow.definition.categories


def _check_links(task: Task, tasks: dict[str, Task]) -> None:
    for link in task.links:
        other = tasks[link.task_id]
        assert any((each.type, each.task_id) == (INVERSE[link.type], task.id) for each in other.links)
        gone = other.is_closed or other.deleted_at is not None
        assert link.closed == (link.type is LinkType.BLOCKED_BY and gone)


def _check_place(task: Task, tasks: dict[str, Task]) -> None:
    for subtask in task.subtasks:
        part = tasks[subtask.id]
        assert (part.parent_id, part.project_id, part.is_closed) == (task.id, task.project_id, subtask.closed)
        assert (part.deleted_at is None) == (task.deleted_at is None)
    if task.deleted_at is None:
        assert not (task.is_closed and task.open_subtasks)
    if task.parent_id is not None and task.deleted_at is None:
        assert any(subtask.id == task.id for subtask in tasks[task.parent_id].subtasks)


@pytest.mark.long
def test_what_is_taken_back_is_as_it_was_or_a_rule_says_why_not() -> None:
    UndoMachine.counts = Counter()
    run_state_machine_as_test(UndoMachine, settings=scaled(0.5))
    counts = UndoMachine.counts
    assert counts["undone"] > 10 * sum(counts[code] for code in RULES)
    assert counts["later undone"] > 0
