"""Workflows: who makes, chooses and changes them, and what their changes mean for the tasks that there are."""

import pytest
from msgspec.structs import replace

from commands.appending import Fact
from commands.deciding import Command
from commands.project import ArchiveProject, DeleteProject
from commands.remapping import TASKS_MAX, Crowded, Moving
from commands.task import CreateTask, DeleteTask, MoveTask, RestoreTask
from commands.workflow import ChangeWorkflow, ChooseWorkflow, CreateWorkflow
from domain.board import BoardTaskArrived, BoardTaskLeft
from domain.custom_workflow import (
    PROJECTS_MAX,
    CustomWorkflow,
    WorkflowAdopted,
    WorkflowChanged,
    WorkflowCreated,
    WorkflowDropped,
)
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Erased
from domain.project import Project, ProjectWorkflowChanged, board_id
from domain.task import (
    TaskCompleted,
    TaskRestored,
    TaskStatusMapped,
)
from domain.workflow import STANDARD, Category, Move, Status, Workflow
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    FLOW,
    MAX,
    NOBODY,
    OTHER,
    PROJECT,
    STREAM,
    TASK,
    VENTURE,
    ZOE,
    Given,
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
    without,
)


@pytest.fixture
def given() -> Given:
    """Ada is the admin, Max a manager. Bob leads a project with a workflow of its own; Eve edits, Zoe looks on."""
    return project_of_reviews()


def flow(given: Given, workflow_id: str = FLOW) -> CustomWorkflow:
    state = given.state(workflow_id)
    assert isinstance(state, CustomWorkflow)
    return state


def test_managers_and_admins_make_workflows(given: Given) -> None:
    command = CreateWorkflow(STREAM, "Second", REVIEWED)
    for by in (ADA, MAX):
        assert given.facts(command, by) == [Fact(STREAM, WorkflowCreated(name="Second", definition=REVIEWED))]
        assert given.reads.keys() == {STREAM, by}
    for by in (BOB, EVE):
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by)
        with rejected("auth.forbidden", Forbidden):
            given.when(ChangeWorkflow(FLOW, "Third", REVIEWED), by)
    made = flow(given.does(command), STREAM)
    assert (made.name, made.definition, made.projects, made.mapped, made.created_by) == (
        "Second",
        REVIEWED,
        (),
        {},
        ADA,
    )


def test_a_workflow_in_which_tasks_get_lost_is_refused(given: Given) -> None:
    lost = replace(REVIEWED, moves=REVIEWED.moves[:-3])
    commands: list[Command] = [CreateWorkflow(STREAM, "Second", lost), ChangeWorkflow(FLOW, "Reviewed", lost)]
    for command in commands:
        with rejected("workflow.invalid", Invalid):
            given.when(command)
    with rejected("value.blank", Invalid):
        given.when(CreateWorkflow(STREAM, " ", REVIEWED))


def test_a_change_says_what_the_workflow_is_now_and_twice_the_same_is_one_event(given: Given) -> None:
    change = ChangeWorkflow(FLOW, "Better", REVIEWED)
    assert given.facts(change, MAX) == [Fact(FLOW, WorkflowChanged(name="Better", definition=REVIEWED))]
    assert given.does(change).when(change) == []
    with rejected("workflow.not_found", NotFound):
        given.when(ChangeWorkflow(STREAM, "Better", REVIEWED))


def test_who_looks_after_a_project_chooses_its_workflow(given: Given) -> None:
    given.project(VENTURE, {BOB: LEAD, EVE: EDITOR}, "VEN")
    choice = ChooseWorkflow(VENTURE, FLOW)
    for by in (BOB, MAX, ADA):
        assert given.facts(choice, by) == [
            Fact(VENTURE, ProjectWorkflowChanged(workflow_id=FLOW)),
            Fact(FLOW, WorkflowAdopted(project_id=VENTURE)),
        ]
        assert {VENTURE, FLOW, by} <= given.reads.keys()
    with rejected("auth.forbidden", Forbidden):
        given.when(choice, EVE)
    with rejected("project.not_found", NotFound):
        given.when(choice, ZOE)
    assert given.does(choice, by=BOB).when(choice, BOB) == []
    assert flow(given).projects == (PROJECT, VENTURE)
    assert given.facts(ChooseWorkflow(VENTURE, None), BOB) == [
        Fact(VENTURE, ProjectWorkflowChanged(workflow_id=None)),
        Fact(FLOW, WorkflowDropped(project_id=VENTURE)),
    ]
    assert flow(given.does(ChooseWorkflow(VENTURE, None), by=BOB)).projects == (PROJECT,)


def test_only_a_workflow_that_is_there_and_has_room_can_be_chosen(given: Given) -> None:
    given.project(VENTURE, {BOB: LEAD}, "VEN")
    for nothing in (STREAM, PROJECT):
        with rejected("workflow.not_found", Invalid):
            given.when(ChooseWorkflow(VENTURE, nothing), BOB)
    for n in range(PROJECTS_MAX - 1):
        given.happened(FLOW, WorkflowAdopted(project_id=f"project {n}"))
    with rejected("workflow.too_many_projects", Conflict):
        given.when(ChooseWorkflow(VENTURE, FLOW), BOB)
    given.does(ArchiveProject(PROJECT), by=BOB)
    with rejected("project.is_archived", Conflict):
        given.when(ChooseWorkflow(PROJECT, None), BOB)


def test_a_project_that_is_deleted_lives_by_nothing(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE)
    with rejected("project.not_empty", Conflict):
        given.when(DeleteProject(PROJECT), BOB)
    given.does(DeleteTask(TASK), by=EVE).does(DeleteProject(PROJECT), by=BOB)
    assert flow(given).projects == ()


def test_choosing_maps_the_tasks_whose_status_the_new_one_lacks(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "start"), by=EVE)
    with rejected("workflow.mapping_missing", Conflict) as refused:
        given.when(ChooseWorkflow(PROJECT, None), BOB)
    assert refused.value.extra["missing"] == ["doing"]
    choice = ChooseWorkflow(PROJECT, None, {"doing": "in_progress"})
    assert given.facts(choice, BOB) == [
        Fact(PROJECT, ProjectWorkflowChanged(workflow_id=None, mapping={"doing": "in_progress"})),
        Fact(FLOW, WorkflowDropped(project_id=PROJECT)),
        Fact(TASK, TaskStatusMapped(status="in_progress", category=ACTIVE)),
        Fact(board_id(PROJECT, "doing"), BoardTaskLeft(task_id=TASK)),
        Fact(board_id(PROJECT, "in_progress"), BoardTaskArrived(task_id=TASK)),
    ]
    # Boards that hold nothing to map are read all the same: no task slips in while the choice is made.
    lost = ("backlog", "doing", "review", "dropped")
    assert {board_id(PROJECT, status) for status in lost} <= given.reads.keys()
    given.does(choice, by=BOB)
    assert (board(given, "doing"), board(given, "in_progress")) == (set(), {TASK})
    assert given.when(MoveTask(TASK, "pause"), EVE)
    with rejected("workflow.mapping", Invalid):
        given.when(ChooseWorkflow(PROJECT, FLOW, {"todo": "done"}), BOB)
    with rejected("workflow.mapping", Invalid):
        given.when(ChooseWorkflow(PROJECT, FLOW, {"done": "done"}), BOB)


def test_a_change_maps_the_tasks_of_the_statuses_that_it_takes_away(given: Given) -> None:
    reviewed(given)
    change = ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"})
    with rejected("workflow.mapping_missing", Conflict) as refused:
        given.when(replace_mapping(change, {}), MAX)
    assert refused.value.extra["missing"] == ["review"]
    assert given.facts(change, MAX) == [
        Fact(FLOW, WorkflowChanged(name="Plain", definition=without("review"), mapping={"review": "doing"})),
        Fact(TASK, TaskStatusMapped(status="doing", category=ACTIVE)),
        Fact(board_id(PROJECT, "review"), BoardTaskLeft(task_id=TASK)),
        Fact(board_id(PROJECT, "doing"), BoardTaskArrived(task_id=TASK)),
    ]
    assert {PROJECT, FLOW, TASK, board_id(PROJECT, "review"), board_id(PROJECT, "doing")} <= given.reads.keys()
    given.does(change, by=MAX)
    assert (board(given, "review"), board(given, "doing"), board(given, "done")) == (set(), {TASK}, {OTHER})
    assert given.when(MoveTask(TASK, "finish"), EVE)


def replace_mapping(change: ChangeWorkflow, mapping: dict[str, str]) -> ChangeWorkflow:
    return ChangeWorkflow(change.workflow_id, change.name, change.definition, mapping)


def test_a_change_of_category_tells_the_tasks_and_closes_none(given: Given) -> None:
    reviewed(given)
    done = given.the_task(OTHER)

    def where_review_is(category: Category) -> Workflow:
        statuses = (replace(each, category=category) if each.name == "review" else each for each in REVIEWED.statuses)
        return without(statuses=tuple(statuses))

    change = ChangeWorkflow(FLOW, "Reviewed", where_review_is(OPEN))
    assert given.when(change, MAX)[1:] == [TaskStatusMapped(status="review", category=OPEN)]
    closing = where_review_is(DONE)
    with rejected("workflow.mapping_missing", Conflict):
        given.when(ChangeWorkflow(FLOW, "Reviewed", closing), MAX)
    with rejected("workflow.mapping", Invalid):
        given.when(ChangeWorkflow(FLOW, "Reviewed", closing, {"review": "review"}), MAX)
    given.does(ChangeWorkflow(FLOW, "Reviewed", closing, {"review": "doing"}), by=MAX)
    assert (given.the_task(TASK).status, given.the_task(TASK).category) == ("doing", ACTIVE)
    assert given.the_task(OTHER).completed_at == done.completed_at


def test_a_change_reaches_the_tasks_of_all_projects_also_of_archived_ones(given: Given) -> None:
    reviewed(given).project(VENTURE, {BOB: LEAD}, "VEN").does(ChooseWorkflow(VENTURE, FLOW), by=BOB)
    given.does(CreateTask(NOBODY, "write", project_id=VENTURE), by=BOB).does(MoveTask(NOBODY, "start"), by=BOB)
    given.does(MoveTask(NOBODY, "submit"), by=BOB).does(ArchiveProject(VENTURE), by=BOB)
    given.does(ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"}), by=MAX)
    assert board(given, "doing", VENTURE) == {NOBODY}
    assert given.the_task(NOBODY).status == "doing"


def test_one_command_maps_no_more_tasks_than_it_may(given: Given) -> None:
    crowd(given, "review", TASKS_MAX + 1)
    change = ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"})
    with rejected("workflow.too_many_tasks", Conflict) as refused:
        given.when(change, MAX)
    assert refused.value.extra == {"tasks": TASKS_MAX + 1, "most": TASKS_MAX}
    why = change.preview(given.context(MAX)).why_not
    assert why is not None
    assert why["code"] == "workflow.too_many_tasks"


def test_a_preview_says_what_would_be_mapped_and_what_would_be_full(given: Given) -> None:
    full(reviewed(given))
    change = ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"})
    with rejected("workflow.limit_reached", Conflict):
        given.when(RestoreTask(task_id(1)), EVE)
    found = change.preview(given.context(MAX))
    assert (found.tasks, found.moving) == (1, [Moving(PROJECT, "review", "doing", 1)])
    assert (found.crowded, found.why_not) == ([Crowded(PROJECT, "doing", 2, 3)], None)
    unsaid = replace_mapping(change, {}).preview(given.context(MAX))
    assert unsaid.moving == [Moving(PROJECT, "review", None, 1)]
    assert unsaid.why_not is not None
    assert (unsaid.why_not["code"], unsaid.why_not["missing"]) == ("workflow.mapping_missing", ["review"])
    with rejected("auth.forbidden", Forbidden):
        change.preview(given.context(BOB))
    given.does(change, by=MAX)
    assert len(board(given, "doing")) == 3


def test_what_was_in_the_trash_is_mapped_when_it_is_restored(given: Given) -> None:
    reviewed(given).does(DeleteTask(TASK), by=EVE)
    given.does(ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"}), by=MAX)
    assert given.facts(RestoreTask(TASK), EVE) == [
        Fact(TASK, TaskStatusMapped(status="doing", category=ACTIVE)),
        Fact(TASK, TaskRestored()),
        Fact(board_id(PROJECT, "doing"), BoardTaskArrived(task_id=TASK)),
    ]
    given.does(ChooseWorkflow(PROJECT, None), by=BOB)  # nothing is there to be mapped, and nobody said where it goes
    assert given.when(RestoreTask(TASK), EVE)[0] == TaskStatusMapped(status="in_progress", category=ACTIVE)


def test_a_chain_of_changes_leads_to_where_the_last_one_said(given: Given) -> None:
    reviewed(given).does(DeleteTask(TASK), by=EVE)
    given.does(ChangeWorkflow(FLOW, "Plain", without("review"), {"review": "doing"}), by=MAX)
    later = Workflow(
        statuses=(Status("backlog", OPEN), Status("waiting", ACTIVE), Status("wip", ACTIVE), Status("done", DONE)),
        initial="backlog",
        moves=(
            Move("wait", ("backlog",), "waiting"),
            Move("go", ("waiting",), "wip"),
            Move("end", ("wip",), "done"),
        ),
    )
    given.does(ChangeWorkflow(FLOW, "Later", later, {"doing": "wip"}), by=MAX)
    assert given.when(RestoreTask(TASK), EVE)[0] == TaskStatusMapped(status="wip", category=ACTIVE)
    back = ChangeWorkflow(FLOW, "Reviewed", REVIEWED)
    assert flow(given.does(back, by=MAX)).mapped == {}
    assert given.when(RestoreTask(TASK), EVE)[0] == TaskRestored()


def test_a_task_whose_place_was_erased_from_memory_is_found_when_it_moves(given: Given) -> None:
    given.happened(TASK, *[fact.event for fact in given.facts(IN_PROJECT, EVE) if fact.stream_id == TASK], by=EVE)
    given.happened(board_id(PROJECT, "backlog"), Erased(name="board.task_arrived"))
    lean = Workflow(
        statuses=(Status("new", OPEN), Status("done", DONE)), initial="new", moves=(Move("complete", ("new",), "done"),)
    )
    given.does(ChangeWorkflow(FLOW, "Lean", lean, {"backlog": "new"}), by=MAX)
    assert given.the_task().status == "backlog"
    assert given.when(MoveTask(TASK, "complete"), EVE)[0] == TaskCompleted(status="done", category=DONE)


def test_an_erased_workflow_is_the_standard_one_and_changes_on(given: Given) -> None:
    given.happened(STREAM, Erased(name="workflow.created"), Erased(name="workflow.changed"))
    assert flow(given, STREAM).definition == STANDARD
    assert given.does(ChangeWorkflow(STREAM, "Again", REVIEWED)).when(ChangeWorkflow(STREAM, "Again", REVIEWED)) == []


def test_a_project_remembers_its_workflow_and_what_was_mapped(given: Given) -> None:
    given.happened(PROJECT, ProjectWorkflowChanged(workflow_id=None, mapping={"doing": "in_progress"}))
    state = given.happened(PROJECT, ProjectWorkflowChanged(workflow_id=FLOW, mapping={"todo": "backlog"})).state(
        PROJECT
    )
    assert isinstance(state, Project)
    assert (state.workflow_id, state.mapped) == (FLOW, {"doing": "in_progress", "todo": "backlog"})
