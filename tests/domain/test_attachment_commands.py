"""Files at tasks: who puts them there and who takes them away. Their bytes are another matter."""

import pytest

from commands.attachment import AddAttachment, MayAttach, RemoveAttachment
from domain import streams
from domain.attachment import ATTACHMENTS_MAX, AttachmentAdded, AttachmentRemoved, Attachments
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.talk import Part, stream_of
from domain.task import TaskAssigned
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, MAX, NOBODY, OTHER, TASK, TEAM, ZOE, Given, rejected
from tests.domain.test_erased import erase

FILES = stream_of(TASK, Part.ATTACHMENTS)
ONE, TWO = (f"00000000-0000-7000-8000-00000000060{n}" for n in range(1, 3))


def add(attachment_id: str, name: str = "report.pdf") -> AddAttachment:
    return AddAttachment(TASK, attachment_id, name=name, size=3, media_type="application/pdf", sha256="ab" * 32)


@pytest.fixture
def given() -> Given:
    """Bob's task, of a team that Zoe leads and Eve is in; Ada is a manager, Max an auditor. Eve put a file there."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE).member(ZOE).member(MAX, Role.AUDITOR)
    given.team(TEAM, {ZOE: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    given.task(TASK, TaskAssigned(assignee=Assignee(type="team", id=TEAM)), by=BOB)
    return given.does(add(ONE), by=EVE)


def names(given: Given) -> list[str]:
    state = given.state(FILES)
    assert isinstance(state, Attachments)
    return [item.id for item in state.items]


def test_whoever_may_change_the_task_puts_files_there(given: Given) -> None:
    for by in (ADA, BOB, EVE, ZOE):
        [event] = given.when(add(TWO), by=by)
        assert isinstance(event, AttachmentAdded)
        assert (event.task_id, event.attachment_id, event.name) == (TASK, TWO, "report.pdf")
        assert given.reads.keys() == {by, TASK, FILES}
        assert given.when(MayAttach(TASK), by=by) == []
    given.member(NOBODY)
    for command in (add(TWO), MayAttach(TASK)):
        with rejected("auth.forbidden", Forbidden):
            given.when(command, by=MAX)
        with rejected("task.not_found", NotFound):
            given.when(command, by=NOBODY)
    with rejected("attachment.name", Invalid):
        given.when(add(TWO, "../report.pdf"), by=EVE)


def test_who_put_it_there_and_who_leads_take_it_away(given: Given) -> None:
    for by in (ADA, EVE, ZOE):
        assert given.when(RemoveAttachment(TASK, ONE), by=by) == [AttachmentRemoved(task_id=TASK, attachment_id=ONE)]
    for by in (BOB, MAX):
        with rejected("auth.forbidden", Forbidden):
            given.when(RemoveAttachment(TASK, ONE), by=by)
    given.does(RemoveAttachment(TASK, ONE), by=EVE).task(OTHER, by=EVE)
    assert names(given) == []
    for command in (RemoveAttachment(TASK, ONE), RemoveAttachment(OTHER, ONE)):
        with rejected("attachment.not_found", NotFound):
            given.when(command, by=EVE)


def test_a_task_has_so_many_files_and_no_more(given: Given) -> None:
    [event] = given.when(add(TWO), by=EVE)
    given.happened(FILES, *[event] * (ATTACHMENTS_MAX - 1))
    for command in (add(TWO), MayAttach(TASK)):
        with rejected("attachment.too_many", Conflict):
            given.when(command, by=EVE)


def test_a_list_of_files_folds_whatever_was_erased(given: Given) -> None:
    given.does(add(TWO), by=EVE).does(RemoveAttachment(TASK, ONE), by=EVE)
    log = [logged for logged in given.log if logged.stream_id == FILES]
    for versions, left in (((1,), [TWO]), ((3,), [ONE, TWO]), ((1, 2, 3), [])):
        state = streams.fold(erase(log, *versions))
        assert isinstance(state, Attachments)
        assert ([item.id for item in state.items], state.version) == (left, 3)
