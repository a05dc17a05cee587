"""What is below a task that recurs comes again with each occurrence, as a tree of open tasks of its own."""

from typing import Any

import pytest

from commands.checklist import AddItem, ChangeItem
from commands.recurrence import SetRecurrence
from commands.reminder import AddReminder
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask
from commands.waking import WakeTask
from domain.checklist import Checklist
from domain.errors import Conflict
from domain.pattern import SUBTASKS_MAX, Pattern
from domain.policy import eyes
from domain.project import ProjectRole
from domain.reminder import Date, Reminders
from domain.series import Series, series_of
from domain.system import SYSTEM
from domain.talk import Part, stream_of
from domain.task import Task, TaskAssigned
from domain.task_links import DEPTH_MAX
from domain.user import Role, User, UserDeactivated
from tests.domain.given import ADA, BOB, EVE, OTHER, PROJECT, TASK, Given, person, rejected
from tests.domain.undoing import done

SERIES = series_of(TASK)
BELOW, DEEPER, GONE, PLAN = (f"00000000-0000-7000-8000-00000000070{n}" for n in range(4))
ITEM = "00000000-0000-7000-8000-000000000501"
MONDAY = "2027-03-22T08:00:00.000000Z"  # nine o'clock in Berlin, in the week in which clocks go forward
NOW = "2027-01-01T00:00:00.000000Z"


def weekly(task_id: str = TASK, **fields: Any) -> SetRecurrence:
    return SetRecurrence(task_id, SERIES, "FREQ=WEEKLY", **{"now": NOW, "zone": "Europe/Berlin", **fields})


@pytest.fixture
def given() -> Given:
    """Bob's task with a subtask, and one below that; Ada is a manager, Eve a stranger."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE)
    given.does(CreateTask(TASK, "garden", due_at=MONDAY), by=BOB)
    given.does(CreateTask(BELOW, "water", parent_id=TASK, due_at="2027-03-20T08:00:00.000000Z"), by=BOB)
    return given.does(CreateTask(DEEPER, "fetch", parent_id=BELOW, tags=("can",), estimate_minutes=5), by=BOB)


def series(given: Given) -> Series:
    state = given.state(SERIES)
    assert isinstance(state, Series)
    return state


def follows(given: Given, task_id: str = TASK, now: str = MONDAY) -> Task:
    """The occurrence that follows a task."""
    given.does(WakeTask(task_id, now), SYSTEM)
    made = given.the_task(task_id).followed_by
    assert made is not None
    return given.the_task(made)


def below(given: Given, task: Task) -> list[Task]:
    assert not any(subtask.closed for subtask in task.subtasks)
    found = [given.the_task(subtask.id) for subtask in task.subtasks]
    assert {each.parent_id for each in found} <= {task.id}
    return found


def test_what_is_below_a_task_comes_again_open_and_with_its_distance_on_the_clocks(given: Given) -> None:
    given.happened(BELOW, TaskAssigned(assignee=person(EVE)), by=BOB)
    given.does(weekly(), by=BOB)
    for task_id in (DEEPER, BELOW, TASK):
        given.does(MoveTask(task_id, "complete"), by=BOB)
    following = follows(given)
    (water,) = below(given, following)
    (fetch,) = below(given, water)
    assert following.due_at == "2027-03-29T07:00:00.000000Z"
    assert (water.title, water.status, water.due_at) == ("water", "todo", "2027-03-27T08:00:00.000000Z")
    assert (water.assignee, water.created_by, water.series_id) == (person(EVE), BOB, None)
    assert (fetch.title, fetch.tags, fetch.estimate_minutes, fetch.due_at) == ("fetch", ("can",), 5, None)
    again = follows(given, following.id, following.due_at)
    assert again.due_at == "2027-04-05T07:00:00.000000Z"
    assert below(given, again)[0].due_at == "2027-04-03T07:00:00.000000Z"
    assert len({TASK, BELOW, DEEPER, *(each.id for each in (following, water, fetch, again))}) == 7


def test_checklists_and_reminders_of_subtasks_come_with_them(given: Given) -> None:
    given.does(AddItem(BELOW, ITEM, "the roses"), by=BOB).does(ChangeItem(BELOW, ITEM, checked=True), by=BOB)
    given.does(AddReminder(BELOW, ITEM, relative_to=Date.DUE_AT, minutes_before=10), by=BOB)
    given.does(weekly(), by=BOB)
    (water,) = below(given, follows(given))
    checklist, reminders = (given.state(stream_of(water.id, part)) for part in (Part.CHECKLIST, Part.REMINDERS))
    assert isinstance(checklist, Checklist)
    assert isinstance(reminders, Reminders)
    assert [(item.text, item.checked) for item in checklist.items] == [("the roses", False)]
    assert [(each.user_id, each.minutes_before) for each in reminders.reminders] == [(BOB, 10)]


def test_days_of_subtasks_move_by_days_and_keep_their_zone(given: Given) -> None:
    given.does(EditTask(BELOW, due_on="2027-03-19", due_zone="Pacific/Auckland"), by=BOB)
    given.does(weekly(starts="2027-03-24"), by=BOB)  # by days, two later than it was due
    moved = series(given).pattern.subtasks[0].fields
    assert (moved.due_on, moved.due_zone) == ("2027-03-21", "Pacific/Auckland")
    assert given.the_task(BELOW).due_on == "2027-03-19", "the subtasks that are there stay as they are"
    (water,) = below(given, follows(given, now="2027-03-25T00:00:00.000000Z"))
    assert (water.due_on, water.due_zone, water.due_at) == (
        "2027-03-28",
        "Pacific/Auckland",
        "2027-03-28T10:59:59.999999Z",
    )


def test_what_will_not_be_done_or_is_not_visible_does_not_come_again(given: Given) -> None:
    given.does(CreateTask(OTHER, "weed", parent_id=TASK), by=BOB).does(MoveTask(OTHER, "cancel"), by=BOB)
    given.does(CreateTask(GONE, "mow", parent_id=TASK), by=BOB).does(DeleteTask(GONE), by=BOB)
    given.does(CreateTask(PLAN, "secret", parent_id=TASK), by=ADA)
    given.does(CreateTask(ITEM, "rake", parent_id=TASK, due_at=MONDAY), by=BOB)
    given.does(SetRecurrence(ITEM, series_of(ITEM), "FREQ=DAILY", now=NOW, zone="UTC"), by=BOB)
    given.does(weekly(), by=BOB)
    assert [each.title for each in below(given, follows(given))] == ["water"]


def test_in_a_project_each_has_the_next_key(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.EDITOR})
    given.does(EditTask(TASK, project_id=PROJECT), by=BOB).does(weekly(), by=BOB)
    following = follows(given)
    (water,) = below(given, following)
    (fetch,) = below(given, water)
    assert [each.key for each in (following, water, fetch)] == ["APP-4", "APP-5", "APP-6"]
    assert {each.project_id for each in (following, water, fetch)} == {PROJECT}


@pytest.mark.parametrize(("above", "fits"), [(DEPTH_MAX - 4, True), (DEPTH_MAX - 3, False)])
def test_below_a_parent_a_tree_comes_that_has_room_there_else_as_a_root(given: Given, above: int, fits: bool) -> None:
    given.does(CreateTask(OTHER, "year"), by=BOB).does(EditTask(TASK, parent_id=OTHER), by=BOB)
    given.does(weekly(), by=BOB).does(EditTask(TASK, parent_id=None), by=BOB)
    parent_id = None
    for n in range(above):  # levels over the parent; below it there are three to come
        task_id = f"00000000-0000-7000-8000-00000000080{n}"
        given.does(CreateTask(task_id, "level", parent_id=parent_id), by=BOB)
        parent_id = task_id
    given.does(EditTask(OTHER, parent_id=parent_id), by=BOB)
    following = follows(given)
    assert following.parent_id == (OTHER if fits else None)
    assert len(below(given, below(given, following)[0])) == 1


def test_so_much_comes_again_and_no_more(given: Given) -> None:
    for above, many in ((TASK, 99), (BELOW, 99)):  # with the two that are there
        for n in range(many):
            given.does(CreateTask(f"00000000-0000-7000-8000-0{above[-3:]}{n:08}", "part", parent_id=above), by=BOB)
    assert given.when(weekly(), by=BOB) != []
    given.does(CreateTask(OTHER, "one more", parent_id=DEEPER), by=BOB)
    with rejected("recurrence.too_large", Conflict) as refused:
        given.when(weekly(), by=BOB)
    assert str(SUBTASKS_MAX) in refused.value.detail


def test_whoever_has_gone_gets_no_subtask_and_what_is_set_again_takes_the_tree_anew(given: Given) -> None:
    given.happened(BELOW, TaskAssigned(assignee=person(EVE)), by=BOB).happened(EVE, UserDeactivated())
    given.does(weekly(), by=BOB)
    following = follows(given)
    (water,) = below(given, following)
    assert water.assignee is None
    assert given.does(weekly(following.id), by=BOB).when(weekly(following.id), by=BOB) == []
    given.does(CreateTask(OTHER, "weed", parent_id=following.id), by=BOB)
    given.does(weekly(following.id), by=BOB)
    assert [each.title for each in below(given, follows(given, following.id, "2027-03-29T07:00:00.000000Z"))] == [
        "water",
        "weed",
    ]


def test_a_recurrence_that_is_taken_back_brings_back_the_tree_of_before(given: Given) -> None:
    given.does(weekly(), by=BOB)
    before = series(given).pattern
    given.does(CreateTask(OTHER, "weed", parent_id=TASK), by=BOB)
    undo = done(given, weekly(), BOB)
    assert len(series(given).pattern.subtasks) == 2
    given.does(undo, BOB)
    assert series(given).pattern == before
    assert len(below(given, follows(given))) == 1


def test_nobody_is_shown_reminders_of_others_nor_subtasks_that_they_do_not_see(given: Given) -> None:
    for who in (BOB, ADA):
        given.does(AddReminder(TASK, f"{ITEM[:-1]}{who[-1]}", relative_to=Date.DUE_AT, minutes_before=10), by=who)
    given.does(AddReminder(BELOW, ITEM, relative_to=Date.DUE_AT), by=BOB)
    given.happened(DEEPER, TaskAssigned(assignee=person(EVE)), by=BOB).happened(
        TASK, TaskAssigned(assignee=person(EVE))
    )
    pattern = series(given.does(weekly(), by=BOB)).pattern

    def shown(user_id: str) -> Pattern:
        user = given.state(user_id)
        assert isinstance(user, User)
        return pattern.shown_to(user_id, eyes(user))

    assert [alarm.user_id for alarm in pattern.reminders] == [BOB, ADA]
    assert [alarm.user_id for alarm in shown(ADA).reminders] == [ADA]
    assert [len(each.reminders) for each in shown(ADA).subtasks] == [0]
    assert [len(each.reminders) for each in shown(BOB).subtasks] == [1]
    assert (shown(EVE).reminders, shown(EVE).subtasks) == ((), ())
