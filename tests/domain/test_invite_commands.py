"""The rules of the commands on invites, and of joining by one."""

import pytest

from commands.appending import Fact
from commands.invite import CreateInvite, WithdrawInvite
from commands.user import ChangeRole, DeactivateUser, JoinWorkspace, ReactivateUser
from domain.errors import Forbidden, NotFound
from domain.events import Erased
from domain.invite import Invite, InviteAccepted, InviteCreated, InviteStatus, InviteWithdrawn
from domain.policy import may_invite
from domain.user import Role, UserJoined
from domain.workspace import AdminAdded
from tests.domain.given import ADA, BOB, EVE, NOBODY, TASK, WORKSPACE, ZOE, Given, at, rejected

INVITE = "00000000-0000-7000-8000-000000000201"
LATER = at(1_000)

# Whom each role may invite.
INVITABLE = {
    Role.ADMIN: {Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.AUDITOR},
    Role.MANAGER: {Role.MEMBER, Role.AUDITOR},
    Role.MEMBER: set(),
    Role.AUDITOR: set(),
}
PAIRS = [(role, invited) for role in Role for invited in Role]


@pytest.fixture
def given() -> Given:
    """Ada founded the workspace, Bob joined."""
    return Given().does(JoinWorkspace(ADA), by=ADA).does(JoinWorkspace(BOB), by=BOB)


def invited(given: Given, role: Role = Role.MEMBER, by: str = ADA) -> Given:
    return given.does(CreateInvite(INVITE, role, LATER), by=by)


def the_invite(given: Given) -> Invite:
    invite = given.state(INVITE)
    assert isinstance(invite, Invite)
    return invite


@pytest.mark.parametrize(("role", "wanted"), PAIRS)
def test_one_invites_whom_the_table_lets(given: Given, role: Role, wanted: Role) -> None:
    given.does(ChangeRole(BOB, Role.ADMIN)).does(ChangeRole(BOB, role))
    command = CreateInvite(INVITE, wanted, LATER)
    assert may_invite(role, wanted) == (wanted in INVITABLE[role])
    if wanted in INVITABLE[role]:
        assert given.facts(command, BOB) == [Fact(INVITE, InviteCreated(role=wanted, expires_at=LATER))]
    else:
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=BOB)
    assert BOB in given.reads  # a demotion undoes the verdict


def test_who_is_invited_joins_with_the_role_and_the_invite_is_spent(given: Given) -> None:
    invited(given, Role.MANAGER)
    assert given.facts(JoinWorkspace(EVE, INVITE), EVE) == [
        Fact(EVE, UserJoined(role=Role.MANAGER, invited_by=ADA)),
        Fact(INVITE, InviteAccepted(user_id=EVE)),
    ]
    assert given.reads.keys() == {WORKSPACE, EVE, INVITE, ADA}  # whoever is second has to look again
    given.does(JoinWorkspace(EVE, INVITE), by=EVE)
    assert the_invite(given).status is InviteStatus.ACCEPTED
    with rejected("auth.invite_invalid", Forbidden):
        given.when(JoinWorkspace(ZOE, INVITE), by=ZOE)


def test_an_admin_who_joins_is_said_in_the_stream_that_guards_them(given: Given) -> None:
    invited(given, Role.ADMIN)
    assert Fact(WORKSPACE, AdminAdded(user_id=EVE)) in given.facts(JoinWorkspace(EVE, INVITE), EVE)


@pytest.mark.parametrize("invite_id", [NOBODY, TASK, ADA, WORKSPACE])
def test_only_an_invite_is_one(given: Given, invite_id: str) -> None:
    given.task(TASK)
    with rejected("auth.invite_invalid", Forbidden):
        given.when(JoinWorkspace(EVE, invite_id), by=EVE)
    for actor in (ADA, BOB):
        with rejected("invite.not_found" if actor == ADA else "auth.forbidden"):
            given.when(WithdrawInvite(invite_id), by=actor)


def test_an_invite_is_worth_no_more_than_its_maker(given: Given) -> None:
    given.does(ChangeRole(BOB, Role.MANAGER))
    invited(given, by=BOB)
    join = JoinWorkspace(EVE, INVITE)
    assert len(given.when(join, by=EVE)) == 2
    for undo, redo in (
        (ChangeRole(BOB, Role.MEMBER), ChangeRole(BOB, Role.MANAGER)),
        (DeactivateUser(BOB), ReactivateUser(BOB)),
    ):
        given.does(undo)
        with rejected("auth.invite_invalid", Forbidden):
            given.when(join, by=EVE)
        given.does(redo)
        assert len(given.when(join, by=EVE)) == 2


def test_an_invite_is_withdrawn_once_by_whoever_might_have_made_it(given: Given) -> None:
    invited(given, Role.MANAGER)
    given.does(ChangeRole(BOB, Role.MANAGER))
    with rejected("auth.forbidden", Forbidden):
        given.when(WithdrawInvite(INVITE), by=BOB)
    assert given.facts(WithdrawInvite(INVITE), ADA) == [Fact(INVITE, InviteWithdrawn())]
    given.does(WithdrawInvite(INVITE))
    assert the_invite(given).status is InviteStatus.WITHDRAWN
    with rejected("invite.not_found", NotFound):
        given.when(WithdrawInvite(INVITE))
    with rejected("auth.invite_invalid", Forbidden):
        given.when(JoinWorkspace(EVE, INVITE), by=EVE)


def test_a_used_invite_cannot_be_withdrawn(given: Given) -> None:
    invited(given).does(JoinWorkspace(EVE, INVITE), by=EVE)
    with rejected("invite.not_found", NotFound):
        given.when(WithdrawInvite(INVITE))


def test_what_an_erased_event_said_is_still_known_by_its_name(given: Given) -> None:
    invited(given).happened(INVITE, Erased(name="invite.accepted"))
    assert the_invite(given).status is InviteStatus.ACCEPTED
    given.happened(TASK, Erased(name="invite.created"), Erased(name="invite.created"))
    erased = given.state(TASK)
    assert isinstance(erased, Invite)
    assert (erased.status, erased.role, erased.version) == (InviteStatus.WITHDRAWN, Role.MEMBER, 2)
