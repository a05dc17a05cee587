"""What stands in the way of taking back views, templates, reminders and recurrence; and what comes back with them."""

from typing import Any

import pytest

from commands.deciding import Command
from commands.project import AddProjectMember, ArchiveProject
from commands.recurrence import SetRecurrence, SkipOccurrence, StopRecurrence
from commands.reminder import RemoveReminder
from commands.task import DeleteTask, EditTask, MoveTask, RestoreTask
from commands.team import DeleteTeam
from commands.template import ChangeTemplate, DeleteTemplate
from commands.view import CreateView, DeleteView, EditView
from commands.waking import WakeTask
from domain.errors import Conflict, Forbidden, NotFound
from domain.reminder import Date, ReminderFired, Reminders
from domain.series import End, Series, series_of
from domain.system import SYSTEM
from domain.talk import Part, stream_of
from domain.task_series import TaskFollowed, TaskSeriesLeft
from domain.template import Template
from domain.undo import BY_ITSELF
from domain.view import Sharing, View
from tests.domain.given import ADA, BOB, EVE, MAX, PROJECT, TASK, TEAM, ZOE, Given, at, rejected
from tests.domain.test_erased import erase
from tests.domain.test_undo_commands import (
    DEEP,
    IN,
    MAKE,
    MONDAY,
    PART,
    REMIND,
    STOP,
    THING,
    TUESDAY,
    WEDNESDAY,
    WRITTEN,
    begun,
    recurs,
    skip,
    task,
)
from tests.domain.undoing import command_at, done, timers

SERIES = series_of(TASK)
REMINDERS = stream_of(TASK, Part.REMINDERS)


def recurring(rule: str = "FREQ=DAILY") -> Given:
    return begun().does(task(due_at=MONDAY, **IN)).does(recurs(rule))


def series(given: Given) -> Series:
    state = given.state(SERIES)
    assert isinstance(state, Series)
    return state


def test_a_task_that_does_not_recur_any_more_can_recur_again() -> None:
    given = begun().does(task(due_at=MONDAY))
    given.does(done(given, recurs()))
    assert (given.the_task().series_id, series(given).ended_because) == (None, End.UNDONE)
    assert timers(given)[TASK].get("latest") is False
    undo = done(given, recurs())
    assert (given.the_task().series_id, series(given).ended_because) == (SERIES, None)
    given.does(undo)
    assert (given.the_task().series_id, series(given).ended_because) == (None, End.UNDONE)


def test_once_the_next_task_is_there_a_series_stays() -> None:
    given = begun().does(task(due_at=MONDAY))
    undo = done(given, recurs())
    skipped = done(given, skip(WEDNESDAY))
    given.does(WakeTask(TASK, MONDAY), SYSTEM)
    assert given.the_task().followed_by
    with rejected("undo.changed_since", Conflict) as refused:
        given.when(undo)
    assert set(refused.value.extra["fields"]) == {"task_id", "latest", "passed", "skipped"}
    assert given.when(skipped), "what is still to come may be made again"


@pytest.mark.parametrize("since", [skip(TUESDAY), STOP, recurs("FREQ=WEEKLY;BYDAY=MO")])
def test_what_others_have_said_of_a_series_since_is_not_lost(since: Command) -> None:
    given = begun().does(task(due_at=MONDAY, **IN))
    undo = done(given, recurs())
    given.does(since, BOB)
    with rejected("undo.changed_since"):
        given.when(undo)


def test_a_skipped_one_that_has_passed_is_not_made_again() -> None:
    given = recurring()
    undo = done(given, skip(TUESDAY))
    given.does(WakeTask(TASK, MONDAY), SYSTEM)
    with rejected("undo.changed_since"):
        given.when(undo)


def test_a_series_that_goes_on_again_makes_what_came_due_meanwhile() -> None:
    given = recurring()
    given.does(done(given, STOP))
    given.does(WakeTask(TASK, TUESDAY), SYSTEM)
    made = given.the_task().followed_by
    assert made is not None
    assert given.the_task(made).occurrence == TUESDAY


def test_what_time_brought_about_stays() -> None:
    given = recurring()
    first = len(given.log)
    given.does(WakeTask(TASK, MONDAY), SYSTEM)
    with rejected("undo.impossible", Conflict) as refused:
        given.when(command_at(given.log, first))
    assert {event["why"] for event in refused.value.extra["events"]} == {BY_ITSELF}
    given = recurring().does(ArchiveProject(PROJECT))
    first = len(given.log)
    given.does(WakeTask(TASK, MONDAY), SYSTEM)
    assert series(given).ended_because is End.PROJECT_CLOSED
    with rejected("undo.impossible"):
        given.when(command_at(given.log, first))


def test_a_task_that_came_to_recur_is_not_as_it_was_made() -> None:
    given = begun()
    undo = done(given, task(due_at=MONDAY))
    given.does(recurs())
    with rejected("undo.changed_since", Conflict) as refused:
        given.when(undo)
    assert "series_id" in refused.value.extra["fields"]


def test_a_series_is_theirs_who_may_edit_its_latest_task() -> None:
    given = recurring().does(AddProjectMember(PROJECT, MAX))
    undo = done(given, StopRecurrence(TASK, SERIES), EVE)
    with rejected("undo.not_found", NotFound):
        given.does(EditTask(TASK, project_id=None)).when(undo, EVE)
    given.does(EditTask(TASK, **IN)).does(DeleteTask(TASK))
    with rejected("undo.depends"):
        given.when(undo, EVE)
    assert given.does(RestoreTask(TASK)).when(undo, EVE)


def test_an_erased_departure_from_a_series_is_one_still() -> None:
    given = begun().does(task(due_at=MONDAY))
    given.does(done(given, recurs()))
    before = timers(given)
    left = next(each for each in given.log if isinstance(each.event, TaskSeriesLeft))
    given.log[left.position - 1] = erase([left], left.version)[0]
    assert given.the_task().series_id is None
    assert timers(given) == before


def test_a_reminder_that_is_there_again_does_not_fire_once_more() -> None:
    given = begun().does(task(due_at=MONDAY, **IN)).does(REMIND, EVE)
    moment = "2027-01-04T07:00:00.000000Z"
    about: Any = {"task_id": TASK, "reminder_id": THING, "user_id": EVE}
    given.happened(REMINDERS, ReminderFired(**about, due_at=moment), by=SYSTEM)
    before = timers(given)
    undo = done(given, RemoveReminder(TASK, THING), EVE)
    with rejected("undo.not_found", NotFound):
        given.when(undo, ADA)
    given.does(undo, EVE)
    assert timers(given) == before
    state = given.state(REMINDERS)
    assert isinstance(state, Reminders)
    assert state.reminders[0].fired_for == moment
    given.does(EditTask(TASK, due_at=TUESDAY), EVE)
    assert timers(given)[TASK]["reminders"][0]["relative_to"] == Date.DUE_AT


def test_a_view_comes_back_to_those_whose_team_is_still_there() -> None:
    given = begun().does(CreateView(THING, "ours", "", Sharing.TEAM, TEAM), EVE)
    undo = done(given, DeleteView(THING), EVE)
    with rejected("auth.forbidden", Forbidden):
        given.when(undo, ZOE)
    with rejected("undo.not_found", NotFound):
        given.when(undo, BOB)
    assert given.when(undo, MAX)
    given.does(DeleteTeam(TEAM))
    with rejected("undo.depends", Conflict) as refused:
        given.when(undo, EVE)
    assert refused.value.extra["rule"] == "team.not_found"


def test_nobody_is_told_of_what_somebody_keeps_for_themselves() -> None:
    given = begun()
    undo = done(given, CreateView(THING, "mine", ""), EVE)
    with rejected("undo.not_found", NotFound):
        given.when(undo, ADA)
    shared = done(given.does(undo, EVE), CreateView(PART, "ours", "", Sharing.WORKSPACE), EVE)
    edited = done(given, EditView(PART, name="all"), EVE)
    with rejected("undo.changed_since"):
        given.when(shared)
    given.does(edited).does(shared)
    state = given.state(PART)
    assert isinstance(state, View)
    assert state.deleted_at


def test_a_template_that_is_there_again_is_a_version_that_can_be_read() -> None:
    given = begun().does(WRITTEN, MAX).does(ChangeTemplate(THING, name="Rollout"), MAX)
    undo = done(given, DeleteTemplate(THING), MAX)
    given.does(undo, MAX)
    state = given.state(THING)
    assert isinstance(state, Template)
    assert (state.name, state.version, state.deleted_at) == ("Rollout", 4, None)
    given.log[-1:] = erase(given.log[-1:], 4)
    erased = given.state(THING)
    assert isinstance(erased, Template)
    assert (erased.name, erased.deleted_at) == ("Rollout", None)


def test_the_tasks_of_a_template_go_to_the_trash_together_or_stay() -> None:
    given = begun().does(WRITTEN, MAX)
    undo = done(given, MAKE, MAX)
    given.does(MoveTask(DEEP, "cancel"), MAX)
    with rejected("undo.changed_since"):
        given.when(undo, MAX)
    assert not any(given.the_task(id_).deleted_at for id_ in (TASK, PART, DEEP))


def test_skipping_the_last_one_and_taking_it_back_lets_the_series_go_on() -> None:
    given = recurring("FREQ=DAILY;COUNT=2")
    undo = done(given, SkipOccurrence(TASK, SERIES, TUESDAY))
    assert isinstance(given.log[-1].event, TaskFollowed)
    given.does(undo)
    assert [point.at for point in series(given).upcoming()] == [TUESDAY]
    assert timers(given)[TASK]["latest"] is True


def test_a_rule_that_is_back_takes_nobody_a_task_that_was_made() -> None:
    given = recurring()
    given.does(WakeTask(TASK, MONDAY), SYSTEM)
    second = given.the_task().followed_by
    assert second is not None
    undo = done(given, SetRecurrence(second, SERIES, "FREQ=WEEKLY;BYDAY=TU", now=at(0), zone="Europe/Berlin"))
    given.does(undo)
    assert (series(given).made, series(given).task_id) == (2, second)
    assert series(given).recurrence.rule == "FREQ=DAILY"
