"""A project with a workflow of its own, and what tests of it begin with."""

from typing import Any

from msgspec.structs import replace

from commands.task import CreateTask, DeleteTask, MoveTask
from domain.board import Board, BoardTaskArrived
from domain.project import ProjectRole, board_id
from domain.user import Role
from domain.workflow import Category, Move, Mover, Required, Status, Workflow
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    FLOW,
    MAX,
    OTHER,
    PROJECT,
    TASK,
    ZOE,
    Given,
)

OPEN, ACTIVE, DONE, CANCELLED = Category
VIEWER, EDITOR, LEAD = ProjectRole
IN_PROJECT = CreateTask(TASK, "write", project_id=PROJECT)

REVIEWED = Workflow(
    statuses=(
        Status("backlog", OPEN),
        Status("doing", ACTIVE, limit=2),
        Status("review", ACTIVE),
        Status("done", DONE),
        Status("dropped", CANCELLED),
    ),
    initial="backlog",
    moves=(
        Move("start", ("backlog",), "doing"),
        Move("submit", ("doing",), "review", who=(Mover.ASSIGNEE, Mover.LEAD)),
        Move("reject", ("review",), "doing", requires=(Required.REASON, Required.ASSIGNEE)),
        Move("complete", ("review",), "done", who=(Mover.LEAD,)),
        Move("cancel", ("backlog", "doing", "review"), "dropped"),
        Move("reopen", ("done", "dropped"), "backlog"),
        Move("remind", ("doing",), "doing"),
    ),
)


def project_of_reviews() -> Given:
    """Ada is the admin, Max a manager. Bob leads a project with a workflow of its own; Eve edits, Zoe looks on."""
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE).member(ZOE)
    return given.project(PROJECT, {BOB: LEAD, EVE: EDITOR, ZOE: VIEWER}).workflow(FLOW, REVIEWED, PROJECT)


def without(*names: str, **fields: Any) -> Workflow:
    """The same workflow without some statuses, and without the moves that touch them."""
    kept = tuple(status for status in REVIEWED.statuses if status.name not in names)
    moves = [replace(move, from_=tuple(at for at in move.from_ if at not in names)) for move in REVIEWED.moves]
    moves = [move for move in moves if move.from_ and move.to not in names]
    more = (Move("finish", ("doing",), "done"),)
    return replace(REVIEWED, **{"statuses": kept, "moves": (*moves, *more), **fields})


def board(given: Given, status: str, project_id: str = PROJECT) -> set[str]:
    """The tasks that have a status."""
    state = given.state(board_id(project_id, status))
    assert state is None or isinstance(state, Board)
    tasks = set() if state is None else set(state.tasks)
    assert len(tasks) == (0 if state is None else state.count)
    return tasks


def task_id(n: int) -> str:
    return f"00000000-0000-7000-8000-0000f{n:07d}"


def crowd(given: Given, status: str, tasks: int, project_id: str = PROJECT) -> Given:
    """So many tasks came to have a status; of each only what a change of workflow looks at."""
    for n in range(tasks):
        given.happened(board_id(project_id, status), BoardTaskArrived(task_id=task_id(n)))
    return given


def full(given: Given) -> Given:
    """As many tasks are in the works as may be, and one is in the trash that was."""
    for n in range(3):
        given.does(CreateTask(task_id(n), "write", project_id=PROJECT), by=EVE)
    for n in (0, 1):
        given.does(MoveTask(task_id(n), "start"), by=EVE)
    given.does(DeleteTask(task_id(1)), by=EVE).does(MoveTask(task_id(2), "start"), by=EVE)
    return given


def reviewed(given: Given) -> Given:
    """One task in review, one done."""
    for id_ in (TASK, OTHER):
        given.does(CreateTask(id_, "write", project_id=PROJECT), by=EVE)
        given.does(MoveTask(id_, "start"), by=EVE).does(MoveTask(id_, "submit"), by=BOB)
    return given.does(MoveTask(OTHER, "complete"), by=BOB)
