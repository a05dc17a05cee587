"""The rules of reminders, of what wakes a task, and of the trash, each given / when / then."""

import pytest

from commands.project import ArchiveProject, RestoreProject
from commands.purging import EmptyTrash, PurgeTask
from commands.reminder import AddReminder, RemoveReminder
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.waking import WakeTask
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.project import ProjectRole
from domain.reminder import OWN_MAX, REMINDERS_MAX, Date, ReminderAdded, ReminderFired, ReminderRemoved, Reminders
from domain.talk import Part, stream_of
from domain.task_time import TaskDuePassed, TaskPurged
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, NOBODY, OTHER, PROJECT, TASK, Given, at, rejected

REMINDERS = stream_of(TASK, Part.REMINDERS)
ONE, TWO = (f"00000000-0000-7000-8000-00000000050{n}" for n in range(2))
DUE = "2027-01-31T17:00:00.000000Z"
HOUR_BEFORE = "2027-01-31T16:00:00.000000Z"
AFTER = "2027-02-01T00:00:00.000000Z"


@pytest.fixture
def given() -> Given:
    given = Given().member(ADA, Role.ADMIN).member(BOB).member(EVE)
    return given.does(CreateTask(TASK, "write", due_at=DUE), by=BOB)


def added(reminder_id: str = ONE, user_id: str = BOB, **when: object) -> ReminderAdded:
    return ReminderAdded(task_id=TASK, reminder_id=reminder_id, user_id=user_id, **when)  # type: ignore[arg-type]


def fired(due_at: str, reminder_id: str = ONE) -> ReminderFired:
    return ReminderFired(task_id=TASK, reminder_id=reminder_id, user_id=BOB, due_at=due_at)


def test_a_reminder_is_the_wish_of_who_adds_it(given: Given) -> None:
    command = AddReminder(TASK, ONE, relative_to=Date.DUE_AT, minutes_before=60)
    assert given.when(command, by=BOB) == [added(relative_to=Date.DUE_AT, minutes_before=60)]
    assert given.reads.keys() == {BOB, TASK, REMINDERS}
    assert given.when(AddReminder(TASK, ONE, at=DUE), by=ADA) == [added(user_id=ADA, at=DUE)]
    with rejected("task.not_found", NotFound):
        given.when(command, by=EVE)


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ({}, "reminder.when"),
        ({"at": DUE, "relative_to": Date.DUE_AT}, "reminder.when"),
        ({"relative_to": Date.DUE_AT, "minutes_before": -1}, "value.range"),
        ({"relative_to": Date.DUE_AT, "minutes_before": 527_041}, "value.range"),
    ],
)
def test_a_reminder_says_when_in_one_way(given: Given, when: dict[str, object], code: str) -> None:
    with rejected(code, Invalid):
        given.when(AddReminder(TASK, ONE, **when), by=BOB)  # type: ignore[arg-type]


def test_one_member_has_so_many_reminders_and_a_task_so_many(given: Given) -> None:
    for n in range(OWN_MAX):
        given.happened(REMINDERS, added(f"00000000-0000-7000-8000-0000000006{n:02}", at=DUE))
    with rejected("reminder.too_many", Conflict):
        given.when(AddReminder(TASK, ONE, at=DUE), by=BOB)
    assert len(given.when(AddReminder(TASK, ONE, at=DUE), by=ADA)) == 1
    for n in range(REMINDERS_MAX - OWN_MAX):
        given.happened(REMINDERS, added(f"00000000-0000-7000-8000-00000001{n:04}", NOBODY, at=DUE))
    with rejected("reminder.too_many", Conflict):
        given.when(AddReminder(TASK, ONE, at=DUE), by=ADA)


def test_only_ones_own_reminder_is_removed(given: Given) -> None:
    given.happened(REMINDERS, added(at=DUE))
    about = {"task_id": TASK, "reminder_id": ONE, "user_id": BOB}
    assert given.when(RemoveReminder(TASK, ONE), by=BOB) == [ReminderRemoved(**about)]
    for who, which in ((ADA, ONE), (BOB, TWO)):
        with rejected("reminder.not_found", NotFound):
            given.when(RemoveReminder(TASK, which), by=who)
    given.does(RemoveReminder(TASK, ONE), by=BOB)
    assert given.when(WakeTask(TASK, DUE), by=NOBODY) == [TaskDuePassed(due_at=DUE)]


def test_what_is_due_happens_once_and_not_before(given: Given) -> None:
    given.happened(REMINDERS, added(relative_to=Date.DUE_AT, minutes_before=60), added(TWO, at=AFTER))
    assert given.when(WakeTask(TASK, "2027-01-31T15:59:59.999999Z"), by=NOBODY) == []
    assert given.when(WakeTask(TASK, HOUR_BEFORE), by=NOBODY) == [fired(HOUR_BEFORE)]
    assert given.does(WakeTask(TASK, HOUR_BEFORE), by=NOBODY).when(WakeTask(TASK, HOUR_BEFORE), by=NOBODY) == []
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == [TaskDuePassed(due_at=DUE), fired(AFTER, TWO)]
    assert given.reads == {TASK: 1, REMINDERS: 3}  # nobody acts, so nobody has to be allowed to
    assert given.does(WakeTask(TASK, AFTER), by=NOBODY).when(WakeTask(TASK, AFTER), by=NOBODY) == []
    state = given.state(REMINDERS)
    assert isinstance(state, Reminders)
    assert [each.fired_for for each in state.reminders] == [HOUR_BEFORE, AFTER]


def test_a_reminder_is_due_again_when_its_date_moves_to_another_moment(given: Given) -> None:
    given.happened(REMINDERS, added(relative_to=Date.DUE_AT, minutes_before=60))
    given.does(WakeTask(TASK, HOUR_BEFORE), by=NOBODY).does(EditTask(TASK, due_at=AFTER), by=BOB)
    assert given.when(WakeTask(TASK, DUE), by=NOBODY) == []
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == [
        TaskDuePassed(due_at=AFTER),
        fired("2027-01-31T23:00:00.000000Z"),
    ]
    given.does(EditTask(TASK, due_at=None), by=BOB)
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == []


def test_a_date_at_the_beginning_of_time_has_a_moment_before_it_all_the_same(given: Given) -> None:
    given.happened(REMINDERS, added(relative_to=Date.START_AT, minutes_before=527_040))
    given.does(EditTask(TASK, start_at="0001-01-02T00:00:00.000000Z"), by=BOB)
    assert given.when(WakeTask(TASK, HOUR_BEFORE), by=NOBODY) == [fired("0001-01-02T00:00:00.000000Z")]


def test_what_is_closed_or_in_the_trash_sleeps(given: Given) -> None:
    given.happened(REMINDERS, added(at=DUE))
    given.does(MoveTask(TASK, "complete"), by=BOB)
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == []
    given.does(MoveTask(TASK, "reopen"), by=BOB).does(DeleteTask(TASK), by=BOB)
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == []
    given.does(RestoreTask(TASK), by=BOB)
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == [TaskDuePassed(due_at=DUE), fired(DUE)]
    with rejected("task.not_found"):
        given.when(WakeTask(OTHER, AFTER), by=NOBODY)


def test_the_trash_is_emptied_of_what_was_there_long_enough(given: Given) -> None:
    given.does(DeleteTask(TASK), by=BOB)
    since = given.the_task().deleted_at or ""
    assert given.when(EmptyTrash(TASK, at(1)), by=NOBODY) == []
    assert given.when(EmptyTrash(TASK, since), by=NOBODY) == [TaskPurged()]
    assert given.does(EmptyTrash(TASK, since), by=NOBODY).when(EmptyTrash(TASK, AFTER), by=NOBODY) == []
    for command in (RestoreTask(TASK), PurgeTask(TASK), EditTask(TASK, title="new")):
        with rejected("task.not_found", NotFound):
            given.when(command, by=ADA)


def test_only_who_oversees_all_purges_and_only_what_is_in_the_trash(given: Given) -> None:
    with rejected("task.not_trashed", Conflict):
        given.when(PurgeTask(TASK), by=ADA)
    given.does(DeleteTask(TASK), by=BOB)
    with rejected("auth.forbidden", Forbidden):
        given.when(PurgeTask(TASK), by=BOB)
    with rejected("task.not_found", NotFound):
        given.when(PurgeTask(TASK), by=EVE)
    assert given.when(PurgeTask(TASK, "a mistake"), by=ADA) == [TaskPurged(reason="a mistake")]
    with rejected("task.not_found"):
        given.when(EmptyTrash(OTHER, AFTER), by=NOBODY)


def test_in_an_archived_project_time_brings_nothing_about_until_it_goes_on(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.EDITOR}).does(EditTask(TASK, project_id=PROJECT), by=BOB)
    given.happened(REMINDERS, added(at=DUE)).does(ArchiveProject(PROJECT))
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == []
    assert PROJECT in given.reads, "an expectation: it might go on meanwhile"
    given.does(RestoreProject(PROJECT))
    assert given.when(WakeTask(TASK, AFTER), by=NOBODY) == [TaskDuePassed(due_at=DUE), fired(DUE)]
