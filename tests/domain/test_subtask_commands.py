"""Subtasks: what closing, moving, trashing and restoring trees yields, and what each decision is guarded by."""

from typing import Any

import pytest

from commands.appending import Fact
from commands.task import CreateSubtask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain import task_links
from domain.events import Erased
from domain.project import ProjectRole, board_id
from domain.task import TaskCompleted, TaskCreated, TaskDeleted, TaskRestored
from domain.task_links import (
    SUBTASKS_MAX,
    Subtask,
    TaskParentChanged,
    TaskSubtaskAdded,
    TaskSubtaskClosed,
    TaskSubtaskRemoved,
    TaskSubtaskReopened,
)
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, PROJECT, TASK, VENTURE, Given, person, rejected

DONE: dict[str, Any] = {"status": "done", "category": Category.DONE}


def id_of(number: int) -> str:
    return f"00000000-0000-7000-8001-{number:012x}"


@pytest.fixture
def given() -> Given:
    """Ada is the admin. Below TASK is OTHER."""
    given = Given().member(ADA, Role.ADMIN).member(BOB).member(EVE)
    return given.does(CreateTask(TASK, "root")).does(CreateTask(OTHER, "part", parent_id=TASK))


def test_a_subtask_stands_in_both_streams(given: Given) -> None:
    created, added = given.facts(CreateTask(id_of(1), "leaf", parent_id=OTHER), ADA)
    assert (created.stream_id, type(created.event)) == (id_of(1), TaskCreated)
    assert added == Fact(OTHER, TaskSubtaskAdded(task_id=id_of(1)))
    assert given.reads.keys() == {ADA, id_of(1), OTHER, TASK}, "nobody makes the tree deeper unseen"
    assert given.the_task().subtasks == (Subtask(OTHER, closed=False),)
    assert given.the_task(OTHER).parent_id == TASK


def test_who_does_not_see_the_parent_learns_nothing_of_it(given: Given) -> None:
    for parent_id in (TASK, NOBODY):
        with rejected("parent.not_found"):
            given.when(CreateTask(id_of(1), "leaf", parent_id=parent_id), by=BOB)
        with rejected("task.not_found"):
            given.when(CreateSubtask(id_of(1), "leaf", parent_id=parent_id), by=BOB)


def test_closing_and_reopening_tells_the_parent_in_the_same_append(given: Given) -> None:
    assert given.facts(MoveTask(OTHER, "complete"), ADA) == [
        Fact(TASK, TaskSubtaskClosed(task_id=OTHER)),
        Fact(OTHER, TaskCompleted(**DONE)),
    ]
    given.does(MoveTask(OTHER, "complete"))
    assert given.when(MoveTask(OTHER, "reopen"))[0] == TaskSubtaskReopened(task_id=OTHER)
    given.does(MoveTask(TASK, "complete"))
    with rejected("task.parent_closed") as refusal:
        given.when(MoveTask(OTHER, "reopen"))
    assert refusal.value.extra["parent_id"] == TASK


def test_a_parent_closes_over_open_subtasks_only_with_all_of_them(given: Given) -> None:
    given.does(CreateTask(id_of(1), "leaf", parent_id=OTHER))
    for move in ("complete", "cancel"):
        with rejected("task.open_subtasks") as refusal:
            given.when(MoveTask(TASK, move))
        assert refusal.value.extra["subtasks"] == [OTHER]
    assert given.facts(MoveTask(TASK, "complete", "shipped", close_subtasks=True), ADA) == [
        Fact(id_of(1), TaskCompleted(**DONE, reason="shipped")),
        Fact(OTHER, TaskSubtaskClosed(task_id=id_of(1))),
        Fact(OTHER, TaskCompleted(**DONE, reason="shipped")),
        Fact(TASK, TaskSubtaskClosed(task_id=OTHER)),
        Fact(TASK, TaskCompleted(**DONE, reason="shipped")),
    ]
    assert len(given.when(MoveTask(TASK, "start", close_subtasks=True))) == 1, "to start closes nothing"


def test_a_subtask_of_which_nobody_knows_any_more_that_it_closed_holds_nothing_up(given: Given) -> None:
    given.happened(OTHER, TaskCompleted(**DONE)).happened(TASK, Erased(name="task.subtask_closed"))
    with rejected("task.open_subtasks"):
        given.when(MoveTask(TASK, "complete"))
    assert given.when(MoveTask(TASK, "complete", close_subtasks=True)) == [TaskCompleted(**DONE)]


def test_a_task_has_at_most_a_hundred_subtasks(given: Given) -> None:
    for number in range(SUBTASKS_MAX - 1):
        given.happened(TASK, TaskSubtaskAdded(task_id=id_of(number)))
    given.task(id_of(500))
    for command in (CreateTask(id_of(501), "more", parent_id=TASK), EditTask(id_of(500), parent_id=TASK)):
        with rejected("task.too_many_subtasks"):
            given.when(command)


def test_a_tree_that_is_too_large_is_not_changed_as_one(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.subtasks.WALKED_MAX", 3)
    given.does(CreateTask(id_of(1), "leaf", parent_id=OTHER))
    assert given.when(DeleteTask(TASK, subtasks=True))
    given.does(CreateTask(id_of(2), "leaf", parent_id=OTHER)).task(id_of(3))
    for command in (
        MoveTask(TASK, "complete", close_subtasks=True),
        DeleteTask(TASK, subtasks=True),
        EditTask(TASK, parent_id=id_of(3)),
    ):
        with rejected("task.graph_too_large"):
            given.when(command)
    assert task_links.WALKED_MAX == 1_000


def test_a_tree_that_changes_project_is_numbered_and_leaves_its_boards(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.LEAD}).project(VENTURE, {BOB: ProjectRole.LEAD}, "VEN")
    given.does(EditTask(TASK, project_id=PROJECT))
    assert [given.the_task(id_).key for id_ in (TASK, OTHER)] == ["APP-1", "APP-2"]
    with rejected("task.not_a_root"):
        given.when(EditTask(OTHER, project_id=VENTURE))
    given.does(EditTask(OTHER, parent_id=None, project_id=VENTURE), by=BOB)
    assert (given.the_task(OTHER).key, given.the_task().subtasks) == ("VEN-1", ())
    given.does(EditTask(OTHER, parent_id=TASK), by=BOB)
    assert (given.the_task(OTHER).key, given.the_task(OTHER).project_id) == ("APP-3", PROJECT)
    assert given.when(EditTask(OTHER, parent_id=TASK, project_id=None)) == [], "the project is the parent's"
    board = given.folded[board_id(PROJECT, "todo")].state
    assert getattr(board, "count", None) == 2


def test_nobody_is_taken_into_a_project_that_they_do_not_see(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.LEAD}).does(EditTask(OTHER, assignee=person(EVE)))
    with rejected("assignee.not_in_project"):
        given.when(EditTask(TASK, project_id=PROJECT))


def test_what_goes_to_the_trash_together_comes_back_together(given: Given) -> None:
    given.does(CreateTask(id_of(1), "leaf", parent_id=OTHER)).does(CreateTask(id_of(2), "alone", parent_id=OTHER))
    given.does(DeleteTask(id_of(2)))
    with rejected("task.has_subtasks"):
        given.when(DeleteTask(OTHER))
    assert given.facts(DeleteTask(OTHER, "old", subtasks=True), ADA) == [
        Fact(OTHER, TaskDeleted(reason="old")),
        Fact(id_of(1), TaskDeleted(reason="old")),
        Fact(TASK, TaskSubtaskRemoved(task_id=OTHER)),
    ]
    given.does(DeleteTask(OTHER, subtasks=True))
    for id_ in (id_of(1), id_of(2)):
        with rejected("task.parent_trashed"):
            given.when(RestoreTask(id_))
    assert given.facts(RestoreTask(OTHER), ADA) == [
        Fact(TASK, TaskSubtaskAdded(task_id=OTHER)),
        Fact(OTHER, TaskRestored()),
        Fact(id_of(1), TaskRestored()),
    ]
    given.does(MoveTask(TASK, "complete"))
    with rejected("task.parent_closed"):
        given.when(RestoreTask(OTHER))


def test_a_task_whose_parent_went_to_another_project_comes_back_as_a_root(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.LEAD}).does(DeleteTask(OTHER)).does(EditTask(TASK, project_id=PROJECT))
    assert given.when(RestoreTask(OTHER)) == [TaskParentChanged(parent_id=None), TaskRestored()]
    assert given.does(RestoreTask(OTHER)).the_task(OTHER).parent_id is None


def test_a_tree_has_at_most_eight_levels_however_it_comes_to_be(given: Given) -> None:
    given.does(CreateTask(id_of(1), "leaf", parent_id=OTHER)).does(DeleteTask(id_of(1)))
    for number in range(2, 9):
        given.does(CreateTask(id_of(number), "level", parent_id=id_of(number - 1) if number > 2 else None))
    with rejected("task.too_deep"):
        given.when(EditTask(TASK, parent_id=id_of(8)))
    given.does(EditTask(TASK, parent_id=id_of(7)))
    for command in (RestoreTask(id_of(1)), CreateTask(id_of(9), "level", parent_id=OTHER)):
        with rejected("task.too_deep") as refusal:
            given.when(command)
        assert refusal.value.extra["parent_id"] == OTHER


def test_having_a_task_below_ones_own_gives_no_power_over_it(given: Given) -> None:
    given.does(CreateTask(id_of(1), "his"), by=BOB).does(CreateTask(id_of(2), "hers", parent_id=id_of(1)))
    given.project(PROJECT, {BOB: ProjectRole.LEAD})
    for command in (
        MoveTask(id_of(1), "cancel", close_subtasks=True),
        DeleteTask(id_of(1), subtasks=True),
        EditTask(id_of(1), project_id=PROJECT),
    ):
        with rejected("subtask.forbidden") as refusal:
            given.when(command, by=BOB)
        assert refusal.value.extra["subtasks"] == [id_of(2)]
    given.does(DeleteTask(id_of(1), subtasks=True))
    with rejected("subtask.forbidden"):
        given.when(RestoreTask(id_of(1)), by=BOB)
