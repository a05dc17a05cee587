"""The rules of the commands on tasks, each given / when / then."""

from collections.abc import Callable

import pytest
from msgspec import UNSET

from commands.appending import Fact
from commands.deciding import Command
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from domain.errors import Conflict, Invalid, NotFound
from domain.events import Event
from domain.task import (
    MOVES,
    TaskAssigned,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskReopened,
    TaskRestored,
    TaskStarted,
    TaskUnassigned,
)
from domain.task_fields import Assignee, Priority
from domain.user import Role
from domain.workflow import Category
from tests.domain.given import ADA, BOB, NOBODY, OTHER, TASK, Given, at, created, person, rejected

STARTED = TaskStarted(status="in_progress", category=Category.ACTIVE)
COMPLETED = TaskCompleted(status="done", category=Category.DONE)
TO_BOB = TaskAssigned(assignee=Assignee(type="user", id=BOB))

# What the workflow says, written down once more: status, how one gets there, and where each move leads.
HISTORIES: dict[str, tuple[Event, ...]] = {
    "todo": (),
    "in_progress": (STARTED,),
    "done": (COMPLETED,),
    "cancelled": (MOVES["cancel"](status="cancelled", category=Category.CANCELLED),),
}
LEADS_TO = {
    ("todo", "start"): ("in_progress", Category.ACTIVE),
    ("todo", "complete"): ("done", Category.DONE),
    ("todo", "cancel"): ("cancelled", Category.CANCELLED),
    ("in_progress", "pause"): ("todo", Category.OPEN),
    ("in_progress", "complete"): ("done", Category.DONE),
    ("in_progress", "cancel"): ("cancelled", Category.CANCELLED),
    ("done", "reopen"): ("todo", Category.OPEN),
    ("cancelled", "reopen"): ("todo", Category.OPEN),
}


@pytest.fixture
def given() -> Given:
    return Given().member(ADA, Role.ADMIN).member(BOB)


def test_a_creation_says_everything_it_was_given(given: Given) -> None:
    command = CreateTask(TASK, "write", "long", Priority.URGENT, at(9), ("b", "a", "b"))
    assert given.when(command) == [
        TaskCreated(
            title="write",
            description="long",
            priority=Priority.URGENT,
            due_at=at(9),
            tags=("b", "a"),
            status="todo",
            category=Category.OPEN,
        )
    ]
    task = given.does(command).the_task()
    assert (task.version, task.created_by, task.assignee, task.deleted_at) == (1, ADA, None, None)
    assert task.created_at == task.updated_at == at(task.position)


def test_a_creation_with_an_assignee_is_two_events_of_one_stream(given: Given) -> None:
    facts = given.facts(CreateTask(TASK, "write", assignee=person(BOB)), ADA)
    assert facts == [Fact(TASK, created()), Fact(TASK, TO_BOB)]


def test_a_creation_expects_that_its_stream_is_new_and_that_the_people_stay_who_they_are(given: Given) -> None:
    given.when(CreateTask(TASK, "write", assignee=person(BOB)))
    assert given.reads == {ADA: 1, TASK: 0, BOB: 1}


@pytest.mark.parametrize(
    ("command", "pointer"),
    [
        (CreateTask(TASK, "write", assignee=person(NOBODY)), "/assignee/id"),
        (EditTask(OTHER, assignee=person(NOBODY)), "/assignee/id"),
        (AssignTask(OTHER, person(NOBODY)), "/user_id"),
        (AssignTask(OTHER, person(OTHER)), "/user_id"),  # an id of something else is no member either
    ],
)
def test_an_assignee_must_be_a_member(given: Given, command: Command, pointer: str) -> None:
    given.task(OTHER)
    with rejected("assignee.not_found", Invalid) as refused:
        given.when(command)
    assert refused.value.extra["errors"][0]["pointer"] == pointer
    assert NOBODY in given.reads or OTHER in given.reads  # so that somebody who joins just now is seen


@pytest.mark.parametrize("minutes", [-1, 0, 600_001, 2**31, 10**40])
def test_an_estimate_is_of_at_least_a_minute_and_not_of_years(given: Given, minutes: int) -> None:
    with rejected("value.range"):
        given.when(CreateTask(OTHER, "write", estimate_minutes=minutes))
    given.task(TASK)
    with rejected("value.range"):
        given.when(EditTask(TASK, estimate_minutes=minutes))


def test_an_edit_names_only_the_fields_that_differ(given: Given) -> None:
    given.task(TASK)
    command = EditTask(TASK, title="write", description="new", priority=Priority.HIGH, due_at=None, tags=("x", "x"))
    assert given.when(command) == [TaskEdited(description="new", priority=Priority.HIGH, tags=("x",))]
    task = given.does(command).the_task()
    assert (task.title, task.description, task.priority, task.tags) == ("write", "new", Priority.HIGH, ("x",))


def test_an_edit_can_take_a_due_date_away(given: Given) -> None:
    given.task(TASK, TaskEdited(due_at=at(9)))
    assert given.when(EditTask(TASK, due_at=None)) == [TaskEdited(due_at=None)]


def test_an_edit_can_assign_and_unassign(given: Given) -> None:
    given.task(TASK)
    assert given.when(EditTask(TASK, title="new", assignee=person(BOB))) == [TaskEdited(title="new"), TO_BOB]
    given.happened(TASK, TO_BOB)
    assert given.when(EditTask(TASK, assignee=None)) == [TaskUnassigned()]
    assert given.when(EditTask(TASK, assignee=person(BOB))) == []


@pytest.mark.parametrize(
    "command",
    [
        EditTask(TASK),
        EditTask(
            TASK, title="write", description="", priority=Priority.NORMAL, due_at=None, tags=(), assignee=person(BOB)
        ),
        AssignTask(TASK, person(BOB)),
        RestoreTask(TASK),
    ],
)
def test_a_command_that_changes_nothing_yields_no_events(given: Given, command: Command) -> None:
    given.task(TASK, TO_BOB)
    assert given.when(command) == []
    assert TASK in given.reads


def test_assigning_twice_is_one_event(given: Given) -> None:
    given.task(TASK)
    assert given.when(AssignTask(TASK, person(BOB))) == [TO_BOB]
    assert given.does(AssignTask(TASK, person(BOB))).when(AssignTask(TASK, person(BOB))) == []


def test_unassigning_twice_is_one_event(given: Given) -> None:
    given.task(TASK, TO_BOB)
    assert given.when(UnassignTask(TASK)) == [TaskUnassigned()]
    assert given.does(UnassignTask(TASK)).when(UnassignTask(TASK)) == []
    assert given.the_task().assignee is None


def test_a_task_can_be_reassigned(given: Given) -> None:
    given.task(TASK, TO_BOB)
    assert given.when(AssignTask(TASK, person(ADA))) == [TaskAssigned(assignee=Assignee(type="user", id=ADA))]


@pytest.mark.parametrize("status", HISTORIES)
@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_made_or_refused_exactly_as_the_table_says(given: Given, status: str, move: str) -> None:
    given.task(TASK, *HISTORIES[status])
    command = MoveTask(TASK, move, "because")
    if (status, move) in LEADS_TO:
        to, category = LEADS_TO[status, move]
        assert given.when(command) == [MOVES[move](status=to, category=category, reason="because")]
        task = given.does(command).the_task()
        assert (task.status, task.category) == (to, category)
        assert (task.completed_at is not None) is (to == "done")
        return
    with rejected("task.illegal_move", Conflict) as refused:
        given.when(command)
    assert refused.value.extra == {
        "current_status": status,
        "move": move,
        "allowed": sorted(known for at_status, known in LEADS_TO if at_status == status),
    }


def test_a_move_that_nobody_knows_is_refused(given: Given) -> None:
    with rejected("task.illegal_move"):
        given.task(TASK).when(MoveTask(TASK, "teleport"))


def test_reopening_forgets_the_completion(given: Given) -> None:
    given.task(TASK, COMPLETED)
    assert given.the_task().completed_at == at(given.the_task().position)
    given.happened(TASK, TaskReopened(status="todo", category=Category.OPEN))
    assert given.the_task().completed_at is None


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (lambda: DeleteTask(TASK, "a duplicate"), TaskDeleted(reason="a duplicate")),
        (lambda: DeleteTask(TASK), TaskDeleted()),
    ],
)
def test_a_deletion_puts_the_task_in_the_trash(given: Given, make: Callable[[], Command], event: Event) -> None:
    given.task(TASK)
    assert given.when(make()) == [event]
    assert given.does(make()).the_task().deleted_at == at(given.the_task().position)


@pytest.mark.parametrize(
    "command",
    [
        EditTask(TASK, title="x"),
        AssignTask(TASK, person(BOB)),
        UnassignTask(TASK),
        MoveTask(TASK, "start"),
        DeleteTask(TASK),
    ],
)
def test_a_task_in_the_trash_is_there_for_restoring_only(given: Given, command: Command) -> None:
    given.task(TASK, TaskDeleted())
    with rejected("task.not_found", NotFound):
        given.when(command)
    assert given.when(RestoreTask(TASK, "needed")) == [TaskRestored(reason="needed")]
    task = given.does(RestoreTask(TASK)).the_task()
    assert (task.deleted_at, task.status) == (None, "todo")


@pytest.mark.parametrize("target", [NOBODY, BOB])
def test_an_id_that_is_no_task_is_not_found(given: Given, target: str) -> None:
    for command in (
        EditTask(target, title="x"),
        MoveTask(target, "start"),
        AssignTask(target, person(BOB)),
        DeleteTask(target),
        RestoreTask(target),
    ):
        with rejected("task.not_found", NotFound):
            given.when(command)


def test_an_absent_field_is_not_the_same_as_an_empty_one() -> None:
    assert EditTask(TASK).title is UNSET
    assert EditTask(TASK).due_at is UNSET
    assert EditTask(TASK).assignee is UNSET
