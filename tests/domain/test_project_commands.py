"""Projects: what their commands yield, who may give them, and what a project means for its tasks."""

import pytest

from commands.appending import Fact
from commands.deciding import Command
from commands.project import (
    MEMBERS_MAX,
    PROJECTS_MAX,
    AddProjectMember,
    ArchiveProject,
    CreateProject,
    DeleteProject,
    EditProject,
    RemoveProjectMember,
    RestoreProject,
)
from commands.task import (
    AssignTask,
    CreateTask,
    DeleteTask,
    EditTask,
    MoveTask,
    RestoreTask,
    UnassignTask,
)
from domain.board import Board
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.numbering import NumberGiven
from domain.policy import audience, eyes
from domain.project import (
    Blocking,
    Project,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectMemberAdded,
    ProjectMemberRemoved,
    ProjectMemberRoleChanged,
    ProjectRestored,
    ProjectRole,
    board_id,
    key_id,
    numbering_id,
)
from domain.project_key import ProjectKeyTaken
from domain.task import TaskProjectChanged
from domain.task_fields import Assignee
from domain.user import (
    Role,
    User,
    UserDeactivated,
    UserProjectJoined,
    UserProjectLeft,
    UserProjectRoleChanged,
)
from domain.workflow import Category
from tests.domain.given import (
    ADA,
    BOB,
    EVE,
    MAX,
    NOBODY,
    OTHER,
    PROJECT,
    TASK,
    TEAM,
    VENTURE,
    WORKSPACE,
    ZOE,
    Given,
    person,
    rejected,
)

VIEWER, EDITOR, LEAD = ProjectRole.VIEWER, ProjectRole.EDITOR, ProjectRole.LEAD
IN_PROJECT = CreateTask(TASK, "write", project_id=PROJECT)


@pytest.fixture
def given() -> Given:
    """Ada is the admin, Max a manager. Bob leads a project that Eve works in; Zoe is not in it."""
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE).member(ZOE)
    return given.project(PROJECT, {BOB: LEAD, EVE: EDITOR})


def project(given: Given, project_id: str = PROJECT) -> Project:
    state = given.state(project_id)
    assert isinstance(state, Project)
    return state


def user(given: Given, user_id: str) -> User:
    state = given.state(user_id)
    assert isinstance(state, User)
    return state


def on_board(given: Given, status: str, project_id: str = PROJECT) -> int:
    state = given.state(board_id(project_id, status))
    assert state is None or isinstance(state, Board)
    return 0 if state is None else state.count


def test_whoever_begins_a_project_leads_it(given: Given) -> None:
    command = CreateProject(VENTURE, "Venture", "VEN", "All of it.", Blocking.SOFT)
    assert given.facts(command, ZOE) == [
        Fact(VENTURE, ProjectCreated(name="Venture", key="VEN", description="All of it.", blocking=Blocking.SOFT)),
        Fact(key_id(WORKSPACE, "VEN"), ProjectKeyTaken(project_id=VENTURE)),
        Fact(VENTURE, ProjectMemberAdded(user_id=ZOE, role=LEAD)),
        Fact(ZOE, UserProjectJoined(project_id=VENTURE, role=LEAD)),
    ]
    assert given.reads.keys() == {VENTURE, ZOE, key_id(WORKSPACE, "VEN")}
    made = project(given.does(command, by=ZOE), VENTURE)
    assert (made.name, made.key, made.members, made.created_by) == ("Venture", "VEN", {ZOE: LEAD}, ZOE)
    assert user(given, ZOE).projects == {VENTURE: LEAD}


@pytest.mark.parametrize("key", ["", "A", "app", "1A", "APPLICATIONS", "A-B", "Ä1"])
def test_a_key_is_two_to_ten_capitals_and_digits(given: Given, key: str) -> None:
    with rejected("project.key", Invalid):
        given.when(CreateProject(VENTURE, "Venture", key), by=ADA)


def test_a_key_belongs_to_one_project_for_ever(given: Given) -> None:
    for _ in range(2):
        with rejected("project.key_taken", Conflict):
            given.when(CreateProject(VENTURE, "Venture", "APP"), by=ADA)
        if not project(given).deleted_at:
            given.does(DeleteProject(PROJECT), by=BOB)


def test_an_auditor_begins_no_project(given: Given) -> None:
    with rejected("auth.forbidden", Forbidden):
        given.member(NOBODY, Role.AUDITOR).when(CreateProject(VENTURE, "Venture", "VEN"), by=NOBODY)


OF_LEADS: dict[str, Command] = {
    "edit": EditProject(PROJECT, name="new"),
    "archive": ArchiveProject(PROJECT),
    "delete": DeleteProject(PROJECT),
    "add": AddProjectMember(PROJECT, ZOE, VIEWER),
    "remove": RemoveProjectMember(PROJECT, BOB),
}


@pytest.mark.parametrize("command", OF_LEADS.values(), ids=OF_LEADS)
def test_leads_managers_and_admins_look_after_a_project(given: Given, command: Command) -> None:
    for by in (BOB, MAX, ADA):
        assert given.when(command, by=by)
        assert by in given.reads
    with rejected("auth.forbidden", Forbidden):
        given.when(command, by=EVE)
    with rejected("project.not_found", NotFound):
        given.when(command, by=ZOE)
    with rejected("auth.forbidden", Forbidden):
        given.member(NOBODY, Role.AUDITOR).when(command, by=NOBODY)


@pytest.mark.parametrize("command", OF_LEADS.values(), ids=OF_LEADS)
def test_what_is_deleted_is_not_there(given: Given, command: Command) -> None:
    given.does(DeleteProject(PROJECT), by=BOB)
    with rejected("project.not_found", NotFound):
        given.when(command, by=ADA)


def test_an_edit_says_what_differs(given: Given) -> None:
    edit = EditProject(PROJECT, name="Application", description="new", blocking=Blocking.SOFT)
    assert given.when(edit, by=BOB) == [ProjectEdited(description="new", blocking=Blocking.SOFT)]
    assert given.does(edit, by=BOB).when(edit, by=BOB) == []


def test_members_join_change_and_leave_in_both_streams(given: Given) -> None:
    add = AddProjectMember(PROJECT, ZOE, VIEWER)
    assert given.facts(add, BOB) == [
        Fact(PROJECT, ProjectMemberAdded(user_id=ZOE, role=VIEWER)),
        Fact(ZOE, UserProjectJoined(project_id=PROJECT, role=VIEWER)),
    ]
    assert given.does(add, by=BOB).when(add, by=BOB) == []
    promote = AddProjectMember(PROJECT, ZOE, EDITOR)
    assert given.facts(promote, BOB) == [
        Fact(PROJECT, ProjectMemberRoleChanged(user_id=ZOE, role=EDITOR)),
        Fact(ZOE, UserProjectRoleChanged(project_id=PROJECT, role=EDITOR)),
    ]
    assert user(given.does(promote, by=BOB), ZOE).projects == {PROJECT: EDITOR}
    leave = RemoveProjectMember(PROJECT, ZOE)
    assert given.facts(leave, ZOE) == [
        Fact(PROJECT, ProjectMemberRemoved(user_id=ZOE)),
        Fact(ZOE, UserProjectLeft(project_id=PROJECT)),
    ]
    assert user(given.does(leave, by=ZOE), ZOE).projects == {}
    assert project(given).members == {BOB: LEAD, EVE: EDITOR}
    with rejected("project.member_not_found", NotFound):
        given.when(leave, by=BOB)


def test_who_is_shut_out_joins_no_project(given: Given) -> None:
    given.happened(ZOE, UserDeactivated())
    with rejected("project.user_deactivated", Conflict):
        given.when(AddProjectMember(PROJECT, ZOE), by=BOB)
    with rejected("user.not_found", NotFound):
        given.when(AddProjectMember(PROJECT, NOBODY), by=BOB)


def test_a_project_and_a_user_have_room_for_so_many(given: Given) -> None:
    for n in range(MEMBERS_MAX - 2):
        given.happened(PROJECT, ProjectMemberAdded(user_id=f"user {n}", role=VIEWER))
    with rejected("project.full", Conflict):
        given.when(AddProjectMember(PROJECT, ZOE), by=BOB)
    for n in range(PROJECTS_MAX):
        given.happened(ZOE, UserProjectJoined(project_id=f"project {n}", role=VIEWER))
    with rejected("project.too_many", Conflict):
        given.when(CreateProject(VENTURE, "Venture", "VEN"), by=ZOE)


def test_an_archived_project_changes_in_nothing_until_it_is_restored(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE).does(CreateTask(OTHER, "read"), by=EVE)
    assert given.when(ArchiveProject(PROJECT, "done"), by=BOB) == [ProjectArchived(reason="done")]
    given.does(ArchiveProject(PROJECT), by=BOB)
    assert given.when(ArchiveProject(PROJECT), by=BOB) == []
    commands: list[Command] = [
        EditTask(TASK, title="new"),
        EditTask(TASK, project_id=None),
        EditTask(OTHER, project_id=PROJECT),
        MoveTask(TASK, "start"),
        AssignTask(TASK, person(EVE)),
        UnassignTask(TASK),
        DeleteTask(TASK),
        RestoreTask(TASK),
        CreateTask(NOBODY, "more", project_id=PROJECT),
        EditProject(PROJECT, name="new"),
    ]
    for command in commands:
        with rejected("project.is_archived", Conflict):
            given.when(command, by=BOB if isinstance(command, EditProject) else EVE)
        assert PROJECT in given.reads
    assert given.when(RestoreProject(PROJECT), by=BOB) == [ProjectRestored()]
    given.does(RestoreProject(PROJECT), by=BOB)
    assert given.when(RestoreProject(PROJECT), by=BOB) == []
    assert given.when(commands[0], by=EVE)


def test_only_an_empty_project_is_deleted_and_everybody_leaves_it(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE)
    with rejected("project.not_empty", Conflict) as refused:
        given.when(DeleteProject(PROJECT), by=BOB)
    assert refused.value.extra["tasks"] == 1
    given.does(DeleteTask(TASK), by=EVE)
    assert given.facts(DeleteProject(PROJECT), BOB)[-1] == Fact(PROJECT, ProjectDeleted())
    assert {board_id(PROJECT, status) for status in ("todo", "in_progress", "done", "cancelled")} < given.reads.keys()
    given.does(DeleteProject(PROJECT), by=BOB)
    assert (user(given, BOB).projects, user(given, EVE).projects, project(given).members) == ({}, {}, {})
    with rejected("project.is_deleted", Conflict):
        given.when(RestoreTask(TASK), by=ADA)


# -------------------------------------------------------------------------------------------- tasks in a project


def test_tasks_of_a_project_are_numbered_without_a_gap(given: Given) -> None:
    for n, task_id in enumerate((TASK, OTHER), 1):
        facts = given.facts(CreateTask(task_id, "write", project_id=PROJECT), EVE)
        assert Fact(numbering_id(PROJECT), NumberGiven(task_id=task_id)) in facts
        assert {PROJECT, numbering_id(PROJECT), board_id(PROJECT, "todo"), EVE} <= given.reads.keys()
        given.does(CreateTask(task_id, "write", project_id=PROJECT), by=EVE)
        assert given.the_task(task_id).key == f"APP-{n}"
        given.does(DeleteTask(task_id), by=EVE)  # a number is never given twice


def test_a_task_of_a_project_is_its_members_own_and_nobody_elses(given: Given) -> None:
    given.does(IN_PROJECT, by=MAX)
    assert audience(given.the_task()) == {PROJECT}
    assert [eyes(user(given, one)).see(audience(given.the_task())) for one in (BOB, EVE, ZOE)] == [True, True, False]
    given.does(CreateTask(OTHER, "read", project_id=PROJECT), by=EVE)
    given.does(RemoveProjectMember(PROJECT, EVE), by=BOB)
    with rejected("task.not_found", NotFound):
        given.when(EditTask(OTHER, title="new"), by=EVE)  # whoever made it has no say of their own


def test_viewers_look_and_editors_change(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE).does(AddProjectMember(PROJECT, ZOE, VIEWER), by=BOB)
    for command in (
        EditTask(TASK, title="new"),
        MoveTask(TASK, "start"),
        DeleteTask(TASK),
        AssignTask(TASK, person(ZOE)),
    ):
        assert given.when(command, by=EVE)
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=ZOE)
    with rejected("auth.forbidden", Forbidden):
        given.when(CreateTask(OTHER, "read", project_id=PROJECT), by=ZOE)


@pytest.mark.parametrize("project_id", [NOBODY, TEAM, BOB])
def test_a_project_must_be_one_that_its_user_sees(given: Given, project_id: str) -> None:
    with rejected("project.not_found", Invalid):
        given.when(CreateTask(TASK, "write", project_id=project_id), by=ADA)
    with rejected("project.not_found", Invalid):
        given.when(IN_PROJECT, by=ZOE)


def test_boards_count_what_has_a_status(given: Given) -> None:
    counted = []
    for command in (
        IN_PROJECT,
        MoveTask(TASK, "start"),
        DeleteTask(TASK),
        RestoreTask(TASK),
        MoveTask(TASK, "complete"),
    ):
        given.does(command, by=EVE)
        counted.append(tuple(on_board(given, status) for status in ("todo", "in_progress", "done")))
    assert counted == [(1, 0, 0), (0, 1, 0), (0, 0, 0), (0, 1, 0), (0, 0, 1)]
    given.does(EditTask(TASK, project_id=None), by=EVE)
    assert on_board(given, "done") == 0


def test_a_task_goes_from_project_to_project_with_a_key_of_each(given: Given) -> None:
    given.project(VENTURE, {EVE: EDITOR}, key="VEN").does(IN_PROJECT, by=EVE).does(MoveTask(TASK, "start"), by=EVE)
    move = EditTask(TASK, project_id=VENTURE)
    changed = TaskProjectChanged(project_id=VENTURE, key="VEN-1", status="in_progress", category=Category.ACTIVE)
    assert given.facts(move, EVE)[0] == Fact(TASK, changed)
    given.does(move, by=EVE)
    assert (on_board(given, "in_progress"), on_board(given, "in_progress", VENTURE)) == (0, 1)
    assert given.when(move, by=EVE) == []
    given.does(EditTask(TASK, project_id=None), by=EVE)
    assert (given.the_task().project_id, given.the_task().key, given.the_task().status) == (None, None, "in_progress")
    given.does(EditTask(TASK, project_id=PROJECT), by=EVE)
    assert given.the_task().key == "APP-2"
    with rejected("auth.forbidden", Forbidden):
        given.does(AddProjectMember(VENTURE, ZOE, VIEWER), by=ADA).does(CreateTask(OTHER, "read"), by=ZOE)
        given.when(EditTask(OTHER, project_id=VENTURE), by=ZOE)


def test_a_task_is_given_to_who_is_in_the_project(given: Given) -> None:
    given.does(IN_PROJECT, by=EVE)
    assert given.when(AssignTask(TASK, person(BOB)), by=EVE)  # they share the project, and no team
    for assignee in (ZOE, NOBODY):
        with pytest.raises((Conflict, Invalid)) as refused:
            given.when(AssignTask(TASK, person(assignee)), by=EVE)
        assert refused.value.code == ("assignee.not_in_project" if assignee is ZOE else "assignee.not_found")
    with rejected("assignee.not_in_project", Conflict):
        given.when(CreateTask(OTHER, "read", project_id=PROJECT, assignee=person(ZOE)), by=ADA)
    assert given.when(AssignTask(TASK, person(MAX)), by=BOB)  # who sees everything sees it too


def test_a_task_goes_nowhere_where_its_assignee_would_not_see_it(given: Given) -> None:
    given.does(CreateTask(TASK, "write", assignee=person(ZOE)), by=ADA)
    with rejected("assignee.not_in_project", Conflict):
        given.when(EditTask(TASK, project_id=PROJECT), by=ADA)
    assert given.when(EditTask(TASK, project_id=PROJECT, assignee=None), by=ADA)
    assert given.when(EditTask(TASK, project_id=PROJECT, assignee=person(EVE)), by=ADA)
    given.team(TEAM, {})
    given.does(EditTask(TASK, assignee=Assignee(type="team", id=TEAM)), by=ADA)
    assert given.when(EditTask(TASK, project_id=PROJECT), by=ADA)
