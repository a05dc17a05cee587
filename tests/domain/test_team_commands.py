"""Teams: what their commands yield, and what is refused."""

import pytest

from commands.appending import Fact
from commands.deciding import Command
from commands.task import AssignTask, CreateTask
from commands.team import MEMBERS_MAX, TEAMS_MAX, AddMember, CreateTeam, DeleteTeam, EditTeam, RemoveMember
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.task import TaskAssigned
from domain.task_fields import Assignee
from domain.team import (
    Team,
    TeamCreated,
    TeamDeleted,
    TeamEdited,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamMemberRoleChanged,
    TeamRole,
)
from domain.user import Role, User, UserDeactivated, UserTeamJoined, UserTeamLeft, UserTeamRoleChanged
from tests.domain.given import ADA, BOB, CREW, EVE, MAX, NOBODY, TASK, TEAM, ZOE, Given, person, rejected

LEAD, MEMBER = TeamRole.LEAD, TeamRole.MEMBER


@pytest.fixture
def given() -> Given:
    """Ada is the admin, Max a manager; Bob leads a team in which Eve is; Zoe is in no team."""
    given = Given().member(ADA, Role.ADMIN).member(MAX, Role.MANAGER).member(BOB).member(EVE).member(ZOE)
    return given.team(TEAM, {BOB: LEAD, EVE: MEMBER})


def team(given: Given, team_id: str = TEAM) -> Team:
    state = given.state(team_id)
    assert isinstance(state, Team)
    return state


def user(given: Given, user_id: str) -> User:
    state = given.state(user_id)
    assert isinstance(state, User)
    return state


def test_a_new_team_has_nobody_in_it(given: Given) -> None:
    command = CreateTeam(CREW, "Crew", "On board.")
    assert given.facts(command, MAX) == [Fact(CREW, TeamCreated(name="Crew", description="On board."))]
    made = team(given.does(command, by=MAX), CREW)
    assert (made.name, made.description, made.members, made.deleted_at) == ("Crew", "On board.", {}, None)
    assert given.reads.keys() == {MAX, CREW}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00", "x" * 101])
def test_a_team_has_a_name_of_one_line(given: Given, name: str) -> None:
    for command in (CreateTeam(CREW, name), EditTeam(TEAM, name=name)):
        with pytest.raises(Invalid) as refused:
            given.when(command)
        assert refused.value.extra["errors"][0]["pointer"] == "/name"


def test_an_edit_names_only_what_differs(given: Given) -> None:
    assert given.when(EditTeam(TEAM, name="Operations", description="new"), by=BOB) == [TeamEdited(description="new")]
    assert given.when(EditTeam(TEAM, name="Operations"), by=BOB) == []
    assert team(given.does(EditTeam(TEAM, name="Ops"), by=BOB)).name == "Ops"


def test_a_membership_stands_in_the_stream_of_the_team_and_in_that_of_the_user(given: Given) -> None:
    command = AddMember(TEAM, ZOE)
    assert given.facts(command, BOB) == [
        Fact(TEAM, TeamMemberAdded(user_id=ZOE, role=MEMBER)),
        Fact(ZOE, UserTeamJoined(team_id=TEAM, role=MEMBER)),
    ]
    assert given.reads.keys() == {BOB, TEAM, ZOE}
    given.does(command, by=BOB)
    assert team(given).members == {BOB: LEAD, EVE: MEMBER, ZOE: MEMBER}
    assert user(given, ZOE).teams == {TEAM: MEMBER}
    assert given.when(command, by=BOB) == []


def test_a_member_can_get_another_role_in_the_team(given: Given) -> None:
    command = AddMember(TEAM, EVE, LEAD)
    assert given.when(command, by=BOB) == [
        TeamMemberRoleChanged(user_id=EVE, role=LEAD),
        UserTeamRoleChanged(team_id=TEAM, role=LEAD),
    ]
    given.does(command, by=BOB)
    assert (team(given).members[EVE], user(given, EVE).teams) == (LEAD, {TEAM: LEAD})


def test_who_leaves_is_out_of_both_streams(given: Given) -> None:
    command = RemoveMember(TEAM, EVE)
    assert (
        given.when(command, by=EVE)
        == given.when(command, by=BOB)
        == [
            TeamMemberRemoved(user_id=EVE),
            UserTeamLeft(team_id=TEAM),
        ]
    )
    given.does(command, by=EVE)
    assert (team(given).members, user(given, EVE).teams) == ({BOB: LEAD}, {})
    with rejected("team.member_not_found", NotFound):
        given.when(command, by=BOB)


def test_a_deletion_lets_everybody_go_first(given: Given) -> None:
    command = DeleteTeam(TEAM)
    assert given.facts(command, ADA) == [
        Fact(TEAM, TeamMemberRemoved(user_id=BOB)),
        Fact(BOB, UserTeamLeft(team_id=TEAM)),
        Fact(TEAM, TeamMemberRemoved(user_id=EVE)),
        Fact(EVE, UserTeamLeft(team_id=TEAM)),
        Fact(TEAM, TeamDeleted()),
    ]
    given.does(command)
    assert (team(given).members, user(given, BOB).teams) == ({}, {})
    for later in (command, EditTeam(TEAM, name="x"), AddMember(TEAM, ZOE), RemoveMember(TEAM, EVE)):
        with rejected("team.not_found", NotFound):
            given.when(later)


def test_what_is_no_team_is_not_found(given: Given) -> None:
    for team_id in (NOBODY, BOB):
        with rejected("team.not_found", NotFound):
            given.when(AddMember(team_id, ZOE))
    with rejected("user.not_found", NotFound):
        given.when(AddMember(TEAM, NOBODY))


def test_nobody_joins_who_may_not_come_in(given: Given) -> None:
    given.happened(ZOE, UserDeactivated())
    with rejected("team.user_deactivated", Conflict):
        given.when(AddMember(TEAM, ZOE))


def test_teams_and_memberships_are_bounded(given: Given) -> None:
    crowd = {f"00000000-0000-7000-8000-{n:012x}": MEMBER for n in range(0x1000, 0x1000 + MEMBERS_MAX)}
    for user_id in crowd:
        given.member(user_id)
    given.team(CREW, crowd)
    with rejected("team.full", Conflict):
        given.when(AddMember(CREW, ZOE))
    for n in range(TEAMS_MAX):
        given.happened(ZOE, UserTeamJoined(team_id=f"00000000-0000-7000-8000-{n:012x}", role=MEMBER))
    with rejected("team.too_many", Conflict):
        given.when(AddMember(TEAM, ZOE))


# Who may: admin, manager, lead of the team, member of it, and somebody else.
WHO = {"admin": ADA, "manager": MAX, "lead": BOB, "member": EVE, "other": ZOE}
COMMANDS: dict[str, tuple[Command, set[str]]] = {
    "create": (CreateTeam(CREW, "Crew"), {"admin", "manager"}),
    "edit": (EditTeam(TEAM, name="x"), {"admin", "manager", "lead"}),
    "delete": (DeleteTeam(TEAM), {"admin", "manager"}),
    "add": (AddMember(TEAM, ZOE, LEAD), {"admin", "manager", "lead"}),
    "remove": (RemoveMember(TEAM, BOB), {"admin", "manager", "lead"}),
    "leave": (RemoveMember(TEAM, EVE), {"admin", "manager", "lead", "member"}),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("what", COMMANDS)
def test_a_team_is_changed_by_whom_the_table_lets(given: Given, who: str, what: str) -> None:
    command, allowed = COMMANDS[what]
    if who in allowed:
        assert given.when(command, by=WHO[who])
    else:
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=WHO[who])
    assert WHO[who] in given.reads  # a demotion undoes the verdict


def to_team(team_id: str) -> Assignee:
    return Assignee(type="team", id=team_id)


# To whom a task may be given: by whom -> to whom
CHOICES = {
    "admin": {"self", "lead", "member", "other", "own team", "other team"},
    "manager": {"self", "lead", "member", "other", "own team", "other team"},
    "lead": {"self", "lead", "member", "own team"},
    "member": {"self", "lead", "member"},
    "other": {"self", "other"},
}
TARGETS = {
    "lead": person(BOB),
    "member": person(EVE),
    "other": person(ZOE),
    "own team": to_team(TEAM),
    "other team": to_team(CREW),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("whom", ["self", *TARGETS])
def test_tasks_are_given_to_whom_the_table_lets(given: Given, who: str, whom: str) -> None:
    given.team(CREW, {}).task(TASK, by=WHO[who])
    target = person(WHO[who]) if whom == "self" else TARGETS[whom]
    for command in (AssignTask(TASK, target), CreateTask(NOBODY, "write", assignee=target)):
        if whom in CHOICES[who]:
            assert TaskAssigned(assignee=target) in given.when(command, by=WHO[who])
            assert WHO[who] in given.reads
            assert target.id in given.reads
        else:
            with rejected("assignee.not_allowed", Forbidden):
                given.when(command, by=WHO[who])


def test_a_team_that_is_gone_gets_no_tasks(given: Given) -> None:
    given.task(TASK).does(DeleteTeam(TEAM))
    for assignee in (to_team(TEAM), to_team(BOB), person(TEAM)):
        with rejected("assignee.not_found", Invalid):
            given.when(AssignTask(TASK, assignee))


def test_who_may_not_come_in_gets_no_tasks(given: Given) -> None:
    given.task(TASK).happened(EVE, UserDeactivated())
    with rejected("assignee.deactivated", Conflict):
        given.when(AssignTask(TASK, person(EVE)))


def test_the_members_of_a_team_change_its_tasks_and_nobody_else_does_until_they_leave(given: Given) -> None:
    given.task(TASK).does(AssignTask(TASK, to_team(TEAM)))
    assert given.when(AssignTask(TASK, person(EVE)), by=EVE)
    with rejected("task.not_found", NotFound):
        given.when(AssignTask(TASK, person(ZOE)), by=ZOE)
    given.does(RemoveMember(TEAM, EVE), by=EVE)
    with rejected("task.not_found", NotFound):
        given.when(AssignTask(TASK, person(EVE)), by=EVE)
