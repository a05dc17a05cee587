"""Who may do what: every role, in every relation to a task, for every command. The expected table stands here."""

import pytest

from commands.deciding import Command, Context, NotLoaded
from commands.streams import Folded
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.user import ChangeProfile, ChangeRole
from domain.errors import Forbidden, NotFound, Unauthenticated
from domain.policy import Action, Eyes, Relation, audience, cell, may
from domain.task import TaskAssigned, TaskDeleted
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role
from domain.workspace import WorkspaceFounded
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, TASK, TEAM, WORKSPACE, ZOE, Given, person, rejected

CHANGES: dict[str, Command] = {
    "edit": EditTask(TASK, title="new"),
    "assign": AssignTask(TASK, person(ZOE)),
    "unassign": UnassignTask(TASK),
    "move": MoveTask(TASK, "start"),
    "delete": DeleteTask(TASK),
}
RELATIONS = ["creator", "assignee", "nobody to it"]

# What becomes of a change of a task: role -> (as its creator, as its assignee, as neither)
VERDICTS: dict[Role, tuple[str, str, str]] = {
    Role.ADMIN: ("done", "done", "done"),
    Role.MANAGER: ("done", "done", "done"),
    Role.MEMBER: ("done", "done", "task.not_found"),
    Role.AUDITOR: ("auth.forbidden", "auth.forbidden", "auth.forbidden"),
}
CASES = [(role, *pair) for role, verdicts in VERDICTS.items() for pair in zip(RELATIONS, verdicts, strict=True)]


def related(role: Role, relation: str) -> Given:
    """Bob has the role, and that relation to the task; Eve has whatever he has not."""
    given = Given().member(ADA, Role.ADMIN).member(BOB, role).member(EVE).member(ZOE)
    given.team(TEAM, {BOB: TeamRole.MEMBER, ZOE: TeamRole.MEMBER})
    assignee = BOB if relation == "assignee" else EVE
    given.task(TASK, by=BOB if relation == "creator" else EVE)
    return given.happened(TASK, TaskAssigned(assignee=Assignee(type="user", id=assignee)))


@pytest.mark.parametrize("command", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("role", "relation", "verdict"), CASES)
def test_a_task_is_changed_by_whom_the_table_lets(command: Command, role: Role, relation: str, verdict: str) -> None:
    given = related(role, relation)
    if verdict == "done":
        assert len(given.when(command, by=BOB)) == 1
    else:
        kind = NotFound if verdict == "task.not_found" else Forbidden
        with rejected(verdict, kind):
            given.when(command, by=BOB)
    assert given.reads.keys() >= {BOB, TASK}  # a demotion, or a change of the task, undoes the verdict


@pytest.mark.parametrize(("role", "relation", "verdict"), CASES)
def test_the_same_table_holds_for_what_is_in_the_trash(role: Role, relation: str, verdict: str) -> None:
    given = related(role, relation).happened(TASK, TaskDeleted())
    if verdict == "done":
        assert len(given.when(RestoreTask(TASK), by=BOB)) == 1
        return
    with rejected(verdict):
        given.when(RestoreTask(TASK), by=BOB)


def test_what_is_not_visible_answers_exactly_as_what_is_not_there() -> None:
    given = related(Role.MEMBER, "nobody to it")
    with rejected("task.not_found") as hidden:
        given.when(MoveTask(TASK, "start"), by=BOB)
    with rejected("task.not_found") as absent:
        given.when(MoveTask(OTHER, "start"), by=BOB)
    assert (hidden.value.detail, hidden.value.extra) == (absent.value.detail, absent.value.extra)


def test_a_member_who_is_unassigned_sees_the_task_no_more() -> None:
    given = related(Role.MEMBER, "assignee").does(UnassignTask(TASK), by=BOB)
    with rejected("task.not_found"):
        given.when(MoveTask(TASK, "start"), by=BOB)


@pytest.mark.parametrize("role", Role)
def test_everybody_but_an_auditor_creates_tasks(role: Role) -> None:
    given = Given().member(BOB, role)
    if role is Role.AUDITOR:
        with rejected("auth.forbidden", Forbidden):
            given.when(CreateTask(TASK, "write"), by=BOB)
    else:
        assert len(given.when(CreateTask(TASK, "write"), by=BOB)) == 1


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_changes_roles(role: Role) -> None:
    given = Given().happened(WORKSPACE, WorkspaceFounded(admin_id=BOB)).member(BOB, role).member(EVE)
    if role is Role.ADMIN:
        assert len(given.when(ChangeRole(EVE, Role.MANAGER), by=BOB)) == 1
        return
    for target in (EVE, BOB, NOBODY):
        with rejected("auth.forbidden", Forbidden):
            given.when(ChangeRole(target, Role.ADMIN), by=BOB)


@pytest.mark.parametrize(
    "command",
    [*CHANGES.values(), CreateTask(OTHER, "x"), ChangeRole(BOB, Role.ADMIN), ChangeProfile(NOBODY, ("email",))],
)
def test_who_is_no_member_may_do_nothing(command: Command) -> None:
    given = related(Role.ADMIN, "creator")
    for stranger in (NOBODY, TASK):
        with rejected("auth.unknown_user", Unauthenticated):
            given.when(command, by=stranger)


def test_a_task_is_its_creators_and_its_assignees_own() -> None:
    given = related(Role.MEMBER, "creator")
    assert audience(given.the_task()) == {BOB, EVE}
    given.does(UnassignTask(TASK))
    assert audience(given.the_task()) == {BOB}
    assert Eyes(Role.MEMBER, frozenset({BOB})).see(frozenset({BOB, EVE}))
    assert not Eyes(Role.MEMBER, frozenset({BOB})).see(frozenset({EVE}))
    assert Eyes(Role.AUDITOR, frozenset({BOB})).see(frozenset())


def test_every_action_has_a_cell_for_every_role() -> None:
    for action in Action:
        assert all(isinstance(cell(role, action), Relation) for role in Role)
    assert {action for action in Action if may(Role.AUDITOR, action)} == {
        Action.TASK_READ,
        Action.TASK_AUDIT,
        Action.COMMENT_RECALL,
        Action.USER_READ,
        Action.PROJECT_READ,
        Action.TEAM_READ,
        Action.WORKFLOW_READ,
        Action.TEMPLATE_READ,
    }


def test_a_stream_that_is_not_in_memory_is_asked_for_and_nothing_else_happens() -> None:
    context = Context(WORKSPACE, BOB, lambda stream_id: Folded(1, None, 0) if stream_id == BOB else None)
    with pytest.raises(NotLoaded) as missing:
        context.read(EVE, type(related(Role.MEMBER, "creator").the_task()))
    assert missing.value.stream_ids == (EVE,)
    assert context.reads == {}
