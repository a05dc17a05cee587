"""The rules of the commands on users."""

import pytest

from commands.appending import Fact
from commands.user import ChangePassword, ChangeProfile, ChangeRole, DeactivateUser, JoinWorkspace, ReactivateUser
from domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from domain.user import (
    Role,
    User,
    UserDeactivated,
    UserJoined,
    UserPasswordChanged,
    UserProfileChanged,
    UserReactivated,
    UserRoleChanged,
)
from domain.workspace import AdminAdded, AdminRemoved, Workspace, WorkspaceFounded
from tests.domain.given import ADA, BOB, EVE, NOBODY, TASK, WORKSPACE, Given, rejected


@pytest.fixture
def given() -> Given:
    """Ada founded the workspace, Bob and Eve joined."""
    return Given().does(JoinWorkspace(ADA), by=ADA).does(JoinWorkspace(BOB), by=BOB).does(JoinWorkspace(EVE), by=EVE)


def admins(given: Given) -> frozenset[str]:
    workspace = given.state(WORKSPACE)
    assert isinstance(workspace, Workspace)
    return workspace.admins


def role_of(given: Given, user_id: str) -> Role:
    user = given.state(user_id)
    assert isinstance(user, User)
    return user.role


def test_the_first_member_founds_the_workspace_and_is_its_admin() -> None:
    given = Given()
    assert given.facts(JoinWorkspace(ADA), ADA) == [
        Fact(WORKSPACE, WorkspaceFounded(admin_id=ADA)),
        Fact(ADA, UserJoined(role=Role.ADMIN)),
    ]
    assert given.reads == {WORKSPACE: 0, ADA: 0}  # two founders at once: one of them has to look again


def test_whoever_comes_later_is_a_member(given: Given) -> None:
    assert given.facts(JoinWorkspace(NOBODY), NOBODY) == [Fact(NOBODY, UserJoined(role=Role.MEMBER))]
    assert [role_of(given, user) for user in (ADA, BOB, EVE)] == [Role.ADMIN, Role.MEMBER, Role.MEMBER]
    assert admins(given) == {ADA}


def test_a_new_admin_is_said_in_the_stream_that_guards_the_set_of_admins(given: Given) -> None:
    assert given.facts(ChangeRole(BOB, Role.ADMIN), ADA) == [
        Fact(BOB, UserRoleChanged(role=Role.ADMIN)),
        Fact(WORKSPACE, AdminAdded(user_id=BOB)),
    ]
    assert admins(given.does(ChangeRole(BOB, Role.ADMIN))) == {ADA, BOB}


def test_an_admin_who_ceases_to_be_one_is_said_there_too(given: Given) -> None:
    given.does(ChangeRole(BOB, Role.ADMIN))
    assert given.facts(ChangeRole(BOB, Role.AUDITOR), ADA) == [
        Fact(BOB, UserRoleChanged(role=Role.AUDITOR)),
        Fact(WORKSPACE, AdminRemoved(user_id=BOB)),
    ]
    given.does(ChangeRole(BOB, Role.AUDITOR))
    assert admins(given) == {ADA}
    assert role_of(given, BOB) is Role.AUDITOR


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AUDITOR])
def test_a_change_among_other_roles_is_said_once(given: Given, role: Role) -> None:
    assert given.facts(ChangeRole(BOB, role), ADA) == [Fact(BOB, UserRoleChanged(role=role))]


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER, Role.AUDITOR])
def test_the_last_admin_stays(given: Given, role: Role) -> None:
    with rejected("user.last_admin", Conflict):
        given.when(ChangeRole(ADA, role))
    assert WORKSPACE in given.reads  # a second admin who comes to be meanwhile undoes the refusal


def test_the_last_but_one_admin_may_go(given: Given) -> None:
    given.does(ChangeRole(BOB, Role.ADMIN)).does(ChangeRole(ADA, Role.MEMBER), by=BOB)
    assert admins(given) == {BOB}
    with rejected("user.last_admin", Conflict):
        given.when(ChangeRole(BOB, Role.MEMBER), by=BOB)


@pytest.mark.parametrize(("user_id", "role"), [(ADA, Role.ADMIN), (BOB, Role.MEMBER)])
def test_the_role_somebody_has_already_changes_nothing(given: Given, user_id: str, role: Role) -> None:
    assert given.when(ChangeRole(user_id, role)) == []


def test_only_a_member_has_a_role(given: Given) -> None:
    given.task(TASK)
    for target in (NOBODY, TASK, WORKSPACE):
        with rejected("user.not_found", NotFound):
            given.when(ChangeRole(target, Role.MANAGER))


def test_a_profile_change_names_the_fields_and_no_values(given: Given) -> None:
    command = ChangeProfile(BOB, ("display_name",))
    assert given.facts(command, BOB) == [Fact(BOB, UserProfileChanged(fields=("display_name",)))]
    assert role_of(given.does(command, by=BOB), BOB) is Role.MEMBER
    assert given.when(ChangeProfile(BOB, ()), by=BOB) == []


def test_nobody_changes_the_profile_of_somebody_else(given: Given) -> None:
    with rejected("user.not_found", NotFound):
        given.when(ChangeProfile(BOB, ("display_name",)), by=ADA)


def test_the_stream_of_a_command_on_a_user_is_the_users_own() -> None:
    assert ChangeRole(BOB, Role.ADMIN).stream_id == JoinWorkspace(BOB).stream_id == BOB


def test_each_change_of_a_password_is_a_fact_of_its_own(given: Given) -> None:
    command = ChangePassword(BOB)
    assert given.facts(command, BOB) == [Fact(BOB, UserPasswordChanged())]
    assert given.does(command, by=BOB).facts(ChangePassword(BOB, reset=True), BOB) == [
        Fact(BOB, UserPasswordChanged(reset=True))
    ]
    with rejected("user.not_found", NotFound):
        given.when(command, by=ADA)


# -------------------------------------------------------------------------------------------------- who is shut out


def test_a_deactivated_member_is_said_to_be_so_once(given: Given) -> None:
    assert given.facts(DeactivateUser(BOB, "left"), ADA) == [Fact(BOB, UserDeactivated(reason="left"))]
    given.does(DeactivateUser(BOB))
    assert given.when(DeactivateUser(BOB, "again")) == []
    assert given.facts(ReactivateUser(BOB, "back"), ADA) == [Fact(BOB, UserReactivated(reason="back"))]
    given.does(ReactivateUser(BOB))
    assert given.when(ReactivateUser(BOB)) == []


def test_who_is_deactivated_can_do_nothing(given: Given) -> None:
    given.does(DeactivateUser(BOB))
    with rejected("auth.deactivated", Unauthenticated):
        given.when(ChangeProfile(BOB, ("display_name",)), by=BOB)
    assert given.reads.keys() >= {BOB}  # a reactivation undoes the refusal


def test_an_admin_who_is_shut_out_is_none_until_let_in_again(given: Given) -> None:
    given.does(ChangeRole(BOB, Role.ADMIN))
    assert given.facts(DeactivateUser(BOB), ADA) == [
        Fact(BOB, UserDeactivated()),
        Fact(WORKSPACE, AdminRemoved(user_id=BOB)),
    ]
    assert admins(given.does(DeactivateUser(BOB))) == {ADA}
    assert role_of(given, BOB) is Role.ADMIN
    assert given.facts(ReactivateUser(BOB), ADA) == [
        Fact(BOB, UserReactivated()),
        Fact(WORKSPACE, AdminAdded(user_id=BOB)),
    ]
    assert admins(given.does(ReactivateUser(BOB))) == {ADA, BOB}


def test_the_last_admin_is_not_shut_out(given: Given) -> None:
    with rejected("user.last_admin", Conflict):
        given.when(DeactivateUser(ADA))
    assert WORKSPACE in given.reads
    given.does(ChangeRole(BOB, Role.ADMIN)).does(DeactivateUser(ADA), by=BOB)
    with rejected("user.last_admin", Conflict):
        given.when(DeactivateUser(BOB), by=BOB)
    with rejected("user.last_admin", Conflict):
        given.when(ChangeRole(BOB, Role.MEMBER), by=BOB)


@pytest.mark.parametrize("role", list(Role))
def test_whatever_role_one_gets_while_shut_out_counts_from_the_reactivation_on(given: Given, role: Role) -> None:
    given.does(ChangeRole(BOB, Role.MANAGER)).does(DeactivateUser(BOB))
    assert {fact.stream_id for fact in given.facts(ChangeRole(BOB, role), ADA)} <= {BOB}
    given.does(ChangeRole(BOB, role))
    assert admins(given) == {ADA}
    given.does(ReactivateUser(BOB))
    assert admins(given) == ({ADA, BOB} if role is Role.ADMIN else {ADA})


def test_an_admin_who_loses_the_role_while_shut_out_is_removed_once(given: Given) -> None:
    given.does(ChangeRole(BOB, Role.ADMIN)).does(DeactivateUser(BOB)).does(ChangeRole(BOB, Role.MEMBER))
    assert [logged.event for logged in given.log].count(AdminRemoved(user_id=BOB)) == 1
    assert given.when(ReactivateUser(BOB)) == [UserReactivated()]


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER, Role.AUDITOR])
@pytest.mark.parametrize("command", [DeactivateUser(EVE), ReactivateUser(EVE), DeactivateUser(NOBODY)])
def test_only_admins_shut_out_and_let_in(given: Given, role: Role, command: DeactivateUser | ReactivateUser) -> None:
    given.does(ChangeRole(BOB, role))
    with rejected("auth.forbidden", Forbidden):
        given.when(command, by=BOB)


def test_a_reason_is_text_of_bounded_length(given: Given) -> None:
    for command in (DeactivateUser(BOB, "x" * 2_001), ReactivateUser(BOB, "\x00")):
        with pytest.raises(Invalid) as refused:
            given.when(command)
        assert refused.value.extra["errors"][0]["pointer"] == "/reason"
