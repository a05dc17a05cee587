"""What a workflow allows to whom: moves and what they require, limits, and the list of what can be done."""

from typing import Any

import pytest
from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Command
from commands.options import Option, options
from commands.project import ArchiveProject
from commands.remapping import Crowded
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.workflow import ChangeWorkflow
from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.errors import Conflict, Forbidden, NotFound
from domain.project import board_id, numbering_id
from domain.task import TaskCompleted, TaskMovedOn, TaskProjectChanged, TaskReopened, TaskStarted
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role
from domain.workflow import Move, Mover, Required
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    FLOW,
    MAX,
    NOBODY,
    OTHER,
    PROJECT,
    TASK,
    TEAM,
    ZOE,
    Given,
    person,
    rejected,
)
from tests.domain.reviewed import (
    ACTIVE,
    DONE,
    EDITOR,
    IN_PROJECT,
    LEAD,
    OPEN,
    REVIEWED,
    board,
    crowd,
    full,
    project_of_reviews,
    reviewed,
    task_id,
)


@pytest.fixture
def given() -> Given:
    """Ada is the admin, Max a manager. Bob leads a project with a workflow of its own; Eve edits, Zoe looks on."""
    return project_of_reviews()


def test_a_task_of_the_project_begins_and_moves_by_its_workflow(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE)
    assert (given.the_task().status, given.the_task().category) == ("backlog", OPEN)
    with rejected("task.illegal_move", Conflict) as refused:
        given.when(MoveTask(TASK, "complete"), EVE)
    assert refused.value.extra["allowed"] == ["cancel", "start"]
    assert given.facts(MoveTask(TASK, "start"), EVE) == [
        Fact(TASK, TaskStarted(status="doing", category=ACTIVE)),
        Fact(board_id(PROJECT, "backlog"), BoardTaskLeft(task_id=TASK)),
        Fact(board_id(PROJECT, "doing"), BoardTaskArrived(task_id=TASK)),
    ]
    assert {PROJECT, FLOW, TASK} <= given.reads.keys()
    given.does(MoveTask(TASK, "start"), by=EVE)
    assert given.when(MoveTask(TASK, "remind", "soon"), EVE) == [
        TaskMovedOn(move="remind", status="doing", category=ACTIVE, reason="soon")
    ]
    given.does(CreateTask(OTHER, "elsewhere"), by=EVE)
    assert given.when(MoveTask(OTHER, "complete"), EVE) == [TaskCompleted(status="done", category=DONE)]


def test_a_move_is_for_those_whom_the_workflow_names(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "start"), by=EVE)
    with rejected("task.move_not_allowed", Forbidden) as refused:
        given.when(MoveTask(TASK, "submit"), EVE)
    assert refused.value.extra == {"move": "submit", "who": ["assignee", "lead"]}
    for by in (BOB, MAX, ADA):
        assert given.when(MoveTask(TASK, "submit"), by)
    given.does(AssignTask(TASK, person(EVE)), by=EVE)
    assert given.does(MoveTask(TASK, "submit"), by=EVE).the_task().status == "review"
    with rejected("task.move_not_allowed", Forbidden):
        given.when(MoveTask(TASK, "complete"), EVE)
    with rejected("auth.forbidden", Forbidden):  # who only looks on moves nothing, whatever they are to the task
        given.does(AssignTask(TASK, person(ZOE)), by=BOB).when(MoveTask(TASK, "cancel"), ZOE)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (Mover.EDITOR, {ADA, MAX, BOB, EVE}),
        (Mover.LEAD, {ADA, MAX, BOB}),
        (Mover.CREATOR, {ADA, MAX, EVE}),
        (Mover.ASSIGNEE, {ADA, MAX, BOB}),
    ],
)
def test_each_word_for_movers_means_these(who: Mover, allowed: set[str]) -> None:
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE)
    given.project(PROJECT, {BOB: LEAD, EVE: EDITOR}).team(TEAM, {})
    moves = (replace(REVIEWED.moves[0], who=(who,)), *REVIEWED.moves[1:])
    given.workflow(FLOW, replace(REVIEWED, moves=moves), PROJECT)
    given.does(IN_PROJECT, by=EVE).does(AssignTask(TASK, person(BOB)), by=EVE)
    for by in (ADA, MAX, BOB, EVE):
        if by in allowed:
            assert given.when(MoveTask(TASK, "start"), by)
        else:
            with rejected("task.move_not_allowed", Forbidden):
                given.when(MoveTask(TASK, "start"), by)


def test_who_is_in_the_team_of_a_task_is_its_assignee(given: Given) -> None:
    given.team(TEAM, {EVE: TeamRole.MEMBER})
    given.does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "start"), by=EVE)
    given.does(AssignTask(TASK, Assignee(type="team", id=TEAM)), by=MAX)
    assert given.when(MoveTask(TASK, "submit"), EVE)


FIELDS: dict[Required, dict[str, Any]] = {
    Required.ASSIGNEE: {"assignee": person(EVE)},
    Required.DUE_AT: {"due_at": "2026-12-01T09:00:00.000000Z"},
    Required.ESTIMATE: {"estimate_minutes": 5},
    Required.DESCRIPTION: {"description": "all of it"},
    Required.TAGS: {"tags": ("q4",)},
}


@pytest.mark.parametrize("required", Required)
def test_a_move_needs_what_it_requires(required: Required) -> None:
    given = Given().member(ADA, Role.ADMIN).member(EVE).project(PROJECT, {EVE: LEAD})
    moves = (replace(REVIEWED.moves[0], requires=(required,)), *REVIEWED.moves[1:])
    given.workflow(FLOW, replace(REVIEWED, moves=moves), PROJECT).does(IN_PROJECT, by=EVE)
    for reason in (None, " ") if required is Required.REASON else ("because",):
        with rejected("task.move_requires", Conflict) as refused:
            given.when(MoveTask(TASK, "start", reason), EVE)
        assert refused.value.extra == {"move": "start", "missing": [required]}
    if required is not Required.REASON:
        given.does(EditTask(TASK, **FIELDS[required]), by=EVE)
    assert given.when(MoveTask(TASK, "start", "because"), EVE)


def test_a_status_takes_no_more_tasks_than_its_limit_however_they_come(given: Given) -> None:
    full(given).does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "cancel"), by=EVE)
    reopening = (*REVIEWED.moves[:5], Move("reopen", ("done", "dropped"), "doing"))
    first = tuple(replace(status, limit=1) if status.name == "backlog" else status for status in REVIEWED.statuses)
    given.does(ChangeWorkflow(FLOW, "Reviewed", replace(REVIEWED, statuses=first, moves=reopening)))
    given.does(CreateTask(task_id(8), "write"), by=EVE).does(
        CreateTask(task_id(9), "first", project_id=PROJECT), by=EVE
    )
    entering = EditTask(task_id(8), project_id=PROJECT)
    refusals: list[tuple[Command, str, int]] = [
        (MoveTask(task_id(9), "start"), "doing", 2),
        (MoveTask(TASK, "reopen"), "doing", 2),
        (RestoreTask(task_id(1)), "doing", 2),
        (CreateTask(NOBODY, "write", project_id=PROJECT), "backlog", 1),
        (entering, "backlog", 1),
    ]
    for command, status, limit in refusals:
        with rejected("workflow.limit_reached", Conflict) as refused:
            given.when(command, EVE)
        assert refused.value.extra == {"to": status, "limit": limit, "count": limit}
        assert board_id(PROJECT, status) in given.reads
    given.does(DeleteTask(task_id(0)), by=EVE).does(MoveTask(task_id(9), "start"), by=EVE)
    assert isinstance(given.when(entering, EVE)[0], TaskProjectChanged)
    assert board(given, "doing") == {task_id(2), task_id(9)}


def test_whoever_is_there_may_stay_and_go_round(given: Given) -> None:
    full(given)
    assert given.when(MoveTask(task_id(0), "remind"), EVE)
    narrower = tuple(replace(status, limit=1) if status.limit else status for status in REVIEWED.statuses)
    change = ChangeWorkflow(FLOW, "Reviewed", replace(REVIEWED, statuses=narrower))
    assert change.preview(given.context(MAX)).crowded == [Crowded(PROJECT, "doing", 1, 2)]
    given.does(change)
    assert given.when(MoveTask(task_id(0), "cancel"), EVE)


def test_a_task_that_comes_from_elsewhere_gets_a_status_of_the_workflow(given: Given) -> None:
    for n, (moves, home) in enumerate(
        [([], "backlog"), (["start"], "doing"), (["complete"], "done"), (["cancel"], "dropped")]
    ):
        given.does(CreateTask(task_id(n), "write"), by=EVE)
        for move in moves:
            given.does(MoveTask(task_id(n), move), by=EVE)
        given.does(EditTask(task_id(n), project_id=PROJECT), by=EVE)
        task = given.the_task(task_id(n))
        assert (task.status, task.category, task.key) == (home, REVIEWED.categories[home], f"APP-{n + 1}")
        assert task_id(n) in board(given, home)
    out = given.when(EditTask(task_id(1), project_id=None), EVE)
    assert out[0] == TaskProjectChanged(project_id=None, key=None, status="in_progress", category=ACTIVE)
    assert numbering_id(PROJECT) not in given.reads


def option(given: Given, by: str, move: str) -> Option:
    return next(item for item in options(given.context(by), TASK).items if item.move == move)


def why(given: Given, by: str, move: str) -> object:
    """The code of why somebody cannot make a move now; None where they can."""
    refusal = option(given, by, move).why_not
    return None if refusal is None else refusal["code"]


def test_what_can_be_done_with_a_task_is_listed_with_why_not(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "start"), by=EVE)
    listed = options(given.context(EVE), TASK)
    assert (listed.status, [item.move for item in listed.items]) == ("doing", ["cancel", "remind", "submit"])
    assert (why(given, EVE, "cancel"), why(given, EVE, "submit")) == (None, "task.move_not_allowed")
    assert (why(given, ZOE, "cancel"), why(given, BOB, "submit")) == ("auth.forbidden", None)
    given.does(MoveTask(TASK, "submit"), by=BOB)
    reject = option(given, EVE, "reject")
    assert (reject.to, reject.category, reject.requires) == ("doing", ACTIVE, (Required.REASON, Required.ASSIGNEE))
    assert reject.why_not is not None
    assert reject.why_not["missing"] == ["assignee"]
    given.does(AssignTask(TASK, person(EVE)), by=EVE)
    assert why(given, EVE, "reject") is None
    crowd(given, "doing", 2)
    assert why(given, EVE, "reject") == "workflow.limit_reached"
    given.does(ArchiveProject(PROJECT), by=BOB)
    assert {why(given, EVE, item.move) for item in options(given.context(EVE), TASK).items} == {"project.is_archived"}
    with rejected("task.not_found", NotFound):
        options(given.member(NOBODY).context(NOBODY), TASK)


def test_the_list_says_just_what_would_happen(given: Given) -> None:
    """Whatever is listed without a reason against it can be made, and what is listed with one is refused for it."""
    full(reviewed(given))
    ids = [TASK, OTHER, *[task_id(n) for n in (0, 2)]]
    for by in (ADA, MAX, BOB, EVE, ZOE):
        for id_ in ids:
            for item in options(given.context(by), id_).items:
                move = MoveTask(id_, item.move, "a reason")
                if item.why_not is None:
                    assert given.when(move, by)
                else:
                    with rejected(str(item.why_not["code"])):
                        given.when(move, by)


def test_a_reopened_task_says_so(given: Given) -> None:
    reviewed(given)
    assert given.when(MoveTask(OTHER, "reopen"), EVE)[0] == TaskReopened(status="backlog", category=OPEN)
