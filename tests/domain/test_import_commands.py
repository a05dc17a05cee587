"""The commands of an import, and several commands decided as one."""

from typing import Any

import pytest

from commands.dependencies import LinkTasks
from commands.importing import ImportChecklist, ImportTask, task_id
from commands.overlay import Overlay, Together
from commands.task import AssignTask, CreateTask, DeleteTask, MoveTask
from domain.board import Board
from domain.checklist import ITEMS_MAX, ItemAdded, ItemChecked
from domain.errors import Forbidden
from domain.import_line import Item
from domain.policy import Action
from domain.project import ProjectRole, board_id
from domain.task import Task, TaskAssigned, TaskCreated
from domain.task_fields import Origin
from domain.task_links import SUBTASKS_MAX, LinkType, Subtask
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, BOB, EVE, OTHER, PROJECT, TASK, WORKSPACE, Given, person, rejected
from tests.domain.reviewed import project_of_reviews

THIRD = "00000000-0000-7000-8000-000000000777"
ORIGIN = Origin(id="A-1", created_at="2026-01-01T00:00:00.000000Z")


def imported(id_: str = TASK, **fields: Any) -> ImportTask:
    return ImportTask(id_, **{"title": "write", "origin": ORIGIN, **fields})


def staff() -> Given:
    return Given().member(ADA, Role.ADMIN).member(BOB).project(PROJECT, {BOB: ProjectRole.EDITOR})


def test_a_task_that_was_done_elsewhere_is_done_from_the_first() -> None:
    given = staff().does(imported(status="done", category=Category.DONE, assignee=person(BOB)))
    task = given.the_task()
    assert (task.status, task.category, task.completed_at) == ("done", Category.DONE, task.created_at)
    assert task.assignee == person(BOB)
    assert task.version == 2


def test_where_it_comes_from_stands_in_the_event() -> None:
    events = staff().when(imported())
    assert [event.imported for event in events if isinstance(event, TaskCreated)] == [ORIGIN]


def test_a_task_that_is_there_is_not_imported_again_whatever_became_of_it() -> None:
    given = staff().does(imported()).does(DeleteTask(TASK), by=ADA)
    assert given.when(imported(title="other")) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "todo"),
        ({"status": "in_progress"}, "in_progress"),
        ({"status": "done"}, "done"),
        ({"status": "cancelled", "category": Category.CANCELLED}, "cancelled"),
        ({"status": "review", "category": Category.ACTIVE}, "in_progress"),
        ({"category": Category.DONE}, "done"),
        ({"status": "active"}, "in_progress"),
    ],
)
def test_a_status_is_taken_by_name_or_else_by_category(fields: dict[str, Any], status: str) -> None:
    assert staff().does(imported(**fields)).the_task().status == status


def test_a_status_that_nobody_knows_is_refused() -> None:
    with rejected("import.status"):
        staff().when(imported(status="odd"))


def test_a_status_that_only_some_reach_is_reached_by_them_alone() -> None:
    given, done = project_of_reviews(), {"project_id": PROJECT, "status": "done"}
    with rejected("task.move_not_allowed", Forbidden) as refused:
        given.when(imported(**done), by=EVE)
    assert refused.value.extra["who"] == ["lead"]
    assert given.does(imported(**done), by=BOB).the_task().status == "done"


def test_a_closed_parent_takes_in_what_is_closed_and_nothing_else() -> None:
    given = staff().does(imported(status="done"))
    with rejected("task.parent_closed"):
        given.when(imported(OTHER, parent_id=TASK))
    given.does(imported(OTHER, parent_id=TASK, status="cancelled"))
    assert given.the_task().subtasks == (Subtask(OTHER, closed=True),)


def test_a_parent_must_be_there_and_in_the_same_project() -> None:
    given = staff()
    with rejected("parent.not_found"):
        given.when(imported(parent_id=OTHER))
    given.does(imported())
    with rejected("parent.other_project"):
        given.when(imported(OTHER, parent_id=TASK, project_id=PROJECT))


def test_ids_follow_from_workspace_importer_source_and_name() -> None:
    names = [
        (WORKSPACE, ADA, ":", "A"),
        (OTHER, ADA, ":", "A"),
        (WORKSPACE, BOB, ":", "A"),
        (WORKSPACE, ADA, ":x", "A"),
    ]
    made = [task_id(*name) for name in (*names, (WORKSPACE, ADA, ":", "B"))]
    assert len(set(made)) == 5
    assert task_id(*names[0]) == made[0]


def test_a_checklist_comes_once_and_says_what_is_checked() -> None:
    given = staff().does(imported())
    command = ImportChecklist(TASK, (Item("one"), Item("two", checked=True)))
    events = given.when(command)
    assert [type(event) for event in events] == [ItemAdded, ItemAdded, ItemChecked]
    assert given.does(command).when(command) == []
    with rejected("checklist.full"):
        staff().does(imported()).when(ImportChecklist(TASK, (Item("x"),) * (ITEMS_MAX + 1)))


def test_each_of_several_commands_sees_what_those_before_it_did() -> None:
    given = staff().does(
        Together(
            [
                imported(project_id=PROJECT),
                imported(OTHER, project_id=PROJECT, parent_id=TASK),
                imported(THIRD, project_id=PROJECT, status="done"),
                LinkTasks(THIRD, LinkType.BLOCKED_BY, TASK),
                MoveTask(OTHER, "complete"),
            ]
        )
    )
    task = given.the_task()
    assert (task.key, given.the_task(OTHER).key, given.the_task(THIRD).key) == ("APP-1", "APP-2", "APP-3")
    assert task.subtasks == (Subtask(OTHER, closed=True),)
    assert given.the_task(THIRD).open_blockers == [TASK]
    boards = [given.state(board_id(PROJECT, status)) for status in ("todo", "done")]
    assert [board.count for board in boards if isinstance(board, Board)] == [1, 2]


def test_what_commands_read_of_the_log_is_expected_and_nothing_of_what_they_did() -> None:
    given = staff().does(CreateTask(TASK, "write"))
    context = given.context(ADA)
    Together([AssignTask(TASK, person(BOB)), imported(OTHER), DeleteTask(OTHER)]).decide(context)
    assert context.reads[TASK] == 1
    assert context.reads[OTHER] == 0


def test_one_refusal_is_the_refusal_of_all() -> None:
    given = staff()
    with rejected("task.parent_closed"):
        given.when(Together([imported(status="done"), imported(OTHER, parent_id=TASK)]))


def test_a_full_parent_is_full_for_those_that_come_together() -> None:
    given = staff().does(imported())
    children = [imported(f"00000000-0000-7000-9000-{n:012x}", parent_id=TASK) for n in range(SUBTASKS_MAX + 1)]
    with rejected("task.too_many_subtasks"):
        given.when(Together(children))


def test_a_limit_counts_those_that_come_together() -> None:
    given = project_of_reviews()
    ids = (TASK, OTHER, THIRD)
    doing = [imported(id_, project_id=PROJECT, status="doing") for id_ in ids]
    with rejected("workflow.limit_reached"):
        given.when(Together(doing), by=BOB)
    assert given.when(Together(doing[:2]), by=BOB)


def test_what_is_forgotten_is_known_by_the_log_alone() -> None:
    given = staff()
    world = Overlay(given.context(ADA))
    world.run(imported())
    world.run(imported(OTHER))
    world.forget({OTHER}, Task)
    assert world.read(TASK, Task) is None
    assert world.task(OTHER, Action.TASK_READ).id == OTHER


def test_an_assignment_comes_with_its_task() -> None:
    events = staff().when(imported(assignee=person(BOB)))
    assert [type(event) for event in events] == [TaskCreated, TaskAssigned]
