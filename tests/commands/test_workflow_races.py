"""Many at once against a limit, and moves against changes of workflow: no rule is broken, and losers are told why."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable

import pytest
from msgspec.structs import replace

from commands.deciding import Command
from commands.execute import Receipt
from commands.ids import new_id
from commands.project import AddProjectMember, CreateProject
from commands.task import CreateTask, DeleteTask, MoveTask, RestoreTask
from commands.workflow import ChangeWorkflow, ChooseWorkflow, CreateWorkflow
from domain.errors import Rejection
from domain.events import Recorded
from domain.streams import State
from domain.task import TaskStatusMapped
from domain.workflow import Category, Move, Status, Workflow
from tests.commands.desk import Connection, Desk, Team, log_of, states
from tests.domain.boards import check_boards
from tests.house import Database

OPEN, ACTIVE, DONE, _ = Category
WRITERS = 50
LIMIT = 7
BEFORE = 10  # so many moves are made before the workflow changes

FLOW = Workflow(
    statuses=(Status("todo", OPEN), Status("doing", ACTIVE), Status("review", ACTIVE), Status("done", DONE)),
    initial="todo",
    moves=(
        Move("start", ("todo",), "doing"),
        Move("submit", ("doing",), "review"),
        Move("back", ("doing", "review"), "todo"),
        Move("complete", ("doing", "review"), "done"),
        Move("reopen", ("done",), "doing"),
    ),
)
WITHOUT_REVIEW = replace(
    FLOW,
    statuses=(*FLOW.statuses[:2], FLOW.statuses[3]),
    moves=tuple(
        replace(move, from_=tuple(at for at in move.from_ if at != "review"))
        for move in FLOW.moves
        if move.to != "review"
    ),
)


def limited(workflow: Workflow) -> Workflow:
    """The same with a limit on what is being done."""
    statuses = (replace(each, limit=LIMIT) if each.name == "doing" else each for each in workflow.statuses)
    return replace(workflow, statuses=tuple(statuses))


async def living(desk: Desk, team: Team, workflow: Workflow) -> tuple[str, str]:
    """A project and the workflow that it lives by."""
    project_id, workflow_id = new_id(), new_id()
    await desk.do(team, team.admin, CreateProject(project_id, "Application", "APP"))
    await desk.do(team, team.admin, AddProjectMember(project_id, team.member))
    await desk.do(team, team.admin, CreateWorkflow(workflow_id, "Flow", workflow))
    await desk.do(team, team.admin, ChooseWorkflow(project_id, workflow_id))
    return project_id, workflow_id


async def told(commands: Iterable[Awaitable[Receipt]]) -> Counter[str]:
    """What all of them are told when they are done at once: `done`, or the code of a refusal."""
    results = await asyncio.gather(*commands, return_exceptions=True)
    return Counter(code_of(result) for result in results)


def code_of(result: Receipt | BaseException) -> str:
    if isinstance(result, Receipt):
        return "done"
    assert isinstance(result, Rejection), result
    return result.code


def in_order(log: list[Recorded]) -> None:
    """After every command, each task of a project is on the board of its status and on no other, within its limit, and
    its status is one of the workflow that is in force.
    """
    known: dict[str, State] = {}
    after = states(log)
    for index, event in enumerate(log):
        known[event.stream_id] = after[event.stream_id, event.version]
        if index + 1 < len(log) and log[index + 1].meta.causation_id == event.meta.causation_id:
            continue  # in the middle of a command
        for board in check_boards(known):
            assert board.tasks <= (board.limit or WRITERS)


@pytest.mark.parametrize("processes", [1, 2])
async def test_fifty_at_once_do_not_pass_a_limit(
    database: Database, desk: Desk, owner: Connection, team: Team, processes: int
) -> None:
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        project_id, _ = await living(desk, team, limited(FLOW))
        tasks = [await desk.task(team, project_id=project_id) for _ in range(WRITERS)]
        trashed, done, *rest = tasks
        await desk.do(team, team.admin, MoveTask(trashed, "start"))
        await desk.do(team, team.admin, DeleteTask(trashed))
        for move in ("start", "complete"):
            await desk.do(team, team.admin, MoveTask(done, move))
        commands: list[Command] = [RestoreTask(trashed), MoveTask(done, "reopen")]
        commands += [MoveTask(task_id, "start") for task_id in rest]
        answers = await told(
            desks[n % processes].do(team, team.member if n % 3 else team.admin, command)
            for n, command in enumerate(commands)
        )
    assert answers == {"done": LIMIT, "workflow.limit_reached": WRITERS - LIMIT}
    in_order(await log_of(owner, team.workspace_id))


@pytest.mark.parametrize("processes", [1, 2])
async def test_fifty_at_once_all_have_their_turns_where_there_is_room(
    database: Database, desk: Desk, owner: Connection, team: Team, processes: int
) -> None:
    """Each of them writes two boards, and in creations the numbering too: nobody is sent away as busy."""
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        project_id, _ = await living(desk, team, FLOW)
        ids = [new_id() for _ in range(WRITERS)]
        made = await told(
            desks[n % processes].do(team, team.member, CreateTask(id_, "write", project_id=project_id))
            for n, id_ in enumerate(ids)
        )
        moved = await told(
            desks[n % processes].do(team, team.member, MoveTask(id_, "start")) for n, id_ in enumerate(ids)
        )
    assert made == moved == {"done": WRITERS}
    in_order(await log_of(owner, team.workspace_id))


@pytest.mark.parametrize("processes", [1, 2])
async def test_moves_that_race_a_change_of_their_workflow_never_lead_to_a_status_that_it_lost(
    database: Database, desk: Desk, owner: Connection, team: Team, processes: int
) -> None:
    async with Desk.open(database) as other:
        desks = [desk, other][:processes]
        project_id, workflow_id = await living(desk, team, FLOW)
        tasks = [await desk.task(team, project_id=project_id) for _ in range(WRITERS)]
        for task_id in tasks:
            await desk.do(team, team.admin, MoveTask(task_id, "start"))
        changes: list[tuple[str, Command]] = [
            ("submit", ChangeWorkflow(workflow_id, "Plain", WITHOUT_REVIEW, {"review": "doing"})),
            ("back", ChooseWorkflow(project_id, None, {"doing": "in_progress"})),
        ]
        for move, change in changes:
            moving = [
                asyncio.create_task(told([desks[n % processes].do(team, team.member, MoveTask(task_id, move))]))
                for n, task_id in enumerate(tasks)
            ]
            answers: Counter[str] = Counter()
            for first in asyncio.as_completed(moving[:BEFORE]):
                answers += await first
            answers += await told([desk.do(team, team.admin, change)])
            for rest in moving[BEFORE:]:
                answers += await rest
            assert answers.keys() <= {"done", "task.illegal_move"}
            assert answers.total() == WRITERS + 1
    log = await log_of(owner, team.workspace_id)
    in_order(log)
    mapped = [event for event in log if isinstance(event.event, TaskStatusMapped)]
    assert len(mapped) >= BEFORE  # those who were first were in the status that was taken away
