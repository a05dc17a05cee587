"""Workflows are tables: what holds for each of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Conflict
from domain.task import MOVES
from domain.workflow import STANDARD, Category, Move, Status, Workflow
from domain.workflow_check import check

# A small workflow of another shape, with a status that nothing leaves.
REVIEW = Workflow(
    statuses=(Status("draft", Category.OPEN), Status("review", Category.ACTIVE), Status("out", Category.DONE)),
    initial="draft",
    moves=(
        Move("submit", ("draft",), "review"),
        Move("reject", ("review",), "draft"),
        Move("publish", ("review",), "out"),
    ),
)


@pytest.mark.parametrize("workflow", [STANDARD, REVIEW])
def test_every_status_has_a_category_and_every_move_leads_to_a_status(workflow: Workflow) -> None:
    reached = {workflow.initial, *(move.to for move in workflow.moves)}
    assert reached == workflow.categories.keys()
    assert {status for status, _ in workflow.table} <= workflow.categories.keys()
    assert check(workflow) is workflow


@pytest.mark.parametrize("workflow", [STANDARD, REVIEW])
def test_what_is_allowed_is_what_can_be_made(workflow: Workflow) -> None:
    moves = {move for _, move in workflow.table}
    for status in workflow.categories:
        for move in moves:
            if move in workflow.allowed(status):
                assert workflow.next(status, move) == workflow.table[status, move].to
            else:
                with pytest.raises(Conflict, match="allowed"):
                    workflow.next(status, move)


def test_a_status_that_nothing_leaves_says_so() -> None:
    with pytest.raises(Conflict, match="allowed: nothing") as refused:
        REVIEW.next("out", "submit")
    assert refused.value.extra["allowed"] == []


def test_each_move_of_the_standard_workflow_has_its_event() -> None:
    assert {move.name for move in STANDARD.moves} == MOVES.keys()


def test_a_new_task_is_open_and_only_done_is_done() -> None:
    assert STANDARD.categories[STANDARD.initial] is Category.OPEN
    assert [status for status, category in STANDARD.categories.items() if category is Category.DONE] == ["done"]


@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=12))
def test_no_sequence_of_moves_leaves_the_table(moves: list[str]) -> None:
    status = STANDARD.initial
    for move in moves:
        if (status, move) in STANDARD.table:
            status = STANDARD.next(status, move)
        else:
            with pytest.raises(Conflict):
                STANDARD.next(status, move)
        assert status in STANDARD.categories
        assert STANDARD.allowed(status)  # a task is never stuck
