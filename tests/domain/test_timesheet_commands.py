"""Hours: everybody writes down their own work; leads, managers and admins correct that of others."""

from typing import Any

import pytest

from commands.timesheet import AddEntry, EditEntry, RemoveEntry
from domain import streams
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.talk import Part, stream_of
from domain.task import TaskAssigned
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.timesheet import (
    ENTRIES_MAX,
    EntryAdded,
    EntryEdited,
    EntryRemoved,
    Timesheet,
    minutes_by_user,
)
from domain.user import Role
from tests.domain.given import ADA, BOB, EVE, MAX, NOBODY, OTHER, TASK, TEAM, ZOE, Given, at, rejected
from tests.domain.test_erased import erase

SHEET = stream_of(TASK, Part.TIMESHEET)
ONE, TWO, THREE = (f"00000000-0000-7000-8000-00000000050{n}" for n in range(1, 4))
DAY = "2026-11-21"


@pytest.fixture
def given() -> Given:
    """Bob's task, of a team that Zoe leads and Eve is in; Ada is a manager, Max an auditor. Eve worked an hour."""
    given = Given().member(ADA, Role.MANAGER).member(BOB).member(EVE).member(ZOE).member(MAX, Role.AUDITOR)
    given.team(TEAM, {ZOE: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    given.task(TASK, TaskAssigned(assignee=Assignee(type="team", id=TEAM)), by=BOB)
    return given.does(AddEntry(TASK, ONE, 60, DAY, "Figures"), by=EVE)


def sheet(given: Given) -> Timesheet:
    state = given.state(SHEET)
    assert isinstance(state, Timesheet)
    return state


def test_everybody_who_may_work_on_a_task_writes_down_their_own_work(given: Given) -> None:
    for by in (ADA, BOB, EVE, ZOE):
        assert given.when(AddEntry(TASK, TWO, 90, DAY), by=by) == [
            EntryAdded(task_id=TASK, entry_id=TWO, user_id=by, minutes=90, on=DAY)
        ]
        assert given.reads.keys() == {by, TASK, SHEET}
    with rejected("auth.forbidden", Forbidden):
        given.when(AddEntry(TASK, TWO, 90, DAY), by=MAX)
    given.member(NOBODY)
    with rejected("task.not_found", NotFound):
        given.when(AddEntry(TASK, TWO, 90, DAY), by=NOBODY)


def test_the_sums_are_per_user(given: Given) -> None:
    given.does(AddEntry(TASK, TWO, 30, DAY), by=BOB).does(AddEntry(TASK, THREE, 15, DAY), by=EVE)
    assert minutes_by_user(sheet(given).entries) == {EVE: 75, BOB: 30}
    given.does(RemoveEntry(TASK, TWO), by=BOB)
    assert minutes_by_user(sheet(given).entries) == {EVE: 75}


def test_an_entry_is_corrected_by_whose_it_is_and_by_who_leads(given: Given) -> None:
    edit = EditEntry(TASK, ONE, minutes=45, note="Figures")
    for by in (ADA, EVE, ZOE):
        assert given.when(edit, by=by) == [EntryEdited(task_id=TASK, entry_id=ONE, minutes=45)]
        assert given.when(RemoveEntry(TASK, ONE), by=by) == [EntryRemoved(task_id=TASK, entry_id=ONE)]
    for command in (edit, RemoveEntry(TASK, ONE)):
        for by in (BOB, MAX):
            with rejected("auth.forbidden", Forbidden):
                given.when(command, by=by)
    given.does(EditEntry(TASK, ONE, minutes=45, on="2026-11-20", note=""), by=EVE)
    entry = sheet(given).entries[0]
    assert (entry.minutes, entry.on, entry.note, entry.updated_at) == (45, "2026-11-20", "", at(len(given.log)))
    assert given.when(EditEntry(TASK, ONE, minutes=45, on="2026-11-20", note=""), by=EVE) == []
    assert given.when(EditEntry(TASK, ONE), by=EVE) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"minutes": 0}, "value.range"),
        ({"minutes": 1_441}, "value.range"),
        ({"on": "2026-02-29"}, "value.day"),
        ({"on": "20261121"}, "value.day"),
        ({"on": "yesterday"}, "value.day"),
        ({"note": "a\x00"}, "value.character"),
        ({"note": "x" * 2_001}, "value.length"),
    ],
)
def test_an_entry_is_an_amount_of_time_on_a_day(given: Given, fields: dict[str, Any], code: str) -> None:
    for command in (
        AddEntry(TASK, TWO, **{"minutes": 1, "on": DAY, **fields}),
        EditEntry(TASK, ONE, **fields),
    ):
        with rejected(code, Invalid):
            given.when(command, by=EVE)


def test_an_entry_is_found_at_its_own_task_alone(given: Given) -> None:
    given.task(OTHER, by=EVE)
    for command in (EditEntry(OTHER, ONE, minutes=1), RemoveEntry(OTHER, ONE), RemoveEntry(TASK, TWO)):
        with rejected("timesheet.entry_not_found", NotFound):
            given.when(command, by=EVE)


def test_a_timesheet_has_so_many_entries_and_no_more(given: Given) -> None:
    more = [EntryAdded(task_id=TASK, entry_id=f"{n}", user_id=BOB, minutes=1, on=DAY) for n in range(ENTRIES_MAX - 1)]
    given.happened(SHEET, *more)
    with rejected("timesheet.full", Conflict):
        given.when(AddEntry(TASK, TWO, 90, DAY), by=BOB)


def test_a_timesheet_folds_whatever_was_erased(given: Given) -> None:
    given.does(EditEntry(TASK, ONE, minutes=45), by=EVE).does(AddEntry(TASK, TWO, 5, DAY), by=EVE)
    log = [logged for logged in given.log if logged.stream_id == SHEET]
    for versions, minutes in (((1,), 5), ((2,), 65), ((3,), 45), ((1, 2, 3), 0)):
        state = streams.fold(erase(log, *versions))
        assert isinstance(state, Timesheet)
        assert (sum(minutes_by_user(state.entries).values()), state.version) == (minutes, 3)
