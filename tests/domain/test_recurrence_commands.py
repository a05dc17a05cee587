"""A task recurs: it becomes the first occurrence of a series, and the next one follows once it is time for it."""

from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace

from commands.checklist import AddItem
from commands.deciding import Command
from commands.project import ArchiveProject, RestoreProject
from commands.recurrence import SetRecurrence, SkipOccurrence, StopRecurrence
from commands.reminder import AddReminder, RemoveReminder
from commands.streams import Folded
from commands.task import CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from commands.waking import WakeTask
from domain import streams
from domain.checklist import Checklist
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.events import Event
from domain.instant import Instant
from domain.pattern import Anchor
from domain.project import ProjectArchived, ProjectRole
from domain.recurrence import Mode
from domain.reminder import Date, ReminderAdded, Reminders
from domain.series import (
    CATCH_UP_MAX,
    SKIPPED_MAX,
    End,
    Series,
    SeriesEnded,
    SeriesOccurrenceMade,
    SeriesOccurrenceSkipped,
    SeriesOccurrencesMissed,
    SeriesRuleChanged,
    SeriesStarted,
    series_of,
    task_of,
)
from domain.system import SYSTEM
from domain.talk import Part, stream_of
from domain.task import Task, TaskAssigned, TaskCreated, TaskEdited
from domain.task_fields import Assignee
from domain.task_series import TaskFollowed, TaskSeriesJoined
from domain.task_timers import Timed
from domain.task_timers import evolve as timers_evolve
from domain.user import Role, UserDeactivated
from tests.domain.given import ADA, BOB, EVE, MAX, OTHER, PROJECT, TASK, Given, at, person, rejected
from tests.domain.test_erased import erase

SERIES = series_of(TASK)
NEXT = task_of(SERIES, 2)
ITEM = "00000000-0000-7000-8000-000000000501"
MONDAY = "2027-01-04T08:00:00.000000Z"  # nine o'clock in Berlin
TUESDAY, WEDNESDAY, THURSDAY = (f"2027-01-0{n}T08:00:00.000000Z" for n in (5, 6, 7))
NOW = "2027-01-01T00:00:00.000000Z"
BERLIN = "Europe/Berlin"


def daily(rule: str = "FREQ=DAILY", task_id: str = TASK, **fields: Any) -> SetRecurrence:
    return SetRecurrence(task_id, SERIES, rule, **{"now": NOW, "zone": BERLIN, **fields})


@pytest.fixture
def given() -> Given:
    """Bob's task, due on Monday at nine; Ada is a manager, Eve a stranger, Max an auditor."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE).member(MAX, Role.AUDITOR)
    return given.does(CreateTask(TASK, "water", due_at=MONDAY, tags=("garden",), estimate_minutes=5), by=BOB)


def series(given: Given) -> Series:
    state = given.state(SERIES)
    assert isinstance(state, Series)
    return state


def wake(given: Given, task_id: str, now: Instant) -> list[Event]:
    """What time itself brings about at a task, but for what is due."""
    given.facts(WakeTask(task_id, now), SYSTEM)
    return [event for event in given.when(WakeTask(task_id, now), SYSTEM) if "due" not in type(event).__name__.lower()]


def follows(given: Given, task_id: str, now: Instant) -> Task:
    """The occurrence that follows a task once it is `now`."""
    given.does(WakeTask(task_id, now), SYSTEM)
    made = given.the_task(task_id).followed_by
    assert made is not None
    return given.the_task(made)


def test_a_task_becomes_the_first_occurrence(given: Given) -> None:
    joined, started = given.when(daily(), by=BOB)[-2:]
    assert joined == TaskSeriesJoined(series_id=SERIES, occurrence=MONDAY, next_at=MONDAY)
    assert isinstance(started, SeriesStarted)
    assert (started.rule, started.zone, started.mode, started.anchor) == (
        "FREQ=DAILY",
        BERLIN,
        Mode.SCHEDULE,
        Anchor.DUE_AT,
    )
    assert (started.task_id, started.occurrence, started.local, started.nth) == (
        TASK,
        MONDAY,
        "2027-01-04T09:00:00",
        1,
    )
    assert {BOB, TASK, SERIES} <= given.reads.keys()
    given.does(daily(), by=BOB)
    assert given.when(daily(), by=BOB) == []
    assert (given.the_task().series_id, given.the_task().occurrence) == (SERIES, MONDAY)


def test_the_task_gets_the_date_that_the_rule_gives_first(given: Given) -> None:
    given.does(EditTask(TASK, start_at="2027-01-02T20:00:00.000000Z"), by=BOB)
    edited = given.when(daily("FREQ=WEEKLY;BYDAY=TH"), by=BOB)[0]
    assert edited == TaskEdited(due_at=THURSDAY, due_zone=BERLIN, start_at="2027-01-05T20:00:00.000000Z")
    edited = given.when(daily("FREQ=WEEKLY;BYDAY=TH", starts="2027-01-06"), by=BOB)[0]
    assert isinstance(edited, TaskEdited)
    assert (edited.due_on, edited.due_at) == ("2027-01-07", "2027-01-07T22:59:59.999999Z")


def test_the_next_one_is_made_when_the_latest_is_past_and_once(given: Given) -> None:
    given.does(daily(), by=BOB)
    assert wake(given, TASK, "2027-01-04T07:59:59.999999Z") == []
    made = wake(given, TASK, MONDAY)
    assert made == [
        TaskCreated(
            title="water", status="todo", category=given.the_task().category, due_at=TUESDAY, due_zone=BERLIN,
            tags=("garden",), estimate_minutes=5, created_by=BOB,
        ),
        TaskSeriesJoined(series_id=SERIES, occurrence=TUESDAY, next_at=TUESDAY),
        TaskFollowed(by=NEXT),
        SeriesOccurrenceMade(task_id=NEXT, occurrence=TUESDAY, local="2027-01-05T09:00:00", nth=2),
    ]  # fmt: skip
    following = follows(given, TASK, MONDAY)
    assert (following.id, following.created_by, following.due_at) == (NEXT, BOB, TUESDAY)
    assert wake(given, TASK, THURSDAY) == []
    assert follows(given, NEXT, TUESDAY).due_at == WEDNESDAY


def test_what_is_done_or_cancelled_early_is_followed_at_once(given: Given) -> None:
    for move in ("complete", "cancel"):
        other = Given()
        for logged in given.log:
            other.happened(logged.stream_id, logged.event, by=logged.meta.actor)
        other.does(daily(), by=BOB).does(MoveTask(TASK, move), by=BOB)
        assert follows(other, TASK, NOW).due_at == TUESDAY


def test_from_completion_the_next_one_follows_from_the_day_of_that(given: Given) -> None:
    given.does(daily("FREQ=DAILY;INTERVAL=3", mode=Mode.COMPLETION), by=BOB)
    assert wake(given, TASK, THURSDAY) == []
    given.does(MoveTask(TASK, "complete"), by=BOB)  # on 1 January 2026
    assert given.the_task().completed_at == at(len(given.log))
    assert wake(given, TASK, THURSDAY) != []
    # By steps of three days from there, and never before the one that was done.
    assert follows(given, TASK, THURSDAY).due_at == TUESDAY


def test_every_day_that_was_missed_is_made_but_of_many_the_latest_alone(given: Given) -> None:
    given.does(daily(), by=BOB)
    assert follows(given, TASK, THURSDAY).due_at == TUESDAY
    events = wake(given, NEXT, "2028-01-01T00:00:00.000000Z")
    missed = next(event for event in events if isinstance(event, SeriesOccurrencesMissed))
    made = next(event for event in events if isinstance(event, SeriesOccurrenceMade))
    assert missed.nth + 1 == made.nth
    assert missed.missed == made.nth - 3
    assert made.local == "2027-11-12T09:00:00"
    count, task_id = 1, follows(given, NEXT, "2028-01-01T00:00:00.000000Z").id
    while (task := given.the_task(task_id)).occurrence < "2028":  # type: ignore[operator]
        task_id = follows(given, task.id, "2028-01-01T00:00:00.000000Z").id
        count += 1
    assert count == CATCH_UP_MAX + 1


def test_what_a_rule_gave_before_it_was_set_is_past(given: Given) -> None:
    events = given.when(daily(now="2027-01-06T12:00:00.000000Z"), by=BOB)
    assert SeriesOccurrencesMissed(missed=2, occurrence=WEDNESDAY, local="2027-01-06T09:00:00", nth=3) in events
    given.does(daily(now="2027-01-06T12:00:00.000000Z"), by=BOB)
    assert follows(given, TASK, WEDNESDAY).due_at == THURSDAY
    with rejected("recurrence.invalid"):
        given.when(daily("FREQ=DAILY;BYHOUR=0,4,8,12,16,20", task_id=NEXT, starts="1980-01-01T00:00"), by=BOB)


def test_a_series_ends_by_its_rule_with_the_last_task(given: Given) -> None:
    given.does(daily("FREQ=DAILY;COUNT=2"), by=BOB)
    assert wake(given, TASK, MONDAY)[-2:] == [SeriesEnded(because=End.FINISHED), TaskFollowed()]
    assert follows(given, TASK, MONDAY).followed_by is None
    assert wake(given, NEXT, THURSDAY) == []
    assert SeriesEnded(because=End.FINISHED) in Given().member(BOB).does(
        CreateTask(TASK, "once", due_at=MONDAY), by=BOB
    ).when(daily("FREQ=DAILY;COUNT=1"), by=BOB)


def test_a_skipped_occurrence_is_not_made_and_counts(given: Given) -> None:
    given.does(daily("FREQ=DAILY;COUNT=3"), by=BOB)
    skip = SkipOccurrence(TASK, SERIES, TUESDAY)
    assert given.when(skip, by=BOB) == [SeriesOccurrenceSkipped(occurrence=TUESDAY, local="2027-01-05T09:00:00")]
    given.does(skip, by=BOB)
    assert given.when(skip, by=BOB) == []
    assert [point.at for point in series(given).upcoming()] == [WEDNESDAY]
    last = SkipOccurrence(TASK, SERIES, WEDNESDAY)
    assert given.when(last, by=BOB)[1:] == [SeriesEnded(because=End.FINISHED), TaskFollowed()]
    assert follows(given, TASK, MONDAY).due_at == WEDNESDAY
    assert series(given).ended_because is End.FINISHED
    with rejected("recurrence.ended", Conflict):
        given.when(SkipOccurrence(TASK, SERIES, THURSDAY), by=BOB)


def test_only_what_is_to_come_can_be_skipped(given: Given) -> None:
    given.does(daily(), by=BOB)
    with rejected("recurrence.already_made", Conflict):
        given.when(SkipOccurrence(TASK, SERIES, MONDAY), by=BOB)
    with rejected("recurrence.no_such_occurrence", Invalid) as refused:
        given.when(SkipOccurrence(TASK, SERIES, "2027-01-05T09:00:00.000000Z"), by=BOB)
    assert TUESDAY in refused.value.detail
    given.does(daily(mode=Mode.COMPLETION), by=BOB)
    with rejected("recurrence.not_scheduled", Conflict):
        given.when(SkipOccurrence(TASK, SERIES, TUESDAY), by=BOB)


def test_an_edit_of_one_occurrence_is_no_edit_of_the_next(given: Given) -> None:
    given.does(daily(), by=BOB).does(EditTask(TASK, title="water less", due_at=WEDNESDAY), by=BOB)
    following = follows(given, TASK, MONDAY)
    assert (following.title, following.due_at) == ("water", TUESDAY)


def test_the_latest_occurrence_changes_what_follows(given: Given) -> None:
    given.does(daily("FREQ=DAILY;COUNT=10"), by=BOB)
    follows(given, TASK, MONDAY)
    with rejected("recurrence.not_latest", Conflict):
        given.when(daily("FREQ=WEEKLY"), by=BOB)
    given.does(EditTask(NEXT, title="water more"), by=BOB)
    same = daily("FREQ=DAILY;COUNT=10", task_id=NEXT)
    changed = given.when(same, by=BOB)[-1]
    assert isinstance(changed, SeriesRuleChanged)
    assert (changed.nth, changed.starts) == (2, "2027-01-04T09:00:00")  # it goes on to count
    given.does(same, by=BOB)
    assert follows(given, NEXT, TUESDAY).title == "water more"
    third = task_of(SERIES, 3)
    changed = given.when(daily("FREQ=WEEKLY;COUNT=2", task_id=third), by=BOB)[-1]
    assert isinstance(changed, SeriesRuleChanged)
    assert (changed.nth, changed.starts) == (1, "2027-01-06T09:00:00")


def test_a_stopped_series_rests_until_it_is_set_again(given: Given) -> None:
    given.does(daily(), by=BOB)
    stop = StopRecurrence(TASK, SERIES)
    assert given.when(stop, by=BOB) == [SeriesEnded(because=End.STOPPED), TaskFollowed()]
    given.does(stop, by=BOB)
    assert given.when(stop, by=BOB) == []
    assert wake(given, TASK, THURSDAY) == []
    given.does(daily(), by=BOB)
    assert series(given).ended_at is None
    assert follows(given, TASK, MONDAY).due_at == TUESDAY


def test_in_the_trash_the_series_rests(given: Given) -> None:
    given.does(daily(), by=BOB).does(DeleteTask(TASK), by=BOB)
    assert wake(given, TASK, THURSDAY) == []
    given.does(RestoreTask(TASK), by=BOB)
    assert follows(given, TASK, THURSDAY).due_at == TUESDAY


def test_an_occurrence_has_what_the_first_one_had(given: Given) -> None:
    given.does(EditTask(TASK, start_at="2027-01-03T17:00:00.000000Z", description="all"), by=BOB)
    given.happened(TASK, TaskAssigned(assignee=person(EVE)), by=BOB)
    given.does(AddItem(TASK, ITEM, "fetch water"), by=BOB)
    given.does(AddReminder(TASK, ITEM, relative_to=Date.DUE_AT, minutes_before=10), by=EVE)
    given.does(daily("FREQ=WEEKLY"), by=BOB)
    following = follows(given, TASK, MONDAY)
    assert (following.assignee, following.description) == (person(EVE), "all")
    assert (following.start_at, following.due_at) == ("2027-01-10T17:00:00.000000Z", "2027-01-11T08:00:00.000000Z")
    checklist = given.state(stream_of(NEXT, Part.CHECKLIST))
    assert isinstance(checklist, Checklist)
    assert [(item.text, item.checked) for item in checklist.items] == [("fetch water", False)]
    reminders = [logged.event for logged in given.log if logged.stream_id == stream_of(NEXT, Part.REMINDERS)]
    assert [(type(event), getattr(event, "user_id", None)) for event in reminders] == [(ReminderAdded, EVE)]


def test_who_is_gone_gets_no_occurrence(given: Given) -> None:
    given.happened(TASK, TaskAssigned(assignee=person(EVE)), by=BOB).does(daily(), by=BOB)
    given.happened(EVE, UserDeactivated())
    assert follows(given, TASK, MONDAY).assignee is None
    given.happened(NEXT, TaskAssigned(assignee=Assignee(type="team", id=OTHER)))
    given.does(daily(task_id=NEXT), by=BOB)
    assert follows(given, NEXT, TUESDAY).assignee is None


def test_in_a_project_an_occurrence_has_the_next_key_and_below_a_parent_it_is_a_part(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.EDITOR})
    given.does(CreateTask(OTHER, "garden", project_id=PROJECT), by=BOB)
    given.does(EditTask(TASK, parent_id=OTHER), by=BOB).does(daily(), by=BOB)
    following = follows(given, TASK, MONDAY)
    assert (following.key, following.parent_id) == ("APP-3", OTHER)
    assert [part.id for part in given.the_task(OTHER).subtasks] == [TASK, NEXT]
    for task_id in (TASK, NEXT, OTHER):
        given.does(MoveTask(task_id, "complete"), by=BOB)
    third = follows(given, NEXT, TUESDAY)
    assert (third.key, third.parent_id) == ("APP-4", None)
    given.happened(PROJECT, ProjectArchived())
    assert wake(given, third.id, THURSDAY) == [SeriesEnded(because=End.PROJECT_CLOSED), TaskFollowed()]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"rule": "FREQ=HOURLY"}, "recurrence.invalid"),
        ({"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "recurrence.invalid"),
        ({"rule": "FREQ=DAILY;UNTIL=20261231"}, "recurrence.invalid"),
        ({"zone": "Mars/Olympus"}, "value.time_zone"),
        ({"zone": None}, "recurrence.invalid"),
        ({"starts": "2027-02-30"}, "recurrence.invalid"),
        ({"starts": "tomorrow"}, "recurrence.invalid"),
        ({"starts": "2027-01-04T09:00:00+01:00"}, "recurrence.invalid"),
        ({"starts": "2500-01-04"}, "recurrence.invalid"),
        ({"starts": "1950-01-01T00:00", "rule": "FREQ=DAILY;BYHOUR=1,2,3"}, "recurrence.invalid"),
    ],
)
def test_what_gives_no_occurrences_is_refused(given: Given, fields: dict[str, Any], code: str) -> None:
    with rejected(code, Invalid):
        given.when(daily(**{"rule": "FREQ=DAILY", **fields}), by=BOB)


def test_what_is_never_due_needs_a_beginning(given: Given) -> None:
    given.task(OTHER, by=BOB)
    own = SetRecurrence(OTHER, series_of(OTHER), "FREQ=DAILY", now=NOW, zone=BERLIN)
    with rejected("recurrence.invalid", Invalid) as refused:
        given.when(own, by=BOB)
    assert refused.value.extra["errors"][0]["pointer"] == "/starts"
    given.does(EditTask(OTHER, start_at=MONDAY), by=BOB)
    given.does(own, by=BOB)
    following = follows(given, OTHER, MONDAY)
    assert (following.start_at, following.due_at) == (TUESDAY, None)


def test_what_is_closed_does_not_begin_to_recur(given: Given) -> None:
    given.does(MoveTask(TASK, "complete"), by=BOB)
    with rejected("recurrence.task_closed", Conflict):
        given.when(daily(), by=BOB)


def test_a_series_is_changed_by_who_may_edit_its_latest_task(given: Given) -> None:
    for command in (StopRecurrence(TASK, SERIES), SkipOccurrence(TASK, SERIES, TUESDAY)):
        with rejected("recurrence.not_found", NotFound):
            given.when(command, by=BOB)
    given.does(daily(), by=BOB)
    changes: list[Command] = [daily("FREQ=WEEKLY"), StopRecurrence(TASK, SERIES), SkipOccurrence(TASK, SERIES, TUESDAY)]
    for change in changes:
        assert given.when(change, by=ADA) != []
        with rejected("task.not_found", NotFound):
            given.when(change, by=EVE)
        with rejected("auth.forbidden", Forbidden):
            given.when(change, by=MAX)
    with rejected("recurrence.not_found", NotFound):
        given.when(SetRecurrence(TASK, series_of(OTHER), "FREQ=DAILY", now=NOW), by=BOB)


def test_by_days_an_occurrence_is_past_with_its_day(given: Given) -> None:
    given.does(daily(starts="2027-01-04"), by=BOB)
    assert wake(given, TASK, "2027-01-04T22:59:59.999998Z") == []
    following = follows(given, TASK, "2027-01-04T22:59:59.999999Z")
    assert (following.due_on, following.due_zone, following.occurrence) == (
        "2027-01-05",
        BERLIN,
        "2027-01-04T23:00:00.000000Z",
    )


def test_a_series_folds_whatever_was_erased(given: Given) -> None:
    given.does(daily(), by=BOB).does(SkipOccurrence(TASK, SERIES, TUESDAY), by=BOB)
    follows(given, TASK, MONDAY)
    log = [logged for logged in given.log if logged.stream_id == SERIES]
    for versions in ((1,), (2,), (3,), (1, 2, 3)):
        state = streams.fold(erase(log, *versions))
        assert isinstance(state, Series)
        assert (state.id, state.version, state.position) == (SERIES, 3, log[-1].position)
    assert replace(series(given), version=0).made == 2


def test_the_timer_of_a_task_knows_when_the_next_one_is_to_be_made(given: Given) -> None:
    def fires_at(task_id: str) -> Instant | None:
        timed = Timed()
        for logged in given.log:
            if logged.stream_id == task_id:
                timed = timers_evolve(timed, logged)
        return timed.fires_at

    given.does(EditTask(TASK, due_at=None), by=BOB)
    assert fires_at(TASK) is None
    given.does(daily(starts="2027-01-04T09:00"), by=BOB)
    assert fires_at(TASK) == MONDAY
    given.does(MoveTask(TASK, "complete"), by=BOB)
    assert fires_at(TASK) == at(len(given.log))
    given.does(MoveTask(TASK, "reopen"), by=BOB).does(DeleteTask(TASK), by=BOB)
    assert fires_at(TASK) is None
    given.does(RestoreTask(TASK), by=BOB).does(MoveTask(TASK, "cancel"), by=BOB)
    follows(given, TASK, NOW)
    assert (fires_at(TASK), fires_at(NEXT)) == (None, TUESDAY)
    given.does(daily(task_id=NEXT, mode=Mode.COMPLETION), by=BOB).does(EditTask(NEXT, due_at=None), by=BOB)
    assert fires_at(NEXT) is None
    given.does(MoveTask(NEXT, "complete"), by=BOB)
    assert fires_at(NEXT) == at(len(given.log))
    given.does(StopRecurrence(TASK, SERIES), by=BOB)
    assert fires_at(NEXT) is None


def test_the_same_rule_set_again_forgets_neither_what_is_skipped_nor_what_was_missed(given: Given) -> None:
    given.does(daily(now="2027-01-05T12:00:00.000000Z"), by=BOB).does(SkipOccurrence(TASK, SERIES, WEDNESDAY), by=BOB)
    given.does(EditTask(TASK, title="water more"), by=BOB)
    same = daily(now="2027-01-05T13:00:00.000000Z")
    assert [type(event) for event in given.when(same, by=BOB)] == [TaskSeriesJoined, SeriesRuleChanged]
    given.does(same, by=BOB)
    assert (series(given).passed.at, series(given).skipped) == (TUESDAY, (WEDNESDAY,))
    following = follows(given, TASK, WEDNESDAY)
    assert (following.title, following.due_at) == ("water more", THURSDAY)


def test_the_same_beginning_said_otherwise_is_no_other_rule(given: Given) -> None:
    rule = "FREQ=WEEKLY;BYDAY=MO"
    given.does(daily(rule), by=BOB).does(SkipOccurrence(TASK, SERIES, "2027-01-11T08:00:00.000000Z"), by=BOB)
    assert given.when(daily(rule, starts="2027-01-02T09:00"), by=BOB) == []


def test_what_is_skipped_to_its_end_is_over_also_when_it_is_set_again(given: Given) -> None:
    given.does(daily("FREQ=DAILY;COUNT=2"), by=BOB).does(SkipOccurrence(TASK, SERIES, TUESDAY), by=BOB)
    given.does(EditTask(TASK, title="water more"), by=BOB).does(daily("FREQ=DAILY;COUNT=2"), by=BOB)
    assert series(given).ended_because is End.FINISHED
    with rejected("recurrence.ended", Conflict):
        given.when(SkipOccurrence(TASK, SERIES, THURSDAY), by=BOB)


def test_what_begins_ages_before_it_is_due_recurs_without_a_start(given: Given) -> None:
    given.does(EditTask(TASK, start_at="0001-06-01T00:00:00.000000Z"), by=BOB)
    edited = given.when(daily(starts="1990-01-01T09:00", rule="FREQ=YEARLY"), by=BOB)[0]
    assert isinstance(edited, TaskEdited)
    assert edited.start_at is None


def test_a_start_keeps_its_time_of_day_where_a_day_becomes_a_time(given: Given) -> None:
    given.does(EditTask(TASK, due_on="2027-01-06", due_zone=BERLIN, start_at="2027-01-06T08:00:00.000000Z"), by=BOB)
    edited = given.when(daily(starts="2027-01-04T17:00"), by=BOB)[0]
    assert edited == TaskEdited(due_on=None, due_at="2027-01-04T16:00:00.000000Z", start_at=MONDAY)


def test_in_an_archived_project_nobody_changes_a_series(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.EDITOR})
    given.does(EditTask(TASK, project_id=PROJECT), by=BOB).does(daily(), by=BOB).happened(PROJECT, ProjectArchived())
    for change in (daily("FREQ=WEEKLY"), StopRecurrence(TASK, SERIES), SkipOccurrence(TASK, SERIES, TUESDAY)):
        with rejected("project.is_archived", Conflict):
            given.when(change, by=BOB)


def test_where_the_beginning_was_erased_a_series_is_none_until_it_is_set_again(given: Given) -> None:
    given.does(daily(), by=BOB)
    started = next(logged for logged in given.log if isinstance(logged.event, SeriesStarted))
    erased = erase([started], 1)[0]
    given.log[started.position - 1] = erased
    given.folded[SERIES] = Folded(1, streams.fold([erased]), 0)
    for command in (StopRecurrence(TASK, SERIES), SkipOccurrence(TASK, SERIES, TUESDAY)):
        with rejected("recurrence.not_found", NotFound):
            given.when(command, by=BOB)
        assert "" not in given.reads
    given.does(daily(), by=BOB)
    assert follows(given, TASK, MONDAY).due_at == TUESDAY


@pytest.mark.parametrize("mode", Mode)
def test_in_an_archived_project_a_series_ends_as_soon_as_its_latest_task_is_woken(given: Given, mode: Mode) -> None:
    given.does(daily(mode=mode), by=BOB).project(PROJECT, {BOB: ProjectRole.EDITOR})
    given.does(EditTask(TASK, project_id=PROJECT), by=BOB)  # and what follows would be in none
    timed = Timed()
    for logged in given.happened(PROJECT, ProjectArchived()).log:
        timed = timers_evolve(timed, logged) if logged.stream_id == TASK else timed
    assert (timed.project_id, timed.rests_with) == (PROJECT, None)
    assert given.when(WakeTask(TASK, MONDAY), SYSTEM) == [SeriesEnded(because=End.PROJECT_CLOSED), TaskFollowed()]
    for logged in given.does(WakeTask(TASK, MONDAY), SYSTEM).log[-2:]:
        timed = timers_evolve(timed, logged) if logged.stream_id == TASK else timed
    assert timed.rests_with == PROJECT


def test_so_many_occurrences_are_skipped_and_no_more(given: Given) -> None:
    given.does(daily(), by=BOB)
    for point in islice(series(given).upcoming(), SKIPPED_MAX):
        given.happened(SERIES, SeriesOccurrenceSkipped(occurrence=point.at, local=point.local), by=BOB)
    assert given.when(SkipOccurrence(TASK, SERIES, TUESDAY), by=BOB) == []
    ahead = next(series(given).upcoming())
    with rejected("recurrence.too_many_skipped", Conflict):
        given.when(SkipOccurrence(TASK, SERIES, ahead.at), by=BOB)
    assert follows(given, TASK, MONDAY).due_at == ahead.at


def test_a_reminder_that_somebody_removed_does_not_come_again(given: Given) -> None:
    for who, minutes in ((BOB, 10), (ADA, 20)):
        reminder = f"{ITEM[:-1]}{who[-1]}"
        given.does(AddReminder(TASK, reminder, relative_to=Date.DUE_AT, minutes_before=minutes), by=who)
    given.does(daily(), by=BOB)
    following = follows(given, TASK, MONDAY)

    def reminded(task_id: str) -> list[str]:
        state = given.state(stream_of(task_id, Part.REMINDERS))
        return [each.user_id for each in state.reminders] if isinstance(state, Reminders) else []

    assert reminded(following.id) == [BOB, ADA]
    state = given.state(stream_of(following.id, Part.REMINDERS))
    assert isinstance(state, Reminders)
    given.does(RemoveReminder(following.id, state.reminders[1].id), by=ADA)
    third = follows(given, following.id, TUESDAY)
    assert reminded(third.id) == [BOB]
    assert reminded(follows(given, third.id, WEDNESDAY).id) == [BOB]


def test_a_series_that_ended_with_its_project_is_set_again_by_the_same_rule(given: Given) -> None:
    given.project(PROJECT, {BOB: ProjectRole.EDITOR}).does(EditTask(TASK, project_id=PROJECT), by=BOB)
    given.does(daily(), by=BOB).does(ArchiveProject(PROJECT)).does(WakeTask(TASK, MONDAY), SYSTEM)
    assert series(given).ended_because is End.PROJECT_CLOSED
    given.does(RestoreProject(PROJECT)).does(daily(now="2027-01-05T12:00:00.000000Z"), by=BOB)
    assert series(given).ended_at is None
    assert follows(given, TASK, WEDNESDAY).due_at == WEDNESDAY
