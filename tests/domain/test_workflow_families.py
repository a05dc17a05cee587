"""Trees and dependencies in projects with workflows of their own."""

import pytest

from commands.dependencies import LinkTasks
from commands.options import options
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.workflow import ChangeWorkflow
from domain.errors import Conflict, Forbidden
from domain.task import TaskStatusMapped
from domain.task_links import LinkType
from tests.domain.given import BOB, EVE, MAX, OTHER, PROJECT, TASK, VENTURE, Given, rejected
from tests.domain.reviewed import ACTIVE, IN_PROJECT, LEAD, board, project_of_reviews, task_id, without

CHILD = OTHER


@pytest.fixture
def given() -> Given:
    """A task in the project of Bob and Eve, with one below it."""
    return project_of_reviews().does(IN_PROJECT, by=EVE).does(CreateTask(CHILD, "part", parent_id=TASK), by=EVE)


def moved(given: Given, id_: str, *moves: str) -> None:
    for move in moves:
        given.does(MoveTask(id_, move), by=BOB)


def test_a_tree_is_closed_by_moves_that_each_of_its_tasks_can_make(given: Given) -> None:
    moved(given, TASK, "start", "submit")
    closing = MoveTask(TASK, "complete", close_subtasks=True)
    with rejected("task.illegal_move", Conflict) as refused:
        given.when(closing, BOB)
    assert (refused.value.extra["task_id"], refused.value.extra["allowed"]) == (CHILD, ["cancel", "start"])
    moved(given, CHILD, "start", "submit")
    with rejected("task.move_not_allowed", Forbidden):
        given.when(closing, EVE)
    given.does(closing, by=BOB)
    assert board(given, "done") == {TASK, CHILD}


def test_a_tree_is_closed_only_where_there_is_room_for_all_of_it(given: Given) -> None:
    statuses = without().statuses
    narrow = tuple(
        type(each)(each.name, each.category, 1 if each.name == "dropped" else each.limit) for each in statuses
    )
    given.does(ChangeWorkflow(flow_of(given), "Narrow", without(statuses=narrow)), by=MAX)
    with rejected("workflow.limit_reached", Conflict) as refused:
        given.when(MoveTask(TASK, "cancel", close_subtasks=True), EVE)
    assert refused.value.extra == {"to": "dropped", "limit": 1, "count": 1}


def flow_of(given: Given) -> str:
    workflow_id = given.the_project().workflow_id
    assert workflow_id is not None
    return workflow_id


def test_a_tree_comes_back_from_the_trash_with_statuses_that_there_are(given: Given) -> None:
    moved(given, CHILD, "start", "submit")
    given.does(DeleteTask(TASK, subtasks=True), by=EVE)
    given.does(ChangeWorkflow(flow_of(given), "Plain", without("review"), {"review": "doing"}), by=MAX)
    assert TaskStatusMapped(status="doing", category=ACTIVE) in given.when(RestoreTask(TASK), EVE)
    given.does(RestoreTask(TASK), by=EVE)
    assert (board(given, "backlog"), board(given, "doing")) == ({TASK}, {CHILD})


def test_a_tree_that_comes_into_another_project_gets_its_statuses(given: Given) -> None:
    moved(given, CHILD, "start")
    given.project(VENTURE, {BOB: LEAD}, "VEN").does(EditTask(TASK, project_id=VENTURE), by=BOB)
    assert (board(given, "todo", VENTURE), board(given, "in_progress", VENTURE)) == ({TASK}, {CHILD})
    assert (board(given, "backlog"), board(given, "doing")) == (set(), set())


def test_what_blocks_a_task_is_among_the_reasons_why_it_cannot_move(given: Given) -> None:
    given.does(CreateTask(task_id(1), "first", project_id=PROJECT), by=EVE)
    given.does(LinkTasks(CHILD, LinkType.BLOCKED_BY, task_id(1)), by=EVE)
    why = {item.move: item.why_not and item.why_not["code"] for item in options(given.context(EVE), CHILD).items}
    assert why == {"cancel": None, "start": "task.blocked"}
    why = {item.move: item.why_not and item.why_not["code"] for item in options(given.context(EVE), TASK).items}
    assert why == {"cancel": "task.open_subtasks", "start": None}
